"""Whether the engine's lock on a stack is held or was left behind by a process that died.

The engine itself cannot tell: it refuses every run until somebody removes the lock. A lock is
removed here only when it was taken on this host by a process that is gone; a removed lock of a
running update would let two updates write one state.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from stack.errors import StackError

ENGINE_COMMAND = "pulumi"
# A process takes its lock after it starts; the margin covers the clock ticks start times are kept
# in.
START_MARGIN = timedelta(seconds=2)


@dataclass(frozen=True)
class Lock:
    """One lock file of the file backend, as engine 3.259 writes it."""

    path: Path
    pid: int
    user: str
    host: str
    since: datetime

    @property
    def holder(self) -> str:
        since = self.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{self.user}@{self.host} (pid {self.pid}) since {since}"


@dataclass(frozen=True)
class Process:
    """A process of this host: its start, the name of its executable, whether it still lives."""

    started: datetime
    command: str
    alive: bool = True


class Standing(StrEnum):
    """What a lock means for us."""

    STALE = "stale"
    HELD = "held"
    ELSEWHERE = "elsewhere"


def judge(lock: Lock, here: str, process: Process | None) -> Standing:
    """The standing of a lock; `here` is this host's name, `process` what has the lock's pid now."""
    if lock.host != here:
        return Standing.ELSEWHERE
    if process is None or not process.alive:
        return Standing.STALE
    # A later start means that the pid was given out again. The name guards against a stepped clock,
    # which moves the start times of all processes: an engine is always taken for the holder.
    reused = process.started > lock.since + START_MARGIN and process.command != ENGINE_COMMAND
    return Standing.STALE if reused else Standing.HELD


def refusal(stack: str, lock: Lock, standing: Standing) -> str:
    """One sentence for a lock that stays: who holds it and the cure."""
    if standing is Standing.ELSEWHERE:
        cure = f"when process {lock.pid} is gone there, run `pulumi cancel --yes -s {stack}`"
    else:
        cure = "wait until that run has ended, or interrupt it there"
    return f"stack {stack} is locked by {lock.holder}: {cure}"


def read_locks(directory: Path | None) -> tuple[Lock, ...]:
    """The locks in a stack's lock folder, oldest first; raises StackError for an unreadable one."""
    if directory is None or not directory.is_dir():
        return ()
    found = [_parse(file) for file in sorted(directory.glob("*.json"))]
    return tuple(sorted((lock for lock in found if lock), key=lambda lock: lock.since))


def clear_stale(
    stack: str,
    locks: Sequence[Lock],
    here: str,
    look: Callable[[int], Process | None],
) -> tuple[Lock, ...]:
    """Removes the locks and returns them; if one is not stale, raises StackError and keeps all."""
    for lock in locks:
        standing = judge(lock, here, look(lock.pid))
        if standing is not Standing.STALE:
            raise StackError(refusal(stack, lock, standing))
    for lock in locks:
        # By file, not by `pulumi cancel`: that one would also remove a lock taken a moment ago.
        lock.path.unlink(missing_ok=True)
        lock.path.with_name(f"{lock.path.name}.attrs").unlink(missing_ok=True)
    return tuple(locks)


def _parse(file: Path) -> Lock | None:
    try:
        content = json.loads(file.read_text())
        return Lock(
            path=file,
            pid=int(content["pid"]),
            user=str(content["username"]),
            host=str(content["hostname"]),
            since=datetime.fromisoformat(content["timestamp"]),
        )
    except FileNotFoundError:
        return None  # its holder has just ended
    except (ValueError, KeyError, TypeError) as error:
        raise StackError(
            f"lock file {file} cannot be read: when no run of this stack is going on, remove it"
        ) from error
