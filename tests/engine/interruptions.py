"""Ends runs the hard way: SIGKILL for chosen processes after a chosen number of operations."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.engine.site import EngineSite

PATIENCE_SECONDS = 90.0
# An operation of this program takes 10 to 300 ms: these delays meet operations at their beginning,
# in their middle and between two of them.
DELAYS_SECONDS = (0.0, 0.02, 0.06)


class Victims(StrEnum):
    """Whom the kill meets. A power cut meets all; memory pressure meets one kind."""

    ALL = "all"
    ENGINE = "engine"
    PLUGINS = "plugins"


@dataclass(frozen=True)
class Process:
    """A process by number and start, so that a reused number is not taken for it."""

    pid: int
    parent: int
    started: str
    command: str

    @property
    def alive(self) -> bool:
        now = look(self.pid)
        return now is not None and now.started == self.started


@dataclass(frozen=True)
class Interrupted:
    """What a killed run was: operations it had completed, its exit code, what it had started."""

    completed: int
    code: int
    output: str
    processes: list[Process]

    @property
    def failed(self) -> bool:
        """Whether the kill was seen: the run failed, or it said what it took over and began anew.

        A driver that survives does the latter when an object was made just before its answer was
        lost; the run as a whole may then end well.
        """
        return self.code != 0 or "\n  adopt: " in self.output

    def left(self) -> list[Process]:
        """Processes of that run that still live."""
        return [process for process in self.processes if process.alive]


def look(pid: int) -> Process | None:
    """A process as /proc shows it; None if it is gone or only waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if stat[0] in "ZX":
        return None
    return Process(pid, int(stat[1]), stat[19], command)


def descendants(root: int) -> list[Process]:
    """All that `root` started and that still hangs below it, and `root` itself first."""
    everything = [
        look(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()
    ]
    running = [process for process in everything if process]
    found = [process for process in running if process.pid == root]
    for process in found:  # grows while it is walked
        found += [child for child in running if child.parent == process.pid]
    return found


def completed_operations(event_log: Path) -> int:
    """How many resource operations the engine has reported as done; unchanged ones do not count."""
    if not event_log.exists():
        return 0
    count = 0
    for line in event_log.read_text(errors="replace").splitlines():
        if '"resOutputsEvent"' in line and line.endswith("}"):
            count += json.loads(line)["resOutputsEvent"]["metadata"]["op"] != "same"
    return count


def begun(event_log: Path) -> bool:
    """Whether the engine has begun its update."""
    return event_log.exists() and '"preludeEvent"' in event_log.read_text(errors="replace")


def killed_up(
    site: EngineSite, after: int, victims: Victims = Victims.ALL, delay: float | None = None
) -> Interrupted:
    """Runs `up` and kills the victims once `after` operations are done, and `delay` has passed."""
    log = site.folder / f"events-{time.monotonic_ns()}.jsonl"
    running = site.begin("up", "--", "--event-log", str(log))
    wait_until(
        lambda: running.poll() is not None or (begun(log) and completed_operations(log) >= after)
    )
    time.sleep(DELAYS_SECONDS[after % len(DELAYS_SECONDS)] if delay is None else delay)
    seen = kill(running, victims)
    output, _ = running.communicate(timeout=PATIENCE_SECONDS)
    return Interrupted(completed_operations(log), running.returncode, output, seen)


def kill(running: "subprocess.Popen[str]", victims: Victims) -> list[Process]:
    """Kills processes below `running` that `victims` names; returns all that was running."""
    if running.poll() is not None:
        return []
    if victims is Victims.ALL:
        return _kill_tree(running.pid)
    seen = descendants(running.pid)
    # The driver starts the engine only, and the engine starts plugins only.
    engines = [p for p in seen if p.parent == running.pid]
    plugins = [p for p in seen if p.parent in {engine.pid for engine in engines}]
    chosen = engines if victims is Victims.ENGINE else plugins
    for process in chosen:
        _signal(process, signal.SIGKILL)
    return seen


def _kill_tree(root: int) -> list[Process]:
    # Stopped first, from the root down, until a look finds nobody new: so nobody is born meanwhile.
    stopped: dict[int, Process] = {}
    while fresh := [p for p in descendants(root) if p.pid not in stopped]:
        for process in fresh:
            _signal(process, signal.SIGSTOP)
            stopped[process.pid] = process
    for process in stopped.values():
        _signal(process, signal.SIGKILL)
    return list(stopped.values())


def _signal(process: Process, number: signal.Signals) -> None:
    if process.alive:
        with contextlib.suppress(ProcessLookupError):  # it may end between the look and this
            os.kill(process.pid, number)


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
