"""A copy in a real store: whole, bounded, closed to others, and gone afterwards."""

import datetime
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from minio import Minio
from minio.error import S3Error
from minio.versioningconfig import VersioningConfig

from drills.damaged import repository_faults
from drills.damaged.copy import Copy
from drills.damaged.renaming import Renaming, RenamingError
from drills.damaged.scratch_bucket import (
    Bounds,
    ScratchBucket,
    Source,
    TooLargeError,
    scratch_bucket,
)
from drills.store.scratch_removal import ABANDONED_AFTER, MARK, Administration, abandoned
from s3.client import Credential, connect, connect_admin
from s3.errors import Cause, StoreError
from tests.drills.damaged import samples
from tests.drills.damaged.conftest import SITE_BUCKET, SiteStore

pytestmark = pytest.mark.tools

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
UNTIL = NOW + datetime.timedelta(hours=3)
RENAMING = Renaming(samples.BACKUP, "copied", {"backstop-site": "dev"})
SOURCE = Source(SITE_BUCKET, "", samples.BACKUP)
WHOLE = samples.whole()
OTHERS = {
    "backups/nightly-10/velero-backup.json": b"another backup, whose name begins alike",
    "kopia/shop-2/p1": b"another namespace, whose name begins alike",
    "kopia/shop/_log_20261121": b"kopia's own log",
    "restores/r/restore-r-logs.gz": b"log",
}


@pytest.fixture
def scratch(site_store: SiteStore) -> Iterator[ScratchBucket]:
    made = scratch_bucket(site_store.endpoint, site_store.admin, UNTIL)
    yield made
    made.remove()


@pytest.fixture
def copied(site_store: SiteStore, scratch: ScratchBucket) -> ScratchBucket:
    """With its users, each of which takes a second to make."""
    site_store.fill(SITE_BUCKET, {**WHOLE, **OTHERS})
    site_store.fill("evidence", {"canary/dev/a/1.json": b"{}", "receipts/dev/1.json": b"{}"})
    scratch.build([("evidence", "canary/")])
    scratch.copy(SOURCE, RENAMING, ["shop"], Bounds())
    return scratch


@pytest.fixture
def bare(site_store: SiteStore) -> Iterator[ScratchBucket]:
    """Only a bucket, for what needs no users."""
    site_store.fill(SITE_BUCKET, {**WHOLE, **OTHERS})
    made = scratch_bucket(site_store.endpoint, site_store.admin, UNTIL)
    site_store.client.make_bucket(made.name)
    yield made
    for entry in site_store.client.list_objects(made.name, recursive=True):
        site_store.client.remove_object(made.name, str(entry.object_name))
    site_store.client.remove_bucket(made.name)


def expected() -> dict[str, bytes]:
    """By their keys in the copy, all objects whose content stays as it is."""
    return {
        RENAMING.key(key) if key.startswith("backups/") else key: content
        for key, content in WHOLE.items()
        if RENAMING.rewrite(key) is None
    }


def test_a_copy_holds_the_backup_and_its_repositories_and_nothing_else(
    site_store: SiteStore, bare: ScratchBucket
) -> None:
    bare.copy(SOURCE, RENAMING, ["shop"], Bounds())
    found = site_store.content(bare.name)
    same = expected()
    assert {key: found[key] for key in same} == same
    assert set(found) - set(same) == {
        "backups/copied/velero-backup.json", "backups/copied/copied-podvolumebackups.json.gz",
        "backups/copied/copied-itemoperations.json.gz",
    }  # fmt: skip
    assert json.loads(found["backups/copied/velero-backup.json"])["metadata"]["name"] == "copied"


def test_the_site_s_bucket_is_as_it_was(site_store: SiteStore, bare: ScratchBucket) -> None:
    bare.copy(SOURCE, RENAMING, ["shop"], Bounds())
    repository_faults.delete_repositories(Copy(bare.objects(), "copied", ["shop"]))
    assert site_store.content(SITE_BUCKET) == {**WHOLE, **OTHERS}


@pytest.mark.parametrize("prefix", ["here", "here/", "/a/b/"])
def test_a_location_with_a_prefix_is_copied_without_it(
    site_store: SiteStore, bare: ScratchBucket, prefix: str
) -> None:
    bucket = f"prefixed-{len(prefix)}"
    site_store.fill(bucket, WHOLE, f"{prefix.strip('/')}/")
    bare.copy(Source(bucket, prefix, samples.BACKUP), RENAMING, ["shop"], Bounds())
    found = site_store.content(bare.name)
    assert expected().items() <= found.items()


@pytest.mark.parametrize("bounds", [Bounds(objects=5), Bounds(bytes=100)])
def test_what_is_too_large_is_not_begun(
    site_store: SiteStore, bare: ScratchBucket, bounds: Bounds
) -> None:
    with pytest.raises(TooLargeError, match="name a smaller backup"):
        bare.copy(SOURCE, RENAMING, ["shop"], bounds)
    assert site_store.content(bare.name) == {}


def test_a_backup_that_is_not_velero_s_is_refused(
    site_store: SiteStore, bare: ScratchBucket
) -> None:
    site_store.fill("odd", {f"backups/{samples.BACKUP}/velero-backup.json": b"{}"})
    with pytest.raises(RenamingError):
        bare.copy(Source("odd", "", samples.BACKUP), RENAMING, [], Bounds())


class Fleeting:
    """A store in which an object goes between its listing and its copying, `times` times."""

    def __init__(self, client: Minio, times: int) -> None:
        self.client, self.times = client, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def list_objects(self, bucket: str, **given: Any) -> list[Any]:
        found = list(self.client.list_objects(bucket, **given))
        if "kopia" in str(given.get("prefix")) and self.times:
            self.times -= 1
            found.append(replace(found[0], object_name="kopia/shop/p-compacted"))
        return found


@pytest.mark.parametrize("times", [1, 2])
def test_what_a_repository_tidies_away_meanwhile_is_looked_for_anew(
    site_store: SiteStore, bare: ScratchBucket, times: int
) -> None:
    bare._store = replace(bare._store, client=cast("Minio", Fleeting(site_store.client, times)))
    bare.copy(SOURCE, RENAMING, ["shop"], Bounds())
    assert expected().items() <= site_store.content(bare.name).items()


def test_a_backup_that_is_being_deleted_is_said(site_store: SiteStore, bare: ScratchBucket) -> None:
    bare._store = replace(bare._store, client=cast("Minio", Fleeting(site_store.client, 99)))
    with pytest.raises(StoreError, match="disappear while they are copied") as caught:
        bare.copy(SOURCE, RENAMING, ["shop"], Bounds())
    assert caught.value.cause is Cause.OBJECT_MISSING


def test_a_store_that_refuses_is_no_object_that_disappeared(bare: ScratchBucket) -> None:
    with pytest.raises(StoreError) as caught:
        bare.copy(Source("no-such-bucket", "", samples.BACKUP), RENAMING, [], Bounds())
    assert caught.value.cause is Cause.BUCKET_MISSING


def may_read(store: SiteStore, key: Credential, bucket: str, name: str) -> bool:
    return _allowed(lambda: connect(store.endpoint, key).stat_object(bucket, name))


def may_write(store: SiteStore, key: Credential, bucket: str) -> bool:
    client, name = connect(store.endpoint, key), "restores/r/x"
    return _allowed(lambda: client.put_object(bucket, name, io.BytesIO(b"x"), 1))


def _allowed(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except S3Error as error:
        if error.code != "AccessDenied":
            raise
        return False
    return True


FORMAT = "kopia/shop/kopia.repository"


def test_velero_may_use_the_copy_and_nothing_else(
    site_store: SiteStore, copied: ScratchBucket
) -> None:
    assert may_read(site_store, copied.velero, copied.name, FORMAT)
    assert may_write(site_store, copied.velero, copied.name)
    assert not may_read(site_store, copied.velero, SITE_BUCKET, FORMAT)
    assert not may_write(site_store, copied.velero, SITE_BUCKET)


def test_the_drill_may_read_the_copy_and_what_is_named_and_write_nothing(
    site_store: SiteStore, copied: ScratchBucket
) -> None:
    key = copied.reader
    assert may_read(site_store, key, copied.name, FORMAT)
    assert may_read(site_store, key, "evidence", "canary/dev/a/1.json")
    assert not may_read(site_store, key, "evidence", "receipts/dev/1.json")
    assert not may_read(site_store, key, SITE_BUCKET, FORMAT)
    assert not may_write(site_store, key, copied.name)


def traces(store: SiteStore, name: str) -> list[str]:
    """What bears the mark of a control in the store: buckets, policies and users."""
    admin = connect_admin(store.endpoint, store.admin)
    held = [*store.buckets(), *json.loads(admin.policy_list()), *json.loads(admin.user_list())]
    return [one for one in held if name in one or one.startswith("BSCTL")]


def test_nothing_is_left_also_not_of_versions(site_store: SiteStore, copied: ScratchBucket) -> None:
    assert len(traces(site_store, copied.name)) == 5
    # Somebody may enable versioning for all buckets of a store.
    site_store.client.set_bucket_versioning(copied.name, VersioningConfig("Enabled"))
    copied.objects().put(FORMAT, b"other")
    copied.objects().delete(FORMAT)
    copied.remove()
    assert traces(site_store, copied.name) == []
    assert SITE_BUCKET in site_store.buckets()


def test_what_never_came_to_be_is_removed(site_store: SiteStore, scratch: ScratchBucket) -> None:
    scratch.remove()
    assert traces(site_store, scratch.name) == []


def test_a_sweep_takes_what_is_dead_and_leaves_the_living_and_the_site(
    site_store: SiteStore, copied: ScratchBucket
) -> None:
    before = traces(site_store, copied.name)
    store = Administration.open(site_store.endpoint, site_store.admin)
    store.sweep(UNTIL - datetime.timedelta(seconds=1))
    assert traces(site_store, copied.name) == before
    store.sweep(UNTIL + datetime.timedelta(seconds=2))
    assert traces(site_store, copied.name) == []
    assert SITE_BUCKET in site_store.buckets()


@pytest.mark.parametrize(
    "name", ["backstop-control", "backstop-control-", "backstop-control-zzzzzzzz-a",
             "backstop-control-0000", "dev-velero", "my-backstop-control-00000000-a"],
)  # fmt: skip
def test_a_name_without_mark_and_stamp_is_nobody_s_debris(name: str) -> None:
    assert not abandoned(name, f"{MARK}-", NOW)


def test_a_bucket_is_abandoned_when_its_run_is_dead_however_long_that_may_live(
    site_store: SiteStore,
) -> None:
    # The store drill's sweep uses the same stamp and age.
    name = scratch_bucket(site_store.endpoint, site_store.admin, UNTIL).name
    stamp = int(name.removeprefix(f"{MARK}-")[:8], 16)
    made = datetime.datetime.fromtimestamp(stamp, datetime.UTC)
    assert made + ABANDONED_AFTER == UNTIL
