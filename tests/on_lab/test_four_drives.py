"""One host with four drives: any one may die, and the store goes on reading and writing."""

import io

import pytest

from s3.client import Credential, StoreEndpoint, connect
from tests.on_lab.site import Lab, Site, copy_of_checkout

pytestmark = pytest.mark.lab

CONTENT = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def edge(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Site:
    lab.up("edge1")
    site = Site(lab, copy_of_checkout(tmp_path_factory.mktemp("edge")), stack="edge")
    site.up()
    return site


def test_a_second_stack_of_the_same_program_is_proven(edge: Site) -> None:
    outputs = edge.outputs()
    assert outputs["site"] == "edge"
    assert outputs["drills"]["store"]["verdict"] == "proven"
    assert "longhorn" not in outputs["credentials"]
    edge.quiet()


def test_with_one_of_four_drives_dead_it_reads_and_writes(lab: Lab, edge: Site) -> None:
    outputs = edge.outputs()
    pair = outputs["credentials"]["velero"]
    endpoint = StoreEndpoint(
        outputs["storeEndpoint"], outputs["storeRegion"], outputs["storeCaPem"]
    )
    client = connect(endpoint, Credential(pair["accessKey"], pair["secretKey"]))
    client.put_object("edge-velero", "before", io.BytesIO(CONTENT), len(CONTENT))
    # The drive answers nothing any more: the file system is shut down under the running server.
    lab.on("edge1", "rm -rf /mnt/disk3/minio && chmod 0 /mnt/disk3 && chown root /mnt/disk3")
    try:
        response = client.get_object("edge-velero", "before")
        assert response.read() == CONTENT
        response.release_conn()
        client.put_object("edge-velero", "after", io.BytesIO(CONTENT), len(CONTENT))
        response = client.get_object("edge-velero", "after")
        assert response.read() == CONTENT
        response.release_conn()
        lab.on("edge1", "systemctl restart minio; systemctl is-active minio")
        assert client.stat_object("edge-velero", "after").size == len(CONTENT)
    finally:
        lab.on("edge1", "chmod 755 /mnt/disk3")
