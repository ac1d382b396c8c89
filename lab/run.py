"""Runs the system's commands; a failure becomes one sentence."""

import subprocess
from collections.abc import Sequence

from lab.errors import LabError

COMMAND_SECONDS = 60


def run(
    command: Sequence[str], *, seconds: float = COMMAND_SECONDS, lock: int | None = None
) -> str:
    """The command's standard output; raises LabError with its own words when it fails.

    With a `lock` (its descriptor) the command dies with this process and has the lock until then:
    no later run, which finds the lock free, ever meets an orphan that still writes files.
    """
    answer = attempt(command, seconds=seconds, lock=lock)
    if answer.returncode != 0:
        raise LabError(f"`{' '.join(command)}` failed: {_reason(answer)}")
    return answer.stdout


def attempt(
    command: Sequence[str], *, seconds: float = COMMAND_SECONDS, lock: int | None = None
) -> "subprocess.CompletedProcess[str]":
    """The finished command, whatever its status; LabError only when it hangs or is not there."""
    tied = [] if lock is None else ["setpriv", "--pdeathsig", "KILL", "--"]
    try:
        return subprocess.run(
            [*tied, *command],
            pass_fds=() if lock is None else (lock,),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"`{' '.join(command)}` gave no answer in {seconds:.0f} s") from error
    except FileNotFoundError as error:
        raise LabError(f"{command[0]} is not installed") from error


def _reason(answer: "subprocess.CompletedProcess[str]") -> str:
    return answer.stderr.strip() or answer.stdout.strip() or f"status {answer.returncode}"
