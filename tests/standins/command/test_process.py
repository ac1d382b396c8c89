"""The plugin as a process: how it starts, says what it is, is cancelled, leaves nothing behind."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pulumi.runtime.proto import provider_pb2

from tests.standins.command.conftest import STAND_IN
from tests.standins.command.engine import (
    Plugin,
    RefusedError,
    alive,
    read_port,
    running,
    secret,
    wait_until,
)
from tests.standins.command.ssh_server import SshServer

LOCAL = "command:local:Command"

pytestmark = [pytest.mark.stand_in]

# A command with a child of its own; both write their process ids.
_TREE = "echo $$ > {0}/parent; sleep 300 & echo $! > {0}/child; wait"


@pytest.fixture
def own_plugin(plugin_command: list[str], tmp_path: Path) -> Iterator[Plugin]:
    with running(plugin_command, cwd=tmp_path) as started:
        yield started


def _pids(folder: Path) -> list[int]:
    files = [folder / "parent", folder / "child"]
    wait_until(lambda: all(file.exists() and file.read_text().strip() for file in files))
    return [int(file.read_text()) for file in files]


def test_the_first_line_of_version_says_stand_in() -> None:
    env = {**os.environ, "BACKSTOP_PYTHON": sys.executable}
    printed = subprocess.run(
        [STAND_IN, "--version"], env=env, capture_output=True, text=True, check=True
    )
    assert printed.stdout.splitlines() == [
        "pulumi-resource-command 1.2.1 (stand-in from this repository, not the official plugin)"
    ]


def test_it_tells_the_engine_once_that_it_is_a_stand_in(own_plugin: Plugin) -> None:
    for _ in range(3):
        own_plugin.stub.Configure(provider_pb2.ConfigureRequest())
    assert [m for m in own_plugin.engine.messages if "stand-in" in m] == [
        "pulumi-resource-command 1.2.1 (stand-in from this repository, not the official plugin)"
    ]


def test_its_schema_says_that_it_is_a_stand_in(own_plugin: Plugin) -> None:
    answer = own_plugin.stub.GetSchema(provider_pb2.GetSchemaRequest())
    schema = json.loads(answer.schema)
    assert (schema["name"], schema["version"]) == ("command", "1.2.1")
    assert schema["description"].startswith("A stand-in")


def test_it_starts_through_a_link_with_the_python_on_path(tmp_path: Path) -> None:
    link = tmp_path / "pulumi-resource-command"
    link.symlink_to(STAND_IN)
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    env = {k: v for k, v in os.environ.items() if k not in ("BACKSTOP_PYTHON", "PYTHONPATH")}
    env["PATH"] = f"{python.parent}:{env['PATH']}"
    printed = subprocess.run(
        [link, "--version"], env=env, cwd="/", capture_output=True, text=True, check=True
    )
    assert "stand-in" in printed.stdout


def test_a_command_sees_no_variable_of_the_launcher(own_plugin: Plugin) -> None:
    inputs = {"create": "echo ${PYTHONPATH-unset}"}
    expected = os.environ.get("PYTHONPATH", "unset")
    assert own_plugin.create(LOCAL, inputs)[1]["stdout"] == expected


def test_cancel_ends_a_command_with_its_children(own_plugin: Plugin, tmp_path: Path) -> None:
    call = own_plugin.in_background(own_plugin.create, LOCAL, {"create": _TREE.format(tmp_path)})
    pids = _pids(tmp_path)
    own_plugin.cancel()
    with pytest.raises(RefusedError, match="create command was ended because the update was can"):
        call.result()
    wait_until(lambda: not any(map(alive, pids)))
    with pytest.raises(RefusedError, match="was not started: the update was cancelled"):
        own_plugin.create(LOCAL, {"create": "true"})


def test_cancel_lets_a_command_clean_up(own_plugin: Plugin, tmp_path: Path) -> None:
    script = f"trap 'touch {tmp_path}/cleaned; exit 1' TERM; touch {tmp_path}/up; sleep 300 & wait"
    call = own_plugin.in_background(own_plugin.create, LOCAL, {"create": script})
    wait_until((tmp_path / "up").exists)
    own_plugin.cancel()
    with pytest.raises(RefusedError):
        call.result()
    assert (tmp_path / "cleaned").exists()


def test_cancel_kills_a_command_that_does_not_want_to_end(
    own_plugin: Plugin, tmp_path: Path
) -> None:
    script = f"trap '' TERM; {_TREE.format(tmp_path)}; sleep 300; sleep 300"
    call = own_plugin.in_background(own_plugin.create, LOCAL, {"create": script})
    pids = _pids(tmp_path)
    began = time.monotonic()
    own_plugin.cancel()
    with pytest.raises(RefusedError):
        call.result()
    assert time.monotonic() - began < 20
    wait_until(lambda: not any(map(alive, pids)))


def test_cancel_closes_connections(own_plugin: Plugin, ssh_server: SshServer) -> None:
    mark = ssh_server.home / "cancelled"
    inputs = {
        "create": f"touch {mark}; sleep 20",
        "connection": secret(ssh_server.connection()),
    }
    call = own_plugin.in_background(own_plugin.create, "command:remote:Command", inputs)
    wait_until(mark.exists)
    own_plugin.cancel()
    with pytest.raises(RefusedError, match="cancelled"):
        call.result(timeout=10)


def test_cancel_ends_the_wait_for_a_host_that_does_not_answer(
    own_plugin: Plugin, ssh_server: SshServer
) -> None:
    connection = ssh_server.connection(host="127.0.0.9", dialErrorLimit=-1)
    inputs = {"create": "true", "connection": secret(connection)}
    call = own_plugin.in_background(own_plugin.create, "command:remote:Command", inputs)
    wait_until(lambda: any("retrying" in m for m in own_plugin.engine.messages))
    own_plugin.cancel()
    with pytest.raises(RefusedError, match="the update was cancelled"):
        call.result(timeout=20)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_its_commands(
    own_plugin: Plugin, tmp_path: Path, number: signal.Signals
) -> None:
    call = own_plugin.in_background(own_plugin.create, LOCAL, {"create": _TREE.format(tmp_path)})
    pids = _pids(tmp_path)
    own_plugin.process.send_signal(number)
    assert own_plugin.process.wait(15) == 0
    wait_until(lambda: not any(map(alive, pids)))
    with contextlib.suppress(RefusedError):
        call.result()


def test_a_killed_plugin_leaves_no_command(own_plugin: Plugin, tmp_path: Path) -> None:
    call = own_plugin.in_background(own_plugin.create, LOCAL, {"create": _TREE.format(tmp_path)})
    pids = _pids(tmp_path)
    own_plugin.process.kill()
    wait_until(lambda: not any(map(alive, pids)))
    with pytest.raises(RefusedError):
        call.result()


def test_it_ends_when_its_engine_is_killed(plugin_command: list[str], tmp_path: Path) -> None:
    # A parent that starts the plugin, hands on its port and dies without a word.
    script = "import subprocess, sys, time; p = subprocess.Popen(sys.argv[1:]); time.sleep(600)"
    parent = subprocess.Popen(
        [sys.executable, "-c", script, *plugin_command],
        stdout=subprocess.PIPE,
        env={**os.environ, "BACKSTOP_PYTHON": sys.executable},
        cwd=tmp_path,
    )
    read_port(parent)
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    assert len(children) == 1
    parent.kill()
    parent.wait()
    wait_until(lambda: not alive(int(children[0])), seconds=15)


def test_a_preview_does_not_load_the_ssh_library(own_plugin: Plugin, ssh_server: SshServer) -> None:
    inputs = {"create": "true", "connection": secret(ssh_server.connection())}
    own_plugin.check("command:remote:Command", inputs)
    own_plugin.create("command:remote:Command", inputs, preview=True)
    maps = Path(f"/proc/{own_plugin.process.pid}/maps")
    assert "_bcrypt" not in maps.read_text()
    own_plugin.create("command:remote:Command", inputs)
    assert "_bcrypt" in maps.read_text()
