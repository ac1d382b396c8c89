"""The lab's shell environment: official plugins first, nothing twice, no package needed for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.environment import foreign_folders, with_plugins
from lab.errors import LabError
from lab.paths import ROOT
from stack.plugins import Plugin, needed

MINIO = next(one for one in needed(ROOT / "versions.toml") if one.name == "minio")


class User:
    """Somebody's home, search path and engine, beside a lab with a Pulumi home of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.lab_home = folder / "lab" / "pulumi-home"
        self.cli = self.program(folder / "cli" / "pulumi")
        self.environ: dict[str, str] = {}

    @staticmethod
    def program(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def install(self, plugin: Plugin, pulumi_home: Path) -> str:
        folder = pulumi_home / "plugins" / f"{plugin.kind}-{plugin.name}-v{plugin.version}"
        self.program(folder / plugin.binary)
        return str(folder)

    def path(self, path: str = "/usr/bin") -> list[str]:
        found = with_plugins(path, self.environ, self.lab_home, self.cli, self.home)
        return found.split(os.pathsep)


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


def standin(plugin: Plugin) -> str:
    return str(ROOT / "standins" / "pulumi" / "bin" / plugin.binary)


def test_with_nothing_official_every_stand_in_is_on_path(user: User) -> None:
    wanted = [standin(plugin) for plugin in needed(ROOT / "versions.toml")]
    assert user.path() == [*wanted, "/usr/bin"]


def test_a_plugin_in_the_users_own_pulumi_home_is_used(user: User, tmp_path: Path) -> None:
    user.environ["PULUMI_HOME"] = str(tmp_path / "chosen")
    folder = user.install(MINIO, tmp_path / "chosen")
    first = user.path()
    assert folder in first
    assert standin(MINIO) not in first
    # In the shell that has evaluated it, PULUMI_HOME is the lab's; PATH still leads there.
    user.environ["PULUMI_HOME"] = str(user.lab_home)
    assert user.path(os.pathsep.join(first)) == first


def test_a_plugin_in_the_default_pulumi_home_is_used(user: User) -> None:
    folder = user.install(MINIO, user.home / ".pulumi")
    assert folder in user.path()
    assert standin(MINIO) not in user.path()


def test_a_plugin_in_the_labs_pulumi_home_needs_no_place_on_path(user: User) -> None:
    folder = user.install(MINIO, user.lab_home)
    assert folder not in user.path()
    assert standin(MINIO) not in user.path()


def test_a_part_that_is_nowhere_is_a_sentence(user: User) -> None:
    user.environ["BACKSTOP_STANDINS"] = "never"
    with pytest.raises(LabError, match=r"missing: pulumi-language-python .*: install the official"):
        user.path()


def test_what_an_earlier_call_added_is_left_out() -> None:
    path = "/cache/backstop/venv-1/bin:/usr/bin:/cache/backstop-other::/usr/bin"
    kept = ["/usr/bin", "/cache/backstop-other", "/usr/bin"]
    assert foreign_folders(path, Path("/cache/backstop")) == kept


def test_the_lab_needs_nothing_but_the_standard_library() -> None:
    # It makes the environment in which there is anything else: isolated, no site-packages.
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import lab.commands, stack.plugins"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
