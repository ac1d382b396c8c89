"""Files with holes: what is written and read is the same, and zeros take no room."""

import hashlib
import os
import threading
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from drills.backupstore import sparse
from drills.backupstore.parallel import StoppedError
from drills.backupstore.sparse import PIECE

_ONES = b"\1" * PIECE
_PIECES = some.lists(some.sampled_from([bytes(PIECE), _ONES, bytes(PIECE - 1) + b"\1"]), max_size=9)


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    opened = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


def write(descriptor: int, content: bytes, offset: int, *, hole: bool) -> None:
    sparse.write(partial(os.pwrite, descriptor), content, offset, hole=hole)


@given(_PIECES, some.binary(max_size=100))
def test_spans_hold_all_that_is_not_zeros(pieces: list[bytes], rest: bytes) -> None:
    content = b"".join(pieces) + rest
    spans = list(sparse.data_spans(content))
    rebuilt = bytearray(len(content))
    for start, end in spans:
        rebuilt[start:end] = content[start:end]
        assert start % PIECE == 0
    assert bytes(rebuilt) == content
    assert sparse.has_data(content) == any(content)
    # Neighbours are one span: each is one write.
    assert all(one[1] < other[0] for one, other in pairwise(spans))


@pytest.mark.parametrize("hole", [True, False])
def test_what_is_written_is_read(descriptor: int, *, hole: bool) -> None:
    content = _ONES + bytes(3 * PIECE) + _ONES + bytes(PIECE) + b"end"
    os.ftruncate(descriptor, PIECE + len(content))
    write(descriptor, content, PIECE, hole=hole)
    assert sparse.read(descriptor, len(content), PIECE) == content
    assert sparse.read(descriptor, 2 * len(content), PIECE) == content
    blocks = os.fstat(descriptor).st_blocks * 512
    assert (blocks < len(content)) is hole


def test_without_a_hole_zeros_are_written_over_what_was_there(descriptor: int) -> None:
    write(descriptor, _ONES * 2, 0, hole=False)
    write(descriptor, bytes(2 * PIECE), 0, hole=False)
    assert sparse.read(descriptor, 2 * PIECE, 0) == bytes(2 * PIECE)


def test_emptiness_is_of_content_not_of_allocation(descriptor: int) -> None:
    os.ftruncate(descriptor, 8 << 20)
    write(descriptor, bytes(PIECE), 0, hole=False)
    write(descriptor, b"\1", 5 << 20, hole=False)
    assert sparse.is_empty(descriptor, [(0, 5 << 20), ((5 << 20) + 1, 8 << 20)])
    assert not sparse.is_empty(descriptor, [(0, 1 << 20), (4 << 20, 6 << 20)])
    assert sparse.is_empty(descriptor, [])


@pytest.mark.parametrize("size", [0, 1, PIECE, (3 << 20) + 5])
def test_the_digest_is_that_of_the_whole_file(descriptor: int, size: int) -> None:
    os.ftruncate(descriptor, size)
    for offset in (PIECE, 2 << 20):
        if offset < size:
            os.pwrite(descriptor, b"data", offset)
    whole = sparse.read(descriptor, size, 0)
    found = sparse.sha256(descriptor, size, threading.Event())
    assert found == hashlib.sha256(whole).hexdigest()


def test_the_digest_can_be_stopped(descriptor: int) -> None:
    os.ftruncate(descriptor, 100 << 20)
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        sparse.sha256(descriptor, 100 << 20, stop)
