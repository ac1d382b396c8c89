"""One volume brought back: a backup of it as an image in the scratch folder, and judged there."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from drills.backupstore.catalog import BackupStore
from drills.backupstore.errors import BackupStoreError, Fault
from drills.backupstore.part_file import TargetError
from drills.backupstore.rebuild import DamagedError, Rebuilt, rebuild
from drills.backupstore.records import BackupRecord, VolumeRecord
from drills.canary.testimony import Testimony
from drills.frame import Clock, Compared
from drills.images.check import Run
from drills.longhorn.history import REBUILT
from drills.longhorn.judge import Judged, Truths, against_truths, merged, soundness
from drills.longhorn.lineage import Kept, Lineage
from drills.longhorn.lines import sized
from drills.longhorn.live.trees import Trees
from drills.scratch import Scratch
from drills.verdict import Check, Reason

PHASES = ("records", "rebuild", "file system")
"""Of the time to usable: the backup's record is read, its image is whole, its file system sound."""

_ROOM = "give scratch a folder that can be written to"
ANOTHER_ENGINE = (
    "its data engine is v2: its blocks are read, but no image of one was ever held against a "
    "restore of Longhorn's own"
)


@dataclass
class Spans:
    """Seconds by phase, all volumes together."""

    clock: Clock
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, phase: str) -> Iterator[None]:
        began = self.clock.monotonic()
        try:
            yield
        finally:
            spent = self.clock.monotonic() - began
            self.seconds[phase] = self.seconds.get(phase, 0.0) + spent


@dataclass(frozen=True)
class Restorer:
    """`run`: runs the tools that check file systems. `most`: bytes of data above which no image is
    rebuilt, None for no bound. `trees`: takes the digest trees that are wanted."""

    store: BackupStore
    scratch: Scratch
    run: Run
    spans: Spans
    stop: threading.Event
    workers: int
    most: int | None = None
    testimony: Testimony | None = None
    trees: Trees | None = None

    def unfit(self, lineage: Lineage) -> str:
        """Why no image of a volume is rebuilt, "" where one is."""
        record, newest = lineage.record, lineage.newest
        if record is None or newest is None:
            return "it has no finished backup"
        if record.data_engine == "v2":
            return ANOTHER_ENGINE
        if record.backing_image:
            return f"it lies upon the backing image {record.backing_image}, which is not read"
        if self.most is not None and newest.data > self.most:
            return f"it holds {sized(newest.data)}, more than rebuildLimit allows"
        return ""

    def restore(self, volume: VolumeRecord, kept: Kept, called: str = "") -> Judged:
        """One backup. `called`: the volume in the canary's words, "" if it is no canary's.

        Raises StoreError, StoppedError, OSError.
        """
        try:
            image = self.scratch.image(volume.name)
        except OSError as error:
            return _refused(volume.name, f"{self.scratch.above}: {error.strerror}; {_ROOM}")
        try:
            with self.spans.of("records"):
                record = self.store.backup(volume, kept.name)
            with self.spans.of("rebuild"):
                made = rebuild(
                    self.store, volume, record, image, workers=self.workers, stop=self.stop,
                    digest=False,
                )  # fmt: skip
            found = [_whole(volume.name, record, made)]
            if called and self.testimony is not None:
                # Before a tool replays what only the journal holds.
                found.append(against_truths(volume.name, image, Truths(called, self.testimony)))
            if self.trees is not None:
                self.trees.take(volume.name, kept.name, image)
            with self.spans.of("file system"):
                found.append(soundness(volume.name, image, self.run))
            return merged(found)
        except DamagedError as error:
            return Judged([_damaged(volume.name, kept, error)])
        except BackupStoreError as error:
            return _unread(volume.name, kept, error)
        except TargetError as error:
            return _refused(volume.name, f"backup {kept.name}: {error}")
        finally:
            self.scratch.drop(image)


def _refused(volume: str, seen: str) -> Judged:
    return Judged([Check(volume, REBUILT, "written", seen, Reason.TARGET_REFUSED)])


def _whole(volume: str, record: BackupRecord, made: Rebuilt) -> Judged:
    told = f"{sized(made.bytes)} out of {made.blocks} blocks"
    how = f"every block of backup {record.name} against its checksum, put where it belongs"
    return Judged(
        [Check(volume, REBUILT, "whole", f"whole, {told}")],
        [Compared(f"image of {volume}", 1, made.blocks * record.block_size, how)],
    )


def _damaged(volume: str, kept: Kept, error: DamagedError) -> Check:
    lost = all(fault.fault is Fault.BLOCK_MISSING for fault in error.faults)
    reason = Reason.BLOCK_LOST if lost else Reason.RESTORE_POINT_DAMAGED
    seen = f"{error.total} blocks of backup {kept.name} do not come back: {error.faults[0]}"
    return Check(volume, REBUILT, "whole", seen, reason)


def _unread(volume: str, kept: Kept, error: BackupStoreError) -> Judged:
    judged = Judged()
    if error.fault is Fault.RECORD_MISSING:
        why = f"backup {kept.name} was deleted while it was read"
        judged.leave_out(f"image of {volume}", why)
    elif error.fault is Fault.UNSUPPORTED:
        judged.leave_out(f"image of {volume}", error.detail)
    else:
        seen = f"backup {kept.name}: {error}"
        judged.checks.append(Check(volume, REBUILT, "whole", seen, Reason.RESTORE_POINT_DAMAGED))
    return judged
