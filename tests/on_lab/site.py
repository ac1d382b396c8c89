"""A lab of the tests' own, a copy of the checkout, and the engine on both."""

import datetime
import json
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
# More than what an `up` waits after a fault: a kubelet lets five minutes pass before it starts what
# crashed again and again, and a drill gives a restore of a dead run fifteen.
COMMAND_SECONDS = 1200


@dataclass(frozen=True)
class Done:
    """A finished command; `text` is what a person saw (both streams)."""

    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout + self.stderr


def run(argv: list[str], *, cwd: Path, env: dict[str, str], stdin: str = "") -> Done:
    """Raises AssertionError with the end of what it printed, if it does not end in time."""
    try:
        done = subprocess.run(
            argv, cwd=cwd, env=env, input=stdin, capture_output=True, text=True,
            timeout=COMMAND_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        # Bytes, whatever `text` says.
        told = [
            printed.decode(errors="replace") if isinstance(printed, bytes) else printed or ""
            for printed in (error.stdout, error.stderr)
        ]
        command = shlex.join(argv)
        raise AssertionError(
            f"not over after {COMMAND_SECONDS} s: {command}\n{told[0][-6000:]}\n{told[1][-2000:]}"
        ) from None
    return Done(done.returncode, done.stdout, done.stderr)


class Lab:
    """An instance of the lab, addressed by the commands that a person uses."""

    def __init__(self, instance: str) -> None:
        self.instance = instance
        self.environment = {**os.environ, "BACKSTOP_LAB": instance}

    def lab(self, *argv: str) -> Done:
        return run(["python3", "-m", "lab", *argv], cwd=ROOT, env=self.environment)

    def up(self, *hosts: str) -> None:
        wanted = [word for host in hosts for word in ("--host", host)]
        done = self.lab("up", *wanted)
        assert done.code == 0, done.text

    def down(self) -> None:
        done = self.lab("down")
        assert done.code == 0, done.text

    def on(self, host: str, script: str) -> str:
        """The output of a shell script run as root on a host."""
        done = self.lab("exec", host, "--", "sh", "-c", shlex.quote(script))
        assert done.code == 0, done.text
        return done.stdout

    def exports(self) -> dict[str, str]:
        """The environment that `eval "$(python3 -m lab env)"` makes."""
        done = self.lab("env")
        assert done.code == 0, done.text
        script = done.stdout + "\nenv -0"
        out = subprocess.run(
            ["sh", "-c", script], env=self.environment, capture_output=True, text=True, check=True
        ).stdout
        return dict(line.split("=", 1) for line in out.split("\0") if "=" in line)


# A control is a second drill; those of backups have their turns in tests of their own.
WITHOUT_TURNS = {"kubeObjects": {"control": "none"}, "volumes": {"control": "none"}}
# A backup by the clock in the middle of a test would be its newest restore point: the schedule is
# put half a day away, and never to the hour that a test changes it to.
HOUR = (datetime.datetime.now(datetime.UTC).hour + 12) % 24 % 23
SCHEDULES = {"demo": {"cron": f"0 {HOUR} * * *", "ttl": "720h"}}
# What a stack without a cluster does not have.
CLUSTER_KEYS = tuple(
    f"backstop:{key}" for key in ("cluster", "snapshots", "velero", "longhorn", "canary")
)


class Site:
    """One stack in one copy of the checkout; without its cluster unless `cluster` is set."""

    def __init__(
        self, lab: Lab, directory: Path, stack: str = "dev", *, cluster: bool = False
    ) -> None:
        self.lab = lab
        self.directory = directory
        self.stack = stack
        self.cluster = cluster
        self.environment = lab.exports()
        if self.committed.exists():
            self.reset()

    @property
    def config_file(self) -> Path:
        return self.directory / f"Pulumi.{self.stack}.yaml"

    def configure(self, **changes: Any) -> None:
        """Replaces keys of the stack's config; a mapping is merged into the one that is there."""
        content = yaml.safe_load(self.config_file.read_text())
        for key, value in changes.items():
            name = f"backstop:{key}"
            if isinstance(value, dict):
                value = {**content["config"].get(name, {}), **value}  # noqa: PLW2901
            content["config"][name] = value
        self.config_file.write_text(yaml.safe_dump(content))

    @property
    def committed(self) -> Path:
        return ROOT / self.config_file.name

    def reset(self) -> bool:
        """Puts the committed config back; whether it was another one."""
        content = yaml.safe_load(self.committed.read_text())
        if not self.cluster:
            for key in CLUSTER_KEYS:
                content["config"].pop(key, None)
        else:
            content["config"]["backstop:drills"] = WITHOUT_TURNS
            content["config"]["backstop:velero"]["schedules"] = dict(SCHEDULES)
        text = yaml.safe_dump(content)
        changed = self.config_file.read_text() != text
        self.config_file.write_text(text)
        return changed

    def pulumi(self, *argv: str) -> Done:
        return run(
            ["pulumi", *argv, "-s", self.stack, "--non-interactive", "--color", "never"],
            cwd=self.directory, env=self.environment,
        )  # fmt: skip

    def driver(self, *argv: str) -> Done:
        python = self.environment["BACKSTOP_PYTHON"]
        return run(
            [python, "-m", "stack", argv[0], "-s", self.stack, *argv[1:]],
            cwd=self.directory, env=self.environment,
        )  # fmt: skip

    def up(self) -> Done:
        done = self.driver("up")
        assert done.code == 0, done.text[-4000:]
        return done

    def quiet(self) -> None:
        """Asserts that a preview shows no change."""
        done = self.pulumi("preview", "--expect-no-changes")
        assert done.code == 0, done.text[-4000:]

    def outputs(self) -> dict[str, Any]:
        done = self.pulumi("stack", "output", "--json", "--show-secrets")
        assert done.code == 0, done.text
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def copy_of_checkout(directory: Path) -> Path:
    """What a clone would hold, uncommitted work included: tests never touch the checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_file():
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return directory
