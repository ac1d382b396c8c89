"""The Python environment is keyed by its pins and survives a kill in the middle."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import venv
from lab.errors import LabError
from lab.paths import ROOT

SECONDS = 60.0


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose pins name nothing, so that no package is fetched."""
    monkeypatch.setenv("BACKSTOP_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "checkout"
    root.mkdir()
    for name in venv.REQUIREMENTS:
        (root / name).write_text("# nothing\n", encoding="utf-8")
    return root


def test_each_part_of_the_key_counts() -> None:
    variants = itertools.product(([b"a", b"b"], [b"ab", b""]), ("3.11.7", "3.12.0"), ("x", "y"))
    keys = {venv.key(texts, python, machine) for texts, python, machine in variants}
    assert len(keys) == 8


def test_the_environment_is_installed_once(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = venv.ensure(checkout)
    assert subprocess.check_output([folder / "bin" / "python", "-c", "print(6*7)"]) == b"42\n"
    assert "installing" in capsys.readouterr().err
    assert venv.ensure(checkout) == folder
    assert capsys.readouterr().err == ""


def test_changed_pins_are_another_environment(checkout: Path) -> None:
    before = venv.location(checkout)
    (checkout / "requirements.txt").write_text("# other\n", encoding="utf-8")
    assert venv.location(checkout) != before


def test_one_that_was_killed_on_the_way_is_made_anew(checkout: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from lab import venv; venv.ensure(Path(sys.argv[1]))"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code, str(checkout)],
        cwd=ROOT,
        env=dict(os.environ),
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    folder = venv.location(checkout)
    deadline = time.monotonic() + SECONDS
    while not (folder / "bin").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert not venv.complete(folder)
    (folder / "half").touch()
    assert venv.complete(venv.ensure(checkout))
    assert not (folder / "half").exists()


def test_one_whose_python_has_gone_is_not_complete(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / venv.MARKER).touch()
    (tmp_path / "bin" / "python").symlink_to(tmp_path / "gone")
    assert not venv.complete(tmp_path)


def test_a_failing_pip_is_one_sentence(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    (checkout / venv.REQUIREMENTS[-1]).write_text("no-such-package==1.0\n", encoding="utf-8")
    with pytest.raises(LabError, match=r"pip install failed \(.*no-such-package"):
        venv.ensure(checkout)
    assert not venv.complete(venv.location(checkout))
