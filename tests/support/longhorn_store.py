"""A writer of Longhorn's backup store, for tests: any size, chains of backups, whatever lies about.

It follows longhorn/backupstore (backupstore.go, deltablock.go, lock.go, systembackup) and shares
no code with the reader. Nothing is held in memory but a checksum for each block, so volumes may be
larger than it.
"""

import gzip
import hashlib
import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lz4.frame

from s3.client import Session

Put = Callable[[str, bytes], object]
"""Takes an object: its key below the target, its content."""
Content = Callable[[int], bytes]
"""The block of a volume that starts at an offset."""
Edit = Callable[[dict[str, Any]], object]
"""Changes a record before it is written."""

MIB = 1 << 20
BLOCK = 2 * MIB
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""When the first backup of every volume is made; each further one an hour later."""


def into_folder(root: Path) -> Put:
    """Objects become files below `root`."""

    def put(key: str, content: bytes) -> None:
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return put


def into_bucket(session: Session, bucket: str, prefix: str = "") -> Put:
    """Objects go to a bucket, below a prefix that is empty or ends with "/"."""
    return lambda key, content: session.put(bucket, prefix + key, content)


def content(seed: str, size: int = BLOCK, noise: float = 0.5) -> Content:
    """Blocks that differ by seed and offset; `noise` is the share that cannot be compressed."""

    def at(offset: int) -> bytes:
        # The same every time is the point.
        chance = random.Random(f"{seed} {offset}")  # noqa: S311
        own = chance.randbytes(max(16, int(size * noise)))
        return own + b"backup! " * ((size - len(own)) // 8) + bytes((size - len(own)) % 8)

    return at


def constant(block: bytes) -> Content:
    """The same block everywhere."""
    return lambda _: block


@dataclass(frozen=True)
class Written:
    """A backup that was written. blocks: checksum by offset, ascending."""

    name: str
    key: str
    blocks: dict[int, str]
    created: datetime


@dataclass
class VolumeWriter:
    """Writes one volume and its chain of backups. size: bytes, a multiple of `block_size`."""

    put: Put
    name: str
    size: int
    compression: str = "lz4"
    block_size: int = BLOCK
    backing_image: str = ""
    storage_class: str = "longhorn"
    data_engine: str = "v1"
    labels: dict[str, str] = field(default_factory=lambda: {"KubernetesStatus": "{}"})
    start: datetime = START
    edit_volume: Edit | None = None
    _made: list[Written] = field(default_factory=list)
    _state: dict[int, tuple[Content, str]] = field(default_factory=dict)
    _stored: set[bytes] = field(default_factory=set)

    @property
    def folder(self) -> str:
        return folder_of(self.name)

    @property
    def latest(self) -> Written:
        return self._made[-1]

    def block_key(self, checksum: str) -> str:
        return f"{self.folder}blocks/{checksum[:2]}/{checksum[2:4]}/{checksum}.blk"

    def backup(
        self,
        name: str,
        offsets: Iterable[int],
        changed: Content,
        *,
        full: bool = False,
        edit: Edit | None = None,
    ) -> Written:
        """Backs up the volume after the blocks at `offsets` were written with new content.

        full: as Longhorn's backup mode of that name, which lists what was ever written as well.
        """
        last = None if full or not self._made else self._made[-1]
        uploaded = 0
        for offset in offsets:
            block = changed(offset)
            assert len(block) == self.block_size
            checksum = checksum_of(block)
            self._state[offset] = (changed, checksum)
            uploaded += self._upload(checksum, block)
        blocks = {offset: self._state[offset][1] for offset in sorted(self._state)}
        created = self.start + timedelta(hours=len(self._made))
        made = Written(name, f"{self.folder}backups/backup_{name}.cfg", blocks, created)
        record = self._record(made, uploaded, incremental=last is not None)
        self._put_edited(made.key, record, edit)
        self._made.append(made)
        self._put_edited(f"{self.folder}volume.cfg", self._volume_record(), self.edit_volume)
        return made

    def begin(self, name: str) -> str:
        """Writes the record of a backup that is only begun; its key."""
        key = f"{self.folder}backups/backup_{name}.cfg"
        record = self._record(Written(name, key, {}, self.start), 0, incremental=False)
        unset = ("SnapshotName", "SnapshotCreatedAt", "CreatedTime")
        record |= dict.fromkeys(unset, "") | {"Labels": None, "Parameters": None}
        put_json(self.put, key, record)
        return key

    def orphan(self, block: bytes) -> str:
        """Writes a block that no backup lists; its checksum."""
        checksum = checksum_of(block)
        self._upload(checksum, block)
        return checksum

    def image(self) -> Iterator[bytes]:
        """The raw image as of the last backup, block by block."""
        for offset in range(0, self.size, self.block_size):
            held = self._state.get(offset)
            yield held[0](offset) if held else bytes(self.block_size)

    def image_sha256(self) -> str:
        """Of the raw image as of the last backup; makes every block again."""
        digest = hashlib.sha256()
        for block in self.image():
            digest.update(block)
        return digest.hexdigest()

    def _upload(self, checksum: str, block: bytes) -> int:
        if bytes.fromhex(checksum) in self._stored:
            return 0
        stored = compressed(self.compression, block)
        self.put(self.block_key(checksum), stored)
        self._stored.add(bytes.fromhex(checksum))
        return len(stored)

    def _record(self, made: Written, uploaded: int, *, incremental: bool) -> dict[str, Any]:
        record: dict[str, Any] = {
            "Name": made.name,
            "VolumeName": self.name,
            "SnapshotName": f"snapshot-of-{made.name}",
            "SnapshotCreatedAt": go_time(made.created - timedelta(seconds=3)),
            "CreatedTime": go_time(made.created),
            "Size": str(len(made.blocks) * self.block_size),
            "Labels": self.labels,
            "Parameters": {"backup-block-size": str(self.block_size)},
            "IsIncremental": incremental,
            "CompressionMethod": self.compression,
            "NewlyUploadedDataSize": str(uploaded),
            "ReUploadedDataSize": "0",
            "ProcessingBlocks": None if incremental else {},
        }
        if made.blocks:
            record["Blocks"] = [
                {"Offset": offset, "BlockChecksum": checksum}
                for offset, checksum in made.blocks.items()
            ]
        return record | {"SingleFile": {"FilePath": ""}}

    def _volume_record(self) -> dict[str, Any]:
        last = self._made[-1]
        return {
            "Name": self.name,
            "Size": str(self.size),
            "Labels": self.labels,
            "CreatedTime": go_time(self.start),
            "LastBackupName": last.name,
            "LastBackupAt": go_time(last.created - timedelta(seconds=3)),
            "BlockCount": str(len(self._stored)),
            "BackingImageName": f'"{self.backing_image}"',
            "BackingImageChecksum": '""',
            "CompressionMethod": f'"{self.compression}"',
            "StorageClassName": f'"{self.storage_class}"',
            "DataEngine": f'"{self.data_engine}"',
        }

    def _put_edited(self, key: str, record: dict[str, Any], edit: Edit | None) -> None:
        if edit is not None:
            edit(record)
        put_json(self.put, key, record)


def put_lock(put: Put, volume: str, name: str, kind: int = 1, *, acquired: bool = True) -> str:
    """A lock of a volume; its key. Its age is that of the object."""
    key = f"{folder_of(volume)}locks/{name}.lck"
    put_json(put, key, {"Name": name, "Type": kind, "Acquired": acquired})
    return key


def put_system_backup(
    put: Put, name: str, version: str = "v1.12.1", archive: bytes = b"PK", edit: Edit | None = None
) -> str:
    """A system backup and its archive; the folder of both."""
    folder = f"backupstore/system-backups/{version}/{name}/"
    record: dict[str, Any] = {
        "Name": name,
        "LonghornVersion": version,
        "LonghornGitCommit": "0" * 40,
        "BackupTargetURL": "s3://longhorn@eu-west-1/",
        "ManagerImage": f"longhornio/longhorn-manager:{version}",
        "EngineImage": f"longhornio/longhorn-engine:{version}",
        "CreatedAt": "2026-03-01T12:00:00.123456789Z",
        "Checksum": hashlib.sha256(archive).hexdigest(),
    }
    if edit is not None:
        edit(record)
    put(folder + "system-backup.zip", archive)
    put_json(put, folder + "system-backup.cfg", record)
    return folder


def put_backing_image(put: Put, name: str) -> str:
    """The record of a backing image, without its blocks; its key."""
    key = f"backupstore/backing-images/backing-images/{name}/backing-image.cfg"
    put_json(put, key, {"Name": name, "Size": str(BLOCK), "BlockCount": "0", "Blocks": []})
    return key


def put_json(put: Put, key: str, record: dict[str, Any]) -> None:
    """A record, spelled as Go's encoder spells it."""
    put(key, json.dumps(record, separators=(",", ":")).encode())


def compressed(compression: str, block: bytes) -> bytes:
    """A block as Longhorn's writers of gzip and lz4 leave it."""
    if compression == "gzip":
        return gzip.compress(block, 1, mtime=0)
    if compression == "lz4":
        frame: bytes = lz4.frame.compress(
            block,
            block_size=lz4.frame.BLOCKSIZE_MAX4MB,
            block_linked=False,
            content_checksum=True,
            store_size=False,
        )
        return frame
    return block


def checksum_of(block: bytes) -> str:
    return hashlib.sha512(block).hexdigest()[:64]


def folder_of(volume: str) -> str:
    layers = checksum_of(volume.encode())
    return f"backupstore/volumes/{layers[:2]}/{layers[2:4]}/{volume}/"


def go_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
