"""lz4 frames: what the library reads, or nothing; never more than asked for."""

import lz4.frame
import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from drills.backupstore.lz4_frame import plain
from tests.support.longhorn_store import compressed

_KINDS = some.fixed_dictionaries(
    {
        "block_size": some.sampled_from(
            [lz4.frame.BLOCKSIZE_MAX64KB, lz4.frame.BLOCKSIZE_MAX256KB, lz4.frame.BLOCKSIZE_MAX4MB]
        ),
        "block_linked": some.booleans(),
        "block_checksum": some.booleans(),
        "content_checksum": some.booleans(),
        "store_size": some.booleans(),
    }
)
_CONTENT = some.builds(
    lambda noise, repeated, times: noise + repeated * times,
    some.binary(max_size=300),
    some.binary(min_size=1, max_size=50),
    some.integers(0, 8000),
)
MOST = 1 << 20


def library(frame: bytes, most: int) -> bytes | None:
    """What the library makes of one whole frame."""
    reader = lz4.frame.LZ4FrameDecompressor()
    try:
        found: bytes = reader.decompress(frame, most + 1)
    except RuntimeError:
        return None
    return found if reader.eof and not reader.unused_data and len(found) <= most else None


@given(_CONTENT, _KINDS)
def test_every_frame_is_read_as_the_library_reads_it(content: bytes, kind: dict[str, int]) -> None:
    frame = lz4.frame.compress(content, **kind)
    found = plain(frame, MOST)
    # Linked blocks need those before them, and are left to the library.
    assert found == content or (kind["block_linked"] and found is None)


def test_longhorns_frames_are_of_the_usual_kind() -> None:
    for content in (bytes(2 << 20), b"x", b""):
        assert plain(compressed("lz4", content), len(content)) == content


@given(_CONTENT, _KINDS, some.integers(0, 1 << 16))
def test_never_more_than_asked_for(content: bytes, kind: dict[str, int], most: int) -> None:
    found = plain(lz4.frame.compress(content, **kind), most)
    assert found is None or (found == content and len(content) <= most)
    if len(content) <= most and not kind["block_linked"]:
        assert found == content


@given(_CONTENT, some.integers(0, 400), some.binary(max_size=8), some.integers(0, 20))
def test_damage_gives_no_other_content_than_its_own_checksum_would_allow(
    content: bytes, at: int, put: bytes, cut: int
) -> None:
    frame = lz4.frame.compress(content, content_checksum=True, block_linked=False)
    at = at % len(frame)
    harmed = frame[:at] + put + frame[at + len(put) + cut :]
    found = plain(harmed, MOST)
    read = library(harmed, MOST)
    # What the library takes is taken alike, or left to it.
    assert read is None or found in (read, None)
    assert found is None or len(found) <= MOST


@given(some.binary(max_size=200))
@example(b"\x04\x22\x4d\x18")
@example(b"\x04\x22\x4d\x18\x60\x40\x00" + b"\x00\x00\x00\x80" * 9)
@example(b"\x04\x22\x4d\x18\x60\x40\x00" + b"\xff\xff\xff\xff" * 9)
@example(b"\x04\x22\x4d\x18\x60\x40\x00" + b"\xff\xff\xff\x7f" * 9)
def test_anything_else_is_nothing(content: bytes) -> None:
    for frame in (content, b"\x04\x22\x4d\x18" + content):
        found = plain(frame, 100)
        assert found is None or len(found) <= 100


@pytest.mark.parametrize("extra", [b"\0", b"\x04\x22\x4d\x18", bytes(4)])
def test_what_follows_a_frame_leaves_it_to_the_library(extra: bytes) -> None:
    frame = compressed("lz4", b"content")
    assert plain(frame + extra, MOST) is None
    assert plain(frame * 2, MOST) is None


def test_a_bomb_costs_no_more_than_what_was_asked_for() -> None:
    frame = lz4.frame.compress(bytes(64 << 20), block_linked=False)
    assert plain(frame, 2 << 20) is None


def test_many_small_pieces_take_no_longer_than_their_bytes() -> None:
    piece = (1 | 1 << 31).to_bytes(4, "little") + b"x"
    frame = b"\x04\x22\x4d\x18\x60\x40\x00" + piece * 200_000 + bytes(4)
    assert plain(frame, MOST) == b"x" * 200_000
