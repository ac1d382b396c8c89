"""Upgrades, roll-back, rotation, and certificates, on the real host."""

import hashlib
import json
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from minio.error import S3Error

from s3.client import Credential, StoreEndpoint, connect
from tests.on_lab.site import Lab, Site

pytestmark = pytest.mark.lab

VERSION = "RELEASE.2026-02-12T20-18-48Z"


@pytest.fixture
def site(deployed: Site) -> Iterator[Site]:
    """The deployed site, put back to its committed config afterwards."""
    yield deployed
    deployed.reset()
    deployed.up()
    deployed.quiet()


def binary(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"binary": {"path": str(path), "sha256": digest, "version": VERSION}}


def genuine(lab: Lab) -> Path:
    done = lab.lab("tools", "minio", "--print")
    return Path(done.stdout.strip().split(" ", 1)[1])


def running_binary(lab: Lab) -> str:
    return lab.on("store1", "sha256sum </proc/$(systemctl show -p MainPID --value minio)/exe")[:64]


def test_an_upgrade_replaces_the_running_server(lab: Lab, site: Site, tmp_path: Path) -> None:
    newer = tmp_path / "minio"
    shutil.copy(genuine(lab), newer)
    with newer.open("ab") as file:
        file.write(b"another build")
    site.configure(objectStore=binary(newer))
    site.up()
    assert running_binary(lab) == hashlib.sha256(newer.read_bytes()).hexdigest()
    site.quiet()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param("echo broken build >&2; exit 1", "broken build", id="ends at once"),
        pytest.param("exec sleep infinity", "did not become healthy in 10 s", id="never answers"),
    ],
)
def test_an_upgrade_whose_gate_fails_is_back_on_the_old_server(
    lab: Lab, site: Site, tmp_path: Path, body: str, said: str
) -> None:
    before = running_binary(lab)
    broken = tmp_path / "minio"
    broken.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "minio {VERSION}" && exit\n{body}\n'
    )
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    site.configure(objectStore={**binary(broken), "healthSeconds": 10})
    done = site.driver("up")
    assert done.code != 0
    assert f"back on {VERSION}" in done.text, done.text
    assert said in done.text
    assert running_binary(lab) == before
    assert lab.on("store1", "systemctl is-active minio") == "active\n"


def test_a_wrong_checksum_is_refused_before_anything_is_changed(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "minio"
    other.write_bytes(b"not the server")
    changed = binary(other)
    changed["binary"]["sha256"] = "0" * 64
    site.configure(objectStore=changed)
    done = site.driver("up")
    assert done.code != 0
    assert "config backstop:objectStore.binary.sha256" in done.text
    assert "nothing was changed" in done.text


def test_the_root_credential_rotates_and_the_old_one_dies(site: Site) -> None:
    old = site.outputs()
    site.configure(objectStore={"rootCredentialGeneration": 2})
    site.up()
    new = site.outputs()
    assert new["storeRootPassword"] != old["storeRootPassword"]
    endpoint = StoreEndpoint(new["storeEndpoint"], new["storeRegion"], new["storeCaPem"])
    connect(endpoint, Credential(new["storeRootUser"], new["storeRootPassword"])).list_buckets()
    with pytest.raises(Exception, match=r"(?i)access key|does not exist"):
        connect(endpoint, Credential(old["storeRootUser"], old["storeRootPassword"])).list_buckets()
    site.quiet()


def test_a_client_rotates_by_two_overlapping_users(site: Site) -> None:
    before = site.outputs()

    def works(pair: dict[str, str]) -> bool:
        url, region, ca_pem = (before[f"store{key}"] for key in ("Endpoint", "Region", "CaPem"))
        client = connect(
            StoreEndpoint(url, region, ca_pem), Credential(pair["accessKey"], pair["secretKey"])
        )
        try:
            list(client.list_objects("dev-velero"))
        except S3Error as error:
            if error.code != "InvalidAccessKeyId":
                raise
            return False
        return True

    old = before["credentials"]["velero"]
    site.configure(clients={"velero": {"credentialGeneration": 2, "keepPreviousCredential": True}})
    site.up()
    new = site.outputs()["credentials"]["velero"]
    assert new != old
    assert works(old)
    assert works(new)
    site.configure(clients={"velero": {"credentialGeneration": 2}})
    site.up()
    assert not works(old)
    assert works(new)


def test_a_user_with_passwordless_sudo_is_as_good_as_root(lab: Lab, site: Site) -> None:
    lab.on(
        "store1",
        "useradd --create-home --shell /bin/bash ops && install -d -o ops -m 700 ~ops/.ssh &&"
        " install -o ops -m 600 ~root/.ssh/authorized_keys ~ops/.ssh/authorized_keys &&"
        " echo 'ops ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops",
    )
    inventory = json.loads(Path(site.environment["BACKSTOP_INVENTORY"]).read_text())
    try:
        site.configure(hosts={"store1": {**inventory["hosts"]["store1"], "user": "ops"}})
        # The upload is part of it: a user's file reaches a folder that only root may write.
        lab.on("store1", "rm $(readlink /usr/local/bin/minio)")
        site.up()
        site.quiet()
        lab.on("store1", "rm /etc/sudoers.d/ops")
        refused = site.pulumi("preview")
        assert refused.code != 0
        assert "host store1" in refused.text
        assert "passwordless sudo" in refused.text
    finally:
        site.reset()
        site.up()
        lab.on("store1", "userdel --remove ops; rm -f /etc/sudoers.d/ops")


def test_the_timer_renews_a_certificate_that_is_due_without_a_restart(
    lab: Lab, deployed: Site
) -> None:
    process = lab.on("store1", "systemctl show -p MainPID --value minio")
    serial = "openssl x509 -in /etc/minio/ssl/public.crt -noout -serial"
    old = lab.on("store1", serial)
    lab.on("store1", "/usr/local/lib/backstop/renew-certificate --force")
    assert lab.on("store1", serial) != old
    assert lab.on("store1", "systemctl show -p MainPID --value minio") == process
    lab.on("store1", "systemctl start backstop-certificate.service")
    served = lab.on(
        "store1",
        f"""for n in $(seq 30); do
              seen=$(openssl s_client -connect 127.0.0.1:9091 </dev/null 2>/dev/null |
                openssl x509 -noout -serial)
              [ "$seen" = "$({serial})" ] && echo served && break
              sleep 1
            done""",
    )
    assert served == "served\n"
    deployed.quiet()


def test_a_new_ca_reaches_every_certificate_and_every_consumer(lab: Lab, deployed: Site) -> None:
    old = deployed.outputs()["storeCaPem"]
    lab.on("store1", "rm -rf /var/lib/backstop/ca")
    assert "/var/lib/backstop/ca/ca.key is gone" in deployed.pulumi("preview", "--diff").text
    deployed.up()
    outputs = deployed.outputs()
    assert outputs["storeCaPem"] != old
    assert outputs["drills"]["store"]["verdict"] == "proven"
    deployed.quiet()


@pytest.mark.usefixtures("deployed")
def test_the_issuer_can_certify_nobody_but_its_own_host(lab: Lab) -> None:
    forged = """
cd $(mktemp -d)
openssl req -newkey rsa:2048 -nodes -subj /CN=x -keyout k -out r 2>/dev/null
printf 'subjectAltName=DNS:bank.example' >e
openssl x509 -req -in r -CA /etc/minio/issuer/issuer.crt -CAkey /etc/minio/issuer/issuer.key \
  -extfile e -days 1 -out c 2>/dev/null
openssl verify -CAfile /etc/minio/ssl/CAs/ca.crt -untrusted /etc/minio/issuer/issuer.crt c 2>&1 || :
"""
    assert "permitted subtree violation" in lab.on("store1", forged)
