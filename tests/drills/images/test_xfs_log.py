"""The log of an xfs: replayed to its end, however that is torn; damage before it is named."""

from pathlib import Path

import pytest

from drills.images.errors import Fault, ImageError
from drills.images.file_system import open_image
from drills.images.source import Source
from drills.images.xfs import log_changes
from drills.images.xfs.log_records import Log, Record
from drills.images.xfs.log_replay import replay
from drills.images.xfs.seal import sealed
from drills.images.xfs.superblock import LARGEST_SECTOR, SECTOR, parse
from drills.images.xfs.volume import XfsVolume
from tests.drills.images.images import Memory, made_xfs, recorded, recorded_tree

LIVE = ("xfs-live", "xfs-live-1k")


def log_of(source: Source) -> Log:
    return Log(source, parse(source.read(0, LARGEST_SECTOR)))


def place(log: Log, record: Record) -> int:
    return log.start + record.at * SECTOR


@pytest.mark.parametrize("name", LIVE)
def test_without_its_log_a_live_image_shows_an_older_state(name: str) -> None:
    """That is why the log is replayed: what lies at home alone is not what the volume held."""
    source = recorded(name)
    log = log_of(source)
    bare = open_image(source.changed({log.start: bytes(log.length)}))
    expected = [entry.path for entry in recorded_tree(name)]
    assert [entry.path for entry in bare.entries()] != expected


def test_one_recorded_log_goes_on_at_its_beginning() -> None:
    log = log_of(recorded("xfs-live"))
    assert max(record.lsn >> 32 for record in log.active()) == 2


def test_after_an_orderly_end_there_is_nothing_to_replay() -> None:
    source = recorded("xfs-forms")
    assert log_of(source).active() == []
    assert replay(source, parse(source.read(0, LARGEST_SECTOR))).transactions == 0


def test_a_fresh_file_system_has_nothing_to_replay(tmp_path: Path) -> None:
    image = made_xfs(tmp_path / "image")
    assert log_of(Memory(image.read_bytes())).active() == []


@pytest.mark.parametrize("name", LIVE)
@pytest.mark.parametrize("torn", [1, 3])
def test_records_that_were_not_written_whole_do_not_count(name: str, torn: int) -> None:
    """A power cut may tear the last ones; the state before them is whole."""
    source = recorded(name)
    log = log_of(source)
    records = log.active()
    victim = records[-torn]
    at = place(log, victim) + (victim.heads + 1) * SECTOR + 9
    left = log_of(source.changed({at: b"\xa5\x5a\xa5"})).active()
    assert [record.lsn for record in left] == [record.lsn for record in records[:-torn]]
    open_image(source.changed({at: b"\xa5\x5a\xa5"}))


@pytest.mark.parametrize("name", LIVE)
def test_a_damaged_record_with_many_after_it_is_damage(name: str) -> None:
    source = recorded(name)
    log = log_of(source)
    records = log.active()
    assert len(records) > 12
    at = place(log, records[0]) + records[0].heads * SECTOR + 9
    with pytest.raises(ImageError, match="do not follow each other") as caught:
        open_image(source.changed({at: b"\xa5\x5a\xa5"}))
    assert caught.value.fault is Fault.DAMAGED


def test_a_log_in_another_device_is_named() -> None:
    source = recorded("xfs-live")
    head = source.changed({48: bytes(8)}).read(0, SECTOR)
    with pytest.raises(ImageError, match="another device") as caught:
        XfsVolume(source.changed({0: sealed(head)}))
    assert caught.value.fault is Fault.UNSUPPORTED


def test_more_changes_than_memory_may_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_changes, "MOST_BYTES", 1 << 14)
    with pytest.raises(ImageError, match="holds more changes") as caught:
        open_image(recorded("xfs-live"))
    assert caught.value.fault is Fault.UNSUPPORTED


def test_the_recorded_logs_change_what_their_readers_must_see() -> None:
    """The log alone says of more than a few sectors what they will hold."""
    for name in LIVE:
        source = recorded(name)
        found = replay(source, parse(source.read(0, LARGEST_SECTOR)))
        changed = sum(source.read(at, SECTOR) != content for at, content in found.changes.pieces())
        assert changed > 100
        assert found.transactions > 1
