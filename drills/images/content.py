"""The content of a file out of its runs, in pieces, and what all of it may cost."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from drills.images.errors import ImageError, damaged, unsupported
from drills.images.source import Source
from drills.images.volume import Inode, Volume

PIECE_BYTES = 1 << 20
Piece = bytes | memoryview
_ZEROS = memoryview(bytes(PIECE_BYTES))
_SHARED = 256
_HOLES, _HOLES_OF_IMAGE = 4 << 30, 256


@dataclass
class Budget:
    """Bytes that may still be read, and zeros for holes: a damaged image can promise any number.

    Files of most file systems share no blocks, so all of them are no longer than the image.
    """

    data: int
    holes: int

    @classmethod
    def of(cls, volume: Volume) -> "Budget":
        size = volume.source.size
        return cls(size * (_SHARED if volume.shares else 1), _HOLES + _HOLES_OF_IMAGE * size)

    def spend(self, inode: Inode, data: int, holes: int) -> None:
        """Raises ImageError."""
        where = f"inode {inode.number}"
        if data > self.data:
            raise damaged(where, "with it the files have more blocks than there are")
        if holes > self.holes:
            raise unsupported(where, f"its holes of {holes} bytes are more than are read")
        self.data -= data
        self.holes -= holes


def pieces(volume: Volume, inode: Inode, budget: Budget) -> Iterator[Piece]:
    """At most 1 MiB each; holes as zeros. Raises ImageError, and what the source raises."""
    held = volume.held(inode)
    if held is not None:
        yield held
        return
    position = 0
    for run in volume.runs(inode):
        start, end = min(run.offset, inode.size), min(run.offset + run.length, inode.size)
        if end <= start:
            break
        budget.spend(inode, end - start, start - position)
        yield from _hole(start - position)
        yield from _data(volume.source, run.at, end - start)
        position = end
    budget.spend(inode, 0, inode.size - position)
    yield from _hole(inode.size - position)


def digest(volume: Volume, inode: Inode, budget: Budget) -> str:
    """The SHA-256 of a file. Raises as `pieces` does."""
    running = hashlib.sha256()
    for piece in pieces(volume, inode, budget):
        running.update(piece)
    return running.hexdigest()


def _hole(length: int) -> Iterator[Piece]:
    while length > 0:
        yield _ZEROS[: min(length, PIECE_BYTES)]
        length -= PIECE_BYTES


def _data(source: Source, at: int, length: int) -> Iterator[bytes]:
    while length > 0:
        piece = source.read(at, min(length, PIECE_BYTES))
        if len(piece) != min(length, PIECE_BYTES):
            raise _cut_off(at)
        yield piece
        at, length = at + len(piece), length - len(piece)


def _cut_off(at: int) -> ImageError:
    return damaged("the image", f"it ends before byte {at + 1}")
