"""The file of a volume's digests: what is written is read, and nothing else is."""

import datetime
import gzip
import io
import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drills.volumes.digest_file import DigestFile, DigestsError, Head, write
from drills.volumes.entry import DIRECTORY, LISTING, Entry
from drills.volumes.meanwhile import Line, Seen
from tests.drills.volumes.trees import ROOT, digest_of, directory, file, symlink, trees

NOON = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
HEAD = Head(
    "uid-1", "daily-1", "shop", "data-0", "uid-2", "pv-1",
    (NOON, NOON + MINUTE), (NOON + 2 * MINUTE, NOON + 3 * MINUTE),
)  # fmt: skip
LINES = [
    Line(ROOT, Seen.STRICT, open=True),
    Line(file(b"a", "one"), Seen.STRICT),
    Line(file(b"b", "gone"), Seen.DELETED),
    Line(directory(b"d"), Seen.STRICT, fresh=True),
    Line(file(b"d/\xff", "x" * 9, allocated=4), Seen.STRICT, fresh=True),
    Line(symlink(b"l"), Seen.CHANGED),
]


def written(lines: list[Line], head: Head = HEAD) -> bytes:
    out = io.BytesIO()
    write(head, lines, out)
    return out.getvalue()


def opened(folder: Path, content: bytes) -> DigestFile:
    place = folder / "digests.json.gz"
    place.write_bytes(content)
    return DigestFile(place)


def known(line: Line) -> tuple[Any, ...]:
    """What is kept of a line."""
    if line.seen is Seen.STRICT:
        entry = line.entry if line.entry.sparse else line.entry._replace(allocated=line.entry.size)
        return (entry, line.seen, line.open, line.fresh)
    return (line.entry.path, line.seen)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = opened(tmp_path, written(LINES))
    assert found.head() == HEAD
    assert list(map(known, found.lines())) == list(map(known, LINES))
    assert list(map(known, found.lines())) == list(map(known, LINES)), "as often as one likes"


def test_the_sums_are_of_what_is_demanded() -> None:
    sums = write(HEAD, LINES, io.BytesIO())
    assert sums.told() == {
        "strict": 4, "changed-meanwhile": 1, "created-meanwhile": 0, "deleted-meanwhile": 1,
        "files": 2, "bytes": 12,
    }  # fmt: skip


def test_the_same_lines_give_the_same_bytes() -> None:
    assert written(LINES) == written(LINES)


def test_of_what_changed_only_the_path_is_kept() -> None:
    text = gzip.decompress(written(LINES)).decode()
    assert digest_of("one") in text
    assert digest_of("gone") not in text
    assert '"seen":"deleted-meanwhile"' in text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees(), st.data())
def test_any_tree_is_read_as_it_was_written(
    tmp_path: Path, tree: list[Entry], data: st.DataObject
) -> None:
    lines = [
        Line(
            entry, data.draw(st.sampled_from(Seen)),
            open=entry.type == DIRECTORY and data.draw(st.booleans()),
            fresh=data.draw(st.booleans()),
        )
        for entry in tree
    ]  # fmt: skip
    lines.append(Line(Entry(b"\xff\xff\xff\xff\xff/", LISTING, error="EIO"), Seen.CREATED))
    found = opened(tmp_path, written(lines))
    assert list(map(known, found.lines())) == list(map(known, lines))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(min_value=1))
def test_a_file_that_is_cut_off_is_none(tmp_path: Path, cut: int) -> None:
    content = written(LINES)
    with pytest.raises(DigestsError):
        list(opened(tmp_path, content[: -(cut % len(content) or 1)]).lines())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(min_value=0), st.integers(1, 255))
def test_a_bit_that_flipped_is_noticed_or_says_the_same(tmp_path: Path, at: int, bits: int) -> None:
    content = bytearray(written(LINES))
    content[at % len(content)] ^= bits
    try:
        found = list(opened(tmp_path, bytes(content)).lines())
    except DigestsError:
        return
    assert list(map(known, found)) == list(map(known, LINES))  # in gzip's own head


def changed(change: Callable[[list[dict[str, Any]]], object]) -> bytes:
    lines = [json.loads(line) for line in gzip.decompress(written(LINES)).splitlines()]
    change(lines)
    texts = (json.dumps(one, separators=(",", ":"), sort_keys=True) for one in lines)
    return gzip.compress(b"".join(text.encode() + b"\n" for text in texts))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda held: held[0].update(kind="kubernetes-objects"), "holds no volume-digests"),
        (lambda held: held[0].update(schema=2), "of schema 1"),
        (lambda held: held[0].pop("backup"), "head of the digests lacks"),
        (lambda held: held[0].update(before=["2026-11-21T12:00:00"]), "head of the digests lacks"),
        (lambda held: held[2].update(sha256="0" * 64), "not those their trailer counted"),
        (lambda held: held.pop(2), "not those their trailer counted"),
        (lambda held: held.insert(2, held.pop(3)), "not in the order"),
        (lambda held: held.insert(2, held[2]), "not in the order"),
        (lambda held: held.pop(), "they have no trailer"),
        (lambda held: held.append(held[-1]), "go on after their end"),
        (lambda held: held[2].update(path="../a"), "names no path"),
        (lambda held: held[2].update(mode="x"), "line 2 of the digests cannot be read"),
        (lambda held: held[2].update(seen="strict"), "line 2 of the digests cannot be read"),
        (lambda held: held[3].update(seen="lost"), "line 3 of the digests cannot be read"),
        (lambda held: held[3].update(type="file"), "line 3 of the digests cannot be read"),
        (lambda held: held[2].update(open="yes"), "line 2 of the digests cannot be read"),
        (lambda held: held[-1].update(files=9), "not those|counts other lines"),
    ],
)
def test_a_file_that_was_changed_is_none(tmp_path: Path, change: Any, said: str) -> None:
    with pytest.raises(DigestsError, match=said):
        list(opened(tmp_path, changed(change)).lines())


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b""), gzip.compress(b"[]\n"), gzip.compress(b"{}")],
    ids=["nothing", "no-gzip", "empty", "a-list", "half-a-line"],
)
def test_something_else_is_none(tmp_path: Path, content: bytes) -> None:
    for read in (lambda one: list(one.lines()), lambda one: one.head()):
        with pytest.raises(DigestsError):
            read(opened(tmp_path, content))


def test_memory_does_not_grow_with_the_volume(tmp_path: Path) -> None:
    def lines() -> Any:
        yield Line(ROOT, Seen.STRICT)
        for number in range(20_000):
            yield Line(file(b"%08d" % number, str(number)), Seen.STRICT)

    place = tmp_path / "many.json.gz"
    tracemalloc.start()
    try:
        with place.open("wb") as out:
            write(HEAD, lines(), out)
        assert sum(1 for _ in DigestFile(place).lines()) == 20_001
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


def test_a_head_says_whose_digests_they_are() -> None:
    assert HEAD.place == "shop/data-0"
    assert replace(HEAD, namespace="other").place == "other/data-0"
