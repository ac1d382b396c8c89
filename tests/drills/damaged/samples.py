"""A copy in memory, as Velero 1.18 and kopia lay a backup and its repository out."""

import base64
import gzip
import json
from dataclasses import dataclass, field
from typing import Any

from drills.damaged.copy import Copy
from tests.drills.objects import archives
from tests.drills.objects import samples as objects

BACKUP = "nightly-1"
SALT = base64.b64encode(bytes(range(32))).decode()
# As the server wrote it, but for the key.
FORMAT = json.dumps(
    {"tool": "https://github.com/kopia/kopia", "buildVersion": "v0.0.0", "uniqueID": SALT,
     "keyAlgo": "scrypt-65536-8-1", "encryption": "AES256_GCM", "encryptedBlockFormat": "AAAA"},
    indent=2,
).encode()  # fmt: skip
UDM = json.dumps({"uniqueID": SALT}).encode()

VOLUME = {
    "pvcName": "data", "pvcNamespace": "shop", "pvName": "pvc-1", "result": "succeeded",
    "backupMethod": "CSISnapshot", "snapshotDataMoved": True,
    "snapshotDataMovementInfo": {"snapshotHandle": "k2", "size": 7, "Phase": "Completed"},
}  # fmt: skip


@dataclass
class Memory:
    """`Objects` of a copy."""

    held: dict[str, bytes] = field(default_factory=dict)

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.held if key.startswith(prefix))

    def get(self, key: str) -> bytes:
        return self.held[key]

    def put(self, key: str, content: bytes) -> None:
        self.held[key] = content

    def delete(self, key: str) -> None:
        del self.held[key]


def copy_of(held: dict[str, bytes], namespaces: tuple[str, ...] = ("shop",)) -> Copy:
    return Copy(Memory(dict(held)), BACKUP, namespaces)


def packed(content: object) -> bytes:
    return gzip.compress(json.dumps(content).encode(), mtime=0)


def repository(namespace: str = "shop") -> dict[str, bytes]:
    folder = f"kopia/{namespace}/"
    return {
        f"{folder}kopia.repository": FORMAT,
        f"{folder}kopia.blobcfg": b"sealed",
        f"{folder}kopia.maintenance": b"sealed",
        f"{folder}udmrepo.Repository": UDM,
        f"{folder}p0a1-s1": bytes(range(256)) * 4,
        f"{folder}p0b2-s1": b"y" * 29,
        f"{folder}q0c3-s1": b"folders",
        f"{folder}xn0_0d4-s1-c1": b"index",
        f"{folder}xr0_1_0e5-s1-c1": b"range of indexes",
    }


def document(name: str = BACKUP, **labels: str) -> dict[str, Any]:
    """`velero-backup.json` of a scheduled backup."""
    return {
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {
            "name": name, "namespace": "velero", "uid": "u-1", "resourceVersion": "77",
            "generation": 6, "creationTimestamp": "2026-11-21T10:00:00Z", "managedFields": [{}],
            "labels": {"velero.io/schedule-name": "nightly", "team": "a",
                       "velero.io/storage-location": "default", **labels},
            "annotations": {"velero.io/resource-timeout": "10m0s"},
            "ownerReferences": [{"kind": "Schedule", "name": "nightly", "uid": "s-1"}],
        },
        "spec": {"storageLocation": "default", "snapshotMoveData": True},
        "status": {"phase": "Completed", "expiration": "2026-12-21T10:00:00Z"},
    }  # fmt: skip


def pod_volume_backup(name: str = "nightly-1-abcde") -> dict[str, Any]:
    return {
        "apiVersion": "velero.io/v1",
        "kind": "PodVolumeBackup",
        "metadata": {
            "name": name, "namespace": "velero", "uid": "v-1", "generateName": "nightly-1-",
            "resourceVersion": "12",
            "labels": {"velero.io/backup-name": BACKUP, "velero.io/backup-uid": "u-1"},
            "ownerReferences": [
                {"apiVersion": "velero.io/v1", "kind": "Backup", "name": BACKUP, "uid": "u-1",
                 "controller": True},
            ],
        },
        "spec": {
            "pod": {"kind": "Pod", "namespace": "shop", "name": "shop", "uid": "p-1"},
            "volume": "data", "node": "cp1", "uploaderType": "kopia", "repoIdentifier": "",
            "backupStorageLocation": "default", "tags": {"backup": BACKUP},
        },
        "status": {"phase": "Completed", "snapshotID": "k1"},
    }  # fmt: skip


def backup_files(extra: list[objects.Pair] | None = None) -> dict[str, bytes]:
    folder = f"backups/{BACKUP}/"
    pairs = [*objects.shop(), objects.namespace("kube-system"), *(extra or [])]
    operation = {"spec": {"backupName": BACKUP, "operationID": "du-1"}, "status": {}}
    return {
        f"{folder}velero-backup.json": json.dumps(document()).encode(),
        f"{folder}{BACKUP}.tar.gz": archives.backup(pairs),
        f"{folder}{BACKUP}-podvolumebackups.json.gz": packed([pod_volume_backup()]),
        f"{folder}{BACKUP}-itemoperations.json.gz": packed([operation]),
        f"{folder}{BACKUP}-volumeinfo.json.gz": packed([VOLUME]),
        f"{folder}{BACKUP}-logs.gz": gzip.compress(b"log", mtime=0),
    }


def whole() -> dict[str, bytes]:
    return {**backup_files(), **repository()}
