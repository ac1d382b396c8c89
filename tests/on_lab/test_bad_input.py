"""What is wrong with a host ends in one sentence before anything is changed; the cure converges."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.on_lab.site import Lab, Site

pytestmark = pytest.mark.lab


@pytest.fixture
def site(deployed: Site) -> Iterator[Site]:
    yield deployed
    deployed.reset()
    deployed.quiet()


def host(deployed: Site) -> dict[str, Any]:
    inventory = json.loads(Path(deployed.environment["BACKSTOP_INVENTORY"]).read_text())
    found: dict[str, Any] = inventory["hosts"]["store1"]
    return found


def refused(site: Site, *parts: str) -> None:
    """Preview and update both end with the sentence, and the update changed nothing."""
    for done in (site.pulumi("preview"), site.driver("up")):
        assert done.code != 0, done.text
        told = [line for line in done.text.splitlines() if all(part in line for part in parts)]
        assert told, done.text
        assert "nothing was changed" in done.text
        assert "Traceback" not in done.text


def test_an_unreachable_host(site: Site) -> None:
    gone = {**host(site), "address": "127.0.0.1", "port": 1}
    site.configure(hosts={"store1": gone})
    refused(site, "host store1 (root@127.0.0.1:1) cannot be reached", "hosts.store1.address")


def test_a_changed_host_key(site: Site, tmp_path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True
    )
    kind, key, *_ = (tmp_path / "key.pub").read_text().split()
    site.configure(hosts={"store1": {**host(site), "hostKey": f"{kind} {key}"}})
    refused(site, "host store1", "shows another host key", "hosts.store1.hostKey")


def test_a_wrong_ssh_key(site: Site, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    site.configure(sshPrivateKeyFile=str(key))
    refused(site, "host store1", "refuses the SSH key", "sshPrivateKey")


def test_a_data_path_that_is_not_mounted(site: Site) -> None:
    site.configure(objectStore={"drives": ["/srv/elsewhere/minio"]})
    refused(site, "host store1: /srv/elsewhere is not a mount point", "requireMountPoint")


def test_a_port_that_is_taken(lab: Lab, site: Site) -> None:
    site.configure(objectStore={"apiPort": 22})
    refused(site, "host store1: port 22 is taken by sshd", "objectStore.apiPort")
    lab.on("store1", "systemctl is-active minio")


def test_a_full_disk(lab: Lab, site: Site, tmp_path: Path) -> None:
    newer = tmp_path / "minio"
    newer.write_bytes(b"another server")
    site.configure(objectStore={"binary": {"path": str(newer), "sha256": "0" * 64, "version": "x"}})
    lab.on("store1", "mount -t tmpfs -o size=1m tmpfs /opt")
    try:
        refused(site, "host store1: /opt has", "make room there")
    finally:
        lab.on("store1", "umount /opt")


def test_a_misspelt_key(site: Site) -> None:
    site.configure(objectStore={"apiPrt": 9091})
    done = site.driver("up")
    assert done.code != 0
    assert "config backstop:objectStore.apiPrt: is no key of this program" in done.text
    assert "Traceback" not in done.text
