"""A damaged copy of a restore point: made, read by the site's own Velero, taken away again.

The copy has a bucket of its own and a location of its own, so that nothing of the site's is changed
whatever a fault does. Order: copy, plant, and only then the location, so that Velero never sees the
copy without its fault.
"""

import datetime
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from drills.damaged import debris, location
from drills.damaged.copy import Copy
from drills.damaged.faults import Fault
from drills.damaged.renaming import Renaming
from drills.damaged.scratch_bucket import (
    Bounds,
    ScratchBucket,
    Source,
    scratch_bucket,
)
from drills.sandbox.marks import Run
from drills.store.scratch_removal import Administration
from kube.errors import Cause, ClusterError
from kube.velero.api import Object, Velero, VeleroError, status
from kube.velero.locations import wait_available
from kube.waiting import TimeoutPassedError, until
from s3.client import Credential, StoreEndpoint

SYNC_SECONDS = 240.0
"""Velero looks for new locations every minute, and reads one only after it was found available."""
_COPIES = "podvolumebackups"
_PART = "copy"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Store:
    """The site's store, and a credential that may make buckets and users in it."""

    endpoint: StoreEndpoint
    admin: Credential


@dataclass(frozen=True)
class Wanted:
    """What is copied. `like`: name of the site's own location. `namespaces`: whose volumes.

    `objects_of`: see Copy. `also_read`: (bucket, prefix) that the drill reads beside the copy, as
    the truths of a canary.
    """

    source: Source
    like: str
    namespaces: Sequence[str]
    objects_of: Sequence[str] = ()
    also_read: Sequence[tuple[str, str]] = ()
    bounds: Bounds = field(default_factory=Bounds)


@dataclass(frozen=True)
class DamagedPoint:
    """What a drill has to be given in place of the site's own; `prefix` is "".

    `reader`: for what the drill reads of the store itself. No schedule's label is on the backup.
    """

    location: str
    bucket: str
    prefix: str
    backup: str
    reader: Credential = field(repr=False)


@contextmanager
def damaged_point(
    velero: Velero,
    store: Store,
    wanted: Wanted,
    run: Run,
    fault: Fault | None,
    *,
    say: Say = lambda _line: None,
) -> Iterator[DamagedPoint]:
    """The copy with the fault in it (None: a sound one), gone when left.

    Raises:
        NothingToPlantError: the backup has nothing that this fault could be planted in.
        TooLargeError, RenamingError, TarballError: the backup cannot be copied.
        VeleroError: Velero does not read the copy; or does not let go of it.
        StoreError, ClusterError: store or cluster are not reached, or refuse.
    """
    bucket = scratch_bucket(store.endpoint, store.admin, run.until)
    renaming = Renaming(wanted.source.backup, run.name(wanted.source.backup), run.labels())
    try:
        bucket.build(wanted.also_read)
        size = bucket.copy(wanted.source, renaming, wanted.namespaces, wanted.bounds)
        say(f"copy {renaming.new} of {wanted.source.backup}: {size} bytes in bucket {bucket.name}")
        if fault is not None:
            fault.plant(Copy(bucket.objects(), renaming.new, wanted.namespaces, wanted.objects_of))
            say(f"planted: {fault.planted}")
        called = _open(velero, bucket, wanted.like, run)
        _wait_read(velero, called, renaming.new)
        yield DamagedPoint(called, bucket.name, "", renaming.new, bucket.reader)
    finally:
        try:
            debris.remove_run(velero, run, say=say)
        finally:
            bucket.remove()


def sweep(
    velero: Velero,
    store: Store,
    site: str,
    now: datetime.datetime,
    *,
    say: Say = lambda _line: None,
) -> tuple[debris.Kept, ...]:
    """Removes what dead runs left, in the cluster and in the store; what stays and should not.

    The sandbox's own sweep goes before: it removes restores from a copy.

    Raises VeleroError, ClusterError, StoreError.
    """
    kept = debris.sweep(velero, site, now, say=say)
    Administration.open(store.endpoint, store.admin).sweep(now)
    return kept


def _open(velero: Velero, bucket: ScratchBucket, like: str, run: Run) -> str:
    """Makes the location; returns its name."""
    called = run.name(_PART)
    site = velero.client.get(velero.path("backupstoragelocations", like))
    secrets = f"/api/v1/namespaces/{velero.namespace}/secrets"
    velero.writer.create(secrets, location.secret(run, velero.namespace, called, bucket.velero))
    made = location.location(
        run, velero.namespace, called, like=site, bucket=bucket.name, secret=called
    )
    velero.writer.create(velero.collection("backupstoragelocations"), made)
    wait_available(velero, [called], [called], SYNC_SECONDS)
    return called


def _wait_read(velero: Velero, called: str, backup: str) -> Object:
    """Waits until Velero has read the location: it says so when it has made what it found."""

    def read() -> Object | None:
        found = velero.client.get(velero.path("backupstoragelocations", called))
        return found if status(found).get("lastSyncedTime") else None

    try:
        until(read, velero.clock, SYNC_SECONDS)
        return velero.client.get(velero.path("backups", backup))
    except TimeoutPassedError as error:
        said = f" ({error.last})" if error.last else ""
        raise VeleroError(
            f"location {called} was not read by Velero within {SYNC_SECONDS:.0f} s{said}; look at "
            "the log of deployment velero"
        ) from None
    except ClusterError as error:
        if error.cause is not Cause.MISSING:
            raise
        raise VeleroError(
            f"Velero has read location {called} and made no backup {backup} of it; look at the log "
            "of deployment velero"
        ) from None
