"""The plugin under test: the stand-in, or the official one in BACKSTOP_OFFICIAL_PLUGINS."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standins.command.engine import Plugin, running
from tests.standins.command.ssh_server import SshServer, running_ssh_server

_NAME = "pulumi-resource-command"
OFFICIAL = "BACKSTOP_OFFICIAL_PLUGINS"
ROOT = Path(__file__).resolve().parents[3]
STAND_IN = ROOT / "standins" / "pulumi" / "bin" / _NAME / _NAME


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "stand_in: behaviour that is the stand-in's alone (docs/stand-ins/command.md)"
    )


@pytest.fixture(autouse=True)
def _only_where_it_holds(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("stand_in") and OFFICIAL in os.environ:
        pytest.skip(f"{OFFICIAL} is set and the official plugin does otherwise")


@pytest.fixture(scope="session")
def plugin_command() -> list[str]:
    if OFFICIAL in os.environ:
        return [str(Path(os.environ[OFFICIAL]) / _NAME)]
    return [str(STAND_IN)]


@pytest.fixture(scope="module")
def plugin(plugin_command: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    """One plugin for a module: plugins serve many resources at once in real use, too."""
    with running(plugin_command, cwd=tmp_path_factory.mktemp("work")) as started:
        yield started


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with running_ssh_server(tmp_path_factory.mktemp("sshd")) as server:
        yield server
