"""Which volumes' digests are read around a backup, and by what: a part of orders and payloads."""

from typing import Annotated

from pydantic import Field

from drills.backup.kept_files import KeptFiles
from drills.backup.truths import Truths
from drills.frame import Clock, Progress
from drills.payload import Strict
from drills.scratch import fresh
from drills.volumes.digest_index import Chosen
from drills.volumes.payload import ReaderPod
from drills.volumes.readers import Edges
from drills.volumes.witness import Witness
from kube.client import Clock as KubeClock
from kube.kubeconfig import Kubeconfig
from kube.pods.channels import open_dial
from kube.velero.api import Velero


class ChosenClaims(Strict):
    """Claims of one namespace; `claim` may be a glob."""

    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
    claim: Annotated[str, Field(pattern=r"^[a-z0-9*?\[\]!.-]+$")]


class DigestsOrder(Strict):
    """`read_seconds`: how long one volume may be read, before the backup and again after it."""

    claims: Annotated[tuple[ChosenClaims, ...], Field(min_length=1)]
    reader: ReaderPod
    read_seconds: Annotated[int, Field(gt=0, alias="readSeconds")] = 900

    def witness(
        self,
        site: str,
        uid: str,
        *,
        velero: Velero,
        kubeconfig: Kubeconfig,
        truths: Truths,
        clock: Clock,
        say: Progress,
    ) -> Witness:
        """With its edges open. `uid`: of the site's cluster. Raises ClusterError."""
        return Witness(
            site=site,
            uid=uid,
            chosen=[Chosen(one.namespace, one.claim) for one in self.claims],
            edges=Edges(velero.client, velero.writer, open_dial(kubeconfig), KubeClock()),
            idle=self.reader.idle(),
            files=KeptFiles(truths),
            # Trees of a run that was killed name the files of its volumes.
            scratch=fresh(),
            clock=clock,
            say=say,
            read_seconds=float(self.read_seconds),
        )
