"""Taking the stack away keeps the store, its buckets and every byte; a new `up` goes on."""

import io

import pytest

from s3.client import Credential, StoreEndpoint, connect
from tests.on_lab.site import Lab, Site

pytestmark = pytest.mark.lab


def test_destroy_leaves_buckets_and_data_and_up_goes_on(lab: Lab, deployed: Site) -> None:
    outputs = deployed.outputs()
    endpoint = StoreEndpoint(
        outputs["storeEndpoint"], outputs["storeRegion"], outputs["storeCaPem"]
    )
    root = connect(endpoint, Credential(outputs["storeRootUser"], outputs["storeRootPassword"]))
    root.put_object("dev-velero", "kept", io.BytesIO(b"backup"), 6)
    done = deployed.driver("destroy", "--yes")
    assert done.code == 0, done.text
    assert lab.on("store1", "systemctl is-active minio") == "active\n"
    assert {"dev-velero", "dev-evidence"} <= {bucket.name for bucket in root.list_buckets()}
    assert root.get_object("dev-velero", "kept").read() == b"backup"
    assert root.get_bucket_versioning("dev-velero").status == "Enabled"
    deployed.up()
    assert deployed.outputs()["drills"]["store"]["verdict"] == "proven"
    deployed.quiet()
