"""Every fault that the surroundings of a drill are given, and what the drill must say of it."""

import datetime
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from drills.aside import Aside
from drills.backup.drill import BackupDrill
from drills.backup.payload import READER, BackupPayload
from drills.controls import NotPlantedError, judgement_of
from drills.frame import Clock
from drills.sandbox.plan import Plan
from drills.surroundings import cluster_faults, stores
from drills.surroundings.cluster_faults import AroundDrill, InRestore, Sandboxes
from drills.surroundings.planting import Surroundings
from drills.verdict import Judgement, Reason
from kube.errors import ClusterError
from kube.velero.api import ENDED, name, phase
from kube.velero.restores import RestoreResult, wait_restore

KUBE_OBJECTS = "kube-objects"
VOLUMES = "volumes"
BOTH = frozenset({KUBE_OBJECTS, VOLUMES})
# A restore that nobody works on is not waited for any longer than one in the lab takes.
SHORT_SECONDS = 45
# Any other one is over while the fault's own mark is still good.
LONG_SECONDS = 600
AFTERWARDS_SECONDS = 180.0
_HOUR = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class Stage:
    """Where a fault is planted. `make`: a fresh drill of a payload, with a run id of its own."""

    payload: BackupPayload
    make: Callable[[Any], BackupDrill[Any]]
    there: Surroundings


@dataclass(frozen=True)
class Fault:
    """A named fault: what is planted, the reason it must lead to, the drill in its midst.

    `judged` raises NotPlantedError, ClusterError.
    """

    name: str
    planted: str
    expected: Reason
    judged: Callable[[Stage], Judgement]
    layers: frozenset[str] = BOTH


@dataclass
class MeetingAside(Aside):
    """A restore aside that meets a fault; before and after it the surroundings are sound.

    A restore that the fault held up goes on once it is gone. Its end is waited for, or nothing of
    the run could be taken away.
    """

    plant: Callable[[Sandboxes], AbstractContextManager[None]]

    def restore(
        self, plan: Plan, seconds: float, begun: Callable[[], None] | None = None
    ) -> RestoreResult:
        try:
            with self.plant(tuple(sorted(plan.mapping.values()))):
                return super().restore(plan, seconds, begun)
        finally:
            with suppress(ClusterError):  # the clean-up tells what it finds
                self._wait_ended(name(plan.restore))

    def _wait_ended(self, called: str) -> None:
        for found in self.velero.client.list(
            self.velero.collection("restores"), fields={"metadata.name": called}
        ):
            if phase(found) not in ENDED:
                wait_restore(self.velero, found, seconds=AFTERWARDS_SECONDS, say=self.progress)


def _in_restore(fault: InRestore, seconds: int = LONG_SECONDS) -> Callable[[Stage], Judgement]:
    """`seconds`: how long the restore may take at most."""

    def judged(stage: Stage) -> Judgement:
        payload, there = stage.payload, stage.there
        bounded = min(seconds, payload.limits.restore_seconds)
        limits = payload.limits.model_copy(update={"restore_seconds": bounded})
        drill = stage.make(payload.model_copy(update={"limits": limits}))
        own = drill.course.aside
        drill.course.aside = MeetingAside(
            own.velero, own.run, own.clock, own.progress, partial(fault, there, own.run)
        )
        return judgement_of(drill, drill.clock)

    return judged


def _around(fault: AroundDrill) -> Callable[[Stage], Judgement]:
    def judged(stage: Stage) -> Judgement:
        with fault(stage.there):
            drill = stage.make(stage.payload)
            return judgement_of(drill, drill.clock)

    return judged


def _at(
    face: Callable[[Stage], AbstractContextManager[stores.Face]],
) -> Callable[[Stage], Judgement]:
    """Another store, as the drill itself meets it; Velero keeps to the site's."""

    def judged(stage: Stage) -> Judgement:
        with face(stage) as met:
            trust = met.ca_pem or stage.payload.ca_pem
            update = {"endpoint": met.url, "ca_pem": trust}
            drill = stage.make(stage.payload.model_copy(update=update))
            return judgement_of(drill, drill.clock)

    return judged


def _off_by(skew: datetime.timedelta) -> Callable[[Stage], Judgement]:
    """The clock of the drill alone: its marks in the cluster keep the right times."""

    def judged(stage: Stage) -> Judgement:
        drill = stage.make(stage.payload)
        true = drill.course.clock
        drill.course.clock = Clock(true.monotonic, lambda: true.now() + skew)
        return judgement_of(drill, drill.clock)

    return judged


def _too_weak(stage: Stage) -> Judgement:
    payload = stage.payload
    if payload.evidence is None:
        raise NotPlantedError("the site keeps no evidence, so it has no client that reads nothing")
    weak = payload.client(payload.evidence.client)
    reader = payload.client(READER).model_copy(
        update={"access_key": weak.access_key, "secret_key": weak.secret_key}
    )
    others = [one for one in payload.clients if one.name != READER]
    drill = stage.make(payload.model_copy(update={"clients": (reader, *others)}))
    return judgement_of(drill, drill.clock)


@contextmanager
def _nobody(_stage: Stage) -> Iterator[stores.Face]:
    with stores.nobody() as face:
        yield face


@contextmanager
def _expired(stage: Stage) -> Iterator[stores.Face]:
    with stores.expired(stage.there.clock.now()) as face:
        yield face


FAULTS: tuple[Fault, ...] = (
    Fault("store-down", "nothing listens where the drill looks for the store",
          Reason.STORE_UNREACHABLE, _at(_nobody)),
    Fault("certificate-expired", "the certificate that the drill is shown has ended",
          Reason.TLS_EXPIRED, _at(_expired)),
    Fault("credential-too-weak", "the drill has the key of a client that reads nothing",
          Reason.POLICY_TOO_NARROW, _too_weak),
    Fault("clock-behind", "the clock of the drill is an hour behind", Reason.CLOCK_SKEW,
          _off_by(-_HOUR)),
    Fault("clock-ahead", "the clock of the drill is an hour ahead", Reason.CLOCK_SKEW,
          _off_by(_HOUR)),
    Fault("webhook-refuses", "an admission webhook refuses what is restored",
          Reason.RESTORE_FAILED, _in_restore(cluster_faults.webhook_refuses),
          frozenset({KUBE_OBJECTS})),
    Fault("quota-too-small", "a quota leaves no room for what is restored",
          Reason.RESTORE_FAILED, _in_restore(cluster_faults.quota_too_small),
          frozenset({KUBE_OBJECTS})),
    Fault("node-agent-gone", "no node runs Velero's agent", Reason.RESTORE_FAILED,
          _in_restore(cluster_faults.node_agent_gone), frozenset({VOLUMES})),
    Fault("velero-gone", "Velero's server runs nowhere", Reason.RESTORE_TIMEOUT,
          _in_restore(cluster_faults.velero_gone, SHORT_SECONDS)),
    Fault("location-unreachable", "Velero's location names an address where nothing listens",
          Reason.STORE_UNREACHABLE, _around(cluster_faults.location_unreachable)),
    Fault("location-key-unknown", "Velero's location names a key that the store does not know",
          Reason.KEY_UNKNOWN, _around(cluster_faults.location_key_unknown)),
)  # fmt: skip
