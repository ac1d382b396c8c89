"""The CSI stand-in's own tests (Go), and that it says what it is."""

import os
import subprocess

import pytest

from lab import pins, tools
from lab.paths import ROOT, cache_dir
from lab.toolchain import go_command
from lab.tools import build_environment

pytestmark = pytest.mark.tools


def test_its_volumes_and_snapshots_survive_what_can_happen_to_them() -> None:
    go = go_command(pins.load()[1], cache_dir())
    done = subprocess.run(
        [str(go), "test", "./..."], cwd=ROOT / "standins" / "csi",
        env=build_environment(os.environ, cache_dir()), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_names_itself_a_stand_in_and_refuses_to_start_without_a_name() -> None:
    binary = str(tools.ensure(["lab-csi"])["lab-csi"])
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    assert "stand-in" in said
    done = subprocess.run([binary], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "give -driver and -node" in done.stderr
