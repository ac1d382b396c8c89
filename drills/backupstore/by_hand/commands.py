"""What each command does with an open store; each returns an exit code."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from drills.backupstore.backup_image import BackupImage
from drills.backupstore.by_hand import files, listing, restoring, verifying
from drills.backupstore.by_hand.arguments import Request
from drills.backupstore.by_hand.chosen import backup_of, volume_of
from drills.backupstore.by_hand.extracting import Extraction
from drills.backupstore.by_hand.progress import ProgressLine
from drills.backupstore.by_hand.streams import Streams
from drills.backupstore.by_hand.words import counted, moment, sized
from drills.backupstore.catalog import BackupStore, Survey
from drills.backupstore.environment import SettingError
from drills.backupstore.records import BackupRecord, VolumeRecord
from drills.images.file_system import FileSystem, open_image
from drills.longhorn.lines import first_of
from drills.longhorn.shares import full, quick
from drills.verdict import EXIT_CODES, Verdict

PIPE = "-"
SOUND, BROKEN = EXIT_CODES[Verdict.PROVEN], EXIT_CODES[Verdict.BROKEN]
UNPROVEN = EXIT_CODES[Verdict.UNPROVEN]


@dataclass(frozen=True)
class Session:
    """One command. `now`: aware; what is due today depends on it."""

    request: Request
    store: BackupStore
    streams: Streams
    now: datetime

    def chosen(self) -> tuple[VolumeRecord, BackupRecord]:
        """Raises SettingError, BackupStoreError, StoreError."""
        volume = volume_of(self.store, self.request.volume)
        return volume, backup_of(self.store, volume, self.request.backup)

    def progress(self, what: str) -> ProgressLine:
        return ProgressLine(what, self.streams.err)


def ls(session: Session) -> int:
    """Volumes, or the backups of a volume, or the files of a backup."""
    request, streams = session.request, session.streams
    if request.backup:
        return _list_files(session)
    if request.volume:
        volume = volume_of(session.store, request.volume)
        found = listing.backups(session.store, volume)
    else:
        found = listing.volumes(session.store, request.target)
    if request.json:
        streams.tell(found.document)
    else:
        streams.say(found.lines)
    if found.faulty:
        return BROKEN
    return UNPROVEN if found.empty else SOUND


def _list_files(session: Session) -> int:
    path = files.path_of(session.request.path)
    with _file_system(session) as system:
        if session.request.json:
            session.streams.tell({"files": [*files.documents(system, path)]})
        else:
            session.streams.say(files.listing(system, path))
    return SOUND


def verify(session: Session) -> int:
    """Every volume of the target, or the one that is named."""
    found = [*_verified(session)]
    broken = any(one.broken for one in found)
    if session.request.json:
        volumes = [one.document() for one in found]
        days = session.request.days
        session.streams.tell({"volumes": volumes, "broken": broken, "quickDays": days})
    elif not found:
        session.streams.say([f"no volume with a backup in {session.request.target}"])
    elif session.request.days is not None:
        session.streams.say([_promise(session.request.days)])
    if broken:
        return BROKEN
    return UNPROVEN if not found or any(one.unproven for one in found) else SOUND


def _promise(days: int) -> str:
    return f"run every day, this reads each block within {counted(days, 'day')}"


def _verified(session: Session) -> Iterator[verifying.Outcome]:
    """Each volume's outcome, printed as it comes."""
    request, store = session.request, session.store
    today = session.now.date()
    share = full(today) if request.days is None else quick(today, request.days, 1)
    survey = Survey((), (), ())
    if request.volume:
        by_claim = "/" in request.volume
        names = [volume_of(store, request.volume).name if by_claim else request.volume]
    else:
        survey = store.survey()
        names = list(survey.volumes)
    for name in names:
        with session.progress(f"verifying {name}") as line:
            yield _printed(session, verifying.of_volume(store, name, request.backup, share, line))
    for name in survey.ghosts:
        lost = verifying.of_ghost(store, name)
        if lost is not None:
            yield _printed(session, lost)


def _printed(session: Session, found: verifying.Outcome) -> verifying.Outcome:
    if not session.request.json:
        session.streams.say(found.lines())
    return found


def restore(session: Session) -> int:
    """A backup as a raw image."""
    request = session.request
    if str(request.output) == PIPE and session.streams.out.isatty():
        raise SettingError("an image is nothing for a terminal; give -o a file, or pipe it on")
    volume, backup = session.chosen()
    if str(request.output) == PIPE:
        return _pipe(session, volume, backup)
    with session.progress(f"restoring {volume.name}") as line:
        restored = restoring.restore(
            session.store, volume, backup, _output(request),
            sha256=request.sha256, progress=line.show,
        )  # fmt: skip
    if request.json:
        session.streams.tell(restored.document())
    else:
        session.streams.say(restored.lines())
    return SOUND


def _pipe(session: Session, volume: VolumeRecord, backup: BackupRecord) -> int:
    with session.progress(f"restoring {volume.name}") as line:
        sha256 = restoring.pipe(session.store, volume, backup, session.streams.data, line.show)
    taken = moment(backup.snapshot_created)
    session.streams.note(f"{volume.name} as of {taken}, {sized(volume.size)}, sha256 {sha256}")
    return SOUND


def cat(session: Session) -> int:
    """One file."""
    with _file_system(session) as system:
        files.print_file(system, files.path_of(session.request.path), session.streams.data)
    return SOUND


def extract(session: Session) -> int:
    """Files, into a folder."""
    request = session.request
    target = _output(request)
    with _file_system(session) as system, session.progress("extracting") as line:
        extraction = Extraction(system, target, os.geteuid() == 0, lambda done: line.show(done, 0))
        done = extraction.run(files.path_of(request.path))
    kinds = (
        counted(done.files, "file"), counted(done.folders, "folder"), counted(done.links, "link")
    )  # fmt: skip
    session.streams.say([f"{target}: {', '.join(kinds)}, {sized(done.bytes)}"])
    if done.left_out:
        left = counted(len(done.left_out), "device, socket or pipe", "devices, sockets or pipes")
        session.streams.note(f"left out {left}: {first_of(done.left_out)}")
    return SOUND


COMMANDS: Mapping[str, Callable[[Session], int]] = {
    "ls": ls,
    "verify": verify,
    "restore": restore,
    "cat": cat,
    "extract": extract,
}


@contextmanager
def _file_system(session: Session) -> Iterator[FileSystem]:
    """The file system inside the chosen backup, of which only what is asked for is fetched."""
    volume, backup = session.chosen()
    with BackupImage(session.store, volume, backup) as image:
        system = open_image(image)
        if not session.request.backup:
            taken = moment(backup.snapshot_created)
            session.streams.note(f"{volume.name} as of {taken}, backup {backup.name}")
        if system.unfinished:
            session.streams.note(
                f"{volume.name} was mounted when it was backed up; {system.unfinished} "
                "count as done"
            )
        yield system


def _output(request: Request) -> Path:
    if request.output is None:
        raise ValueError("this command has an output")
    return request.output.absolute()
