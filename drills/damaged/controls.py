"""Controls on damaged copies: the ordinary drill, pointed at a copy of its restore point."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from drills.backup.course import Course, opened
from drills.backup.payload import READER, BackupPayload
from drills.controls import NotPlantedError, Planted, judgement_of
from drills.damaged.copy import NothingToPlantError
from drills.damaged.faults import Fault
from drills.damaged.point import DamagedPoint, Store, Wanted, damaged_point, sweep
from drills.damaged.scratch_bucket import Source, TooLargeError
from drills.frame import Clock, Drill, Progress
from drills.payload import NamedKey
from drills.verdict import Judgement
from s3.client import Credential

SomePayload = TypeVar("SomePayload", bound=BackupPayload)


def on_copies(
    payload: SomePayload,
    faults: Sequence[Fault],
    wanted: Wanted,
    make: Callable[[SomePayload], Drill],
    progress: Progress,
) -> Iterator[Planted]:
    """The controls, none without an administrator's key pair in the payload.

    `wanted`: what is copied. What dead runs left of their copies goes before the first one.
    """
    if payload.admin is None:
        progress("control: no damaged copies without admin, the key pair of an administrator")
        return
    site = _Copies(payload, Store(payload.store(), payload.admin.credential()), wanted, progress)
    site.sweep()
    for fault in faults:
        run = partial(site.judged, fault, make)
        yield Planted(fault.name, fault.planted, fault.expected, run)


class _Copies(Generic[SomePayload]):
    """Where copies are made."""

    def __init__(
        self, payload: SomePayload, store: Store, wanted: Wanted, progress: Progress
    ) -> None:
        self._payload, self._store, self._wanted = payload, store, wanted
        self._progress = progress
        self._clock = Clock()

    def sweep(self) -> None:
        now = self._clock.now()
        kept = sweep(self._way().velero, self._store, self._payload.site, now, say=self._progress)
        for one in kept:
            self._progress(f"control: {one.item} of an earlier copy stays: {one.why}")

    def judged(self, fault: Fault, make: Callable[[SomePayload], Drill]) -> Judgement:
        """Raises NotPlantedError, and what `damaged_point` raises."""
        way = self._way()
        try:
            with damaged_point(way.velero, self._store, self._wanted, way.run, fault) as point:
                return judgement_of(make(_pointed(self._payload, point)), self._clock)
        except (NothingToPlantError, TooLargeError) as error:
            raise NotPlantedError(str(error)) from None

    def _way(self) -> Course[SomePayload]:
        return opened(self._payload, self._clock, self._progress, Path("/nonexistent"))


def source_of(payload: BackupPayload, backup: str) -> Source:
    """Where the site's own restore point lies."""
    return Source(payload.velero.bucket, payload.velero.prefix, backup)


def _pointed(payload: SomePayload, point: DamagedPoint) -> SomePayload:
    """The payload of a drill that takes the copy for the site's restore point."""
    velero = payload.velero.model_copy(
        update={"location": point.location, "bucket": point.bucket, "prefix": point.prefix}
    )
    others = [one for one in payload.clients if one.name != READER]
    return payload.model_copy(
        update={
            "velero": velero,
            "restore_point": {"name": point.backup},
            "schedules": (),
            "admin": None,
            # A copy has another name than what a truth was recorded of, and its reader reads no
            # other bucket.
            "evidence": None,
            "clients": (*others, _reader(point.reader)),
        }
    )


def _reader(credential: Credential) -> NamedKey:
    return NamedKey.model_validate(
        {
            "name": READER,
            "accessKey": credential.access_key,
            "secretKey": credential.secret_key,
        }
    )
