"""Only a whole, ordered tree with its own digest is taken; everything else has its fault."""

import itertools
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.volumes.entry import Entry, parse, render, shown
from drills.volumes.tree import (
    MAX_LINE_BYTES,
    Fault,
    Tree,
    TreeError,
    content_digest,
    lines_of,
    read_trees,
)
from tests.drills.volumes.trees import (
    HEADER,
    ROOT,
    directory,
    file,
    line,
    symlink,
    text_of,
    trees,
    with_trailer,
)

SOUND = [ROOT, directory(b"a"), file(b"a-b"), file(b"a/x"), symlink(b"z")]


def fault_of(lines: list[bytes]) -> Fault:
    with pytest.raises(TreeError) as caught:
        list(Tree(iter(lines)))
    assert "\n" not in str(caught.value)
    return caught.value.fault


@given(trees())
def test_what_is_rendered_is_parsed_again(entries: list[Entry]) -> None:
    tree = Tree(iter(text_of(entries)))
    assert list(tree) == entries
    assert tree.trailer.entries == len(entries)
    assert tree.header.volume == "volume"


@given(trees(), st.data())
def test_no_line_can_be_taken_away_doubled_moved_or_altered(
    entries: list[Entry], data: st.DataObject
) -> None:
    lines = text_of(entries)
    at = data.draw(st.integers(0, len(lines) - 1))
    other = data.draw(st.integers(0, len(lines) - 1).filter(lambda n: n != at))
    swapped = list(lines)
    swapped[at], swapped[other] = swapped[other], swapped[at]
    flipped = bytearray(lines[at])
    flipped[data.draw(st.integers(0, len(flipped) - 1))] ^= 1 << data.draw(st.integers(0, 6))
    damaged = [
        lines[:at] + lines[at + 1 :],
        lines[: at + 1] + lines[at:],
        swapped,
        [*lines[:at], bytes(flipped), *lines[at + 1 :]],
    ]
    choice = data.draw(st.integers(0, len(damaged) - 1))
    # The header is not under the digest; a reader cannot be fooled by its name or time.
    if at == 0 and choice == 3:
        return
    # What follows the trailer is another tree's.
    if choice == 1 and at == len(lines) - 1:
        return
    if choice == 3 and at == len(lines) - 1 and same_but_for_the_time(lines[at], bytes(flipped)):
        return
    fault_of(damaged[choice])


def same_but_for_the_time(before: bytes, after: bytes) -> bool:
    try:
        one, two = json.loads(before), json.loads(after)
        return {**one, "seconds": 0} == {**two, "seconds": 0} and float(two["seconds"]) >= 0
    except (ValueError, KeyError, TypeError):
        return False


def test_a_tree_without_its_trailer_is_cut_off() -> None:
    lines = text_of(SOUND)
    assert fault_of(lines[:-1]) is Fault.TRUNCATED
    assert fault_of([*lines[:-1], lines[-1][:-1]]) is Fault.TRUNCATED
    assert fault_of(lines[:1]) is Fault.TRUNCATED
    assert fault_of([]) is Fault.TRUNCATED


def test_a_tree_that_was_not_taken_to_its_end_has_no_trailer() -> None:
    tree = Tree(iter(text_of(SOUND)))
    next(iter(tree))
    with pytest.raises(TreeError) as caught:
        _ = tree.trailer
    assert caught.value.fault is Fault.TRUNCATED


@pytest.mark.parametrize(
    "said",
    [{"digest": "0" * 64}, {"entries": 4}, {"files": 1}, {"bytes": 0}, {"unreadable": 1},
     {"skipped": 1}],
)  # fmt: skip
def test_a_trailer_must_say_what_came(said: dict[str, Any]) -> None:
    assert fault_of(text_of(SOUND, **said)) is Fault.DIGEST


def test_another_schema_is_refused() -> None:
    for header in ({**HEADER, "schema": "backstop-tree/2"}, {}, {"schema": None}):
        assert fault_of([line(header), *text_of(SOUND)[1:]]) is Fault.SCHEMA
    assert fault_of([line({"schema": HEADER["schema"]})]) is Fault.MALFORMED
    assert fault_of([b"sh: python3: not found\n"]) is Fault.MALFORMED


def test_a_path_comes_once_and_in_its_place() -> None:
    assert fault_of(text_of([ROOT, file(b"a"), file(b"a")])) is Fault.DUPLICATE
    assert fault_of(text_of([ROOT, file(b"b"), file(b"a")])) is Fault.ORDER
    assert fault_of(text_of([file(b"a")])) is Fault.MALFORMED
    assert fault_of(text_of([ROOT._replace(type="symlink", target=b"x")])) is Fault.MALFORMED


@pytest.mark.parametrize(
    "path", [b"/etc", b"../x", b"a/../../x", b"a/./x", b"a//x", b"a/", b".", b"..", b"a\0b", b"/"]
)
def test_a_path_that_leads_elsewhere_is_a_trick(path: bytes) -> None:
    assert fault_of(text_of([ROOT, file(path)])) is Fault.PATH
    assert fault_of(text_of(sorted([ROOT, directory(b"a"), file(path)]))) is Fault.PATH


def test_nothing_lies_below_what_is_no_directory() -> None:
    assert fault_of(text_of([ROOT, symlink(b"a"), file(b"a/x")])) is Fault.PATH
    assert fault_of(text_of([ROOT, file(b"a/x")])) is Fault.PATH
    below = [ROOT, directory(b"a"), directory(b"a-"), file(b"a-/x"), file(b"a/x"), file(b"a0")]
    assert list(Tree(iter(text_of(below)))) == below
    assert fault_of(text_of([*below, file(b"a1/x")])) is Fault.PATH


def test_a_listing_that_failed_stands_before_what_its_directory_holds() -> None:
    listing = Entry(b"a/", "listing", error="EIO")
    tree = Tree(iter(text_of([ROOT, directory(b"a"), listing, file(b"a/x")])))
    assert [entry.error for entry in tree] == ["", "", "EIO", ""]
    assert tree.trailer.unreadable == 1
    whole = Entry(b"/", "listing", error="EIO")
    assert len(list(Tree(iter(text_of([ROOT, whole]))))) == 2
    assert fault_of(text_of([ROOT, directory(b"a"), listing._replace(path=b"a")])) is Fault.PATH


GOOD = render(file(b"a"))


@pytest.mark.parametrize(
    "raw",
    [
        [], "text", None, 7, {}, {**GOOD, "extra": 1}, {**GOOD, "type": "blob"},
        {**GOOD, "mode": "9"}, {**GOOD, "mode": 420}, {**GOOD, "mode": "10000"},
        {**GOOD, "uid": -1}, {**GOOD, "uid": True}, {**GOOD, "gid": "0"}, {**GOOD, "size": 1.5},
        {**GOOD, "sha256": "0" * 63}, {**GOOD, "sha256": "G" * 64}, {**GOOD, "sha256": ["0"] * 64},
        {**GOOD, "path": 1}, {**GOOD, "path": "\ud800"}, {**GOOD, "error": 1},
        {**GOOD, "link": None}, {"path64": "?", "type": "fifo", "mode": "0", "uid": 0, "gid": 0},
        {key: value for key, value in GOOD.items() if key != "sha256"},
        {key: value for key, value in GOOD.items() if key != "path"},
        {"path": "a", "type": "symlink", "mode": "0777", "uid": 0, "gid": 0},
        {"path": "a", "type": "device", "mode": "0777", "uid": 0, "gid": 0},
        {"path": "a", "type": "unknown"}, {"path": "a/", "type": "listing"},
    ],
)  # fmt: skip
def test_what_is_no_entry_is_refused(raw: object) -> None:
    lines = [line(render(ROOT)), line(raw)]
    assert fault_of(with_trailer(lines)) is Fault.MALFORMED


def test_a_line_of_brackets_is_refused_like_any_other() -> None:
    lines = [line(render(ROOT)), b"[" * 100_000 + b"\n"]
    assert fault_of(with_trailer(lines)) is Fault.MALFORMED


@pytest.mark.parametrize("gone", ["digest", "entries", "seconds"])
def test_a_trailer_must_be_whole(gone: str) -> None:
    *lines, last = text_of(SOUND)
    raw = json.loads(last)
    del raw[gone]
    assert fault_of([*lines, line(raw)]) is Fault.MALFORMED
    assert fault_of([*lines, line({**json.loads(last), "end": "x"})]) is Fault.MALFORMED


def test_no_message_repeats_what_a_stranger_wrote() -> None:
    lines = [line(render(ROOT)), line({**GOOD, "mode": "hunter2"})]
    with pytest.raises(TreeError) as caught:
        list(Tree(iter(with_trailer(lines))))
    assert "hunter2" not in str(caught.value)


def test_several_trees_come_one_after_the_other() -> None:
    lines = text_of(SOUND) + text_of([ROOT])
    assert [len(list(tree)) for tree in read_trees(lines)] == [5, 1]
    with pytest.raises(TreeError):
        list(read_trees(lines))  # without taking the entries
    with pytest.raises(TreeError) as caught:
        [list(tree) for tree in read_trees([*lines, b"{}\n"])]
    assert caught.value.fault is Fault.SCHEMA
    with pytest.raises(TreeError):
        list(read_trees([]))


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_lines_come_whole_however_a_stream_is_cut(content: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(content)]
    pieces = [content[a:b] for a, b in itertools.pairwise(edges)]
    assert list(lines_of(pieces)) == [part + b"\n" for part in content.split(b"\n")[:-1]] + [
        rest for rest in [content.split(b"\n")[-1]] if rest
    ]


def test_a_line_without_an_end_is_refused() -> None:
    with pytest.raises(TreeError) as caught:
        list(lines_of([b"x" * MAX_LINE_BYTES, b"x"]))
    assert caught.value.fault is Fault.MALFORMED


def test_the_content_digest_is_that_of_what_is_compared() -> None:
    moved = [entry._replace(allocated=1, xattrs="0" * 64) for entry in SOUND]
    assert content_digest(moved) == content_digest(SOUND)
    for changed in (
        [*SOUND[:-1]],
        [ROOT._replace(mode=0o700), *SOUND[1:]],
        [*SOUND[:-1], symlink(b"z", b"elsewhere")],
    ):
        assert content_digest(changed) != content_digest(SOUND)


def test_paths_are_shown_in_one_line_of_printable_text() -> None:
    assert shown(b"") == "(root of the volume)"
    assert shown("grün/ü".encode()) == "grün/ü"
    assert shown(b"a\nb\x1b[2J\xff") == "a\\nb\\x1b[2J\\xff"
    assert len(shown(b"x" * 10_000)) < 300


def test_memory_does_not_grow_with_the_number_of_directories() -> None:
    lines = (line(render(directory(b"%0100d" % number))) for number in range(10_000))
    tree = Tree(itertools.chain([line(HEADER), line(render(ROOT))], lines))
    tracemalloc.start()
    try:
        with pytest.raises(TreeError):
            for _ in tree:
                pass
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


@given(trees())
def test_an_entry_survives_its_own_rendering(entries: list[Entry]) -> None:
    assert [parse(render(entry)) for entry in entries] == entries
