"""The Python environment with the pinned requirements, shared by checkouts that pin the same."""

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from lab import durable, packages
from lab.errors import LabError
from lab.locks import held
from lab.paths import ROOT, cache_dir

REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")
MARKER = ".complete"


def key(requirements: list[bytes], python: str, machine: str) -> str:
    """Twelve hex digits over what decides the environment's content."""
    digest = hashlib.sha256(f"{python}\n{machine}\n".encode())
    for text in requirements:
        digest.update(hashlib.sha256(text).digest())
    return digest.hexdigest()[:12]


def location(root: Path = ROOT) -> Path:
    """Where this checkout's environment is or will be."""
    texts = [(root / name).read_bytes() for name in REQUIREMENTS]
    version = f"{platform.python_implementation()} {platform.python_version()} {sys.base_prefix}"
    return cache_dir() / f"venv-{key(texts, version, sysconfig.get_platform())}"


def complete(folder: Path) -> bool:
    """Whether the environment was installed to its end and its Python still exists."""
    return (folder / MARKER).exists() and (folder / "bin" / "python").exists()


def ensure(root: Path = ROOT) -> Path:
    """The environment's folder; installs it if need be, safe against kills and second runs.

    Raises LabError when Python lacks venv's parts or pip fails.
    """
    folder = location(root)
    if complete(folder):
        return folder
    lock = cache_dir() / "locks" / f"{folder.name}.lock"
    with held(lock, "another run installs the Python environment"):
        if not complete(folder):
            _create(folder, root)
    return folder


def _create(folder: Path, root: Path) -> None:
    print("installing the pinned Python packages", file=sys.stderr, flush=True)
    if importlib.util.find_spec("ensurepip") is None:
        packages.install(["python3-venv"], "python3's venv module")
    # An environment cannot be moved, so it is made in place; the marker comes last.
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(folder)], "python -m venv")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input"]
    _run([*pip, "--requirement", str(root / REQUIREMENTS[-1])], "pip install")
    os.sync()
    durable.write(folder / MARKER, "")


def _run(command: list[str], what: str) -> None:
    environment = {**os.environ, "PIP_USER": "0", "PIP_ROOT_USER_ACTION": "ignore"}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        lines = [line for line in (answer.stdout + answer.stderr).splitlines() if line.strip()]
        reason = lines[-1].strip() if lines else "it printed nothing"
        raise LabError(f"{what} failed ({reason}): correct that and run the command again")
