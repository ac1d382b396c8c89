"""Frames are read by the reference implementation, and zeros take no room in them."""

import lz4.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st

from standins.longhorn import compression, lz4_frame
from standins.longhorn.compression import UnknownMethodError

PIECE = st.one_of(st.binary(max_size=40), st.integers(0, 700).map(bytes))


@given(st.lists(PIECE, max_size=12).map(b"".join))
def test_every_content_comes_back(content: bytes) -> None:
    assert lz4.frame.decompress(lz4_frame.frame(content)) == content


@pytest.mark.parametrize("zeros", [*range(30, 50), 269 + 15, 269 + 16, 270 + 19 + 255])
@pytest.mark.parametrize("after", [0, 4, 5, 6, 11, 12, 13, 40])
def test_a_run_of_zeros_near_the_end_comes_back(zeros: int, after: int) -> None:
    content = b"head" + bytes(zeros) + b"x" * after
    assert lz4.frame.decompress(lz4_frame.frame(content)) == content


def test_larger_blocks_than_a_frame_allows_are_cut() -> None:
    content = bytes(16 << 20) + b"end of sixteen mebibytes"
    framed = lz4_frame.frame(content)
    assert lz4.frame.decompress(framed) == content
    assert len(framed) < len(content) // 200


def test_what_does_not_get_shorter_is_stored() -> None:
    content = bytes(range(1, 256)) * 100
    assert len(lz4_frame.frame(content)) == len(content) + 4 + 11 + 4 + 4


@pytest.mark.parametrize(
    ("data", "digest"),
    [(b"", 0x02CC5D05), (b"a", 0x550D7456), (b"abc", 0x32D153FF)],
)
def test_the_headers_checksum_is_xxh32(data: bytes, digest: int) -> None:
    assert lz4_frame.xxh32_short(data) == digest


def test_only_longhorns_methods_are_known() -> None:
    assert compression.compressed("none", b"x") == b"x"
    assert compression.compressed("gzip", b"x") == compression.compressed("gzip", b"x")
    with pytest.raises(UnknownMethodError, match="unsupported compression method: zstd"):
        compression.compressed("zstd", b"x")
