"""The live cluster and the last completed backup of each schedule, as the survey needs them.

The edge of the survey: it lists, and reads three small files a schedule out of the store. What a
cluster or a store refuses is raised; what a backup lacks is a remark, and the survey goes on.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drills import points
from drills.coverage import backup_files, volume_policy
from drills.coverage.backup_files import BackupFileError, Store
from drills.coverage.live import OPT_IN, OPT_OUT, Allowed, Key, LastBackup, Live, Remark
from drills.coverage.scope import from_schedule
from drills.coverage.volume_info import VolumeRecord
from drills.coverage.volume_policy import Policy, PolicyError
from drills.frame import Clock
from drills.points import Point, State
from drills.verdict import Reason
from kube.errors import Cause, ClusterError
from kube.velero.api import SCHEDULE_LABEL, Object, Velero, labels, name, phase

EARLIER_BACKUPS = 3
"""How many older backups are asked what a volume held that is now empty."""
NEEDED = datetime.timedelta(minutes=10)
"""A backup that expires sooner may vanish while its files are read."""

_CORE = "/api/v1"
_FAILED = frozenset({State.PARTIALLY_FAILED, State.FAILED, State.REFUSED, State.AHEAD_OF_CLOCK})
# By this label Velero itself finds its node agents (pkg/nodeagent/node_agent.go).
_AGENT = ("role", "node-agent")


def look(
    velero: Velero,
    store: Store,
    clock: Clock,
    *,
    location: str,
    allowed: Sequence[Allowed] = (),
    grace: datetime.timedelta = datetime.timedelta(0),
) -> Live:
    """The cluster as it is now.

    `store` reads the backup location `location`; `allowed`: the site's own exceptions, beside those
    of every site; `grace`: how long something new may wait for its first backup.

    Raises:
        ClusterError: the cluster is not reached, or refuses.
        StoreError: the store is not reached, or refuses; a file that is not there is a remark.
    """
    now = clock.now()
    schedules = velero.client.list(velero.collection("schedules"))
    shelves = _Shelves(velero, store, location, now)
    for schedule in schedules:
        shelves.take(schedule)
    pods = _pods(velero)
    policies, remarks = _policies(velero, schedules)
    return Live(
        now=now,
        namespaces=velero.client.list(f"{_CORE}/namespaces"),
        claims=velero.client.list(f"{_CORE}/persistentvolumeclaims"),
        volumes=velero.client.list(f"{_CORE}/persistentvolumes"),
        pods=pods,
        schedules=schedules,
        backups=shelves.last,
        policies=policies,
        node_agents=_node_agents(pods, velero.namespace),
        grace=grace,
        allowed=(*allowed, *by_design(velero.namespace)),
        sizes=shelves.sizes,
        elsewhere=shelves.elsewhere,
        remarks=(*shelves.remarks, *remarks),
    )


def by_design(velero: str) -> tuple[Allowed, ...]:
    """What no site needs to protect this way. `velero`: the namespace that Velero runs in."""
    return tuple(
        Allowed(namespace, why, by_design=True)
        for namespace, why in (
            (velero, "no backup may hold Velero's own namespace; it is built anew, and finds its "
                     "backups in the store"),
            ("longhorn-system", "Longhorn's objects name engines and replicas of this cluster; its "
                                "own system backup is what saves them"),
            ("kube-node-lease", "it holds the nodes' leases, which they renew every few seconds"),
        )
    )  # fmt: skip


@dataclass
class _Shelves:
    """The backups of one location, by schedule."""

    velero: Velero
    store: Store
    location: str
    now: datetime.datetime
    last: dict[str, LastBackup] = field(default_factory=dict)
    sizes: dict[Key, int] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)

    def __post_init__(self) -> None:
        client = self.velero.client
        self._backups: dict[str, list[Object]] = defaultdict(list)
        for one in client.list(self.velero.collection("backups")):
            self._backups[labels(one).get(SCHEDULE_LABEL, "")].append(one)
        self._deleting = [
            str((one.get("spec") or {}).get("backupName"))
            for one in client.list(self.velero.collection("deletebackuprequests"))
        ]

    def take(self, schedule: Object) -> None:
        """Reads the last completed backup of a schedule; one that makes none is passed over."""
        called = name(schedule)
        if from_schedule(schedule).off:
            return
        backups = self._backups.get(called, [])
        shelf = points.read(backups, self.now, deleting=self._deleting, needed=NEEDED)
        self._tell_failed(called, shelf)
        places = {name(one): _location(one) for one in backups}
        place = places[shelf.usable[-1].name] if shelf.usable else _template_location(schedule)
        if place and place != self.location:
            self.elsewhere[called] = place
            return
        here = [one for one in shelf.usable if places[one.name] == self.location]
        if here:
            self.last[called] = self._read(here[-1])
            self._earlier(self.last[called], here[-1 - EARLIER_BACKUPS : -1])

    def _tell_failed(self, schedule: str, shelf: points.Shelf) -> None:
        newer = shelf.newer_than(shelf.usable[-1]) if shelf.usable else shelf.unusable
        failed = [one for one in newer if one.state in _FAILED]
        if failed:
            since = f" since {shelf.usable[-1].name}" if shelf.usable else ""
            what = f"failed backups of schedule {schedule}{since}"
            self.remarks.append(Remark(what, len(failed), failed[-1].sentence))

    def _read(self, point: Point) -> LastBackup:
        records: tuple[VolumeRecord, ...] | None = None
        namespaces: frozenset[str] | None = None
        try:
            records = backup_files.volume_records(self.store, point.name)
        except BackupFileError as error:
            self._damaged(point.name, error)
        try:
            namespaces = backup_files.namespaces(self.store, point.name)
        except BackupFileError as error:
            self._damaged(point.name, error)
        return LastBackup(point.name, point.started, records, namespaces)

    def _damaged(self, backup: str, error: BackupFileError) -> None:
        what = f"a list of backup {backup}"
        self.remarks.append(Remark(what, 1, str(error), Reason.RESTORE_POINT_DAMAGED))

    def _earlier(self, last: LastBackup, older: Sequence[Point]) -> None:
        """Notes how much older backups held of volumes that the last one has as empty."""
        empty = {
            (one.namespace, one.claim): one.volume
            for one in last.records or ()
            if one.claim and one.has_data and one.size == 0
        }
        for point in reversed(older):
            if not empty:
                return
            try:
                records = backup_files.volume_records(self.store, point.name)
            except BackupFileError:
                # Only the newest has to stand; drills of older ones judge those.
                continue
            for key, size in _held(records, empty).items():
                self.sizes[key] = size
                del empty[key]


def _held(records: Iterable[VolumeRecord], wanted: Mapping[Key, str]) -> dict[Key, int]:
    """Bytes of the wanted claims, where they were on the same volume."""
    return {
        (one.namespace, one.claim): one.size
        for one in records
        if one.has_data
        and one.size
        and (one.namespace, one.claim) in wanted
        and one.volume == wanted[one.namespace, one.claim]
    }


def _location(backup: Object) -> str:
    return str((backup.get("spec") or {}).get("storageLocation") or "")


def _template_location(schedule: Object) -> str:
    """Where a schedule without a backup will save to; "" for Velero's default location."""
    return _location({"spec": (schedule.get("spec") or {}).get("template")})


def _pods(velero: Velero) -> list[dict[str, Any]]:
    """Every pod, without what the survey has no use for: they are most of what is listed."""
    found: list[dict[str, Any]] = []
    for page in velero.client.pages(f"{_CORE}/pods"):
        if page.anew:
            found.clear()
        found += [_slim(pod) for pod in page.items]
    return found


def _slim(pod: Object) -> dict[str, Any]:
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    notes = metadata.get("annotations") or {}
    mounted = ("persistentVolumeClaim", "ephemeral")
    return {
        "metadata": {
            "name": metadata.get("name"),
            "namespace": metadata.get("namespace"),
            "labels": metadata.get("labels") or {},
            "annotations": {key: notes[key] for key in (OPT_IN, OPT_OUT) if key in notes},
        },
        "spec": {
            "nodeName": spec.get("nodeName"),
            "volumes": [
                one for one in spec.get("volumes") or () if any(key in one for key in mounted)
            ],
        },
        "status": {"phase": phase(pod)},
    }


def _node_agents(pods: Iterable[Object], velero: str) -> frozenset[str]:
    key, value = _AGENT
    return frozenset(
        str(pod["spec"].get("nodeName"))
        for pod in pods
        if pod["metadata"].get("namespace") == velero
        and labels(pod).get(key) == value
        and phase(pod) == "Running"
    )


def _policies(
    velero: Velero, schedules: Sequence[Object]
) -> tuple[dict[str, Policy], list[Remark]]:
    """The volume policies by ConfigMap, and remarks on those that Velero would stumble over."""
    found: dict[str, Policy] = {}
    remarks: list[Remark] = []
    scopes = [from_schedule(schedule) for schedule in schedules]
    for called in sorted({scope.policy for scope in scopes if scope.policy and not scope.off}):
        path = f"{_CORE}/namespaces/{velero.namespace}/configmaps/{called}"
        try:
            found[called] = volume_policy.from_config_map(velero.client.get(path))
            continue
        except ClusterError as error:
            if error.cause is not Cause.MISSING:
                raise
            why = f"there is no ConfigMap {called}, and so Velero refuses the next backup; run `up`"
        except PolicyError as error:
            why = str(error)
        remarks.append(Remark(f"volume policy {called}", 1, why, Reason.UNPROTECTED))
    return found, remarks
