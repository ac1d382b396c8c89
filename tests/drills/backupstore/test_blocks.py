"""Blocks out of what the store holds: the three compressions, damage, and bombs."""

import gzip
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor

import lz4.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.backupstore.blocks import decode, limit
from drills.backupstore.errors import BackupStoreError, Fault
from drills.backupstore.layout import checksum_of
from drills.backupstore.records import Compression
from tests.drills.backupstore.samples import fault_of
from tests.support.longhorn_store import MIB, compressed, content

KEY = "a/block.blk"
SIZE = 2 * MIB
PLAIN = content("blocks")(0)
CHECKSUM = checksum_of(PLAIN)
PACKED = {how: compressed(how, PLAIN) for how in Compression}


def decoded(stored: bytes, how: Compression, size: int = SIZE, checksum: str = CHECKSUM) -> bytes:
    return decode(KEY, stored, checksum, how, size)


@pytest.mark.parametrize("how", Compression)
@pytest.mark.parametrize("size", [SIZE, 16 * MIB])
def test_a_block_is_read_back(how: Compression, size: int) -> None:
    plain = content("sizes", size, noise=0.01)(0)
    assert decoded(compressed(how, plain), how, size, checksum_of(plain)) == plain


@pytest.mark.parametrize("how", Compression)
def test_what_cannot_be_compressed_stays_within_the_limit(how: Compression) -> None:
    for size in (SIZE, 16 * MIB):
        assert len(compressed(how, content("noise", size, noise=1)(0))) <= limit(size)


@pytest.mark.parametrize(
    ("named", "really"),
    [(Compression.GZIP, Compression.LZ4), (Compression.LZ4, Compression.GZIP)],
)
def test_a_volume_that_changed_its_compression_keeps_its_blocks(
    named: Compression, really: Compression
) -> None:
    assert decoded(PACKED[really], named) == PLAIN


@pytest.mark.parametrize(
    ("named", "really", "fault"),
    [
        (Compression.NONE, Compression.LZ4, Fault.BLOCK_DIFFERS),
        (Compression.NONE, Compression.GZIP, Fault.BLOCK_DIFFERS),
        (Compression.LZ4, Compression.NONE, Fault.BLOCK_UNDECODABLE),
        (Compression.GZIP, Compression.NONE, Fault.BLOCK_UNDECODABLE),
    ],
)
def test_compression_and_none_do_not_stand_for_each_other(
    named: Compression, really: Compression, fault: Fault
) -> None:
    assert fault_of(lambda: decoded(PACKED[really], named), KEY) is fault


@pytest.mark.parametrize("how", [Compression.LZ4, Compression.GZIP])
def test_a_block_in_several_pieces_is_read_and_nothing_else_behind_them(how: Compression) -> None:
    half = len(PLAIN) // 2
    pieces = compressed(how, PLAIN[:half]) + compressed(how, PLAIN[half:])
    assert decoded(pieces, how) == PLAIN
    assert fault_of(lambda: decoded(PACKED[how] + b"more", how), KEY) is Fault.BLOCK_UNDECODABLE
    many = compressed(how, b"") * 40 + PACKED[how]
    assert fault_of(lambda: decoded(many, how), KEY) is Fault.BLOCK_UNDECODABLE


@pytest.mark.parametrize("how", [Compression.LZ4, Compression.GZIP])
@pytest.mark.parametrize("left", [0, 1, 10, -1, -8, -100])
def test_a_block_cut_short_is_undecodable(how: Compression, left: int) -> None:
    assert fault_of(lambda: decoded(PACKED[how][:left], how), KEY) is Fault.BLOCK_UNDECODABLE


def test_a_block_of_another_length_is_not_the_block() -> None:
    short, long = PLAIN[:-1], PLAIN + b"x"
    for how in Compression:
        stored = compressed(how, short)
        fault = fault_of(lambda: decoded(stored, how, checksum=checksum_of(short)), KEY)  # noqa: B023
        assert fault is Fault.BLOCK_DIFFERS
        stored = compressed(how, long)
        fault = fault_of(lambda: decoded(stored, how, checksum=checksum_of(long)), KEY)  # noqa: B023
        assert fault is Fault.TOO_LARGE


def test_another_valid_block_is_not_the_block() -> None:
    other = compressed("lz4", content("another")(0))
    assert fault_of(lambda: decoded(other, Compression.LZ4), KEY) is Fault.BLOCK_DIFFERS


@pytest.mark.parametrize("how", [Compression.LZ4, Compression.GZIP])
def test_a_bomb_is_stopped_at_the_size_of_a_block(how: Compression) -> None:
    bomb = compressed(how, bytes(256 * MIB))
    assert len(bomb) < limit(SIZE)
    tracemalloc.start()
    try:
        assert fault_of(lambda: decoded(bomb, how), KEY) is Fault.TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 4 * SIZE
    finally:
        tracemalloc.stop()


def test_a_thread_reads_on_after_a_block_that_was_damaged() -> None:
    def read(number: int) -> bool:
        broken = PACKED[Compression.LZ4][: 1000 + number]
        faults = {fault_of(lambda: decoded(broken, Compression.LZ4)) for _ in range(2)}
        bomb = lz4.frame.compress(bytes(2 * SIZE))
        faults.add(fault_of(lambda: decoded(bomb, Compression.LZ4)))
        assert faults == {Fault.BLOCK_UNDECODABLE, Fault.TOO_LARGE}
        return decoded(PACKED[Compression.LZ4], Compression.LZ4) == PLAIN

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(16)))


@given(st.data(), st.sampled_from(list(Compression)))
def test_a_block_with_one_bit_flipped_is_never_taken(data: st.DataObject, how: Compression) -> None:
    plain = PLAIN[: 4 << 10]
    stored = bytearray(compressed(how, plain))
    at = data.draw(st.integers(0, 8 * len(stored) - 1))
    stored[at // 8] ^= 1 << at % 8
    try:
        found = decode(KEY, bytes(stored), checksum_of(plain), how, len(plain))
    except BackupStoreError:
        return
    # Some bits mean nothing, such as the time in gzip's header.
    assert found == plain


@given(st.binary(max_size=200), st.sampled_from(list(Compression)), st.integers(1, 1000))
def test_any_bytes_are_refused_in_one_way(stored: bytes, how: Compression, size: int) -> None:
    magic = {Compression.NONE: b"", Compression.LZ4: PACKED[Compression.LZ4][:7]}
    for start in (b"", magic.get(how, gzip.compress(b"")[:10])):
        with pytest.raises(BackupStoreError):
            decode(KEY, start + stored, CHECKSUM, how, size)


def test_zlib_streams_without_gzips_header_are_not_taken() -> None:
    stored = zlib.compress(PLAIN)
    fault = fault_of(lambda: decoded(stored, Compression.GZIP), KEY)
    assert fault is Fault.BLOCK_UNDECODABLE
