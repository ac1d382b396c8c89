"""Restored volumes, and in which pod each of them lies open to be read."""

from dataclasses import dataclass

from drills.coverage.volume_info import Method
from drills.sandbox.hold import MOUNTED_AT
from drills.sandbox.plan import Plan

CONTAINER = "idle"
"""The only container of a held pod, and of a reader pod, which is made like one."""


@dataclass(frozen=True, order=True)
class Source:
    """One restored volume and where it can be read.

    `origin`: the namespace that was saved, `namespace`: its sandbox. `claim` is "" for a volume
    that only its pod knows (the copy of an emptyDir); `volume`: how the pod names it. `held`: the
    pod came with the restore; else the drill made it.
    """

    origin: str
    claim: str
    pod: str
    volume: str
    namespace: str
    container: str = CONTAINER
    held: bool = False

    @property
    def root(self) -> str:
        """Where the container has it mounted."""
        return f"{MOUNTED_AT}/{self.volume}"

    @property
    def name(self) -> str:
        """What the digest tree calls it: no slash, for that would be a path to the reader."""
        return self.claim or f"{self.pod}:{self.volume}"

    def __str__(self) -> str:
        return f"{self.origin}/{self.name}"


def held_sources(plan: Plan) -> list[Source]:
    """The volumes that file-system copies are restored into; the pods are those that hold them."""
    claims = {
        (record.namespace, record.pod, record.pod_volume): claim
        for (_, claim), record in plan.filled.items()
        if record.method is Method.FILE_SYSTEM
    }
    return sorted(
        Source(
            origin=held.namespace,
            claim=claims.get((held.namespace, held.name, volume), ""),
            pod=held.name,
            volume=volume,
            namespace=plan.mapping[held.namespace],
            held=True,
        )
        for held in plan.held
        for volume in held.volumes
    )
