"""Looks at a process of this host by its number."""

import os
from datetime import UTC, datetime
from pathlib import Path

from stack.locks import ENGINE_COMMAND, Process

_DEAD_STATES = "ZX"
_STATE, _START_TICKS = (
    0,
    19,
)  # fields 3 and 22 of /proc/<pid>/stat, counted after the command's name


def look(pid: int, proc: Path = Path("/proc")) -> Process | None:
    """The process with this number, None if there is none.

    Start times come from Linux' /proc. Where that is missing a process that exists is taken for the
    engine, so that its lock stays.
    """
    if not (proc / "stat").is_file():
        return Process(datetime.fromtimestamp(0, UTC), ENGINE_COMMAND) if _exists(pid) else None
    try:
        name, _, rest = (proc / str(pid) / "stat").read_text().rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = rest.split()
    seconds = int(fields[_START_TICKS]) / os.sysconf("SC_CLK_TCK")
    return Process(
        started=datetime.fromtimestamp(_boot_time(proc) + seconds, UTC),
        command=name.partition("(")[2],
        alive=fields[_STATE] not in _DEAD_STATES,
    )


def _boot_time(proc: Path) -> int:
    lines = (proc / "stat").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("btime "))


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
