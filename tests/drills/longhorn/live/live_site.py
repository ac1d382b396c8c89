"""A site whose Longhorn brings volumes back: what a copy holds is a folder of this machine."""

import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from drills.frame import Record
from drills.longhorn.drill import Lens, LonghornDrill
from drills.longhorn.live import opening, trees
from drills.longhorn.live.restores import Opened
from drills.longhorn.payload import LonghornPayload
from drills.scratch import Scratch
from tests.drills.longhorn.live.live_cluster import LiveCluster
from tests.drills.longhorn.site import (
    ARCHIVE,
    OF_BOOKS,
    OF_CANARY,
    OF_SHOP,
    RAW,
    Site,
    payload_fields,
    run_through,
    with_archive,
)
from tests.drills.volumes.drill_site import ShellByClaim, no_heartbeat
from tests.kube.fakes import Time

NEWEST = {OF_CANARY: "backup-c3", OF_SHOP: "backup-s2", RAW: "backup-r1"}
LIVE = {"reader": {"image": "python:1"}, "restoreSeconds": 600, "readSeconds": 60}
VERSION = "v1.12.1"


def live_payload(live: Any = LIVE, **changes: Any) -> LonghornPayload:
    return LonghornPayload.model_validate(payload_fields(live=live, **changes))


@dataclass
class LiveSite(Site):
    """`acts`: what becomes of readings on their way, in order. `said`: the drill's progress."""

    cluster: LiveCluster = field(default_factory=LiveCluster)
    acts: list[Any] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.cluster.objects.setdefault("/api/v1/namespaces/longhorn-system",
                                        {"metadata": {"name": "longhorn-system"}})  # fmt: skip
        self.cluster.add("settings", "current-longhorn-version", value=VERSION)
        for volume, backup in NEWEST.items():
            self.cluster.backup(backup, volume, self.url(volume, backup))
            self.copy(volume).parent.mkdir(exist_ok=True)
            # Hard links stay what they are.
            subprocess.run(["cp", "-a", self.images.tree, self.copy(volume)], check=True)

    def copy(self, volume: str) -> Path:
        """What Longhorn brings back of a volume."""
        return self.folder / "copies" / volume

    def url(self, volume: str, backup: str) -> str:
        return f"s3://dev-longhorn@eu-west-1/site/?backup={backup}&volume={volume}"

    def file(self, volume: str) -> Path:
        """A file of a copy, of the newest generation."""
        return max(path for path in self.copy(volume).rglob("page") if path.is_file())

    def make(self, payload: LonghornPayload, lens: Lens | None = None) -> LonghornDrill:
        made = super().make(payload, lens)
        kept = Scratch(self.scratch)
        edges = replace(
            made.edges, trees=kept,
            aside=None if payload.live is None or payload.cluster is None
            else lambda: self.opened(payload, made.run_id, kept),
        )  # fmt: skip
        return LonghornDrill(payload, made.clock, made.run_id, edges, lens)

    def opened(self, payload: LonghornPayload, run_id: str, kept: Scratch) -> Opened:
        assert payload.live is not None
        longhorn = self.cluster.longhorn()
        clock = self.make_clock()
        shell = ShellByClaim(
            {one.name: one for one in (self.folder / "copies").iterdir()}, Time(), acts=self.acts
        )
        found = opening.assembled(
            opening.run_of(payload, run_id, clock), payload.live, longhorn, shell,
            beats=longhorn, clock=clock, say=self.said.append, trees=kept,
        )  # fmt: skip
        found.lease.start = no_heartbeat
        return found

    def run_live(self, lens: Lens | None = None, **changes: Any) -> Record:
        """One run, of which nothing is kept."""
        drill = self.make(live_payload(**changes), lens)
        try:
            return run_through(drill)
        finally:
            drill.forget()


def with_archive_too(site: LiveSite) -> None:
    """A second target, and a Longhorn that can bring its volume back as well."""
    with_archive(site)
    site.cluster.backup("backup-b2", OF_BOOKS, url_in_archive(OF_BOOKS, "backup-b2"), ARCHIVE)
    subprocess.run(["cp", "-a", site.images.tree, site.copy(OF_BOOKS)], check=True)


def url_in_archive(volume: str, backup: str) -> str:
    return f"s3://dev-longhorn@eu-west-1/archive/?backup={backup}&volume={volume}"


def placed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What images hold is told by the site."""
    site.images.place(monkeypatch)
    monkeypatch.setattr(trees, "open_image", lambda _source: site.images)
