"""Every difference is found with its kind, on real file systems and on any tree at all."""

import os
import shutil
import subprocess
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.verdict import Reason, Verdict, judge
from drills.volumes.allowances import (
    DATA_MOVER,
    FILE_SYSTEM,
    FS_GROUP,
    KOPIA_LINKS,
    KOPIA_SPECIAL_FILES,
    LOST_AND_FOUND,
    SNAPSHOT,
    VELERO_DONE,
    Allowance,
    Attribute,
    Kind,
)
from drills.volumes.compare_trees import Comparison, Options, checks, compare
from drills.volumes.entry import Entry
from drills.volumes.tree import Fault, Tree, TreeError
from tests.drills.volumes.trees import ROOT, directory, file, symlink, text_of, trees
from tests.drills.volumes.volumes import make_volume, read

PLAIN = Options("the test's own tree")


def compared(expected: list[Entry], observed: list[Entry], *allowances: Allowance) -> Comparison:
    return compare("data", expected, observed, Options("the test's own tree", allowances))


def attributes(found: Comparison) -> set[Attribute]:
    return set(found.attributes)


# On real file systems


@pytest.fixture
def copies(tmp_path: Path) -> tuple[Path, Path]:
    """A volume and a restored copy of it."""
    source = make_volume(tmp_path / "source")
    subprocess.run(["cp", "-a", source, tmp_path / "restored"], check=True)
    return source, tmp_path / "restored"


def test_a_faithful_copy_does_not_differ(copies: tuple[Path, Path]) -> None:
    source, restored = copies
    found = compare("data", read(source)[0], read(restored)[0], PLAIN)
    assert not found.differs
    assert found.files == 7
    assert found.bytes == (3 << 20) + (9 << 20) + 7 + 7 + 19 + 24
    (check,) = checks(found)
    assert check.ok
    assert {one.what: one.count for one in found.compared} == {
        "files of data": 7, "other entries of data": found.entries - 7,
    }  # fmt: skip
    assert {one.what: one.count for one in found.not_compared} == {
        "modification times of data": found.entries,
        "extended attributes of data": found.entries,
        "holes of sparse files of data": 1,
    }


def flip_a_bit(root: Path) -> None:
    with (root / "data" / "large").open("r+b") as file:
        file.seek(1 << 20)
        byte = file.read(1)[0]
        file.seek(1 << 20)
        file.write(bytes([byte ^ 1]))


def swap_for_a_directory(root: Path) -> None:
    (root / "data-beside" / "line\nbreak").unlink()
    (root / "data-beside" / "line\nbreak").mkdir()


def retarget(root: Path) -> None:
    (root / "link out").unlink()
    (root / "link out").symlink_to("/etc/shadow")


def break_the_hard_link(root: Path) -> None:
    place = root / "other name of small"
    place.unlink()
    shutil.copy2(root / "data" / "small", place)


def other_device(root: Path) -> None:
    (root / "null").unlink()
    os.mknod(root / "null", 0o20600, os.makedev(1, 5))


def odd_name_replaced(root: Path) -> None:
    """What kopia makes of a name that is not UTF-8."""
    (root / os.fsdecode(b"caf\xe9")).rename(root / "caf\ufffd")


FAULTS: list[tuple[Callable[[Path], object], dict[Kind, int], set[Attribute], Reason]] = [
    (flip_a_bit, {Kind.CHANGED: 1}, {Attribute.CONTENT}, Reason.CONTENT_DIFFERS),
    (lambda root: os.truncate(root / "data" / "large", 1 << 20), {Kind.CHANGED: 1},
     {Attribute.CONTENT, Attribute.SIZE}, Reason.CONTENT_DIFFERS),
    (lambda root: os.truncate(root / "sparse", (9 << 20) + 1), {Kind.CHANGED: 1},
     {Attribute.CONTENT, Attribute.SIZE}, Reason.CONTENT_DIFFERS),
    (retarget, {Kind.CHANGED: 1}, {Attribute.TARGET}, Reason.CONTENT_DIFFERS),
    (lambda root: (root / "data" / "large").chmod(0o711), {Kind.CHANGED: 1}, {Attribute.MODE},
     Reason.METADATA_DIFFERS),
    (lambda root: os.chown(root / "empty", 7, -1), {Kind.CHANGED: 1}, {Attribute.OWNER},
     Reason.METADATA_DIFFERS),
    (lambda root: os.lchown(root / "link out", -1, 7), {Kind.CHANGED: 1}, {Attribute.GROUP},
     Reason.METADATA_DIFFERS),
    (break_the_hard_link, {Kind.CHANGED: 1}, {Attribute.LINK}, Reason.METADATA_DIFFERS),
    (other_device, {Kind.CHANGED: 1}, {Attribute.DEVICE}, Reason.METADATA_DIFFERS),
    (swap_for_a_directory, {Kind.CHANGED: 1}, {Attribute.TYPE}, Reason.METADATA_DIFFERS),
    (lambda root: (root / "pipe").unlink(), {Kind.LOST: 1}, set(), Reason.FILE_LOST),
    (lambda root: shutil.rmtree(root / "data" / "deep"), {Kind.LOST: 2}, set(), Reason.FILE_LOST),
    (lambda root: (root / "empty" / "new").touch(), {Kind.ADDED: 1}, set(), Reason.FILE_ADDED),
    (odd_name_replaced, {Kind.LOST: 1, Kind.ADDED: 1}, set(), Reason.FILE_LOST),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "counts", "seen", "reason"), FAULTS)
def test_each_planted_fault_is_found(
    copies: tuple[Path, Path],
    fault: Callable[[Path], object],
    counts: dict[Kind, int],
    seen: set[Attribute],
    reason: Reason,
) -> None:
    source, restored = copies
    fault(restored)
    found = compare("data", read(source)[0], read(restored)[0], PLAIN)
    assert dict(found.counts) == counts
    assert attributes(found) == seen
    assert next(iter(found.reasons)) is reason
    judgement = judge(checks(found))
    assert judgement.verdict is Verdict.BROKEN
    assert judgement.reason is reason


def test_extended_attributes_differ_if_both_were_read(copies: tuple[Path, Path]) -> None:
    source, restored = copies
    try:
        os.setxattr(restored / "data", "user.note", b"x")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    trees = read(source, "--xattrs")[0], read(restored, "--xattrs")[0]
    assert not compare("data", *trees, PLAIN).differs
    found = compare("data", *trees, Options("a tree", xattrs=True))
    assert attributes(found) == {Attribute.XATTRS}
    assert "extended attributes of data" not in {one.what for one in found.not_compared}


# On any tree


@given(trees())
def test_a_tree_does_not_differ_from_itself(entries: list[Entry]) -> None:
    assert not compared(entries, entries).differs


@given(trees(least=1), st.data())
def test_any_single_change_is_found_with_its_kind(
    entries: list[Entry], data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, len(entries) - 1))
    entry = entries[number]
    changes = {
        Attribute.MODE: entry._replace(mode=entry.mode ^ 0o100),
        Attribute.OWNER: entry._replace(uid=entry.uid + 1),
        Attribute.GROUP: entry._replace(gid=entry.gid + 1),
        Attribute.LINK: entry._replace(link=b"another"),
        Attribute.READABLE: entry._replace(error="EIO", sha256=""),
    }
    if entry.type == "file":
        changes[Attribute.CONTENT] = entry._replace(sha256="0" * 64)
        changes[Attribute.SIZE] = entry._replace(size=entry.size + 1)
        changes[Attribute.TYPE] = Entry(entry.path, "fifo", entry.mode)
    if entry.type == "symlink":
        changes[Attribute.TARGET] = entry._replace(target=entry.target + b"x")
        del changes[Attribute.MODE]
    attribute = data.draw(st.sampled_from(sorted(changes)))
    observed = [*entries[:number], changes[attribute], *entries[number + 1 :]]
    found = compared(entries, observed)
    assert dict(found.counts) == {Kind.CHANGED: 1}
    assert attributes(found) == {attribute}
    assert dict(compared(observed, entries).counts) == (
        {} if attribute is Attribute.READABLE else {Kind.CHANGED: 1}
    )


@given(trees(least=2), st.data())
def test_any_entry_that_is_missing_is_lost_here_and_added_there(
    entries: list[Entry], data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, len(entries) - 1))
    without = [*entries[:number], *entries[number + 1 :]]
    lost, added = compared(entries, without), compared(without, entries)
    assert dict(lost.counts) == {Kind.LOST: 1}
    assert dict(added.counts) == {Kind.ADDED: 1}
    assert lost.findings[0].path == added.findings[0].path


# What is allowed, and what is not known


@pytest.mark.parametrize(
    ("allowance", "expected", "observed"),
    [
        (LOST_AND_FOUND, [ROOT], [ROOT, directory(b"lost+found")]),
        (LOST_AND_FOUND, [ROOT, directory(b"lost+found"), file(b"lost+found/#1")], [ROOT]),
        (LOST_AND_FOUND, [ROOT, directory(b"lost+found")],
         [ROOT, directory(b"lost+found"), Entry(b"lost+found/", "listing", skipped="unreadable")]),
        (FS_GROUP, [ROOT], [ROOT._replace(mode=0o2775, gid=2000)]),
        (VELERO_DONE, [ROOT], [ROOT, directory(b".velero"), file(b".velero/uid")]),
        (KOPIA_LINKS, [ROOT, file(b"a"), file(b"b", link=b"a")], [ROOT, file(b"a"), file(b"b")]),
        (KOPIA_SPECIAL_FILES, [ROOT, Entry(b"pipe", "fifo", 0o600)], [ROOT]),
    ],
)  # fmt: skip
def test_an_allowance_covers_its_case_and_is_told(
    allowance: Allowance, expected: list[Entry], observed: list[Entry]
) -> None:
    assert compared(expected, observed).differs
    found = compared(expected, observed, allowance)
    assert not found.differs
    assert allowance.why in {one.why for one in found.not_compared}


@pytest.mark.parametrize(
    ("allowances", "expected", "observed"),
    [
        (SNAPSHOT, [ROOT, directory(b"a")], [ROOT, directory(b"a"), directory(b"a/lost+found")]),
        (SNAPSHOT, [ROOT], [ROOT, file(b"lost+found-too")]),
        (SNAPSHOT, [ROOT], [ROOT._replace(uid=7)]),
        (SNAPSHOT, [ROOT, directory(b"a")], [ROOT, directory(b"a", gid=7)]),
        (SNAPSHOT, [ROOT, Entry(b"pipe", "fifo", 0o600)], [ROOT]),
        (SNAPSHOT, [ROOT], [ROOT, directory(b".velero")]),
        (DATA_MOVER, [ROOT], [ROOT, directory(b".velero")]),
        (FILE_SYSTEM, [ROOT, directory(b".velero")], [ROOT]),
        (FILE_SYSTEM, [ROOT, Entry(b"p", "fifo", 0o600)], [ROOT, Entry(b"p", "fifo", 0o666)]),
        (FILE_SYSTEM, [ROOT, file(b"a"), file(b"b", link=b"a")],
         [ROOT, file(b"a"), file(b"b", uid=7)]),
        (FILE_SYSTEM, [ROOT, file(b"caf\xe9")], [ROOT, file("caf\ufffd".encode())]),
    ],
)  # fmt: skip
def test_an_allowance_covers_nothing_beside_its_case(
    allowances: tuple[Allowance, ...], expected: list[Entry], observed: list[Entry]
) -> None:
    assert compared(expected, observed, *allowances).differs


def test_a_directory_that_cannot_be_read_is_one_finding_and_not_a_thousand() -> None:
    whole = [ROOT, directory(b"a"), file(b"a/1"), file(b"a/2"), file(b"a0")]
    unread = [ROOT, directory(b"a"), Entry(b"a/", "listing", error="EIO"), file(b"a0")]
    found = compared(whole, unread)
    assert (dict(found.counts), attributes(found)) == ({Kind.CHANGED: 1}, {Attribute.READABLE})
    assert (2, "they lie below a directory that could not be read") in {
        (one.count, one.why) for one in found.not_compared
    }


def test_what_the_truth_could_not_see_is_compared_with_nothing_and_told() -> None:
    whole = [ROOT, directory(b"a"), file(b"a/1"), file(b"b")]
    blind = [ROOT, directory(b"a"), Entry(b"a/", "listing", error="EACCES"),
             file(b"b", error="EACCES", sha256="")]  # fmt: skip
    found = compared(blind, whole)
    assert not found.differs
    assert (found.files, found.bytes) == (0, 0)
    assert {one.what for one in found.not_compared} >= {
        "entries of data", "directories of data", "content of entries of data",
    }  # fmt: skip
    # Its attributes were seen, and still count.
    assert compared(blind, [*whole[:-1], file(b"b", mode=0)]).differs


def test_another_file_system_over_the_restored_data_is_a_finding() -> None:
    whole = [ROOT, directory(b"a"), file(b"a/1")]
    hidden = [ROOT, directory(b"a"), Entry(b"a/", "listing", skipped="mount")]
    assert compared(whole, hidden).differs
    assert compared(whole, hidden, *FILE_SYSTEM).differs


def test_an_unknown_entry_is_only_there() -> None:
    gone = Entry(b"a", "unknown", error="vanished")
    assert attributes(compared([ROOT, file(b"a")], [ROOT, gone])) == {Attribute.READABLE}
    assert not compared([ROOT, gone], [ROOT, file(b"a")]).differs


def test_nothing_on_both_sides_proves_nothing() -> None:
    (check,) = checks(compared([ROOT], [ROOT]))
    assert check.reason is Reason.NOTHING_TO_CHECK
    assert judge([check]).verdict is Verdict.UNPROVEN
    (check,) = checks(compared([ROOT, file(b"a", "")], [ROOT, file(b"a", "")]))
    assert check.ok


# How it is told


def test_the_first_findings_of_each_reason_are_kept_and_all_are_counted() -> None:
    names = [b"%03d" % number for number in range(100)]
    expected = [ROOT, *(file(name) for name in names), file(b"x"), file(b"y")]
    observed = [ROOT, *(file(name, mode=0o600) for name in names), file(b"x", "changed")]
    options = Options("a tree", findings_per_reason=3)
    found = compare("data", expected, observed, options)
    assert dict(found.reasons) == {
        Reason.FILE_LOST: 1, Reason.CONTENT_DIFFERS: 1, Reason.METADATA_DIFFERS: 100,
    }  # fmt: skip
    assert [each.path for each in found.findings] == ["000", "001", "002", "x", "y"]
    gravest = checks(found)[0]
    assert (gravest.reason, gravest.observed) == (Reason.FILE_LOST, "1 file-lost: file y")
    assert "and 97 more" in checks(found)[2].observed


def test_a_finding_says_what_was_expected_and_what_came() -> None:
    found = compared(
        [ROOT, file(b"a\n", "old"), symlink(b"s", b"here")],
        [ROOT, file(b"a\n", "newer", mode=0o600), symlink(b"s", b"there\x07")],
    )
    first, second = map(str, found.findings)
    assert first.startswith("file a\\n: content ")
    assert first.endswith("size 3 bytes -> 5 bytes, mode 0644 -> 0600")
    assert second == "symlink s: target here -> there\\x07"


def test_a_damaged_tree_yields_no_comparison() -> None:
    lines = text_of([ROOT, file(b"a")])
    with pytest.raises(TreeError) as caught:
        compare("data", [ROOT, file(b"a")], Tree(iter(lines[:-1])), PLAIN)
    assert caught.value.fault is Fault.TRUNCATED


def peak_of(entries: int) -> int:
    """Bytes at the peak of comparing so many lost, added and changed entries."""

    def one_side(step: int) -> Iterator[Entry]:
        yield ROOT
        for number in range(0, entries, step):
            yield file(b"%08d" % number, str(step))

    tracemalloc.start()
    try:
        found = compare("data", one_side(2), one_side(3), PLAIN)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(found.counts.values()) == len({*range(0, entries, 2), *range(0, entries, 3)})
    return peak


def test_memory_does_not_grow_with_the_volume() -> None:
    # The entries themselves would take more than 5 MB.
    assert peak_of(20_000) < 500_000
