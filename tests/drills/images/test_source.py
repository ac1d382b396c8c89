"""Where an image's bytes come from: whole, patched where a journal says so, never past its end."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.images.errors import Fault, ImageError
from drills.images.source import FileSource, Metadata, Patched, Sparse
from tests.drills.images.images import Memory


def test_a_file_is_read_where_it_is_asked_for_and_ends_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"0123456789")
    with FileSource(path) as source:
        assert (source.size, source.read(3, 4), source.read(8, 9), source.read(20, 1)) == (
            10, b"3456", b"89", b"",
        )  # fmt: skip


def test_a_file_knows_where_nothing_was_written(tmp_path: Path) -> None:
    path = tmp_path / "image"
    with path.open("wb") as file:
        file.seek(8 << 20)
        file.write(b"here")
        file.truncate(16 << 20)
    with FileSource(path) as source:
        assert isinstance(source, Sparse)
        found = source.next_data(0)
        assert 0 < found <= 8 << 20
        assert source.next_data(12 << 20) in (12 << 20, source.size)


@given(
    st.binary(min_size=1, max_size=200),
    st.lists(st.tuples(st.integers(0, 30), st.binary(min_size=1, max_size=20)), max_size=6),
    st.integers(0, 210),
    st.integers(0, 210),
)
def test_patches_stand_in_place_of_what_lies_there(
    content: bytes, gaps: list[tuple[int, bytes]], offset: int, length: int
) -> None:
    expected, starts, patches, at = bytearray(content), [], [], 0
    for gap, patch in gaps:
        at += gap
        if at + len(patch) > len(content):
            break
        starts.append(at)
        patches.append(patch)
        expected[at : at + len(patch)] = patch
        at += len(patch)
    patched = Patched(
        Memory(content), starts, lambda number: len(patches[number]), patches.__getitem__
    )
    assert patched.size == len(content)
    assert patched.read(offset, length) == bytes(expected[offset : offset + length])


def test_metadata_behind_the_end_of_an_image_are_damage_not_fewer_bytes() -> None:
    metadata = Metadata(Memory(bytes(100_000)))
    assert metadata.read(99_990, 10) == bytes(10)
    for offset, length in ((99_991, 10), (0, 100_001), (1 << 40, 1)):
        with pytest.raises(ImageError) as caught:
            metadata.read(offset, length)
        assert caught.value.fault is Fault.DAMAGED


def test_metadata_that_lie_together_cost_one_read() -> None:
    class Counted(Memory):
        reads = 0

        def read(self, offset: int, length: int) -> bytes:
            self.reads += 1
            return super().read(offset, length)

    source = Counted(bytes(range(256)) * 512)
    metadata = Metadata(source)
    assert [metadata.read(at, 4)[0] for at in range(0, 4096, 64)][:3] == [0, 64, 128]
    assert source.reads == 1
