"""What the drill `volumes` keeps on this machine while it runs: digest trees, which name files."""

import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drills.frame import Clock
from drills.scratch import LOCK, PREFIX
from drills.volumes import run


def opened(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The drill with edges that nobody uses."""
    way = SimpleNamespace(
        velero=SimpleNamespace(client=None, writer=None), run=None, truths=None, clock=None
    )
    payload = SimpleNamespace(
        cluster=SimpleNamespace(parsed=lambda: None, uid="uid"),
        reader=SimpleNamespace(idle=lambda: None),
        canary=None,
    )
    monkeypatch.setattr(run.course, "opened", lambda *_: way)
    monkeypatch.setattr(run, "open_dial", lambda _: None)
    clock = cast(Clock, SimpleNamespace())
    return run.opened(cast(Any, payload), clock, lambda _: None, Path("/nonexistent"))


def test_what_a_killed_run_left_goes_and_its_own_with_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead = tmp_path / f"{PREFIX}dead"
    dead.mkdir()
    (dead / LOCK).touch()
    (dead / "1.tree").write_text("names of files")
    drill = opened(monkeypatch)
    [own] = tmp_path.iterdir()
    assert own != dead
    # Another run beside it, which may be of another layer: what lives is left alone.
    other = opened(monkeypatch)
    assert own.exists()
    other.edges.forget()
    assert list(tmp_path.iterdir()) == [own]
    drill.edges.forget()
    assert list(tmp_path.iterdir()) == []
