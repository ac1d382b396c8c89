"""A lost state: a new one takes over the host, its CA, its buckets and all they hold."""

import io
import json

import pytest

from s3.client import Credential, StoreEndpoint, connect, connect_admin
from s3.errors import SDK_ERRORS, Cause, classify
from tests.on_lab.site import Lab, Site

pytestmark = pytest.mark.lab

BUCKETS = {f"{role}-bucket" for role in ("velero", "longhorn", "host-files", "cluster-state")}


def refused(endpoint: StoreEndpoint, pair: dict[str, str]) -> Cause:
    with pytest.raises(SDK_ERRORS) as caught:
        connect(endpoint, Credential(pair["accessKey"], pair["secretKey"])).list_buckets()
    return classify(caught.value, endpoint.url).cause


def test_an_empty_state_takes_over_the_host_and_every_byte(lab: Lab, deployed: Site) -> None:
    old = deployed.outputs()
    endpoint = StoreEndpoint(old["storeEndpoint"], old["storeRegion"], old["storeCaPem"])
    root = connect(endpoint, Credential(old["storeRootUser"], old["storeRootPassword"]))
    root.put_object("dev-velero", "kept", io.BytesIO(b"backup"), 6)
    done = deployed.pulumi("stack", "rm", "--force", "--yes", "--preserve-config")
    assert done.code == 0, done.text

    init = deployed.pulumi("stack", "init", "--no-select", "--secrets-provider", "passphrase")
    assert init.code == 0, init.text
    preview = deployed.pulumi("preview", "--json")
    assert preview.code == 0, preview.text
    steps = json.loads(preview.stdout)["steps"]
    imported = {step["urn"].rsplit("::", 1)[-1] for step in steps if step["op"] == "import"}
    assert imported >= BUCKETS
    assert root.get_object("dev-velero", "kept").read() == b"backup"

    deployed.up()
    new = deployed.outputs()
    assert new["drills"]["store"]["verdict"] == "proven"
    deployed.quiet()
    assert new["storeCaPem"] == old["storeCaPem"]  # no client has to learn another authority
    administrator = Credential(new["storeRootUser"], new["storeRootPassword"])
    store = connect(endpoint, administrator)
    assert store.get_object("dev-velero", "kept").read() == b"backup"
    assert store.get_bucket_versioning("dev-velero").status == "Enabled"

    users = set(json.loads(connect_admin(endpoint, administrator).user_list()))
    assert users == {pair["accessKey"] for pair in new["credentials"].values()}
    for pair in (*old["credentials"].values(), root_pair(old)):
        assert refused(endpoint, pair) is Cause.KEY_UNKNOWN
    assert lab.on("store1", "systemctl is-active minio") == "active\n"


def root_pair(outputs: dict[str, str]) -> dict[str, str]:
    return {"accessKey": outputs["storeRootUser"], "secretKey": outputs["storeRootPassword"]}


def test_a_store_that_refuses_the_look_is_a_warning_and_is_put_right(
    lab: Lab, deployed: Site
) -> None:
    lab.on("store1", "sed -i 's/PASSWORD=.*/PASSWORD=\"wrong\"/' /etc/minio/minio.conf")
    preview = deployed.pulumi("preview")
    assert preview.code == 0, preview.text
    assert "what the store holds cannot be told" in preview.text
    deployed.up()
    deployed.quiet()
