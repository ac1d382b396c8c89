"""Ten edits by hand on the host: each shows in the next preview, `up` heals all, then quiet."""

import pytest

from tests.on_lab.site import Lab, Site

pytestmark = pytest.mark.lab

# name -> (the edit, what the preview must say, a check on the host that the healing worked)
EDITS = {
    "unit": (
        "sed -i s/LimitNOFILE=.*/LimitNOFILE=1024/ /etc/systemd/system/minio.service",
        "/etc/systemd/system/minio.service was changed",
        "grep -q LimitNOFILE=1048576 /etc/systemd/system/minio.service",
    ),
    "drop-in": (
        "rm /etc/systemd/system/minio.service.d/hardening.conf",
        "hardening.conf is gone",
        "test -s /etc/systemd/system/minio.service.d/hardening.conf",
    ),
    "environment file": (
        "echo 'MINIO_BROWSER=\"on\"' >>/etc/minio/minio.conf",
        "/etc/minio/minio.conf was changed",
        "! grep -q 'BROWSER=\"on\"' /etc/minio/minio.conf",
    ),
    "mode of the issuer's key": (
        "chmod 644 /etc/minio/issuer/issuer.key",
        "/etc/minio/issuer/issuer.key has another owner or mode",
        "test $(stat -c %a /etc/minio/issuer/issuer.key) = 600",
    ),
    "mode of the CA's key": (
        "chmod 640 /var/lib/backstop/ca/ca.key",
        "/var/lib/backstop/ca/ca.key has another owner or mode",
        "test $(stat -c %a /var/lib/backstop/ca/ca.key) = 600",
    ),
    "server binary": (
        "f=$(readlink /usr/local/bin/minio); cp $f $f.x; echo x >>$f.x; mv $f.x $f",
        "/minio was changed",
        "minio --version",
    ),
    "link to another server": (
        "ln -sfn /bin/true /usr/local/bin/minio",
        "/usr/local/bin/minio points elsewhere",
        "minio --version | grep -q RELEASE",
    ),
    "server stopped": (
        "systemctl stop minio",
        "unit minio.service is not active",
        "systemctl is-active minio",
    ),
    "certificate from elsewhere": (
        "cd /etc/minio/ssl; openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -days 9"
        " -keyout private.key -out public.crt 2>/dev/null",
        "does not come from the CA of the store",
        "/usr/local/lib/backstop/renew-certificate --check",
    ),
    "renewal switched off": (
        "systemctl disable --now --quiet backstop-certificate.timer",
        "backstop-certificate.timer is not enabled",
        "systemctl is-active backstop-certificate.timer",
    ),
}


def test_every_edit_by_hand_is_shown_and_one_update_heals_them_all(
    lab: Lab, deployed: Site
) -> None:
    hidden = []
    for name, (edit, shown, _) in EDITS.items():
        lab.on("store1", edit)
        preview = deployed.pulumi("preview", "--diff")
        assert preview.code == 0, preview.text
        if shown not in preview.text:
            hidden.append(name)
    assert hidden == []
    deployed.up()
    for name, (_, _, healed) in EDITS.items():
        assert lab.on("store1", f"{healed} >&2 && echo {name!r}").strip() == name
    deployed.quiet()


def test_a_login_shell_is_shown_and_refused_rather_than_taken_away(
    lab: Lab, deployed: Site
) -> None:
    lab.on("store1", "usermod --shell /bin/sh minio")
    assert "the user minio was changed" in deployed.pulumi("preview", "--diff").text
    done = deployed.driver("up")
    assert done.code != 0
    assert "store1: the user minio has the login shell /bin/sh" in done.text
    lab.on("store1", "usermod --shell /usr/sbin/nologin minio")
    deployed.up()
    deployed.quiet()
