"""The drill on a real MinIO, with the policies that the program renders for its clients."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.object_store.access import ClientAccess, Folder, statements
from drills.controls import judgement_of
from drills.frame import Clock
from drills.longhorn import controls
from drills.longhorn import run as edge
from drills.longhorn.live import controls as live
from drills.longhorn.payload import LonghornPayload
from drills.receipt import Receipt
from drills.verdict import Reason, Verdict
from s3.client import Credential, Session, StoreEndpoint
from tests.drills.longhorn.site import (
    ARCHIVE,
    BUCKET,
    CANARY,
    CLAIM,
    IN_ARCHIVE,
    NOW,
    OF_BOOKS,
    Site,
    further,
    payload_fields,
    with_archive,
    written,
)
from tests.drills.longhorn.test_controls import OF_FURTHER
from tests.drills.store.test_rendered_policies import rendered, with_rendered
from tests.support.longhorn_store import VolumeWriter, content, folder_of, into_bucket
from tests.support.store_site import StoreSite, policy

pytestmark = pytest.mark.tools

PREFIX = "site/"
CLIENTS = ("longhorn", "drill", "evidence", "truth")
GHOST = "pvc-ghost"


@pytest.fixture(scope="module")
def longhorn(store_site: StoreSite) -> Iterator[Session]:
    """Longhorn's own client, which has written three volumes and deleted a fourth."""
    with with_rendered(store_site, *(store_site.client(name) for name in CLIENTS)):
        pair = store_site.client("longhorn")
        server = store_site.server
        session = Session.open(
            StoreEndpoint(server.url, server.region, server.ca_pem),
            Credential(pair["accessKey"], pair["secretKey"]),
        )
        put = into_bucket(session, BUCKET, PREFIX)
        written_keys: list[str] = []
        written(put)

        def noted(key: str, data: bytes) -> None:
            written_keys.append(key)
            put(key, data)

        ghost = VolumeWriter(noted, GHOST, 1 << 22)
        ghost.backup("backup-g1", [0], content("g", noise=0.01))
        for key in written_keys:
            assert session.send("DELETE", BUCKET, PREFIX + key).ok
        yield session


@pytest.fixture
def site(
    longhorn: Session, store_site: StoreSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Site:
    """The cluster and the canary as ever, and the canary's truths in the real store."""
    assert longhorn.credential is not None
    found = Site(tmp_path)
    found.images.place(monkeypatch)
    for key, truth in found.truths.memory.kept.items():
        root = store_site.root
        root.put_object("dev-evidence", f"canary/{key}", io.BytesIO(truth), len(truth))
    client = found.cluster.longhorn().client
    monkeypatch.setattr(edge, "connect", lambda _kubeconfig: client)
    return found


def payload_of(store_site: StoreSite, site: Site, **changes: Any) -> LonghornPayload:
    server = store_site.server
    clients = [
        {key: store_site.client(name)[key] for key in ("name", "accessKey", "secretKey")}
        for name in ("drill", "evidence")
    ]
    fields = payload_fields(
        endpoint=server.url, region=server.region, caPem=server.ca_pem, clients=clients,
        target={"bucket": BUCKET, "prefix": PREFIX}, scratch=str(site.scratch), **changes,
    )  # fmt: skip
    return LonghornPayload.model_validate(fields)


def clock() -> Clock:
    return Clock(now=lambda: NOW)


def silent(_line: str) -> None:
    pass


def versions(store_site: StoreSite) -> set[tuple[str, str]]:
    """Everything that was ever in Longhorn's bucket."""
    listed = store_site.root.list_objects(BUCKET, recursive=True, include_version=True)
    return {(str(one.object_name), str(one.version_id)) for one in listed}


def receipt(store_site: StoreSite, site: Site, **changes: Any) -> Receipt:
    payload = payload_of(store_site, site, **changes)
    kept, place = edge.run_longhorn(payload, clock(), silent, site.folder / "receipts")
    assert place is not None
    return kept


@pytest.mark.parametrize("depth", ["quick", "full"])
def test_what_longhorn_wrote_is_proven_by_a_reader_who_may_only_read(
    store_site: StoreSite, site: Site, depth: str
) -> None:
    before = versions(store_site)
    kept = receipt(store_site, site, depth=depth)
    assert kept.judgement.verdict is Verdict.PROVEN, kept.judgement.detail
    told = {one.what: one.count for one in kept.record.not_compared}
    assert told[f"ghost volumes {GHOST}"] == 1
    compared = {one.what: one.count for one in kept.record.compared}
    assert compared["presence and size of blocks"] == 21
    assert compared["files of pvc-canary"] == 6
    assert (compared["content of blocks"] == 21) is (depth == "full")
    assert versions(store_site) == before
    stored = store_site.root.get_object("dev-evidence", str(kept.evidence["key"]))
    assert json.loads(stored.data)["verdict"] == "proven"
    assert list(site.scratch.iterdir()) == []


def test_every_control_is_killed_with_its_reason_and_writes_nothing(
    store_site: StoreSite, site: Site
) -> None:
    before = versions(store_site)
    score = edge.run_controls(payload_of(store_site, site), clock(), silent)
    assert {one.name: one.reason for one in score.controls if not one.killed} == {}
    # Without a live Longhorn there is nothing to plant the faults of its restores in.
    absent = {one.name for one in live.FAULTS} | OF_FURTHER
    assert [one.name for one in score.controls] == [
        name for name in controls.names() if name not in absent
    ]
    assert score.complete
    assert versions(store_site) == before


def test_a_second_folder_of_the_bucket_is_read_with_the_same_right_and_nothing_written(
    longhorn: Session, store_site: StoreSite, site: Site
) -> None:
    with_archive(site, into_bucket(longhorn, BUCKET, "archive/"))
    before = versions(store_site)
    kept = receipt(store_site, site, **further())
    assert kept.judgement.verdict is Verdict.PROVEN, kept.judgement.detail
    compared = {one.what: one.count for one in kept.record.compared}
    assert compared[f"records of backups{IN_ARCHIVE}"] == 2
    assert compared[f"image of {OF_BOOKS}{IN_ARCHIVE}"] == 1
    score = edge.run_controls(payload_of(store_site, site, **further()), clock(), silent)
    assert {one.name: one.reason for one in score.controls if not one.killed} == {}
    assert {one.name for one in score.controls} >= OF_FURTHER
    assert versions(store_site) == before


@pytest.fixture
def second_bucket(store_site: StoreSite) -> Iterator[str]:
    """A bucket that is not the site's, of which the drill may read one folder."""
    name = "second"
    store_site.root.make_bucket(name)
    drill = ClientAccess("drill", "drill", "", "", 1, keep_previous=False)
    buckets = [one["name"] for one in store_site.payload["buckets"]]
    store_site.set_policy("drill", policy(*statements(drill, buckets, [Folder(name, "archive/")])))
    yield name
    store_site.set_policy("drill", rendered(store_site, store_site.client("drill")))
    for one in list(store_site.root.list_objects(name, recursive=True)):
        store_site.root.remove_object(name, str(one.object_name))
    store_site.root.remove_bucket(name)


def test_one_folder_of_a_bucket_that_is_not_the_sites_is_read_and_no_other(
    longhorn: Session, store_site: StoreSite, site: Site, second_bucket: str
) -> None:
    root = Credential(store_site.server.root_user, store_site.server.root_password)
    owner = Session.open(longhorn.endpoint, root)
    for prefix in ("archive/", "private/"):
        with_archive(site, into_bucket(owner, second_bucket, prefix))
    url = f"s3://{second_bucket}@{store_site.server.region}/archive/"
    site.cluster.add("backuptargets", ARCHIVE, spec={"backupTargetURL": url},
                     status={"available": True})  # fmt: skip
    target = {"name": ARCHIVE, "bucket": second_bucket, "prefix": "archive/"}
    kept = receipt(store_site, site, targets=[target], depth="full")
    assert kept.judgement.verdict is Verdict.PROVEN, kept.judgement.detail
    refused = receipt(store_site, site, targets=[{**target, "prefix": "private/"}])
    assert refused.judgement.reason is Reason.POLICY_TOO_NARROW
    assert f"store{IN_ARCHIVE}" in refused.judgement.detail


def test_a_block_that_a_lifecycle_rule_removed_is_lost(
    longhorn: Session, store_site: StoreSite, site: Site
) -> None:
    folder = f"{PREFIX}{folder_of('raw-01')}blocks/"
    (first, *_) = store_site.root.list_objects(BUCKET, prefix=folder, recursive=True)
    key = str(first.object_name)
    content_of = longhorn.get(BUCKET, key)
    assert longhorn.send("DELETE", BUCKET, key).ok
    try:
        kept = receipt(store_site, site)
    finally:
        longhorn.put(BUCKET, key, content_of)
    assert kept.judgement.reason is Reason.BLOCK_LOST
    assert f"{CANARY}/{CLAIM}" not in kept.judgement.detail


def test_another_prefix_holds_nothing(store_site: StoreSite, site: Site) -> None:
    url = f"s3://{BUCKET}@{store_site.server.region}/elsewhere/"
    site.cluster.add("backuptargets", "default", spec={"backupTargetURL": url},
                     status={"available": True})  # fmt: skip
    payload = payload_of(store_site, site)
    target = payload.target.model_copy(update={"prefix": "elsewhere/"})
    moved = payload.model_copy(update={"target": target})
    kept, _ = edge.run_longhorn(moved, clock(), silent, site.folder / "receipts")
    assert kept.judgement.reason is Reason.RESTORE_POINT_MISSING


def test_a_store_that_is_away_is_unreachable(store_site: StoreSite, site: Site) -> None:
    payload = payload_of(store_site, site).model_copy(update={"endpoint": "https://127.0.0.1:9"})
    drill = edge.opened(payload, clock())
    assert judgement_of(drill, drill.clock).reason is Reason.STORE_UNREACHABLE
