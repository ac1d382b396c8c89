"""Where blocks go: every listed offset once, nothing for zeros."""

from hypothesis import given
from hypothesis import strategies as some

from drills.backupstore.block_list import Blocks
from drills.backupstore.fetch import checksum_of_zeros
from drills.backupstore.places import filled, holes, places
from drills.backupstore.records import BackupRecord, parse_backup
from tests.drills.backupstore.samples import VOLUME, backup_record, spelled
from tests.support.longhorn_store import BLOCK

_SIZE = 12
_CHECKSUMS = some.sampled_from(["a" * 64, "b" * 64, "c" * 64, checksum_of_zeros(BLOCK)])
_LISTED = some.dictionaries(some.integers(0, _SIZE - 1), _CHECKSUMS)


def backup_with(listed: dict[int, str]) -> BackupRecord:
    record = backup_record(
        Blocks=[
            {"Offset": number * BLOCK, "BlockChecksum": listed[number]} for number in sorted(listed)
        ],
        Size=str(len(listed) * BLOCK),
    )
    size = {"size": _SIZE * BLOCK}
    return parse_backup("backup.cfg", spelled(record), type(VOLUME)(**vars(VOLUME) | size))


@given(_LISTED)
def test_every_block_is_placed_once_and_wherever_it_is_listed(listed: dict[int, str]) -> None:
    backup = backup_with(listed)
    found = list(places(backup))
    placed = {offset // BLOCK: one.wanted.checksum for one in found for offset in one.offsets}
    zeros = checksum_of_zeros(BLOCK)
    assert placed == {number: one for number, one in listed.items() if one != zeros}
    assert len({one.wanted.checksum for one in found}) == len(found)
    assert [one.offsets[0] for one in found] == sorted(one.offsets[0] for one in found)


@given(_LISTED)
def test_blocks_and_holes_are_the_whole_volume(listed: dict[int, str]) -> None:
    backup = backup_with(listed)
    ranges = [(block.offset, block.offset + BLOCK) for block in filled(backup)]
    at = 0
    for start, end in sorted([*ranges, *holes(backup, _SIZE * BLOCK)]):
        assert (start, end > start) == (at, True)
        at = end
    assert at == _SIZE * BLOCK


def test_without_blocks_all_is_a_hole() -> None:
    backup = backup_with({})
    assert backup.blocks == Blocks.of([])
    assert list(places(backup)) == []
    assert list(holes(backup, 5)) == [(0, 5)]
