"""What the survey of a cluster is made from, as plain objects, and the indexes over them."""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from drills.coverage.scope import Scope, from_schedule
from drills.coverage.volume_info import VolumeRecord
from drills.coverage.volume_policy import Policy
from drills.sandbox.marks import LAYER_LABEL
from drills.verdict import Reason
from kube.velero.api import Object, moment, name

OPT_IN = "backup.velero.io/backup-volumes"
OPT_OUT = "backup.velero.io/backup-volumes-excludes"

Key = tuple[str, str]
"""Namespace and name of a claim."""


@dataclass(frozen=True)
class LastBackup:
    """The last completed backup of a schedule.

    `records` None: its list of volumes is missing. `namespaces`: those in it, from its list of
    resources; None if nobody looked, then the schedule's scope is believed.
    """

    name: str
    started: datetime.datetime
    records: Sequence[VolumeRecord] | None
    namespaces: frozenset[str] | None = None

    @cached_property
    def by_claim(self) -> Mapping[Key, VolumeRecord]:
        """Of several records of a claim, the one with data."""
        found: dict[Key, VolumeRecord] = {}
        for one in self.records or ():
            key = (one.namespace, one.claim)
            if key not in found or (one.has_data and not found[key].has_data):
                found[key] = one
        return found


@dataclass(frozen=True)
class Allowed:
    """What may stay unprotected. `claim` "": the namespace and all in it. Both may be globs.

    `by_design`: true of every site; nobody wrote it down, so nobody need remove it. Raises
    ValueError if nobody says why.
    """

    namespace: str
    why: str
    claim: str = ""
    by_design: bool = False

    def __post_init__(self) -> None:
        if not self.why.strip():
            raise ValueError(f"unprotected {self.shown}: say why it need not be protected")

    @property
    def shown(self) -> str:
        return f"{self.namespace}/{self.claim}" if self.claim else self.namespace

    def covers(self, namespace: str, claim: str = "") -> bool:
        if not fnmatchcase(namespace, self.namespace):
            return False
        return not self.claim or bool(claim and fnmatchcase(claim, self.claim))


@dataclass(frozen=True)
class Remark:
    """What was seen on the way to the backups: `count` of `what`, and a sentence.

    `reason` None: it is worth telling and proves nothing by itself.
    """

    what: str
    count: int
    why: str
    reason: Reason | None = None


@dataclass(frozen=True)
class Mount:
    """A pod that mounts a claim under the volume name `volume`."""

    pod: str
    volume: str
    labels: Mapping[str, str]
    node: str
    running: bool
    opted_in: bool
    opted_out: bool


@dataclass(frozen=True)
class Live:
    """The cluster as it is now, each kind as a list of the API server's objects.

    `backups`: by schedule. `policies`: by ConfigMap name. `node_agents`: nodes with a running node
    agent, None if unknown. `grace`: how long a new namespace or volume may wait for its first
    backup. `sizes`: bytes that earlier backups held of a claim, to tell what was emptied.
    `elsewhere`: the location of schedules that save to another one than the site's.
    """

    now: datetime.datetime
    namespaces: Sequence[Object]
    claims: Sequence[Object]
    volumes: Sequence[Object]
    pods: Sequence[Object]
    schedules: Sequence[Object]
    backups: Mapping[str, LastBackup]
    policies: Mapping[str, Policy] = field(default_factory=dict)
    node_agents: frozenset[str] | None = None
    grace: datetime.timedelta = datetime.timedelta(0)
    allowed: Sequence[Allowed] = ()
    sizes: Mapping[Key, int] = field(default_factory=dict)
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    remarks: Sequence[Remark] = ()

    @cached_property
    def scopes(self) -> tuple[Scope, ...]:
        return tuple(from_schedule(one) for one in self.schedules)

    @cached_property
    def namespace_labels(self) -> Mapping[str, Mapping[str, str]]:
        return {name(one): _labels(one) for one in self.namespaces}

    @cached_property
    def volume_by_name(self) -> Mapping[str, Object]:
        return {name(one): one for one in self.volumes}

    @cached_property
    def mounts(self) -> Mapping[Key, Sequence[Mount]]:
        """The pods that mount each claim, read once however many claims there are."""
        found: dict[Key, list[Mount]] = defaultdict(list)
        for pod in self.pods:
            for key, mount in _mounts(pod):
                found[key].append(mount)
        return found

    def is_young(self, created: datetime.datetime | None) -> bool:
        return created is not None and self.now - created <= self.grace


def created(found: Object) -> datetime.datetime | None:
    return moment((found.get("metadata") or {}).get("creationTimestamp"))


def namespace_of(found: Object) -> str:
    return str((found.get("metadata") or {}).get("namespace") or "")


def _labels(found: Object) -> Mapping[str, str]:
    held: Mapping[str, str] = (found.get("metadata") or {}).get("labels") or {}
    return held


def _mounts(pod: Object) -> Iterable[tuple[Key, Mount]]:
    if LAYER_LABEL in _labels(pod):
        return  # a reader of a drill's own uses nothing
    spec = pod.get("spec") or {}
    namespace = namespace_of(pod)
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    # Velero splits at commas and trims nothing, so neither does this.
    opted_in = str(annotations.get(OPT_IN) or "").split(",")
    opted_out = str(annotations.get(OPT_OUT) or "").split(",")
    for volume in spec.get("volumes") or ():
        claim = _claim(pod, volume)
        if claim:
            yield (
                (namespace, claim),
                Mount(
                    pod=name(pod),
                    volume=str(volume["name"]),
                    labels=_labels(pod),
                    node=str(spec.get("nodeName") or ""),
                    running=(pod.get("status") or {}).get("phase") == "Running",
                    opted_in=volume["name"] in opted_in,
                    opted_out=volume["name"] in opted_out,
                ),
            )


def _claim(pod: Object, volume: Mapping[str, Any]) -> str:
    named = (volume.get("persistentVolumeClaim") or {}).get("claimName")
    if named:
        return str(named)
    # The claim of a generic ephemeral volume is named after its pod and the volume.
    return f"{name(pod)}-{volume['name']}" if volume.get("ephemeral") else ""
