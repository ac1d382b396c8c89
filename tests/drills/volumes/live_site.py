"""A site whose volumes are in use: pods that run on them, and who reads them around a backup."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drills.backup.kept_files import KeptFiles
from drills.backup.truths import Truths
from drills.frame import Clock
from drills.sandbox.hold import Idle
from drills.scratch import Scratch
from drills.volumes.digest_file import DigestFile
from drills.volumes.digest_index import Chosen, KeptDigests
from drills.volumes.meanwhile import Line
from drills.volumes.readers import Edges
from drills.volumes.witness import Witness
from tests.drills.canary.canaries import SITE
from tests.drills.sandbox.runs import NOW
from tests.drills.volumes.drill_site import UID, DrillSite, ShellByClaim

BACKUP = "daily-1"
STOCK = Chosen("shop", "stock")


@dataclass
class LiveSite:
    """`site`: of which `shop/stock` is used by the pod `web-0` on node `n1`."""

    site: DrillSite

    def __post_init__(self) -> None:
        self.site.build()
        self.use("shop", "stock", "web-0")

    @property
    def volume(self) -> Path:
        """What is in shop/stock."""
        return self.site.volumes["stock"]

    def use(
        self,
        namespace: str,
        claim: str,
        pod: str,
        *,
        metadata: Mapping[str, Any] | None = None,
        phase: str = "Running",
        **spec: Any,
    ) -> None:
        """A pod that mounts a claim."""
        volume = {"name": "data", "persistentVolumeClaim": {"claimName": claim}}
        self.site.cluster.put(f"/api/v1/namespaces/{namespace}/pods/{pod}", {
            "metadata": dict(metadata or {}),
            "spec": {"nodeName": "n1", "volumes": [volume], **spec},
            "status": {"phase": phase},
        })  # fmt: skip

    def witness(self, chosen: Sequence[Chosen] = (STOCK,)) -> Witness:
        cluster, site = self.site.cluster, self.site
        velero, time = cluster.velero(), cluster.time
        return Witness(
            site=SITE,
            uid=UID,
            chosen=chosen,
            edges=Edges(
                velero.client, velero.writer,
                ShellByClaim(site.volumes, time, acts=site.acts), time.clock(),
            ),
            idle=Idle("python:1"),
            files=KeptFiles(Truths(site.folder)),
            scratch=Scratch(site.folder),
            clock=Clock(
                lambda: time.now, lambda: NOW + datetime.timedelta(seconds=time.now)
            ),
            say=site.say,
            read_seconds=60.0,
        )  # fmt: skip

    def kept(self) -> KeptDigests:
        folder = self.site.folder / "brought"
        folder.mkdir(exist_ok=True)
        return KeptDigests(KeptFiles(Truths(self.site.folder)), UID, folder)

    def file(self, claim: str = "stock") -> DigestFile:
        index = self.kept().index(BACKUP)
        assert index is not None
        (volume,) = (one for one in index.volumes if one.claim == claim)
        return self.kept().file(BACKUP, volume)

    def lines(self, claim: str = "stock") -> dict[bytes, Line]:
        return {one.entry.path: one for one in self.file(claim).lines()}

    def readers(self) -> list[str]:
        """Reader pods that are there."""
        return [
            key[3] for key in self.site.cluster.objects
            if key[2] == "pods" and key[3].startswith("backstop-drill-")
        ]  # fmt: skip


def everywhere(_namespace: str) -> bool:
    return True
