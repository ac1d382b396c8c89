"""The compact list of blocks, against a plain one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.backupstore.block_list import Blocks

PAIRS = st.dictionaries(
    st.integers(0, (1 << 63) - 1), st.binary(min_size=32, max_size=32).map(bytes.hex), max_size=20
).map(lambda found: sorted(found.items()))


@given(PAIRS, st.slices(20))
def test_it_reads_as_the_list_it_was_made_of(pairs: list[tuple[int, str]], part: slice) -> None:
    blocks = Blocks.of(pairs)
    assert [tuple(one) for one in blocks] == pairs
    assert [tuple(one) for one in blocks[part]] == pairs[part]
    assert [tuple(blocks[number]) for number in range(-len(pairs), len(pairs))] == pairs + pairs
    assert list(blocks.offsets()) == [offset for offset, _ in pairs]
    assert [digest.hex() for digest in blocks.digests()] == [checksum for _, checksum in pairs]
    assert blocks == Blocks.of(pairs)
    assert hash(blocks) == hash(Blocks.of(pairs))


def test_it_ends_where_it_ends_and_differs_from_others() -> None:
    blocks = Blocks.of([(0, "a" * 64)])
    with pytest.raises(IndexError):
        blocks[1]
    assert blocks != Blocks.of([(0, "b" * 64)])
    assert blocks != [(0, "a" * 64)]
    assert repr(blocks) == "<1 blocks>"
