"""The real engine on a tiny project with a file backend of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from stack.engine import cached_tool, find_cli
from stack.errors import StackError

CHECKOUT = Path(__file__).resolve().parents[2]
PROJECT = "tiny"
PATIENCE_SECONDS = 60.0

# The command `slow` waits as long as the file `hold` is there, and counts how often it ran.
PROGRAM = """
import pulumi
from pulumi_command import local

quick = local.Command("quick", create="echo quick", update="echo quick")
slow = local.Command(
    "slow",
    create="echo x >> began; while [ -e hold ]; do sleep 0.1; done; echo slow",
    opts=pulumi.ResourceOptions(depends_on=[quick]),
)
pulumi.export("word", slow.stdout)
pulumi.export("drills", {"store": {"layer": "store", "verdict": "proven", "reason": ""}})
"""


@dataclass
class Site:
    """A project folder `directory` and the environment its runs have."""

    directory: Path
    env: dict[str, str]
    started: list["subprocess.Popen[str]"] = field(default_factory=list)

    def write(self, program: str) -> None:
        (self.directory / "__main__.py").write_text(program)

    def stack(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs the driver to its end."""
        return subprocess.run(
            self._argv(arguments),
            env=self.env,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=PATIENCE_SECONDS * 2,
        )

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        """Starts the driver and leaves it running."""
        process = subprocess.Popen(
            self._argv(arguments),
            env=self.env,
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        self.started.append(process)
        return process

    def _argv(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "stack", *arguments, "-s", "dev", "-C", str(self.directory)]

    @property
    def state_file(self) -> Path:
        return self.directory.parent / "state" / ".pulumi" / "stacks" / PROJECT / "dev.json"

    def latest(self) -> dict[str, Any]:
        """The state as it is on disk, also while an update runs."""
        if not self.state_file.is_file():
            return {}
        found: dict[str, Any] | None
        found = json.loads(self.state_file.read_text())["checkpoint"].get("latest")
        return found or {}

    def pending(self) -> list[str]:
        operations = self.latest().get("pending_operations") or []
        return [str(o["resource"]["urn"]).rsplit("::", 1)[-1] for o in operations]

    def locks(self) -> list[Path]:
        folder = self.directory.parent / "state" / ".pulumi" / "locks"
        return sorted(folder.rglob("*.json"))

    def engine_pid(self) -> int:
        """The pid in the only lock, which is the engine's that runs now."""
        (lock,) = self.locks()
        return int(json.loads(lock.read_text())["pid"])

    def kill_engine(self) -> None:
        """SIGKILL for the engine that holds the lock, as a power cut would; ours by its parent."""
        pid = self.engine_pid()
        owner = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        assert owner in {process.pid for process in self.started}
        os.kill(pid, signal.SIGKILL)

    def end(self) -> None:
        (self.directory / "hold").unlink(missing_ok=True)
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=PATIENCE_SECONDS)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def site_in(tmp_path: Path) -> Site:
    """A new project under `tmp_path`; skips the test, saying why, without the engine."""
    try:
        cli = find_cli(os.environ, cached_tool)
    except StackError as error:
        pytest.skip(str(error))
    directory = tmp_path / "project"
    directory.mkdir()
    (tmp_path / "state").mkdir()
    (directory / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
    env = {
        **os.environ,
        "PATH": os.pathsep.join([str(cli.parent), os.environ["PATH"]]),
        "PULUMI_HOME": str(tmp_path / "pulumi-home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "a test's passphrase",
    }
    site = Site(directory, env)
    site.write(PROGRAM)
    return site
