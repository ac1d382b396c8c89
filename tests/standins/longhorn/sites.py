"""A cluster with volumes and a backup target, in which everything happens at once."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from standins.longhorn.cluster import Cluster
from standins.longhorn.copying import CopyError
from standins.longhorn.kinds import (
    BACKUP,
    CLAIM,
    CLASS,
    DRIVER,
    PERSISTENT_VOLUME,
    POD,
    SECRET,
    SNAPSHOT,
    TARGET,
    Object,
)
from standins.longhorn.moments import Clock
from standins.longhorn.records import MIB
from standins.longhorn.site import Site
from standins.longhorn.storage import StorageError
from standins.longhorn.store import Store
from standins.longhorn.target import Credential
from standins.longhorn.turns import Turns
from tests.standins.longhorn.fake_api import FakeApi
from tests.standins.longhorn.memory_store import MemoryStore

NAMESPACE = "longhorn-system"
START = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
URL = "s3://longhorn@eu-west-1/dev/"
SIZE = 32 * MIB


@dataclass
class Hand:
    """A clock that is moved by hand."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class AtOnce:
    """Runs work where it is asked for; with `held` it keeps it for later."""

    def __init__(self) -> None:
        self.held: dict[str, Callable[[], None]] | None = None

    def start(self, key: str, work: Callable[[], None], alone: str = "") -> bool:  # noqa: ARG002
        if self.held is None:
            work()
        elif key not in self.held:
            self.held[key] = work
        return True

    def runs(self, key: str) -> bool:
        return self.held is not None and key in self.held

    def finish(self) -> None:
        """Does what was kept, and holds nothing back any more."""
        work, self.held = list((self.held or {}).values()), None
        for one in work:
            one()


@dataclass
class Images:
    """Snapshots without a file system in them: what `contents` has of a volume, as it is."""

    root: Path
    clock: Clock
    contents: dict[str, bytes] = field(default_factory=dict)

    def image(self, name: str) -> Path:
        return self.root / f"{name}.img"

    def has(self, name: str) -> bool:
        return self.image(name).exists()

    def size(self, name: str) -> int:
        return self.image(name).stat().st_blocks * 512

    def make(self, name: str, volume: str, size: int) -> datetime:
        if volume not in self.contents:
            raise CopyError(f"the storage has no folder {volume}")
        with self.image(name).open("wb") as file:
            file.write(self.contents[volume])
            file.truncate(size)
        return self.clock()

    def remove(self, name: str) -> None:
        self.image(name).unlink(missing_ok=True)

    def names(self) -> set[str]:
        return {path.name.removesuffix(".img") for path in self.root.glob("*.img")}


@dataclass
class Folders:
    """Volumes without files: which await a backup, and the image that each of them got."""

    root: Path
    waiting: set[str] = field(default_factory=set)
    contents: dict[str, bytes] = field(default_factory=dict)
    faults: set[str] = field(default_factory=set)
    sweeps: int = 0

    def has_content(self, volume: str) -> bool:
        return volume in self.contents

    def awaits(self, volume: str) -> bool:
        return volume in self.waiting and volume not in self.contents

    def fill(self, volume: str, write: Callable[[Path], None]) -> None:
        if volume not in self.waiting:
            raise StorageError(f"the storage has no volume {volume} that awaits a backup")
        write(self.root / "restored")
        self.contents[volume] = (self.root / "restored").read_bytes()

    def tell_fault(self, volume: str) -> None:
        self.faults.add(volume)

    def sweep(self) -> None:
        self.sweeps += 1


class Bench:
    """Everything of one test; `credentials` is what the target was opened with last."""

    def __init__(self, root: Path) -> None:
        self.clock = Hand()
        self.api = FakeApi()
        self.store = MemoryStore(self.clock)
        self.images = Images(root, self.clock)
        self.folders = Folders(root)
        self.tasks = AtOnce()
        self.credentials: Credential = {}
        self.opened: list[str] = []
        self.restart()

    def restart(self) -> None:
        """Another process of the stand-in, which remembers nothing."""
        cluster = Cluster(self.api, NAMESPACE, "cp1", self.clock)
        self.site = Site(
            cluster, self.images, self.folders, self.tasks, self._open, self.clock.sleep
        )
        self.turns = Turns(self.site, lambda: 0.0)

    def _open(self, url: str, held: Credential) -> Store:
        self.opened.append(url)
        self.credentials = held
        return self.store

    def turn(self, times: int = 6) -> float:
        """Lets it come to rest; seconds until something is due."""
        wait = 0.0
        for _ in range(times):
            self.api.refresh(self.site.cluster)
            wait = self.turns.once()
        return wait

    def pass_time(self, **length: float) -> None:
        """Moves the clock in steps that are short enough for every timer."""
        left = timedelta(**length)
        while left > timedelta(0):
            step = min(left, timedelta(seconds=30))
            self.clock.now += step
            left -= step
            self.turn(3)

    # What is in the cluster

    def give_volume(
        self,
        name: str,
        *,
        claim: Mapping[str, str] | None = None,
        running: bool = True,
        content: bytes = b"data",
        storage_class: str = "longhorn",
        size: str = "32Mi",
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        """A PersistentVolume with its claim (`claim`: labels of it) and a pod that uses it.

        `parameters`: those of its class. With `fromBackup` the volume awaits its content.
        """
        self.images.contents[name] = content
        said = {"parameters": dict(parameters)} if parameters else {}
        self.api.put(CLASS, {"metadata": {"name": storage_class}, "provisioner": DRIVER, **said})
        if said.get("parameters", {}).get("fromBackup"):
            self.folders.waiting.add(name)
        self.api.put(PERSISTENT_VOLUME, persistent_volume(name, storage_class, size))
        self.api.put(
            CLAIM,
            {
                "metadata": {"name": f"claim-{name}", "labels": dict(claim or {})},
                "spec": {"storageClassName": storage_class, "volumeName": name},
            },
            namespace="apps",
        )
        if running:
            self.api.put(POD, pod(name), namespace="apps")

    def give_target(self, name: str = "default", **spec: Any) -> None:
        """Somebody declares the target, with a Secret that is there."""
        secret = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
        data = {key: base64.b64encode(value.encode()).decode() for key, value in secret.items()}
        self.api.put(SECRET, {"metadata": {"name": "s3"}, "data": data}, namespace=NAMESPACE)
        wanted = {"backupTargetURL": URL, "credentialSecret": "s3", "pollInterval": "5m0s"}
        body = {"metadata": {"name": name}, "spec": {**wanted, **spec}}
        if self.api.has(TARGET, name):
            self.api.patch(TARGET, NAMESPACE, name, {"spec": body["spec"]})
        else:
            self.api.put(TARGET, body, namespace=NAMESPACE)

    def ask_backup(self, volume: str, name: str, **spec: Any) -> None:
        """Somebody makes a Snapshot and a Backup of it."""
        self.api.create(
            SNAPSHOT,
            NAMESPACE,
            {
                "apiVersion": SNAPSHOT.version,
                "kind": SNAPSHOT.name,
                "metadata": {"name": f"snap-{name}", "namespace": NAMESPACE},
                "spec": {"volume": volume, "createSnapshot": True},
            },
        )
        self.turn()
        self.api.create(
            BACKUP,
            NAMESPACE,
            {
                "apiVersion": BACKUP.version,
                "kind": BACKUP.name,
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {"snapshotName": f"snap-{name}", **spec},
            },
        )
        self.turn()


def persistent_volume(name: str, storage_class: str, size: str) -> Object:
    return {
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": size},
            "storageClassName": storage_class,
            "csi": {"driver": DRIVER, "volumeHandle": name},
            "claimRef": {"namespace": "apps", "name": f"claim-{name}"},
        },
        "status": {"phase": "Bound"},
    }


def pod(volume: str) -> Object:
    claim = {"claimName": f"claim-{volume}"}
    return {
        "metadata": {
            "name": f"pod-{volume}",
            "ownerReferences": [{"kind": "ReplicaSet", "name": f"app-{volume}"}],
        },
        "spec": {
            "nodeName": "cp1",
            "volumes": [{"name": "data", "persistentVolumeClaim": claim}],
        },
        "status": {"phase": "Running"},
    }


def noise(blocks: int, seed: int = 0) -> bytes:
    """So many blocks of 2 MiB, each of its own content."""
    return b"".join(
        bytes([seed, number]) + bytes(2 * MIB - 3) + b"!" for number in range(1, blocks + 1)
    )
