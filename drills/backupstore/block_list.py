"""The blocks of one backup, kept small: 40 bytes a block; objects would take ten times that."""

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

_DIGEST = 32


class BlockAt(NamedTuple):
    """A block of a volume. offset: bytes from its start. checksum: 64 hex digits."""

    offset: int
    checksum: str


class Blocks(Sequence[BlockAt]):
    """Blocks ascending by offset; not changed once made. Offsets not listed are zeros."""

    __slots__ = ("_digests", "_offsets")

    def __init__(self, offsets: "array[int]", digests: bytes | bytearray) -> None:
        """offsets: of type "Q", ascending. digests: 32 bytes for each, in the same order."""
        self._offsets = offsets
        self._digests = digests

    @classmethod
    def of(cls, blocks: Sequence[tuple[int, str]]) -> "Blocks":
        """From offsets and checksums, ascending by offset."""
        offsets = array("Q", (offset for offset, _ in blocks))
        return cls(offsets, b"".join(bytes.fromhex(checksum) for _, checksum in blocks))

    def __len__(self) -> int:
        return len(self._offsets)

    @overload
    def __getitem__(self, index: int) -> BlockAt: ...

    @overload
    def __getitem__(self, index: slice) -> "Blocks": ...

    def __getitem__(self, index: int | slice) -> "BlockAt | Blocks":
        if isinstance(index, slice):
            chosen = range(*index.indices(len(self)))
            digests = b"".join(self.digest(number) for number in chosen)
            return Blocks(self._offsets[index], digests)
        number = range(len(self))[index]
        return BlockAt(self._offsets[number], self.digest(number).hex())

    def __iter__(self) -> Iterator[BlockAt]:
        digests = self._digests
        for number, offset in enumerate(self._offsets):
            start = number * _DIGEST
            yield BlockAt(offset, digests[start : start + _DIGEST].hex())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Blocks):
            return NotImplemented
        return self._offsets == other._offsets and self._digests == other._digests

    def __hash__(self) -> int:
        return hash((len(self), bytes(self._digests)))

    def __repr__(self) -> str:
        return f"<{len(self)} blocks>"

    def offsets(self) -> Iterator[int]:
        """Every block's offset, ascending."""
        return iter(self._offsets)

    def digest(self, number: int) -> bytes:
        """The checksum of the block with this number (from 0), as 32 bytes."""
        start = number * _DIGEST
        return bytes(self._digests[start : start + _DIGEST])

    def digests(self) -> Iterator[bytes]:
        """The checksum of every block as 32 bytes; for sets, where text would double the size."""
        return (self.digest(number) for number in range(len(self)))
