"""A throw-away Pulumi project on the real engine, with the stand-ins on PATH."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.engine import engine_environment

TIMEOUT_SECONDS = 120


@dataclass
class Finished:
    """A finished command of the engine; `text` is all it printed."""

    code: int
    text: str
    stdout: str

    @property
    def errors(self) -> list[str]:
        """The error lines of the summary."""
        lines = self.text.split("Diagnostics:")[-1].splitlines()
        return [line.strip() for line in lines if line.strip().startswith("error:")]


@dataclass
class Project:
    """One project folder with one stack, `dev`."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        return {**engine_environment(self.folder.parent), **self.environment}

    def write(self, program: str) -> None:
        (self.folder / "__main__.py").write_text(program)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> Finished:
        """A command of the engine that may fail."""
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT_SECONDS,
        )
        return Finished(done.returncode, done.stdout + done.stderr, done.stdout)

    def must(self, *arguments: str) -> Finished:
        done = self.run(*arguments)
        assert done.code == 0, done.text
        return done

    def up(self, *arguments: str) -> Finished:
        return self.must("up", "--yes", "--skip-preview", *arguments)

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self.must("stack", "output", "--json", "--show-secrets").stdout
        )
        return found


def new_project(folder: Path, program: str, settings: str = "") -> Project:
    """Make a project with this program and initialise its stack; `settings` go into Pulumi.yaml."""
    root = folder / "project"
    root.mkdir()
    runtime = settings or "runtime: python\n"
    (root / "Pulumi.yaml").write_text(f"name: throwaway\n{runtime}")
    project = Project(root)
    project.write(program)
    project.must("stack", "init", "dev")
    return project


def processes_of(folder: Path) -> list[int]:
    """Processes that work in a folder or below it: what a test may have left behind."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(folder):
                found.append(int(entry.name))
        except OSError:
            continue  # it ended, or it is a kernel thread
    return found
