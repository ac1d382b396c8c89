"""The Lease by which a run is known to live: what stands in it, and what an observer makes of it.

Each layer has one, beside Velero. The run that holds it renews it for as long as it lives. Whether
one has run out is told as the leader election of client-go tells it (tools/leaderelection): it was
seen unchanged for as long as it is good, by the observer's own clock. The times in it are those of
its holder's clock, which may be wrong; they are for people only.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from drills.sandbox.marks import PREFIX, Run
from drills.sandbox.safety import Cause, Refusal
from kube.velero.api import Object, moment

LEASE_SECONDS = 60
"""How long a Lease is good, and so how long the next run waits after one that was killed.

Six renewals are in it: a run keeps it over a restart of the API server, of which most take half a
minute, and on a machine that has no time for it for a while. Taken from a run that lives, it costs
that run's whole drill; a shorter one would spare somebody a part of one minute, and only after a
run that was killed.
"""
RENEWALS = 6

_PATH = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
# Which process of which machine it is, for whoever has to find it.
BY_ANNOTATION = "backstop.io/drill-by"


def collection(namespace: str) -> str:
    return _PATH.format(namespace)


def lease_name(layer: str) -> str:
    return f"{PREFIX}{layer}"


def seconds_of(run: Run) -> int:
    """How long the Lease of a run is good: not longer than the run itself may live."""
    return max(1, min(LEASE_SECONDS, int((run.until - run.made).total_seconds())))


def content(run: Run, namespace: str, now: datetime.datetime, *, by: str = "") -> dict[str, Any]:
    """The Lease as a run takes it; creating it decides between two that begin at once."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": lease_name(run.layer),
            "namespace": namespace,
            "labels": run.labels(),
            "annotations": {BY_ANNOTATION: by},
        },
        "spec": {
            "holderIdentity": run.run_id,
            "leaseDurationSeconds": seconds_of(run),
            "acquireTime": shown(now),
            "renewTime": shown(now),
        },
    }


def shown(time: datetime.datetime) -> str:
    """A time as a Lease has it."""
    return time.astimezone(datetime.UTC).strftime(_TIME)


@dataclass(frozen=True)
class Holder:
    """Who holds a Lease. `by`: process and machine, "" where nobody says. `since`: None likewise.

    `seconds`: for how long each renewal is good.
    """

    run_id: str
    by: str
    since: datetime.datetime | None
    seconds: int

    @property
    def renews(self) -> bool:
        """Older versions took it once, for as long as a run could possibly live."""
        return self.seconds <= LEASE_SECONDS

    def __str__(self) -> str:
        whose = f" ({self.by})" if self.by else ""
        since = f", since {self.since:%H:%M:%S} UTC by its clock" if self.since else ""
        return f"run {self.run_id}{whose}{since}"


def holder(found: Object) -> Holder | None:
    """None if nobody holds it."""
    spec, metadata = found.get("spec") or {}, found.get("metadata") or {}
    run_id = str(spec.get("holderIdentity") or "")
    if not run_id:
        return None
    return Holder(
        run_id,
        str((metadata.get("annotations") or {}).get(BY_ANNOTATION) or ""),
        moment(spec.get("acquireTime")),
        int(spec.get("leaseDurationSeconds") or LEASE_SECONDS),
    )


def alive(one: Holder, layer: str) -> Refusal:
    return Refusal(
        Cause.RUNNING,
        f"{one} holds the Lease {lease_name(layer)} and renews it; wait for the end of that run",
    )


def never_renewed(found: Object, now: datetime.datetime) -> Refusal | None:
    """Whether the run of an older version that holds this Lease may be alive, by its times."""
    one = holder(found)
    renewed = moment((found.get("spec") or {}).get("renewTime"))
    if one is None or renewed is None:
        return None
    until = renewed + datetime.timedelta(seconds=one.seconds)
    if now >= until:
        return None
    return Refusal(
        Cause.RUNNING,
        f"{one} holds this drill's Lease without renewing it, and may be alive until "
        f"{until:%H:%M:%S} UTC; wait for it, or, if it was killed, until then",
    )


class Life(StrEnum):
    """What an observer knows of the holder of a Lease. RENEWED: it lives, or a third one came."""

    UNKNOWN = "unknown"
    RENEWED = "renewed"
    EXPIRED = "expired"


class Watch:
    """One observer of one Lease. Times are seconds of the observer's own monotonic clock."""

    def __init__(self) -> None:
        self._state: Mapping[str, Any] | None = None
        self._since: float | None = None

    @property
    def is_new(self) -> bool:
        return self._state is None

    def look(self, found: Object, seconds: float, now: float) -> Life:
        """`seconds`: for how long the Lease is good."""
        state = {"uid": (found.get("metadata") or {}).get("uid"), "spec": found.get("spec")}
        if self._state is not None and state != self._state:
            return Life.RENEWED
        self._state = state
        if self._since is None:
            self._since = now
        return Life.EXPIRED if now - self._since >= seconds else Life.UNKNOWN

    def interrupted(self) -> None:
        """The API server was away, and the holder could not renew it either: time begins anew."""
        self._since = None
