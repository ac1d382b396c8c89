"""A real store: what the driver asks of it, and how an interrupted run gets its bucket back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from minio.commonconfig import Tags

from s3.client import Credential, StoreEndpoint, connect, connect_admin
from s3.errors import Cause, StoreError
from s3.ownership import BucketFacts
from stack import trust
from stack.store import S3Store, StoreAccess, open_store
from tests.stack.real_engine import Site, site_in
from tests.support.minio_server import MinioServer, running_minio

pytestmark = pytest.mark.tools

PROGRAM = """
import pulumi
import pulumi_minio as minio

store = minio.Provider(
    "store",
    minio_server="{server}",
    minio_user="{user}",
    minio_password=pulumi.Output.secret("{password}"),
    minio_region="eu-west-1",
    minio_ssl=True,
    minio_insecure=False,
    minio_cacert_file=".backstop/trust/dev-store-ca.pem",
)
options = pulumi.ResourceOptions(provider=store, protect=True, retain_on_delete=True)
velero = minio.S3Bucket("velero", bucket="dev-velero", acl="private", quota=1000000, opts=options)
minio.S3BucketVersioning(
    "velero",
    bucket=velero.bucket,
    versioning_configuration={{"status": "Enabled"}},
    opts=options,
)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MinioServer]:
    (tmp_path / "minio").mkdir()
    with running_minio(tmp_path / "minio") as running:
        yield running


def access(server: MinioServer, password: str = "") -> StoreAccess:
    return StoreAccess(
        server.endpoint,
        server.region,
        server.ca_pem,
        server.root_user,
        password or server.root_password,
    )


def endpoint(server: MinioServer) -> tuple[StoreEndpoint, Credential]:
    place = StoreEndpoint(server.url, server.region, server.ca_pem)
    return place, Credential(server.root_user, server.root_password)


def tag(server: MinioServer, bucket: str, **tags: str) -> None:
    chosen = Tags.new_bucket_tags()
    chosen.update({key.replace("_", "-"): value for key, value in tags.items()})
    connect(*endpoint(server)).set_bucket_tags(bucket, chosen)


def test_facts_of_a_bucket(server: MinioServer, tmp_path: Path) -> None:
    client, store = connect(*endpoint(server)), open_store(access(server))
    assert store.inspect("missing") is None
    client.make_bucket("fresh", object_lock=True)
    assert store.inspect("fresh") == BucketFacts({}, empty=True, object_lock=True)
    client.make_bucket("used")
    tag(server, "used", backstop_site="dev")
    (tmp_path / "object").write_text("content")
    client.fput_object("used", "deep/key", str(tmp_path / "object"))
    ours = BucketFacts({"backstop-site": "dev"}, empty=False, object_lock=False)
    assert store.inspect("used") == ours


def test_a_bucket_that_holds_only_old_versions_is_not_empty(
    server: MinioServer, tmp_path: Path
) -> None:
    client = connect(*endpoint(server))
    client.make_bucket("locked", object_lock=True)
    (tmp_path / "object").write_text("content")
    client.fput_object("locked", "key", str(tmp_path / "object"))
    client.remove_object("locked", "key")
    found = open_store(access(server)).inspect("locked")
    assert found is not None
    assert found.empty is False


def test_the_gate_opens_for_buckets_there_and_not_there(server: MinioServer) -> None:
    connect(*endpoint(server)).make_bucket("there")
    open_store(access(server)).check(["there", "not-there"])


def test_the_gate_stays_shut_without_a_clear_answer(server: MinioServer) -> None:
    with pytest.raises(StoreError) as wrong:
        open_store(access(server, "a wrong password")).check(["there"])
    assert wrong.value.cause in (Cause.SIGNATURE_MISMATCH, Cause.ACCESS_DENIED)
    server.stop()
    with pytest.raises(StoreError) as down:
        open_store(access(server)).check([])
    assert down.value.cause is Cause.UNREACHABLE


def test_secrets_of_an_access_are_in_no_text_form(server: MinioServer) -> None:
    store = open_store(access(server))
    assert isinstance(store, S3Store)
    assert server.root_password not in f"{access(server)!r} {store!r}"


@pytest.fixture
def site(tmp_path: Path, server: MinioServer) -> Iterator[Site]:
    (tmp_path / "site").mkdir()
    made = site_in(tmp_path / "site")
    made.write(
        PROGRAM.format(server=server.endpoint, user=server.root_user, password=server.root_password)
    )
    trust.write(trust.ca_file(made.directory, "dev"), server.ca_pem)
    first = made.stack("up")
    assert first.returncode == 0, first.stdout + first.stderr
    yield made
    made.end()


def forget(site: Site, name: str = "velero") -> None:
    """Puts the state back to the moment when the creation of a bucket had begun."""
    document: dict[str, Any] = json.loads(site.state_file.read_text())
    latest = document["checkpoint"]["latest"]
    bucket = next(
        r
        for r in latest["resources"]
        if r["type"].endswith(":S3Bucket") and r["urn"].endswith("::" + name)
    )
    dependent = [
        r
        for r in latest["resources"]
        if bucket["urn"] in [u for urns in r.get("propertyDependencies", {}).values() for u in urns]
    ]
    latest["resources"] = [r for r in latest["resources"] if r is not bucket and r not in dependent]
    unborn = {k: v for k, v in bucket.items() if k not in ("id", "outputs", "created", "modified")}
    latest["pending_operations"] = [{"resource": unborn, "type": "creating"}]
    site.state_file.write_text(json.dumps(document))


def test_an_unmarked_empty_bucket_of_an_interrupted_up_is_adopted_whole(
    site: Site, server: MinioServer
) -> None:
    forget(site)
    admin = connect_admin(*endpoint(server))
    admin.bucket_quota_clear("dev-velero")  # the kill came before the plugin's second request
    done = site.stack("up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "adopt: velero: bucket dev-velero is empty and bears no mark yet" in done.stdout
    assert json.loads(admin.bucket_quota_get("dev-velero"))["quota"] == 1000000
    assert site.pending() == []
    assert site.stack("preview", "--expect-no-changes").returncode == 0
    found = [r for r in site.latest()["resources"] if r["type"].endswith(":S3Bucket")]
    assert [(r["id"], r["protect"], r["retainOnDelete"]) for r in found] == [
        ("dev-velero", True, True)
    ]


def test_a_bucket_that_was_not_made_is_made_by_the_next_up(site: Site, server: MinioServer) -> None:
    forget(site)
    connect(*endpoint(server)).remove_bucket("dev-velero")
    done = site.stack("up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert connect(*endpoint(server)).bucket_exists("dev-velero")
    assert site.stack("preview", "--expect-no-changes").returncode == 0


def test_a_bucket_of_another_site_stops_the_recovery(site: Site, server: MinioServer) -> None:
    forget(site)
    tag(server, "dev-velero", backstop_site="prod")
    before = site.state_file.read_bytes()
    refused = site.stack("up")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == (
        "error: bucket dev-velero belongs to site prod, not to dev: choose another bucket name"
    )
    assert site.state_file.read_bytes() == before


def test_a_refresh_does_not_forget_the_buckets_of_a_store_that_is_down(
    site: Site, server: MinioServer
) -> None:
    before = site.state_file.read_bytes()
    server.stop()
    refused = site.stack("refresh")
    assert refused.returncode == 1
    assert "no refresh, because it would drop the buckets" in refused.stderr
    assert site.state_file.read_bytes() == before
    server.start()
    assert site.stack("refresh").returncode == 0
    assert any(r["type"].endswith(":S3Bucket") for r in site.latest()["resources"])


def test_destroy_keeps_the_buckets(site: Site, server: MinioServer) -> None:
    done = site.stack("destroy", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "stays: velero (minio:index/s3Bucket:S3Bucket)" in done.stdout
    assert connect(*endpoint(server)).bucket_exists("dev-velero")
