"""The whole program of one site under the real engine: a copy of the checkout, a state, a store.

Nothing is shared with the checkout the tests run from: the copy, the engine's home, its state and
the receipts are below one folder, and the store is a MinIO on loopback.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.minio_server import REGION, MinioServer

CHECKOUT = Path(__file__).resolve().parents[2]
STACK = "test"
SITE = "unit"
PATIENCE_SECONDS = 180.0

Done = subprocess.CompletedProcess[str]


def engine_folder() -> Path:
    """The folder of the pinned engine; skips the test, saying why, if it is not built."""
    from lab.tools import find  # noqa: PLC0415  (the lab is needed by these tests only)

    found = find("pulumi")
    if found is None:
        pytest.skip("the pinned Pulumi engine is not built: run `python -m lab tools pulumi`")
    return found.parent


def copy_checkout(target: Path) -> None:
    """Copies what a commit of everything here would hold: tracked and new files, none ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        source = CHECKOUT / name
        if source.is_file():  # a file that was deleted and not committed is listed too
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


@dataclass
class EngineSite:
    """`folder` holds everything; `checkout` is the copy whose program runs, with its stack file."""

    folder: Path
    server: MinioServer
    checkout: Path
    started: list["subprocess.Popen[str]"] = field(default_factory=list)
    _shell_env: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        """The environment of an operator; nothing of the tests' own leaks in but PATH."""
        return {
            "PATH": os.pathsep.join([str(engine_folder()), os.environ["PATH"]]),
            "HOME": str(self.folder / "home"),
            "PULUMI_HOME": str(self.folder / "pulumi-home"),
            "PULUMI_BACKEND_URL": f"file://{self.backend}",
            "PULUMI_CONFIG_PASSPHRASE": "only for this test",
            "PULUMI_DEBUG_COMMANDS": "true",  # makes --event-log available
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "BACKSTOP_RECEIPTS": str(self.folder / "receipts"),
        }

    @property
    def backend(self) -> Path:
        return self.folder / "state"

    @property
    def stack_file(self) -> Path:
        return self.checkout / f"Pulumi.{STACK}.yaml"

    @property
    def locks(self) -> list[Path]:
        return sorted((self.backend / ".pulumi" / "locks").rglob("*.json"))

    def driver_argv(self, command: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "stack", command, "-s", STACK, *arguments]

    def stack(self, command: str, *arguments: str) -> Done:
        """Runs the driver to its end."""
        return self._run(self.driver_argv(command, *arguments), self.env)

    def begin(self, command: str, *arguments: str) -> "subprocess.Popen[str]":
        """Starts the driver in a session of its own and leaves it running."""
        process = subprocess.Popen(
            self.driver_argv(command, *arguments),
            cwd=self.checkout,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def pulumi(self, *arguments: str, stdin: str = "") -> Done:
        """Runs the plain CLI in the environment that `python -m stack env` prints."""
        argv = ["pulumi", "--non-interactive", "--color", "never", *arguments]
        return self._run(argv, self.shell_env(), stdin)

    def shell_env(self) -> dict[str, str]:
        """This site's environment after `eval "$(python -m stack env)"` in a shell."""
        if self._shell_env:
            return self._shell_env
        printed = self.stack("env")
        assert printed.returncode == 0, printed.stderr
        text = f"{printed.stdout}\nenv -0"
        done = subprocess.run(
            ["sh", "-c", text], env=self.env, capture_output=True, text=True, check=True
        )
        self._shell_env = dict(e.split("=", 1) for e in done.stdout.split("\0") if "=" in e)
        return self._shell_env

    def up(self, *arguments: str) -> Done:
        """A driver's `up` that has to succeed."""
        done = self.stack("up", *arguments)
        assert done.returncode == 0, shown(done)
        return done

    def expect_quiet(self) -> None:
        """The next preview shows no change."""
        done = self.stack("preview", "--expect-no-changes")
        assert done.returncode == 0, shown(done)

    def configure(self, **changes: Any) -> None:
        """Sets config keys (without namespace) of the stack file; None removes one."""
        content = yaml.safe_load(self.stack_file.read_text())
        for key, value in changes.items():
            if value is None:
                content["config"].pop(f"backstop:{key}", None)
            else:
                content["config"][f"backstop:{key}"] = value
        self.stack_file.write_text(yaml.safe_dump(content))

    def config(self, key: str) -> Any:
        return yaml.safe_load(self.stack_file.read_text())["config"].get(f"backstop:{key}")

    def set_secret(self, key: str, value: str) -> None:
        done = self.pulumi("config", "set", "-s", STACK, "--secret", f"backstop:{key}", stdin=value)
        assert done.returncode == 0, shown(done)

    def second_checkout(self, name: str) -> "EngineSite":
        """The same stack and state from another copy of the checkout."""
        copied = self.folder / name
        copy_checkout(copied)
        shutil.copy2(self.stack_file, copied / self.stack_file.name)
        return EngineSite(self.folder, self.server, copied)

    def end(self) -> None:
        """Ends what the test left running."""
        for process in self.started:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=PATIENCE_SECONDS)

    def _run(self, argv: list[str], env: Mapping[str, str], stdin: str = "") -> Done:
        return subprocess.run(
            argv,
            cwd=self.checkout,
            env=dict(env),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )


def shown(done: Done) -> str:
    return f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"


def site_in(folder: Path, server: MinioServer, **config: Any) -> EngineSite:
    """A site with an empty state and the given config beside the connection to `server`."""
    engine_folder()
    site = EngineSite(folder, server, folder / "checkout")
    for needed in (site.backend, folder / "home", site.checkout):
        needed.mkdir(parents=True, exist_ok=True)
    copy_checkout(site.checkout)
    done = site.pulumi("stack", "init", STACK, "--no-select", "--secrets-provider", "passphrase")
    assert done.returncode == 0, shown(done)
    content = yaml.safe_load(site.stack_file.read_text()) if site.stack_file.exists() else {}
    site.stack_file.write_text(yaml.safe_dump({**content, "config": {}}))
    site.configure(site=SITE, objectStore=existing_store(server), **config)
    site.set_secret("storeRootUser", server.root_user)
    site.set_secret("storeRootPassword", server.root_password)
    return site


def existing_store(server: MinioServer, **changes: Any) -> dict[str, Any]:
    """The config of an object store that is there already."""
    return {
        "kind": "existing",
        "endpoint": server.url,
        "region": REGION,
        "caCertificateFile": str(server.ca_file),
        **changes,
    }
