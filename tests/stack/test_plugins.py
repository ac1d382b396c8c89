"""Official plugins are looked for first; a stand-in goes on PATH only where one is absent."""

import os
from pathlib import Path

import pytest

from stack.plugins import (
    Choice,
    Origin,
    Plugin,
    choose,
    is_standin_folder,
    needed,
    pulumi_homes,
    search_path,
)

CHECKOUT = Path(__file__).resolve().parents[2]
MINIO = Plugin("resource", "minio", "0.17.1")
LANGUAGE = Plugin("language", "python", "3.259.0")


class Machine:
    """A home, a PATH folder, the folder of the CLI, and our stand-ins."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.bin = root / "bin"
        self.cli = self.executable(root / "cli" / "pulumi")
        self.standins = root / "checkout" / "standins" / "pulumi" / "bin"
        for plugin in (MINIO, LANGUAGE):
            self.executable(self.standins / plugin.binary / plugin.binary)
        self.env = {"PATH": str(self.bin)}

    @staticmethod
    def executable(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        return path

    def choose(self, *plugins: Plugin) -> tuple[Choice, ...]:
        homes = pulumi_homes(self.env, self.home)
        return choose(plugins, self.env, homes, self.cli, self.standins)

    def origin(self, plugin: Plugin = MINIO) -> Origin:
        (choice,) = self.choose(plugin)
        return choice.origin


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_standin_says_what_it_replaces(machine: Machine) -> None:
    (choice,) = machine.choose(MINIO)
    assert choice.note == (
        "stand-in: pulumi-resource-minio (the official plugin 0.17.1 was not found)"
    )
    assert search_path([choice], "/usr/bin") == os.pathsep.join(
        [str(machine.standins / "pulumi-resource-minio"), "/usr/bin"]
    )


@pytest.mark.parametrize(
    "where",
    [
        "bin/pulumi-resource-minio",
        "cli/pulumi-resource-minio",
        "home/.pulumi/plugins/resource-minio-v0.17.1/pulumi-resource-minio",
    ],
)
def test_an_official_plugin_makes_the_standin_step_aside(
    machine: Machine, tmp_path: Path, where: str
) -> None:
    machine.executable(tmp_path / where)
    (choice,) = machine.choose(MINIO)
    assert (choice.origin, choice.note) == (Origin.OFFICIAL, "")


def test_the_language_host_beside_the_cli_is_the_official_one(
    machine: Machine, tmp_path: Path
) -> None:
    machine.executable(tmp_path / "cli" / "pulumi-language-python")
    link = tmp_path / "linked" / "pulumi"
    link.parent.mkdir()
    link.symlink_to(machine.cli)
    machine.cli = link
    assert machine.origin(LANGUAGE) is Origin.OFFICIAL


def test_the_engines_own_home_wins_over_the_users(machine: Machine, tmp_path: Path) -> None:
    machine.env["PULUMI_HOME"] = str(tmp_path / "lab")
    assert machine.origin() is Origin.STANDIN
    machine.executable(tmp_path / "lab/plugins/resource-minio-v0.17.1/pulumi-resource-minio")
    assert machine.origin() is Origin.OFFICIAL


def test_a_plugin_the_engine_would_not_look_at_is_pointed_out(
    machine: Machine, tmp_path: Path
) -> None:
    machine.env["PULUMI_HOME"] = str(tmp_path / "lab")
    folder = machine.home / ".pulumi/plugins/resource-minio-v0.17.1"
    machine.executable(folder / "pulumi-resource-minio")
    (choice,) = machine.choose(MINIO)
    assert (choice.origin, choice.on_path) == (Origin.OFFICIAL, folder)


def test_another_version_and_a_plain_file_do_not_count(machine: Machine) -> None:
    plugins = machine.home / ".pulumi/plugins"
    machine.executable(plugins / "resource-minio-v0.16.0/pulumi-resource-minio")
    machine.executable(plugins / "resource-minio-v0.17.1/pulumi-resource-minio").chmod(0o644)
    assert machine.origin() is Origin.STANDIN


def test_a_folder_on_path_that_holds_another_version_does_not_count(
    machine: Machine, tmp_path: Path
) -> None:
    folder = tmp_path / "lab" / "plugins" / "resource-minio-v0.16.0"
    machine.executable(folder / "pulumi-resource-minio")
    machine.env["PATH"] = os.pathsep.join([str(folder), "/usr/bin"])
    (choice,) = machine.choose(MINIO)
    assert choice.origin is Origin.STANDIN
    assert str(folder) not in search_path([choice], machine.env["PATH"])


def test_standins_of_another_checkout_are_not_taken_for_official(
    machine: Machine, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "standins" / "pulumi" / "bin" / "pulumi-resource-minio"
    machine.executable(other / "pulumi-resource-minio")
    machine.env["PATH"] = os.pathsep.join([str(other), "/usr/bin"])
    (choice,) = machine.choose(MINIO)
    assert choice.origin is Origin.STANDIN
    assert str(other) not in search_path([choice], machine.env["PATH"]).split(os.pathsep)


def test_standins_left_on_path_go_when_the_official_one_arrives(machine: Machine) -> None:
    folder = machine.standins / "pulumi-resource-minio"
    machine.executable(machine.bin / "pulumi-resource-minio")
    machine.env["PATH"] = os.pathsep.join([str(folder), str(machine.bin)])
    choices = machine.choose(MINIO)
    assert search_path(choices, machine.env["PATH"]) == str(machine.bin)


def test_search_path_is_the_same_when_applied_twice(machine: Machine) -> None:
    choices = machine.choose(MINIO, LANGUAGE)
    once = search_path(choices, machine.env["PATH"])
    assert search_path(choices, once) == once


def test_standins_can_be_forbidden(machine: Machine) -> None:
    machine.env["BACKSTOP_STANDINS"] = "never"
    (choice,) = machine.choose(MINIO)
    assert choice.origin is Origin.MISSING
    assert choice.note.startswith("missing: pulumi-resource-minio")
    assert choice.plugin.install == "run `pulumi plugin install resource minio 0.17.1`"


def test_our_own_standins_are_where_they_are_looked_for() -> None:
    for plugin in needed(CHECKOUT / "versions.toml"):
        file = CHECKOUT / "standins" / "pulumi" / "bin" / plugin.binary / plugin.binary
        assert os.access(file, os.X_OK), file
        assert is_standin_folder(file.parent)
