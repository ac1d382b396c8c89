"""The kinds of objects that are read or written, and where the API server has them."""

from dataclasses import dataclass
from typing import Any

LONGHORN = "longhorn.io/v1beta2"
DRIVER = "driver.longhorn.io"
DEFAULT_TARGET = "default"
FINALIZER = "longhorn.io"
"""What keeps an object until what it stands for is gone."""

Object = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """`own`: only those of Longhorn's namespace are looked at."""

    name: str
    plural: str
    version: str = LONGHORN
    own: bool = True

    def path(self, namespace: str, name: str = "", sub: str = "") -> str:
        """Path of an object, or of all. `namespace`: "" for all of them, or of none."""
        root = f"/apis/{self.version}" if "/" in self.version else f"/api/{self.version}"
        within = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}{within}/{self.plural}" + "".join(f"/{one}" for one in (name, sub) if one)


TARGET = Kind("BackupTarget", "backuptargets")
BACKUP_VOLUME = Kind("BackupVolume", "backupvolumes")
BACKUP = Kind("Backup", "backups")
SNAPSHOT = Kind("Snapshot", "snapshots")
VOLUME = Kind("Volume", "volumes")
JOB = Kind("RecurringJob", "recurringjobs")
SETTING = Kind("Setting", "settings")
NODE = Kind("Node", "nodes")
SYSTEM_BACKUP = Kind("SystemBackup", "systembackups")
SECRET = Kind("Secret", "secrets", "v1")
EVENT = Kind("Event", "events", "v1")
PERSISTENT_VOLUME = Kind("PersistentVolume", "persistentvolumes", "v1", own=False)
CLAIM = Kind("PersistentVolumeClaim", "persistentvolumeclaims", "v1", own=False)
POD = Kind("Pod", "pods", "v1", own=False)
CLASS = Kind("StorageClass", "storageclasses", "storage.k8s.io/v1", own=False)

WATCHED = (
    *(TARGET, BACKUP_VOLUME, BACKUP, SNAPSHOT, VOLUME, JOB, SETTING, NODE, SYSTEM_BACKUP),
    *(SECRET, PERSISTENT_VOLUME, CLAIM, POD, CLASS),
)


def name(found: Object) -> str:
    return str(found["metadata"]["name"])


def namespace(found: Object) -> str:
    return str(found["metadata"].get("namespace", ""))


def labels(found: Object) -> dict[str, str]:
    return dict(found["metadata"].get("labels") or {})


def spec(found: Object) -> Object:
    return found.get("spec") or {}


def status(found: Object) -> Object:
    return found.get("status") or {}


def text(held: Object, key: str) -> str:
    """A field as text, "" where it is not there."""
    value = held.get(key)
    return "" if value is None else str(value)


def number(held: Object, key: str, otherwise: int = 0) -> int:
    """A field that is a number, or the text of one; `otherwise` for what is none."""
    try:
        return int(held.get(key) or otherwise)
    except (TypeError, ValueError):
        return otherwise


def deleting(found: Object) -> bool:
    return "deletionTimestamp" in found["metadata"]


def finalizers(found: Object) -> list[str]:
    return list(found["metadata"].get("finalizers") or ())


def owner(found: Object) -> Object:
    """A reference to an object that owns another one."""
    return {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        "name": name(found),
        "uid": found["metadata"]["uid"],
    }
