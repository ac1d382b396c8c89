"""What a killed engine has half written in its file backend does not stop the next run."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack import torn_files
from stack.errors import StackError
from tests.stack.real_engine import PROJECT, Site, site_in

NOW = 1_800_000_000.0


def backend(tmp_path: Path) -> Path:
    folder = tmp_path / ".pulumi" / "stacks" / "backstop"
    folder.mkdir(parents=True)
    return tmp_path


def put(root: Path, name: str, text: str = "") -> Path:
    file = root / ".pulumi" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_only_empty_sidecars_and_drafts_of_the_stack_go(tmp_path: Path) -> None:
    root = backend(tmp_path)
    torn = [
        put(root, "meta.yaml.attrs"),
        put(root, "stacks/backstop/dev.json.attrs"),
        put(root, "stacks/backstop/dev.json.bak.attrs"),
        put(root, "stacks/backstop/dev.json.18a0b1.tmp", '{"half'),
        put(root, "history/backstop/dev/dev-1.history.json.attrs"),
    ]
    kept = [
        put(root, "meta.yaml", "version: 1"),
        put(root, "stacks/backstop/dev.json", "{}"),
        put(root, "stacks/backstop/dev.json.bak", "{}"),
        put(root, "stacks/backstop/develop.json.attrs"),
        put(root, "stacks/backstop/other.json.attrs"),
        put(root, "history/backstop/dev/dev-2.history.json.attrs", "{}\n"),
    ]
    assert sorted(torn_files.remove(root, "backstop", "dev")) == sorted(torn)
    assert not any(file.exists() for file in torn)
    assert all(file.exists() for file in kept)


def test_nothing_to_remove_where_nothing_is(tmp_path: Path) -> None:
    assert torn_files.remove(tmp_path, "backstop", "dev") == []


def draft_of_lock(tmp_path: Path, age: float) -> Path:
    file = tmp_path / "5f5a.json.18a0b1.tmp"
    file.write_text("")
    os.utime(file, (NOW - age, NOW - age))
    return file


def test_an_old_unfinished_lock_is_removed(tmp_path: Path) -> None:
    file = draft_of_lock(tmp_path, age=60)
    assert torn_files.remove_lock_drafts("dev", tmp_path, NOW) == [file]
    assert not file.exists()


def test_a_lock_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    file = draft_of_lock(tmp_path, age=1)
    with pytest.raises(StackError, match=r"^another run takes stack dev .* run again"):
        torn_files.remove_lock_drafts("dev", tmp_path, NOW)
    assert file.exists()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = site_in(tmp_path)
    yield made
    made.end()


@pytest.mark.tools
def test_the_engine_reads_its_state_again(site: Site) -> None:
    assert site.stack("up").returncode == 0
    root = site.directory.parent / "state"
    for name in ("meta.yaml", f"stacks/{PROJECT}/dev.json", f"stacks/{PROJECT}/dev.json.bak"):
        assert json.loads((root / ".pulumi" / f"{name}.attrs").read_text())
        (root / ".pulumi" / f"{name}.attrs").write_text("")
    lock = put(root, f"locks/organization/{PROJECT}/dev/5f5a.json.18a0b1.tmp")
    os.utime(lock, (time.time() - 60, time.time() - 60))
    again = site.stack("up", "--expect-no-changes")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "unfinished file of a killed run removed: " in again.stdout
    assert site.stack("preview", "--expect-no-changes").returncode == 0
