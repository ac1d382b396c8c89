"""ci/preview.sh with the real engine: it judges a stack, keeps its exit code, changes nothing."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.engine import ROOT, engine_environment, write_authority

pytestmark = pytest.mark.tools

STACKS = ROOT / "tests" / "policies" / "stacks"
CONFIG = "# a stack's own file\nconfig:\n  some:key: value\n"


def _checkout(name: str, folder: Path) -> Path:
    """A project with our script, our policies and one small stack, as if it were the repository."""
    work = folder / "work"
    shutil.copytree(STACKS / name, work)
    shutil.copytree(ROOT / "ci", work / "ci")
    # The pack reads times with the reader that the program's settings use.
    for room in ("policies", "components"):
        shutil.copytree(ROOT / room, work / room)
    write_authority(work / "ca.crt")
    (work / "Pulumi.dev.yaml").write_text(CONFIG)
    return work


def _preview(work: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["/bin/sh", str(work / "ci" / "preview.sh"), "dev"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


@pytest.mark.parametrize("backend", ["none", "without the stack"])
@pytest.mark.parametrize(("name", "code"), [("sound", 0), ("unprotected-bucket", 1)])
def test_a_stack_without_state_is_previewed_as_new(
    name: str, code: int, backend: str, tmp_path: Path
) -> None:
    work = _checkout(name, tmp_path)
    environment = engine_environment(tmp_path)
    if backend == "none":
        del environment["PULUMI_BACKEND_URL"]
    done = _preview(work, environment)
    assert done.returncode == code, done.stdout + done.stderr
    assert "no state of dev is at hand, so everything in it counts as new" in done.stderr
    assert ("bucket-protected" in done.stdout) == (code != 0)
    assert (work / "Pulumi.dev.yaml").read_text() == CONFIG
    assert not list((tmp_path / "state").rglob("dev.json"))


def test_a_held_stack_is_previewed_against_its_state(tmp_path: Path) -> None:
    work = _checkout("sound", tmp_path)
    environment = engine_environment(tmp_path)
    made = subprocess.run(
        ["pulumi", "--non-interactive", "stack", "init", "dev"],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    before = (work / "Pulumi.dev.yaml").read_text()
    done = _preview(work, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no state" not in done.stderr
    assert (work / "Pulumi.dev.yaml").read_text() == before


def test_a_backend_that_cannot_be_reached_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    work = _checkout("sound", tmp_path)
    environment = engine_environment(tmp_path)
    environment["PULUMI_BACKEND_URL"] = f"file://{tmp_path / 'nowhere'}"
    done = _preview(work, environment)
    assert done.returncode not in (0, 6)
    assert "unable to open state directory" in done.stderr
    assert "create" not in done.stdout
