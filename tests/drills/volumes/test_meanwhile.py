"""Two trees of a volume in use: what may be demanded, and what is only named."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.volumes.entry import DIRECTORY, FILE, LISTING, Entry
from drills.volumes.meanwhile import Line, Seen, merged
from tests.drills.volumes.trees import ROOT, directory, file, symlink, trees
from tests.drills.volumes.volumes import read

LATE = 1 << 62
"""Nothing is as young."""


def seen(before: list[Entry], after: list[Entry], fresh_after: int = LATE) -> dict[bytes, Line]:
    return {line.entry.path: line for line in merged(before, after, fresh_after)}


def one(before: Entry, after: Entry, fresh_after: int = LATE) -> Line:
    (line,) = merged([before], [after], fresh_after)
    return line


OLD = file(b"a", "text", changed_at=5)


def test_what_is_the_same_and_was_not_touched_is_demanded() -> None:
    line = one(OLD, OLD._replace(allocated=0))
    assert (line.seen, line.open, line.fresh) == (Seen.STRICT, False, False)
    assert line.is_content
    assert line.entry == OLD._replace(changed_at=0)


@pytest.mark.parametrize(
    "change",
    [
        {"changed_at": 6},
        {"sha256": "0" * 64},
        {"size": 1},
        {"mode": 0o600},
        {"uid": 7},
        {"gid": 7},
        {"link": b"0"},
        {"error": "changed", "sha256": ""},
        {"type": "fifo", "size": 0, "sha256": ""},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_was_touched_is_only_named(change: dict[str, Any]) -> None:
    line = one(OLD, OLD._replace(**change))
    assert (line.seen, line.is_content) == (Seen.CHANGED, False)


@pytest.mark.parametrize("word", ["changed", "vanished"])
def test_a_reader_that_met_a_change_twice_saw_no_rest(word: str) -> None:
    moving = OLD._replace(sha256="", error=word)
    assert one(moving, moving).seen is Seen.CHANGED


def test_what_can_be_read_neither_time_is_demanded_without_its_content() -> None:
    closed = OLD._replace(sha256="", error="EACCES")
    line = one(closed, closed)
    assert (line.seen, line.is_content) == (Seen.STRICT, False)
    listing = Entry(b"a/", LISTING, error="EACCES")
    assert one(listing, listing).seen is Seen.STRICT


def test_a_directory_whose_names_changed_keeps_its_attributes() -> None:
    folder = directory(b"d", changed_at=5)
    assert one(folder, folder)[1:] == (Seen.STRICT, False, False)
    assert one(folder, folder._replace(changed_at=6))[1:] == (Seen.STRICT, True, False)
    assert one(folder, folder._replace(mode=0o700)).seen is Seen.CHANGED
    mount = folder._replace(skipped="mount")
    assert one(mount, mount).open


def test_links_are_demanded_as_files_are() -> None:
    link = symlink(b"l", changed_at=5)
    assert one(link, link).seen is Seen.STRICT
    assert one(link, link._replace(target=b"other")).seen is Seen.CHANGED
    assert one(link, link._replace(changed_at=6)).seen is Seen.CHANGED


def test_what_was_changed_shortly_before_is_marked() -> None:
    assert not one(OLD, OLD, fresh_after=5).fresh
    assert one(OLD, OLD, fresh_after=4).fresh
    assert not one(OLD, OLD._replace(changed_at=6), fresh_after=4).fresh


def test_what_came_and_went_is_named() -> None:
    before = [ROOT, file(b"a"), file(b"b"), file(b"d")]
    after = [ROOT, file(b"b"), file(b"c"), file(b"d"), file(b"e")]
    assert {path: line.seen for path, line in seen(before, after).items()} == {
        b"": Seen.STRICT, b"a": Seen.DELETED, b"b": Seen.STRICT, b"c": Seen.CREATED,
        b"d": Seen.STRICT, b"e": Seen.CREATED,
    }  # fmt: skip


def timed(tree: list[Entry], moved: set[bytes]) -> list[Entry]:
    return [entry._replace(changed_at=9 if entry.path in moved else 5) for entry in tree]


@given(trees(), trees(), st.data())
def test_every_path_stands_there_once_and_in_order(
    left: list[Entry], right: list[Entry], data: st.DataObject
) -> None:
    paths = [entry.path for entry in right]
    moved = set(data.draw(st.lists(st.sampled_from(paths)))) if paths else set()
    before, after = timed(left, set()), timed(right, moved)
    lines = list(merged(before, after, LATE))
    held = [line.entry.path for line in lines]
    assert held == sorted({entry.path for entry in (*left, *right)})
    first, second = ({entry.path: entry for entry in tree} for tree in (before, after))
    for line in lines:
        path = line.entry.path
        if line.seen is Seen.STRICT:
            assert first[path][:-1] == second[path][:-1]
            assert line.entry == first[path]._replace(changed_at=0)
            assert path not in moved or (line.entry.type == DIRECTORY and line.open)
        elif line.seen is Seen.CHANGED:
            assert path in first
            assert path in second
            assert first[path] != second[path]
        else:
            assert (path in first, path in second) == (
                line.seen is Seen.DELETED, line.seen is Seen.CREATED)  # fmt: skip


@given(trees())
def test_a_volume_at_rest_is_demanded_whole(tree: list[Entry]) -> None:
    lines = list(merged(tree, tree, LATE))
    assert [line.entry for line in lines] == tree
    assert {line.seen for line in lines} <= {Seen.STRICT}
    assert not any(line.open for line in lines)


# On a real file system


def tree_of(root: Path) -> list[Entry]:
    return read(root, "--times")[0]


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    root = tmp_path / "volume"
    (root / "quiet").mkdir(parents=True)
    (root / "busy").mkdir()
    for name in ("quiet/a", "busy/a", "busy/b", "there"):
        (root / name).write_text(name)
    # Change times are as coarse as the kernel's clock.
    time.sleep(0.02)
    return root


def test_without_being_asked_the_reader_tells_no_times(volume: Path) -> None:
    assert {entry.changed_at for entry in read(volume)[0]} == {0}
    assert all(entry.changed_at == os.lstat(volume / os.fsdecode(entry.path)).st_ctime_ns
               for entry in tree_of(volume))  # fmt: skip


def test_a_file_that_was_another_one_for_a_moment_is_not_demanded(volume: Path) -> None:
    before = tree_of(volume)
    for text in ("xxxxxx", "busy/a"):
        (volume / "busy/a").write_text(text)
    found = seen(before, tree_of(volume))
    assert found[b"busy/a"].seen is Seen.CHANGED
    assert found[b"busy/b"].seen is Seen.STRICT
    assert not found[b"busy"].open


def test_a_file_that_lived_for_a_moment_opens_its_directory(volume: Path) -> None:
    before = tree_of(volume)
    (volume / "busy/passing").write_text("x")
    (volume / "busy/passing").unlink()
    found = seen(before, tree_of(volume))
    assert {path for path, line in found.items() if line.open} == {b"busy"}
    assert {line.seen for line in found.values()} == {Seen.STRICT}


def test_a_link_made_to_a_file_and_removed_again_is_seen_on_the_file(volume: Path) -> None:
    before = tree_of(volume)
    os.link(volume / "busy/b", volume / "busy/a-link")
    (volume / "busy/a-link").unlink()
    found = seen(before, tree_of(volume))
    assert found[b"busy/b"].seen is Seen.CHANGED
    assert [line for line in found.values() if line.entry.type == FILE and line.is_content] == [
        found[path] for path in (b"busy/a", b"quiet/a", b"there")
    ]  # fmt: skip


def test_a_rename_back_and_forth_is_no_rest(volume: Path) -> None:
    before = tree_of(volume)
    (volume / "there").rename(volume / "elsewhere")
    (volume / "elsewhere").rename(volume / "there")
    found = seen(before, tree_of(volume))
    assert found[b"there"].seen is Seen.CHANGED
    assert found[b""].open
