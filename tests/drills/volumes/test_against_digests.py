"""A restored volume against its digests: what is a finding, what is left out, what is weaker."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.coverage.volume_info import Method
from drills.verdict import Reason, Verdict, judge
from drills.volumes import extent
from drills.volumes.entry import DIRECTORY, LISTING, Entry
from drills.volumes.judge import DIGESTS, Judgement, ReadVolume, judge_digests, judge_extent
from drills.volumes.meanwhile import Line, Seen
from drills.volumes.tree import Tree
from tests.drills.coverage.clusters import record
from tests.drills.volumes.trees import ROOT, directory, file, symlink, text_of, trees

QUIET = Line(ROOT, Seen.STRICT)
BUSY = Line(ROOT, Seen.STRICT, open=True)
A, B = file(b"a", "one"), file(b"b", "three")


def strict(entry: Entry, **more: bool) -> Line:
    return Line(entry, Seen.STRICT, **more)


def judged(lines: list[Line], restored: list[Entry], **more: Any) -> Judgement:
    """`more`: of the volume's record; by default as much as the backup counted came back."""
    held = text_of(restored)
    size = sum(entry.size for entry in restored)
    given = {"method": Method.FILE_SYSTEM, "size": size, **more}
    volume = ReadVolume("shop/data", record(**given), lambda: Tree(iter(held)))
    return judge_digests(volume, lambda: iter(lines))


def outcome(found: Judgement) -> tuple[Verdict, Reason | None]:
    judgement = judge(found.checks)
    return judgement.verdict, judgement.reason


def left_out(found: Judgement) -> dict[str, int]:
    return {one.why: one.count for one in found.not_compared if one.what == "entries of shop/data"}


def test_a_volume_that_came_back_as_it_was_is_proven() -> None:
    found = judged([QUIET, strict(A), strict(B)], [ROOT, A, B])
    assert outcome(found) == (Verdict.PROVEN, None)
    (files, others) = found.compared
    assert (files.what, files.count, files.bytes) == ("files of shop/data", 2, 8)
    assert files.how.endswith(f"against {DIGESTS}")
    assert others.count == 1
    assert (found.digested, found.files, found.bytes) == (2, 2, 8)
    assert left_out(found) == {}
    assert not any(extent.WEAKER in one.how for one in found.compared)
    assert not any(one.what.startswith("content") for one in found.not_compared)


@pytest.mark.parametrize(
    ("restored", "reason"),
    [
        ([ROOT, A], Reason.FILE_LOST),
        ([ROOT, A, file(b"b", "THREE")], Reason.CONTENT_DIFFERS),
        ([ROOT, A, B._replace(mode=0o600)], Reason.METADATA_DIFFERS),
        ([ROOT, A, B._replace(uid=1)], Reason.METADATA_DIFFERS),
        ([ROOT, A, B, file(b"c")], Reason.FILE_ADDED),
        ([ROOT, A, B._replace(sha256="", error="EIO")], Reason.CONTENT_DIFFERS),
        ([ROOT._replace(mode=0o1), A, B], None),
    ],
    ids=["lost", "content", "mode", "owner", "added", "unreadable", "root-of-fs-group"],
)
def test_what_was_at_rest_is_demanded(restored: list[Entry], reason: Reason | None) -> None:
    lines = [QUIET, strict(A), strict(B)]
    found = judged(lines, restored)
    assert judge(found.checks).reason is reason


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (Seen.CHANGED, "they were changed while the backup ran"),
        (Seen.CREATED, "they were created while the backup ran"),
        (Seen.DELETED, "they were deleted while the backup ran"),
    ],
)
def test_what_was_in_motion_may_be_anything(seen: Seen, why: str) -> None:
    lines = [BUSY, strict(A), Line(B, seen)]
    for restored in ([ROOT, A], [ROOT, A, B], [ROOT, A, file(b"b", "other", mode=0o1)]):
        found = judged(lines, restored)
        assert outcome(found) == (Verdict.PROVEN, None)
        assert left_out(found) == {why: 1}
        assert found.digested == 1


def test_a_file_nobody_saw_is_a_finding_only_where_no_name_changed() -> None:
    inside = [directory(b"d"), file(b"d/x", "new")]
    open_root = [BUSY, strict(A), strict(directory(b"d"))]
    assert judge(judged(open_root, [ROOT, A, *inside]).checks).reason is Reason.FILE_ADDED
    open_folder = [QUIET, strict(A), strict(directory(b"d"), open=True)]
    found = judged(open_folder, [ROOT, A, *inside])
    assert outcome(found) == (Verdict.PROVEN, None)
    ((why, count),) = left_out(found).items()
    assert "neither reading saw them" in why
    assert count == 1


def test_below_a_folder_that_nobody_saw_nothing_is_a_finding() -> None:
    restored = [ROOT, A, directory(b"tmp"), file(b"tmp/x"), file(b"tmp/y")]
    found = judged([BUSY, strict(A)], restored)
    assert outcome(found) == (Verdict.PROVEN, None)
    assert list(left_out(found).values()) == [3]
    # In a root at rest the folder itself is one, and what is in it follows from that.
    found = judged([QUIET, strict(A)], restored)
    assert judge(found.checks).reason is Reason.FILE_ADDED


def test_folders_with_names_that_begin_alike_are_told_apart() -> None:
    folders = [strict(directory(b"a")), strict(directory(b"a-b"), open=True), strict(B)]
    found = judged([BUSY, *folders], [ROOT, directory(b"a"), directory(b"a-b"),
                                      file(b"a-b/x"), B])  # fmt: skip
    assert outcome(found) == (Verdict.PROVEN, None)
    found = judged([BUSY, *folders], [ROOT, directory(b"a"), directory(b"a-b"), file(b"a/x"), B])
    assert judge(found.checks).reason is Reason.FILE_ADDED


@pytest.mark.parametrize("method", [Method.CSI_SNAPSHOT, Method.DATA_MOVER])
def test_what_may_not_have_been_on_the_disk_is_not_demanded_of_a_snapshot(method: Method) -> None:
    lines = [QUIET, strict(A), strict(B, fresh=True)]
    found = judged(lines, [ROOT, A], method=method)
    assert outcome(found) == (Verdict.PROVEN, None)
    ((why, count),) = left_out(found).items()
    assert "may not have been on the disk" in why
    assert (count, found.digested) == (1, 1)
    assert judge(judged(lines, [ROOT, A]).checks).reason is Reason.FILE_LOST


def test_a_name_that_was_just_removed_may_still_be_on_the_disk() -> None:
    young = [strict(ROOT, fresh=True), strict(A)]
    restored = [ROOT, A, B]
    assert outcome(judged(young, restored, method=Method.DATA_MOVER)) == (Verdict.PROVEN, None)
    assert judge(judged(young, restored).checks).reason is Reason.FILE_ADDED


def test_a_method_keeps_what_it_can() -> None:
    linked = file(b"b", "one", link=b"a")
    lines = [QUIET, strict(A), strict(linked), strict(Entry(b"p", "fifo", 0o600))]
    restored = [ROOT, A, linked._replace(link=b"")]
    moved = judged(lines, restored, method=Method.DATA_MOVER)
    assert outcome(moved) == (Verdict.PROVEN, None)
    snapshot = judged(lines, restored, method=Method.CSI_SNAPSHOT)
    assert judge(snapshot.checks).reason is Reason.FILE_LOST
    done = [*restored, directory(b".velero"), file(b".velero/1")]
    assert outcome(judged(lines, sorted(done))) == (Verdict.PROVEN, None)


def test_a_folder_that_cannot_be_read_is_a_finding_wherever_it_is() -> None:
    listing = Entry(b"d/", LISTING, error="EIO")
    restored = [ROOT, A, directory(b"d"), listing]
    for folder in (strict(directory(b"d")), Line(directory(b"d"), Seen.CREATED)):
        found = judged([BUSY, strict(A), folder], restored)
        assert judge(found.checks).reason is Reason.CONTENT_DIFFERS


def test_what_the_backup_counted_is_held_against_the_whole_all_the_same() -> None:
    lines = [BUSY, strict(A), Line(B, Seen.CHANGED)]
    found = judged(lines, [ROOT, A], size=8)
    assert outcome(found) == (Verdict.BROKEN, Reason.CONTENT_DIFFERS)
    assert judge(judged(lines, [ROOT], size=8).checks).reason is Reason.VOLUME_LOST


def test_a_volume_of_which_nothing_was_at_rest_has_the_weaker_verdict() -> None:
    lines = [BUSY, Line(A, Seen.CHANGED), strict(symlink(b"l"))]
    restored = [ROOT, A, symlink(b"l")]
    found = judged(lines, restored)
    assert outcome(found) == (Verdict.PROVEN, None)
    assert any(extent.WEAKER in one.how for one in found.compared)
    (why,) = (one.why for one in found.not_compared if one.what == "content of shop/data")
    assert why == "no file with a digest was left alone while the backup ran"
    assert found.digested == 0
    # What else was at rest is demanded.
    other = [ROOT, A, symlink(b"l", b"elsewhere")]
    assert judge(judged(lines, other).checks).reason is Reason.CONTENT_DIFFERS


def test_an_empty_volume_is_never_proven() -> None:
    assert judge(judged([QUIET], [ROOT], size=0).checks).reason is Reason.NOTHING_TO_CHECK


def test_why_there_is_no_stronger_proof_is_told() -> None:
    held = text_of([ROOT, A])
    volume = ReadVolume("shop/data", record(size=3), lambda: Tree(iter(held)))
    for reason, told in ((), extent.NOT_TAKEN), (("a quota",), "a quota"):
        found = judge_extent(volume, lambda _name, entries: entries, *reason)
        assert [one.why for one in found.not_compared] == [told]


@given(trees(least=2), st.data())
def test_whatever_was_in_motion_makes_nothing_red(tree: list[Entry], data: st.DataObject) -> None:
    """A backup that holds every path as it was at some moment."""
    lines, restored = [], []
    for entry in tree:
        # What lies below something in motion is not at rest in this world.
        seen = data.draw(st.sampled_from(Seen)) if entry.type != DIRECTORY else Seen.STRICT
        lines.append(Line(entry, seen, open=entry.type == DIRECTORY))
        if seen is Seen.STRICT or data.draw(st.booleans()):
            restored.append(entry)
        if entry.type != DIRECTORY and data.draw(st.booleans()):
            passing = entry.path + b"\x01\x02\x03\x04\x05"
            restored.append(file(passing, "passing"))
    found = judged(lines, sorted(restored), size=None)
    assert {one.reason for one in found.checks} <= {None, Reason.NOTHING_TO_CHECK}


def _lines_of(tree: list[Entry]) -> Iterator[Line]:
    return (strict(entry) for entry in tree)


@given(trees(least=2), st.data())
def test_whatever_was_at_rest_is_missed(tree: list[Entry], data: st.DataObject) -> None:
    files = [entry for entry in tree if entry.sha256]
    if not files:
        return
    gone = data.draw(st.sampled_from(files))
    found = judged(list(_lines_of(tree)), [one for one in tree if one != gone], size=None)
    assert Reason.FILE_LOST in {one.reason for one in found.checks}


def test_the_digests_are_taken_to_their_end() -> None:
    ended = io.StringIO()

    def lines() -> Iterator[Line]:
        yield from [QUIET, strict(A), Line(file(b"z"), Seen.DELETED)]
        ended.write("x")

    held = text_of([ROOT, A])
    volume = ReadVolume("shop/data", record(size=3), lambda: Tree(iter(held)))
    found = judge_digests(volume, lines)
    assert ended.getvalue() == "xx", "both passes, or a cut off file would not be noticed"
    assert sum(left_out(found).values()) == 1
