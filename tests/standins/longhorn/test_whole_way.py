"""From files that somebody writes to files that a drill reads out of the store, with no cluster."""

import json
import os
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from canary.contents import Method, contents
from drills.backupstore.blocks import decode, limit
from drills.backupstore.layout import block_key
from drills.backupstore.records import parse_backup, parse_volume
from drills.canary.generations import Judged, fetch_truths, judge_volume, survey
from drills.images.file_system import open_image
from drills.images.source import FileSource
from drills.volumes.entry import Entry
from standins.longhorn import records
from standins.longhorn.image import make_image
from standins.longhorn.moments import now, stamp
from standins.longhorn.records import MIB
from standins.longhorn.restoring import Origin, restore_image
from standins.longhorn.snapshot_folder import SnapshotFolder
from standins.longhorn.storage import Storage
from tests.drills.canary.canaries import OPTIONS, VOLUME, Memory, keeper, tree_of
from tests.standins.longhorn.backups import back_up
from tests.standins.longhorn.memory_store import MemoryStore

SIZE = 256 * MIB
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
pytestmark = pytest.mark.skipif(
    any(shutil.which(tool, path=PATH) is None for tool in ("mke2fs", "debugfs")),
    reason="e2fsprogs is not installed",
)
FILES = list(contents(Method.SNAPSHOT, as_root=os.geteuid() == 0))


@dataclass
class Writing:
    """A canary that writes generation after generation, with rests between them."""

    root: Path
    memory: Memory

    def __post_init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._keeper = keeper(self.root, time.time, files=FILES)
        assert self._keeper.write(self.memory.put).error == ""

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.4):
            assert self._keeper.write(self.memory.put).error == ""


def rebuilt(held: MemoryStore, name: str, target: Path) -> Path:
    """The image of a backup, by the drills' own reader of records and blocks."""
    key = records.volume_key(VOLUME)
    volume = parse_volume(key, held.objects[key])
    key = records.backup_key(VOLUME, name)
    backup = parse_backup(key, held.objects[key], volume)
    with target.open("wb") as file:
        file.truncate(volume.size)
        for offset, checksum in backup.blocks:
            key = block_key(VOLUME, checksum)
            assert len(held.objects[key]) <= limit(backup.block_size)
            file.seek(offset)
            file.write(
                decode(key, held.objects[key], checksum, backup.compression, backup.block_size)
            )
    return target


def judged(image: Path, memory: Memory) -> Judged:
    """The canary's volume as the drill judges it, out of the image."""
    entries = list(open_image(FileSource(image)).entries())
    held = survey(entries)
    return judge_volume(VOLUME, entries, held, fetch_truths(held, memory.truth), OPTIONS)


def test_every_backup_of_a_canary_that_writes_on_holds_whole_generations(tmp_path: Path) -> None:
    root, memory = tmp_path / "volumes" / VOLUME / "data", Memory()
    root.mkdir(parents=True)
    folder = SnapshotFolder(tmp_path / "kept", tmp_path / "volumes", now, time.sleep)
    folder.prepare()
    held = MemoryStore(now)
    with Writing(root, memory):
        for number in range(1, 4):
            moment = folder.make(f"snap-{number}", VOLUME, SIZE)
            image = folder.image(f"snap-{number}")
            made = back_up(held, image, number, volume=VOLUME, size=SIZE)
            assert made.backup.incremental is (number > 1)
            assert stamp(moment) <= stamp(now())
    for number in range(1, 4):
        image = rebuilt(held, f"backup-{number}", tmp_path / "image")
        assert image.read_bytes() == folder.image(f"snap-{number}").read_bytes()
        found = judged(image, memory)
        assert found.flaws == ()
        assert not found.comparison.differs, found.comparison.findings
        assert found.newest is not None


def test_an_image_shows_the_tree_of_the_folder(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    root.mkdir()
    made = keeper(root, files=FILES)
    assert made.write(None).error == ""
    os.mkfifo(root / "pipe", 0o600)
    (root / "long").symlink_to("x" * 200)
    root.chmod(0o2775)
    make_image(root, tmp_path / "image", SIZE, "pvc-a")
    expected = [one._replace(allocated=0) for one in tree_of(root)]
    found = open_image(FileSource(tmp_path / "image"))
    assert found.version == "ext4"
    assert found.unfinished == ""
    seen = [one._replace(allocated=0) for one in found.entries() if not _is_lost_and_found(one)]
    assert seen == expected


def _is_lost_and_found(entry: Entry) -> bool:
    return entry.path.partition(b"/")[0] == b"lost+found"


@pytest.mark.skipif(os.geteuid() != 0, reason="other owners can only be given by root")
def test_a_canarys_backup_is_restored_into_the_folder_of_another_volume(tmp_path: Path) -> None:
    """By the stand-in alone, and judged as the drill judges what is mounted."""
    root, memory = tmp_path / "volumes" / VOLUME / "data", Memory()
    root.mkdir(parents=True)
    made = keeper(root, time.time, files=FILES)
    for _ in range(2):
        assert made.write(memory.put).error == ""
    folder = SnapshotFolder(tmp_path / "kept", tmp_path / "volumes", now, time.sleep)
    folder.prepare()
    folder.make("snap-1", VOLUME, SIZE)
    held = MemoryStore(now)
    back_up(held, folder.image("snap-1"), 1, volume=VOLUME, size=SIZE)
    before = tree_of(root)
    assert made.write(memory.put).error == "", "life goes on meanwhile"
    storage = Storage(tmp_path / "volumes", tmp_path / "restored")
    storage.prepare()
    (tmp_path / "volumes" / "pvc-b").mkdir()
    about = json.dumps({"fromBackup": "s3://x", "awaits": "pvc-b-1"})
    (tmp_path / "volumes" / "pvc-b" / "about.json").write_text(about)
    origin = Origin("backup-1", VOLUME)
    storage.fill(
        "pvc-b", lambda image: restore_image(held, origin, image, workers=2, sleep=lambda _: None)
    )
    found = [
        one for one in tree_of(tmp_path / "restored" / "pvc-b-1") if not _is_lost_and_found(one)
    ]
    assert [one._replace(allocated=0) for one in found] == [
        one._replace(allocated=0) for one in before
    ]
    seen = survey(found)
    again = judge_volume(VOLUME, found, seen, fetch_truths(seen, memory.truth), OPTIONS)
    assert again.flaws == ()
    assert not again.comparison.differs, again.comparison.findings
    flipped = next(
        path for path in (tmp_path / "restored" / "pvc-b-1").rglob("*") if _is_long(path)
    )
    content = flipped.read_bytes()
    flipped.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert tree_of(tmp_path / "restored" / "pvc-b-1") != found, "the comparison sees a bit"


def _is_long(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size > 0
