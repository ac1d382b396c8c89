"""A whole site for the drill: a store of files, a cluster in memory, a canary on this machine.

What is inside a rebuilt image is told by `Images`: here nothing depends on tools for file systems.
"""

import datetime
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from canary import writer
from drills.backupstore.folder_objects import FolderObjects
from drills.backupstore.objects import Found, Objects
from drills.canary.truth import Truth
from drills.frame import Clock, Record, run_phases
from drills.images.check import Checked, Ran, Run
from drills.images.recognise import Contents, Kind
from drills.longhorn import judge
from drills.longhorn.drill import Edges, Lens, LonghornDrill
from drills.longhorn.history import History
from drills.longhorn.payload import LonghornPayload
from drills.scratch import Scratch
from drills.volumes.entry import Entry
from s3.errors import Cause, store_error
from tests.drills.canary.canaries import FEW, VOLUME, Memory, keeper, tree_of
from tests.drills.canary.canaries import SITE as SITE_NAME
from tests.drills.canary.canaries import Clock as Ticks
from tests.kube import kubeconfigs
from tests.kube.longhorn.cluster import VOLUMES, Cluster
from tests.support.longhorn_store import (
    BLOCK,
    START,
    Put,
    VolumeWriter,
    content,
    into_folder,
)

UID = "uid-of-the-cluster"
CANARY, CLAIM = "backstop-canary", "beats"
HOUR = datetime.timedelta(hours=1)
NOW = START + 5 * HOUR
LONG_AGO = "2026-01-01T00:00:00Z"
BUCKET = "dev-longhorn"
OF_CANARY, OF_SHOP, RAW = "pvc-canary", "pvc-shop", "raw-01"
ARCHIVE, OF_BOOKS = "archive", "pvc-books"
IN_ARCHIVE = " (target archive)"


def payload_fields(**changes: Any) -> dict[str, Any]:
    """The payload as JSON holds it."""
    return {
        "schema": 1, "layer": "longhorn", "site": SITE_NAME, "endpoint": "https://store:1",
        "region": "eu-west-1", "caPem": "", "onRed": "fail", "control": "none",
        "clients": [
            {"name": "drill", "accessKey": "SENTINEL-A", "secretKey": "SENTINEL-B"},
            {"name": "evidence", "accessKey": "SENTINEL-C", "secretKey": "SENTINEL-D"},
        ],
        "limits": {"rtoSeconds": 600, "rpoSeconds": 6 * 3600},
        "evidence": {"bucket": "dev-evidence", "prefix": "receipts/", "client": "evidence"},
        "receiptsDir": None,
        "target": {"name": "default", "bucket": BUCKET, "prefix": "site/"},
        "cluster": {"kubeconfig": kubeconfigs.text(), "uid": UID},
        "canary": {
            "namespace": CANARY, "bucket": "dev-evidence", "prefix": "canary/",
            "volumes": [{"name": VOLUME, "claim": CLAIM}],
        },
        "days": 3, "workers": 2,
        **changes,
    }  # fmt: skip


def payload_of(**changes: Any) -> LonghornPayload:
    return LonghornPayload.model_validate(payload_fields(**changes))


@dataclass(frozen=True)
class Guarded:
    """A store that looks at the key first, as the real one does."""

    objects: Objects
    key: str

    def list(self, folder: str) -> Iterator[Found]:
        self._check()
        return self.objects.list(folder)

    def folders(self, folder: str) -> Iterator[str]:
        self._check()
        return self.objects.folders(folder)

    def get(self, key: str, limit: int) -> bytes:
        self._check()
        return self.objects.get(key, limit)

    def head(self, key: str) -> Found | None:
        self._check()
        return self.objects.head(key)

    def _check(self) -> None:
        if self.key == "SENTINEL-C":
            raise store_error(Cause.ACCESS_DENIED, "https://store:1")
        if self.key != "SENTINEL-A":
            raise store_error(Cause.KEY_UNKNOWN, "https://store:1")


@dataclass
class Truths:
    """The canary's truths in memory. `fault`: what every question is answered with."""

    memory: Memory
    fault: Exception | None = None

    def truth(self, volume: str, generation: int) -> Truth | None:
        assert volume == VOLUME
        if self.fault is not None:
            raise self.fault
        return self.memory.truth(generation)

    def numbers(self, volume: str, after: int = 0) -> Iterator[int]:
        raise AssertionError(f"a drill asks for what {volume} holds, not for all after {after}")


@dataclass
class Images:
    """What a rebuilt image is said to hold. `tree`: the canary's files. `contents`, `checked`: of
    every image. `seen`: bytes of each image that was looked at."""

    tree: Path
    contents: Contents = field(default_factory=lambda: Contents(Kind.EXT, "ext4"))
    checked: Checked = field(default_factory=lambda: Checked(True, "e2fsck", "sound"))
    seen: list[int] = field(default_factory=list)
    fault: Exception | None = None
    version: str = "ext4"

    def place(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(judge, "contents", self._contents)
        patch.setattr(judge, "check", lambda _image, _run, **_how: self.checked)
        patch.setattr(judge, "open_image", lambda _source: self)

    def entries(self, *, xattrs: bool = False) -> Iterator[Entry]:
        assert not xattrs
        if self.fault is not None:
            raise self.fault
        yield from tree_of(self.tree)

    def _contents(self, source: Any) -> Contents:
        self.seen.append(source.size)
        return self.contents


def no_tool(_command: Sequence[str]) -> Ran:
    raise AssertionError("file systems are checked by Images here")


def written(put: Put) -> None:
    """Three volumes: one of the canary's, one of a claim of the user's, one behind no claim."""
    offsets = [number * BLOCK for number in range(6)]
    canary = VolumeWriter(put, OF_CANARY, 8 * BLOCK)
    canary.backup("backup-c1", offsets, content("c1", noise=0.01))
    canary.backup("backup-c2", offsets[:2], content("c2", noise=0.01))
    canary.backup("backup-c3", offsets[1:3], content("c3", noise=0.01))
    shop = VolumeWriter(put, OF_SHOP, 8 * BLOCK, compression="gzip")
    shop.backup("backup-s1", offsets[:5], content("s1", noise=0.01))
    shop.backup("backup-s2", offsets[3:6], content("s2", noise=0.01))
    raw = VolumeWriter(put, RAW, 4 * BLOCK, compression="none", start=START + 2 * HOUR)
    raw.backup("backup-r1", offsets[1:4], content("r1", noise=0.01))


@dataclass
class Site:
    """`store`: the folder that is the bucket; `tools`: what checks file systems; `made`: how many
    drills there were."""

    folder: Path
    cluster: Cluster = field(default_factory=Cluster)
    history: History = field(default_factory=History)
    stop: threading.Event = field(default_factory=threading.Event)
    tools: Run = no_tool
    now: datetime.datetime = NOW
    made: int = 0

    def __post_init__(self) -> None:
        self.truths = Truths(Memory())
        self.images = Images(self.folder / "canary")
        one = keeper(self.images.tree, Ticks(START.timestamp() - 600), files=FEW)
        for _ in range(2):
            assert one.write(self.truths.memory.put).error == ""
        self.cluster.put("/api/v1/namespaces", "kube-system")
        self.cluster.objects["/api/v1/namespaces/kube-system"]["metadata"]["uid"] = UID
        url = f"s3://{BUCKET}@eu-west-1/site/"
        self.cluster.add("backuptargets", "default", spec={"backupTargetURL": url},
                         status={"available": True, "lastSyncedAt": LONG_AGO})  # fmt: skip
        nightly = {"task": "backup", "cron": "0 2 * * *", "groups": ["default"]}
        self.cluster.add("recurringjobs", "nightly", spec=nightly)
        self.add_volume(OF_CANARY, CANARY, CLAIM)
        self.add_volume(OF_SHOP, "shop", "data")
        self.add_volume(RAW)

    @property
    def store(self) -> Path:
        return self.folder / "store" / "site"

    @property
    def archive(self) -> Path:
        """The second target's folder in the bucket."""
        return self.folder / "store" / ARCHIVE

    @property
    def scratch(self) -> Path:
        found = self.folder / "scratch"
        found.mkdir(exist_ok=True)
        return found

    def add_volume(
        self, name: str, namespace: str = "", claim: str = "", *, created: str = LONG_AGO,
        labels: dict[str, str] | None = None, **spec: Any,
    ) -> None:  # fmt: skip
        """A volume of the cluster, and its PersistentVolume if it has a claim."""
        self.cluster.add(
            "volumes", name, created=created, labels=labels or {},
            spec={"size": str(8 * BLOCK), "backupTargetName": "default", **spec},
            status={"state": "attached", "robustness": "healthy"},
        )  # fmt: skip
        if claim:
            self.cluster.put(
                VOLUMES, f"pv-{name}",
                spec={"csi": {"driver": "driver.longhorn.io", "volumeHandle": name},
                      "claimRef": {"namespace": namespace, "name": claim}},
                status={"phase": "Bound"},
            )  # fmt: skip

    def object(self, key: str) -> Path:
        return self.store / key

    def make(self, payload: LonghornPayload, lens: Lens | None = None) -> LonghornDrill:
        """A fresh drill, as `run.opened` makes it."""
        self.made += 1
        held = FolderObjects(self.folder / "store" / payload.target.prefix)
        key = payload.client("drill").access_key.get_secret_value()
        longhorn = self.cluster.longhorn()
        edges = Edges(
            Guarded(held, key),
            None if payload.cluster is None else lambda: longhorn.client,
            None if payload.canary is None else self.truths,
            Scratch(self.scratch),
            self.tools,
            self.history,
            self.stop,
            further={
                one.name: Guarded(FolderObjects(self.folder / "store" / one.prefix), key)
                for one in payload.targets
            },
        )
        return LonghornDrill(payload, self.make_clock(), f"{self.made:012x}", edges, lens)

    def make_clock(self) -> Clock:
        return Clock(now=lambda: self.now)

    def run(self, lens: Lens | None = None, **changes: Any) -> Record:
        return run_through(self.make(payload_of(**changes), lens))


def further(**changes: Any) -> dict[str, Any]:
    """Fields of a payload with a second target in the same bucket."""
    return {"targets": [{"name": ARCHIVE, "bucket": BUCKET, "prefix": "archive/"}], **changes}


def with_archive(site: Site, put: Put | None = None) -> None:
    """A second target of the cluster's, and a volume whose backups lie there."""
    archived(put or into_folder(site.archive))
    url = f"s3://{BUCKET}@eu-west-1/archive/"
    site.cluster.add("backuptargets", ARCHIVE, spec={"backupTargetURL": url},
                     status={"available": True, "lastSyncedAt": LONG_AGO})  # fmt: skip
    site.add_volume(OF_BOOKS, "books", "ledger", backupTargetName=ARCHIVE)


def archived(put: Put) -> None:
    books = VolumeWriter(put, OF_BOOKS, 4 * BLOCK)
    books.backup("backup-b1", [0, BLOCK], content("b1", noise=0.01))
    books.backup("backup-b2", [BLOCK, 2 * BLOCK], content("b2", noise=0.01))


def run_through(drill: LonghornDrill) -> Record:
    return run_phases(drill.layer, drill.phases(), drill.closing(), drill.clock, lambda _line: None)


def copied(template: Path, folder: Path) -> Site:
    """A site of its own over a copy of a written store."""
    shutil.copytree(template, folder / "store" / "site")
    return Site(folder)


def number_of(root: Path) -> str:
    """The newest generation on a volume."""
    return max(one.name for one in (root / writer.GENERATIONS).iterdir())
