"""Two hosts with two drives each: one store, and what is left of it when a drive or a host dies.

Four drives are EC:2, so reading needs two of them and writing three: the store outlives one drive,
and with one host dead it only reads.
"""

import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
import yaml
from minio import Minio
from minio.error import S3Error

from s3.client import Credential, StoreEndpoint, connect
from tests.on_lab.site import ROOT, Lab, Site, copy_of_checkout

pytestmark = pytest.mark.lab

CONTENT = bytes(range(256)) * 4096
BUCKET = "pair-velero"
PORT = 9091


class Pair:
    """The deployed stack, and a client of one of its hosts."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.outputs = site.outputs()

    def address(self, host: str) -> str:
        inventory = json.loads(Path(self.site.environment["BACKSTOP_INVENTORY"]).read_text())
        return str(inventory["hosts"][host]["address"])

    def through(self, host: str, retries: bool = True) -> Minio:
        """The client `velero`, connected to this host only."""
        pair = self.outputs["credentials"]["velero"]
        endpoint = StoreEndpoint(
            f"https://{self.address(host)}:{PORT}",
            self.outputs["storeRegion"],
            self.outputs["storeCaPem"],
        )
        once = urllib3.PoolManager(ssl_context=endpoint.tls_context(), retries=False)
        return connect(
            endpoint,
            Credential(pair["accessKey"], pair["secretKey"]),
            None if retries else once,
        )

    def put(self, host: str, name: str, *, retries: bool = True) -> None:
        client = self.through(host, retries)
        client.put_object(BUCKET, name, io.BytesIO(CONTENT), len(CONTENT))

    def get(self, host: str, name: str) -> bytes:
        response = self.through(host).get_object(BUCKET, name)
        try:
            return bytes(response.read())
        finally:
            response.release_conn()


def stack_file(directory: Path) -> None:
    """The stack `pair`: the lab's `edge` with other hosts (and its salt, for the escrow secret)."""
    content = yaml.safe_load((ROOT / "Pulumi.edge.yaml").read_text())
    content["config"] |= {
        "backstop:site": "pair",
        "backstop:objectStore": {
            "kind": "hosts",
            "hosts": ["pair1", "pair2"],
            "drives": ["/mnt/disk1/minio", "/mnt/disk2/minio"],
            "binary": content["config"]["backstop:objectStore"]["binary"],
            "certificate": {"names": ["pair.example"]},
        },
        "backstop:clients": {"longhorn": {"enabled": False}, "host-files": {"nodes": ["pair1"]}},
    }
    (directory / "Pulumi.pair.yaml").write_text(yaml.safe_dump(content))


@pytest.fixture(scope="module")
def pair(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    lab.up("pair1", "pair2")
    checkout = copy_of_checkout(tmp_path_factory.mktemp("pair"))
    stack_file(checkout)
    site = Site(lab, checkout, stack="pair")
    site.up()
    return Pair(site)


@pytest.fixture
def dead_drive(lab: Lab, pair: Pair) -> Iterator[None]:
    """A drive of pair2 answers nothing any more, under the running server."""
    del pair
    lab.on("pair2", "mv /mnt/disk2/minio /mnt/disk2/away && chmod 0 /mnt/disk2")
    yield
    restored = "rm -rf /mnt/disk2/minio && mv /mnt/disk2/away /mnt/disk2/minio"
    lab.on("pair2", f"chmod 755 /mnt/disk2 && {restored}")


@pytest.fixture
def dead_host(lab: Lab, pair: Pair) -> Iterator[None]:
    """The server of pair2 is killed, and stays down."""
    lab.on("pair2", "systemctl kill --signal=KILL minio; systemctl stop minio")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((pair.address("pair2"), PORT), timeout=5).close()
    yield
    lab.on("pair2", "systemctl start minio")


def test_two_hosts_are_one_proven_store(lab: Lab, pair: Pair) -> None:
    assert pair.outputs["drills"]["store"]["verdict"] == "proven"
    pair.site.quiet()
    # One CA, kept on the first host only; each host has an issuer of its own below it.
    assert lab.on("pair1", "ls /var/lib/backstop/ca").split() == ["ca.crt", "ca.key"]
    assert "ca" not in lab.on("pair2", "ls -A /var/lib/backstop").split()


def test_what_is_written_through_one_host_is_read_through_the_other(pair: Pair) -> None:
    pair.put("pair1", "through-pair1")
    assert pair.get("pair2", "through-pair1") == CONTENT


@pytest.mark.usefixtures("dead_drive")
def test_with_one_drive_dead_both_hosts_read_and_write(pair: Pair) -> None:
    pair.put("pair1", "one-drive-dead")
    assert pair.get("pair2", "through-pair1") == CONTENT
    assert pair.get("pair2", "one-drive-dead") == CONTENT


@pytest.mark.usefixtures("dead_host")
def test_with_one_host_dead_the_other_reads_and_refuses_writes(pair: Pair) -> None:
    assert pair.get("pair1", "through-pair1") == CONTENT
    with pytest.raises(S3Error) as refused:
        pair.put("pair1", "one-host-dead", retries=False)
    assert refused.value.code == "SlowDownWrite"


def test_both_servers_restart_together_on_a_change_and_pass_the_gate(lab: Lab, pair: Pair) -> None:
    def processes() -> list[str]:
        show = "systemctl show -p MainPID --value minio"
        return [lab.on(host, show) for host in ("pair1", "pair2")]

    before = processes()
    pair.site.configure(objectStore={"staleUploadsHours": 25})
    pair.site.up()
    assert all(old != new for old, new in zip(before, processes(), strict=True))
    for host in ("pair1", "pair2"):
        assert 'EXPIRY="25h"' in lab.on(host, "cat /etc/minio/minio.conf")
    assert pair.get("pair2", "through-pair1") == CONTENT
    pair.site.quiet()
