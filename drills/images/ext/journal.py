"""What a mount would do first: the journal's blocks in place of those that lie at home.

The kernel writes a block to the journal, and home later; a backup of a mounted volume has the
newest state of many blocks in the journal alone. Nothing is written here: what is read is patched.
Source: fs/jbd2/recovery.c.
"""

from collections.abc import Sequence
from typing import NamedTuple

from drills.images.errors import damaged, unsupported
from drills.images.ext.journal_blocks import (
    FAST_COMMITS,
    MAGIC,
    WHERE,
    JournalBlocks,
    Tag,
    Transaction,
)
from drills.images.source import Patched, Source

_ESCAPED, _DELETED = 0x1, 0x4
_MAGIC_BYTES = MAGIC.to_bytes(4)


class Replayed(NamedTuple):
    """The image as it will be once it was mounted, and how many transactions make it so."""

    source: Source
    transactions: int


def replay(source: Source, journal: JournalBlocks, blocks: int) -> Replayed:
    """`blocks`: how many the file system has. Raises ImageError."""
    if journal.header.features & FAST_COMMITS:
        raise unsupported(WHERE, "it may hold fast commits")
    if not journal.header.start:
        return Replayed(source, 0)
    committed = list(journal.transactions())
    newest = _newest(committed)
    for home, (order, tag) in newest.items():
        if home >= blocks:
            raise damaged(WHERE, f"it replaces block {home}, and there are {blocks}")
        if not journal.is_sound(tag, committed[order].sequence):
            raise damaged(WHERE, f"the checksum of the new block {home} is wrong")
    return Replayed(_patched(source, journal, newest), len(committed))


def _newest(committed: Sequence[Transaction]) -> dict[int, tuple[int, Tag]]:
    """The last tag of each block, but not if that or a later transaction revoked it."""
    revoked = {
        home: order for order, transaction in enumerate(committed) for home in transaction.revoked
    }
    found = {
        tag.home: (order, tag)
        for order, transaction in enumerate(committed)
        for tag in transaction.tags
        if not tag.flags & _DELETED
    }
    return {home: one for home, one in found.items() if revoked.get(home, -1) < one[0]}


def _patched(source: Source, journal: JournalBlocks, newest: dict[int, tuple[int, Tag]]) -> Source:
    homes = sorted(newest)

    def piece(number: int) -> bytes:
        _, tag = newest[homes[number]]
        content = journal.read(tag.at)
        # A block that begins as those of the journal do was written with zeros there.
        return _MAGIC_BYTES + content[4:] if tag.flags & _ESCAPED else content

    size = journal.size
    return Patched(source, [home * size for home in homes], lambda _: size, piece)
