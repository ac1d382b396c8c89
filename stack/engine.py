"""The edge to the Pulumi engine: which executable, with which environment, and how its end is
met.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from stack import plugins
from stack.errors import StackError

NO_SUCH_STACK = 6  # exit code of the engine since 3.227


@dataclass(frozen=True)
class Result:
    """What a captured engine command left; `code` is its exit code."""

    code: int
    stdout: str
    stderr: str

    @property
    def error(self) -> str:
        """The engine's first error line, without its prefix."""
        for line in (self.stderr + "\n" + self.stdout).splitlines():
            if line.startswith("error: "):
                return line.removeprefix("error: ").strip()
        return self.stderr.strip() or f"exit code {self.code}"


class Engine(Protocol):
    """Runs commands of the engine for one project."""

    def capture(self, *arguments: str, stdin: str | None = None) -> Result:
        """Runs a quiet command and returns what it printed."""

    def run(self, *arguments: str) -> int:
        """Runs a command that talks to the operator and returns its exit code."""


@dataclass(frozen=True)
class PulumiEngine:
    """The real engine: `cli` run in `directory` with `env`."""

    cli: Path
    env: Mapping[str, str]
    directory: Path

    def capture(self, *arguments: str, stdin: str | None = None) -> Result:
        """Runs a quiet command; secrets go in by `stdin` and come back in memory, never by
        argument.
        """
        done = subprocess.run(
            [str(self.cli), "--non-interactive", "--color=never", *arguments],
            cwd=self.directory,
            env=dict(self.env),
            input=stdin or "",
            capture_output=True,
            text=True,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def run(self, *arguments: str) -> int:
        """Runs a command on our own terminal or streams.

        An interrupt ends the engine's way: one SIGINT lets running operations finish and saves the
        state, a second one ends it at once.
        """
        on_terminal = sys.stdin.isatty()
        process = subprocess.Popen(
            [str(self.cli), *arguments],
            cwd=self.directory,
            env=dict(self.env),
            # A terminal sends its SIGINT to the whole foreground group, and only that group may
            # read the terminal; without one, a group of its own keeps the engine from being hit
            # twice.
            process_group=None if on_terminal else 0,
        )
        with forwarding(process, on_terminal):
            return process.wait()


class forwarding:  # noqa: N801 (used as a statement, like contextlib's own)
    """While active, an interrupt or termination of ours reaches the process as one SIGINT.

    `on_terminal`: the process is in the foreground group and gets the terminal's own.
    """

    def __init__(self, process: "subprocess.Popen[Any]", on_terminal: bool) -> None:
        self._process = process
        self._ignored = {signal.SIGINT} if on_terminal else set()
        self._previous: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._forward)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        if number not in self._ignored and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)


def find_cli(env: Mapping[str, str], cached: Callable[[str], Path | None]) -> Path:
    """The engine's executable: on PATH, else in the lab's cache of tools; raises StackError."""
    found = shutil.which("pulumi", path=env.get("PATH", ""))
    cli = Path(found) if found else cached("pulumi")
    if cli is None:
        raise StackError(
            "the pulumi CLI is not on PATH: install it, or run `python -m lab tools pulumi`"
        )
    return cli


def cached_tool(name: str) -> Path | None:
    """A tool that the lab has built, None without a lab or a build."""
    try:
        from lab.tools import find  # noqa: PLC0415 (a production checkout may come without the lab)
    except ImportError:
        return None
    found: Path | None = find(name)
    return found


def environment(
    base: Mapping[str, str], cli: Path, choices: Sequence[plugins.Choice], python: str
) -> dict[str, str]:
    """The engine's environment: `base` plus what the choice of plugins asks for.

    What the operator has set stays, but for PATH and BACKSTOP_PYTHON (`python`), which must agree
    with this run.
    """
    env = dict(base)
    path = plugins.search_path(choices, env.get("PATH", ""))
    # The CLI may come from the tools' cache; programs and scripts shall find the same one.
    if str(cli.parent) not in path.split(os.pathsep):
        path = os.pathsep.join([path, str(cli.parent)])
    env["PATH"] = path
    env["BACKSTOP_PYTHON"] = python
    env.setdefault("PULUMI_SKIP_UPDATE_CHECK", "true")
    # Makes the accidental str() of an unknown value an error instead of a text in a resource.
    env.setdefault("PULUMI_ERROR_OUTPUT_STRING", "true")
    if all(choice.origin is not plugins.Origin.MISSING for choice in choices):
        env.setdefault("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "true")
    return env
