"""What every part of the stand-in works with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from standins.longhorn.cluster import Cluster
from standins.longhorn.kinds import SECRET, Object, spec, text
from standins.longhorn.store import Store
from standins.longhorn.target import Opener, credential


class Snapshots(Protocol):
    """The snapshots that this node keeps (snapshot_folder.py)."""

    def image(self, name: str) -> Path: ...
    def has(self, name: str) -> bool: ...
    def size(self, name: str) -> int: ...
    def make(self, name: str, volume: str, size: int) -> datetime: ...
    def remove(self, name: str) -> None: ...
    def names(self) -> set[str]: ...


class Volumes(Protocol):
    """The volumes' folders on this node, for what is restored (storage.py)."""

    def has_content(self, volume: str) -> bool: ...
    def awaits(self, volume: str) -> bool: ...
    def fill(self, volume: str, write: Callable[[Path], None]) -> None: ...
    def tell_fault(self, volume: str) -> None: ...
    def sweep(self) -> None: ...


class Running(Protocol):
    """Runs what takes long (tasks.py)."""

    def start(self, key: str, work: Callable[[], None], alone: str = "") -> bool: ...
    def runs(self, key: str) -> bool: ...


@dataclass(frozen=True)
class Site:
    """The cluster, the node's snapshots and volumes, what runs beside, how a target is opened."""

    cluster: Cluster
    snapshots: Snapshots
    storage: Volumes
    tasks: Running
    opener: Opener
    sleep: Callable[[float], None]

    def store(self, target: Object) -> Store:
        """The store behind a BackupTarget. Raises CredentialError, StoreError."""
        url, secret = text(spec(target), "backupTargetURL"), text(spec(target), "credentialSecret")
        held = self.cluster.find(SECRET, secret) if secret else None
        return self.opener(url, credential(url, secret, held))
