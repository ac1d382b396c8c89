"""The order for a backup with its truth: by hand out of a drill's payload, or the first of `up`."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from drills.backup import truths
from drills.backup.course import open_velero
from drills.backup.payload import READER, CanaryClaims, ClusterAccess, Name
from drills.backup.recorded import Recording
from drills.frame import Clock, Progress
from drills.kube_objects.payload import KubeObjectsPayload
from drills.payload import PayloadError, Site, parse
from drills.volumes.digests_order import DigestsOrder


class BackupOrder(Site):
    """Of which schedule, in which namespace Velero runs, and how many seconds it may take.

    `digests`: the volumes that are read around it. `canary`: what a first one is to hold.
    """

    cluster: ClusterAccess
    namespace: Name
    schedule: Name
    seconds: Annotated[int, Field(gt=0)]
    digests: DigestsOrder | None = None
    canary: CanaryClaims | None = None

    def check(self) -> None:
        """Raises PayloadError."""
        self.cluster.parsed()
        if self.evidence is not None:
            self.client(READER)

    def recording(self, clock: Clock, say: Progress, directory: Path) -> Recording:
        """The edges, open; truths on disk lie beside the receipts. Raises ClusterError."""
        cluster = self.cluster.parsed()
        velero = open_velero(cluster, self.namespace)
        kept, uid = truths.of_site(self, directory), self.cluster.uid
        witness = None
        if self.digests is not None:
            witness = self.digests.witness(
                self.site, uid, velero=velero, kubeconfig=cluster, truths=kept, clock=clock, say=say
            )
        return Recording(velero, kept, uid, self.seconds, clock, say, witness, self.canary)


def first(text: str) -> BackupOrder:
    """The order in `text`. Raises PayloadError."""
    order = parse(BackupOrder, text)
    order.check()
    return order


def by_hand(text: str, schedule: str | None) -> BackupOrder:
    """The order out of the payload of the drill `kube-objects`; None: the first of its schedules.

    Raises PayloadError.
    """
    payload = parse(KubeObjectsPayload, text)
    there = payload.schedules
    if schedule is None and not there:
        raise PayloadError("schedules: none is named; say which: backup kube-objects SCHEDULE")
    if schedule is not None and there and schedule not in there:
        raise PayloadError(
            f"schedule {schedule[:80]} is none that is drilled (there: {', '.join(there)}); "
            "correct the name"
        )
    shared = {name: getattr(payload, name) for name in Site.model_fields}
    order = BackupOrder(
        **shared,
        cluster=payload.cluster,
        namespace=payload.velero.namespace,
        schedule=schedule or there[0],
        seconds=payload.limits.backup_seconds,
        digests=payload.digests,
    )
    order.check()
    return order
