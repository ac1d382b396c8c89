"""Every frame of the reference implementation is read, and no other bytes pass for one."""

import struct
import tracemalloc

import lz4.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st

from standins.longhorn import compression, lz4_frame, lz4_reader
from standins.longhorn.compression import BlockError, UnknownMethodError
from standins.longhorn.lz4_reader import FrameError
from tests.drills.backupstore.samples import FIXTURE

MOST = 1 << 20
WORDS = [b"backup", b"restore", bytes(50), b"ab", b"x" * 300]
CONTENT = st.lists(st.sampled_from(WORDS) | st.binary(max_size=30), max_size=60).map(b"".join)


@given(CONTENT, st.booleans(), st.booleans(), st.booleans(), st.sampled_from([0, 3, 9]))
def test_frames_of_every_form_come_back(
    content: bytes, linked: bool, checksums: bool, sized: bool, level: int
) -> None:
    frame = lz4.frame.compress(
        content, compression_level=level, block_linked=linked, store_size=sized,
        content_checksum=checksums, block_checksum=checksums, block_size=4,
    )  # fmt: skip
    assert lz4_reader.content(frame, MOST) == content


@given(CONTENT)
def test_the_stand_ins_own_frames_come_back(content: bytes) -> None:
    assert lz4_reader.content(lz4_frame.frame(content), MOST) == content


def test_blocks_that_lean_on_each_other_come_back() -> None:
    content = bytes(range(256)) * 2000
    for linked in (True, False):
        frame = lz4.frame.compress(content, block_linked=linked, block_size=4)
        assert lz4_reader.content(frame, MOST) == content


def test_every_block_that_longhorns_engine_compressed_is_read() -> None:
    found = [
        path for path in FIXTURE.rglob("*.blk") if path.read_bytes().startswith(lz4_frame.MAGIC)
    ]
    assert found
    for path in found:
        content = lz4_reader.content(path.read_bytes(), 2 << 20)
        assert len(content) == 2 << 20
        assert lz4.frame.decompress(path.read_bytes()) == content


FRAME = lz4.frame.compress(b"content " * 100 + bytes(range(200)), content_checksum=True)


@pytest.mark.parametrize("length", range(len(FRAME)))
def test_a_frame_that_was_cut_off_is_an_error(length: int) -> None:
    with pytest.raises(FrameError):
        lz4_reader.content(FRAME[:length], MOST)


def test_what_follows_a_frame_is_an_error() -> None:
    with pytest.raises(FrameError, match="something follows"):
        lz4_reader.content(FRAME + b"x", MOST)


def test_a_header_that_was_changed_is_an_error() -> None:
    for place in range(4, 15):
        for bit in range(8):
            broken = bytearray(FRAME)
            broken[place] ^= 1 << bit
            with pytest.raises(FrameError):
                lz4_reader.content(bytes(broken), MOST)


@given(st.binary(max_size=200), st.integers(15, len(FRAME) - 1))
def test_no_bytes_do_anything_but_an_error_or_an_answer(noise: bytes, place: int) -> None:
    try:
        content = lz4_reader.content(FRAME[:place] + noise, 4096)
    except FrameError:
        return
    assert len(content) <= 4096


def test_a_match_of_another_block_counts_in_blocks_that_lean_on_each_other_alone() -> None:
    content = bytes(range(256)) * 2000
    frame = bytearray(
        lz4.frame.compress(content, block_linked=True, block_size=4, store_size=False)
    )
    assert lz4_reader.content(bytes(frame), MOST) == content
    frame[4] |= 1 << 5  # says now that they do not
    frame[6] = lz4_frame.xxh32_short(bytes(frame[4:6])) >> 8 & 0xFF
    with pytest.raises(FrameError, match="a match of what is not there"):
        lz4_reader.content(bytes(frame), MOST)


def test_a_length_beyond_all_bounds_takes_no_memory() -> None:
    block = b"\x1fx\x01\x00" + b"\xff" * 1_000_000 + b"\x00"
    about = bytes([0b01100000, 7 << 4])
    checksum = lz4_frame.xxh32_short(about) >> 8 & 0xFF
    frame = lz4_frame.MAGIC + about + bytes([checksum]) + struct.pack("<I", len(block)) + block
    tracemalloc.start()
    try:
        with pytest.raises(FrameError, match="longer than"):
            lz4_reader.content(frame + bytes(4), MOST)
        assert tracemalloc.get_traced_memory()[1] < 20 * MOST
    finally:
        tracemalloc.stop()


def test_no_more_is_made_than_is_asked_for() -> None:
    bomb = lz4.frame.compress(bytes(64 << 20))
    with pytest.raises(FrameError, match="longer than"):
        lz4_reader.content(bomb, MOST)
    length = len(b"content " * 100) + 200
    assert len(lz4_reader.content(FRAME, length)) == length
    with pytest.raises(FrameError, match="longer than"):
        lz4_reader.content(FRAME, length - 1)


@pytest.mark.parametrize("method", ["lz4", "gzip", "none"])
def test_each_method_comes_back(method: str) -> None:
    content = b"content" * 1000
    stored = compression.compressed(method, content)
    assert compression.decompressed(method, stored, len(content)) == content


@pytest.mark.parametrize(("written", "named"), [("lz4", "gzip"), ("gzip", "lz4")])
def test_what_bears_the_other_methods_mark_is_read_by_that(written: str, named: str) -> None:
    stored = compression.compressed(written, b"content")
    assert compression.decompressed(named, stored, 7) == b"content"


@pytest.mark.parametrize(
    ("method", "stored", "said"),
    [
        ("lz4", b"no frame", "bad magic number"),
        ("gzip", b"no frame", "gzip: "),
        ("gzip", compression.compressed("gzip", b"content")[:-1], "ends too early"),
        ("gzip", compression.compressed("gzip", b"content") + b"x", "something follows"),
        ("gzip", compression.compressed("gzip", b"content, too long"), "too long"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(method: str, stored: bytes, said: str) -> None:
    with pytest.raises(BlockError, match=said):
        compression.decompressed(method, stored, 7)


def test_only_longhorns_methods_are_read() -> None:
    with pytest.raises(UnknownMethodError, match="unsupported decompression method: zstd"):
        compression.decompressed("zstd", b"x", 1)
