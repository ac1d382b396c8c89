"""`python -m drills longhorn`: the backups of a store, by hand."""

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from drills.backupstore.by_hand.arguments import PROGRAM, Request, parse
from drills.backupstore.by_hand.commands import BROKEN, COMMANDS, PIPE, SOUND, UNPROVEN, Session
from drills.backupstore.by_hand.streams import Streams
from drills.backupstore.catalog import BackupStore
from drills.backupstore.environment import SettingError, open_target
from drills.backupstore.errors import BackupStoreError, Fault
from drills.backupstore.fetch import WORKERS
from drills.backupstore.part_file import TargetError, part_of
from drills.backupstore.rebuild import DamagedError
from drills.images.errors import Fault as ImageFault
from drills.images.errors import ImageError
from drills.verdict import EXIT_BAD_INPUT
from s3.errors import StoreError

_CODES = {
    Fault.URL: EXIT_BAD_INPUT,
    Fault.NAME: EXIT_BAD_INPUT,
    # What keeps something from being done, and is no damage.
    Fault.UNSUPPORTED: UNPROVEN,
    Fault.UNFINISHED: UNPROVEN,
    Fault.RECORD_MISSING: UNPROVEN,
}
# Whoever reads these may have enough before the end; of the others the end is the point.
_ENOUGH = frozenset({"cat", "ls"})
_ENDED = (SettingError, BackupStoreError, DamagedError, ImageError, StoreError, TargetError)


def main(words: Sequence[str]) -> int:
    """The command with this process's environment and streams; its exit code."""
    streams = Streams(sys.stdout, sys.stderr, sys.stdout.buffer)
    try:
        return run(words, os.environ, streams, datetime.now(UTC))
    except BrokenPipeError:
        # Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOUND if words[0] in _ENOUGH else UNPROVEN


def run(words: Sequence[str], environ: Mapping[str, str], streams: Streams, now: datetime) -> int:
    """What the words ask for; its exit code. now: aware."""
    request: Request | None = None
    try:
        request = parse(words)
        store = BackupStore(open_target(request.target, environ, WORKERS))
        return COMMANDS[request.command](Session(request, store, streams, now))
    except SystemExit as ended:
        return EXIT_BAD_INPUT if ended.code else SOUND
    except KeyboardInterrupt:
        streams.note(f"{PROGRAM}: {_interrupted(request)}")
        return UNPROVEN
    except _ENDED as error:
        streams.note(f"{PROGRAM}: {error}")
        return _code(error)


def _code(error: Exception) -> int:
    match error:
        case SettingError():
            return EXIT_BAD_INPUT
        case DamagedError():
            return BROKEN
        case BackupStoreError():
            return _CODES.get(error.fault, BROKEN)
        case ImageError():
            return BROKEN if error.fault is ImageFault.DAMAGED else UNPROVEN
        case _:
            return UNPROVEN


def _interrupted(request: Request | None) -> str:
    if request is None or request.command != "restore" or request.output is None:
        return "interrupted"
    if str(request.output) == PIPE:
        return "interrupted; what was printed is no whole image"
    part = part_of(request.output)
    if not part.exists():
        return "interrupted before anything was written"
    return f"interrupted; the same command goes on with what is in {part}"
