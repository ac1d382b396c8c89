"""What drills left in a cluster: what to remove now, in which order, and what to leave and why.

Only runs that are over (drills/sandbox/found.py) are touched. The parts of one go in an order that
loses neither data nor the knowledge of whose they are: storage of restored volumes is marked for
removal while their claims are there; Velero's Restore objects go before the namespaces, and only
once Velero has ended or lost them, for a restore that is still running makes its namespaces anew;
the ConfigMap goes last, as the mark by which volumes without a mark of their own are known.
"""

import datetime
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, Literal

from drills.coverage.live import namespace_of
from drills.sandbox.found import Found, over, owner_of
from drills.sandbox.marks import PREFIX, MarkError, Run, read, run_id_of
from drills.sandbox.modifiers import INERT_NAME
from kube.errors import one_line
from kube.velero.api import ENDED, Object, labels, moment, name, phase

STUCK_AFTER = datetime.timedelta(minutes=10)
"""How long a deletion may take before somebody has to look why."""

RESTORE_LABEL = "velero.io/restore-name"
RESTORE_UID_LABEL = "velero.io/restore-uid"
_PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"


class Stage(IntEnum):
    """The order of the steps; those of one stage may go together, and are waited for."""

    RELEASE = 1
    RESTORES = 2
    NAMESPACES = 3
    SNAPSHOTS = 4
    VOLUMES = 5
    MARKS = 6


@dataclass(frozen=True)
class Step:
    """`release`: set a PersistentVolume's reclaim policy to Delete, so that its storage goes.

    `version`: delete this very state of it, or nothing; "" whatever it has become.
    """

    stage: Stage
    action: Literal["delete", "release"]
    kind: str
    namespace: str
    name: str
    version: str = ""


@dataclass(frozen=True)
class Left:
    """What stays, and why. `debris`: it should be gone, and somebody has to look."""

    kind: str
    namespace: str
    name: str
    why: str
    debris: bool


@dataclass(frozen=True)
class Sweep:
    """`steps` in the order they are to be taken. `busy`: restores of runs that are over, which
    Velero still works on."""

    steps: tuple[Step, ...]
    left: tuple[Left, ...]
    busy: tuple[str, ...] = ()


def sweep(
    found: Found,
    site: str,
    now: datetime.datetime,
    *,
    own: str | None = None,
    known: Collection[str] = (),
    lost: Collection[str] = (),
    layer: str = "",
) -> Sweep:
    """`own`: id of the run that asks, whose things go although it is alive, but for its Lease.

    `layer`: of which runs that may live are told, "" for every one: those of others are no concern.

    `known`: ids of runs of this site that are over, from receipts; volumes of a run of which
    nothing else is left are removed only then.

    `lost`: uids of restores that have not ended and that Velero does not work on any more
    (drills/sandbox/stillness.py); they go as if they had.
    """
    broom = _Broom(found, site, now, own, frozenset(known), frozenset(lost), layer)
    results = [*broom.marked(), *broom.snapshots(), *broom.volumes()]
    steps = [one for one in results if isinstance(one, Step)]
    return Sweep(
        steps=tuple(sorted(steps, key=lambda one: (one.stage, one.namespace, one.name))),
        left=tuple(one for one in results if isinstance(one, Left)),
        busy=tuple(sorted(broom.worked_on)),
    )


_Result = Step | Left


@dataclass(frozen=True)
class _Broom:
    found: Found
    site: str
    now: datetime.datetime
    own: str | None
    known: frozenset[str]
    lost: frozenset[str]
    layer: str

    @cached_property
    def _all(self) -> list[tuple[str, Stage, Object]]:
        held = self.found
        return [
            *(("Restore", Stage.RESTORES, one) for one in held.restores),
            *(("Namespace", Stage.NAMESPACES, one) for one in held.namespaces),
            *(("ConfigMap", Stage.MARKS, one) for one in held.config_maps),
            *(("Lease", Stage.MARKS, one) for one in held.leases),
        ]

    @cached_property
    def _over(self) -> frozenset[str]:
        return over(self.found, self.site, self.now, own=self.own, known=self.known)

    @cached_property
    def worked_on(self) -> Mapping[str, str]:
        """Restores of runs that are over, which Velero is not done with, and their runs."""
        return {
            name(one): owner.run_id
            for one in self.found.restores
            if (owner := owner_of(one)) is not None
            and owner.run_id in self._over
            and phase(one) not in {*ENDED, "", "New"}
            and str(one["metadata"].get("uid")) not in self.lost
        }

    @cached_property
    def _busy(self) -> frozenset[str]:
        return frozenset(self.worked_on.values())

    @cached_property
    def _restore_uids(self) -> frozenset[str]:
        return frozenset(
            str(one["metadata"].get("uid"))
            for one in self.found.restores
            if (owner := owner_of(one)) is not None
            and owner.site == self.site
            and owner.run_id in self._over - self._busy
        )

    def marked(self) -> Iterator[_Result]:
        for kind, stage, one in self._all:
            result = self._marked(kind, stage, one)
            if result is not None:
                yield result

    def _marked(self, kind: str, stage: Stage, one: Object) -> _Result | None:
        try:
            owner = read(one)
        except MarkError as error:
            return _left(kind, one, str(error), debris=True)
        if owner is None:
            return self._unmarked(kind, stage, one)
        if kind == "Lease" and owner.run_id == self.own:
            return None  # it is given back by its own run, when all else is gone
        if self.layer not in ("", owner.layer) and owner.run_id not in self._over:
            return None
        why, debris = self._keep(kind, owner, one)
        if why:
            return _left(kind, one, why, debris=debris)
        # A Lease of another layer may be taken at any moment.
        version = str(one["metadata"].get("resourceVersion") or "") if kind == "Lease" else ""
        return Step(stage, "delete", kind, namespace_of(one), name(one), version)

    def _unmarked(self, kind: str, stage: Stage, one: Object) -> _Result | None:
        if kind == "ConfigMap" and labels(one).get(RESTORE_UID_LABEL) in self._restore_uids:
            # Velero's own note of a restore; it removes them unless it is killed.
            return Step(stage, "delete", kind, namespace_of(one), name(one))
        if kind == "Namespace" and run_id_of(name(one)) is not None:
            why = "it has a drill's name and no mark; look what it is, and delete it by hand"
            return _left(kind, one, why, debris=True)
        return None

    def _keep(self, kind: str, owner: Run, one: Object) -> tuple[str, bool]:
        """Why something marked stays, "" if it goes; and whether that is debris."""
        if owner.site != self.site:
            return f"it is of site {owner.site}", False
        if owner.run_id not in self._over:
            return f"run {owner.run_id} may be alive until {owner.until:%H:%M:%S} UTC", False
        if not name(one).startswith(PREFIX):
            return "it has a drill's mark and another name; remove the mark if it is not one", True
        deleted = moment((one.get("metadata") or {}).get("deletionTimestamp"))
        if deleted is not None:
            stuck = self.now - deleted > STUCK_AFTER
            return f"it is being deleted since {deleted:%H:%M:%S} UTC{_obstacles(one)}", stuck
        if owner.run_id in self._busy:
            what = "Velero still works on it" if kind == "Restore" else "its restore still runs"
            return f"{what}; the next run removes it", True
        return "", False

    def snapshots(self) -> Iterator[_Result]:
        """VolumeSnapshotContents that Velero made for a restore; they name the saved snapshot."""
        for one in self.found.contents:
            run_id = run_id_of(labels(one).get(RESTORE_LABEL, ""))
            if run_id is None or run_id not in self._over - self._busy:
                continue
            policy = (one.get("spec") or {}).get("deletionPolicy")
            if policy != "Retain":
                why = f"its deletion policy is {policy}, so the backup's snapshot would go with it"
                yield _left("VolumeSnapshotContent", one, why, debris=True)
            else:
                yield Step(Stage.SNAPSHOTS, "delete", "VolumeSnapshotContent", "", name(one))

    def volumes(self) -> Iterator[_Result]:
        shared = Counter(_handle(one) for one in self.found.volumes)
        for one in self.found.volumes:
            run_id = run_id_of(str(_claim(one).get("namespace") or ""))
            if run_id is None or run_id in self._busy:
                continue
            if run_id not in self._over:
                if self._has_sandbox(one):
                    continue  # of a living run
                why = "its sandbox is gone, and nothing tells whose it was; look, delete it by hand"
                yield _left("PersistentVolume", one, why, debris=True)
                continue
            result = self._volume(one, shared[_handle(one)] > 1)
            if result is not None:
                yield result

    def _has_sandbox(self, volume: Object) -> bool:
        return any(name(one) == _claim(volume).get("namespace") for one in self.found.namespaces)

    def _volume(self, one: Object, shared: bool) -> _Result | None:
        """Storage goes only if it was made for the sandbox; other volumes only lose their object.

        A volume that Velero restored as it was bears the restore's label and names live storage.
        """
        retained = (one.get("spec") or {}).get("persistentVolumeReclaimPolicy") == "Retain"
        as_it_was = labels(one).get(RESTORE_LABEL, "").startswith(PREFIX)
        foreign = as_it_was or shared or _claim(one).get("name") == INERT_NAME
        if foreign and not retained:
            why = "it names storage that is not the drill's, and its reclaim policy would remove it"
            return _left("PersistentVolume", one, f"{why}; set it to Retain", debris=True)
        if foreign:
            return Step(Stage.VOLUMES, "delete", "PersistentVolume", "", name(one))
        annotations = (one.get("metadata") or {}).get("annotations") or {}
        if _PROVISIONED_BY not in annotations:
            why = "nobody provisioned it for the sandbox, so its storage may be somebody's"
            return _left("PersistentVolume", one, why, debris=True)
        if retained:
            return Step(Stage.RELEASE, "release", "PersistentVolume", "", name(one))
        if phase(one) == "Failed":
            said = one_line((one.get("status") or {}).get("message") or "no reason given", 200)
            why = f"its storage could not be removed: {said}"
            return _left("PersistentVolume", one, why, debris=True)
        return None  # its storage goes with its claim


def _left(kind: str, one: Object, why: str, *, debris: bool) -> Left:
    return Left(kind, namespace_of(one), name(one), why, debris)


def _claim(volume: Object) -> Mapping[str, str]:
    held: Mapping[str, str] = (volume.get("spec") or {}).get("claimRef") or {}
    return held


def _handle(volume: Object) -> str:
    """What a volume's storage is known by; its own name where the driver tells none."""
    spec = volume.get("spec") or {}
    csi = spec.get("csi") or {}
    if csi.get("volumeHandle"):
        return f"{csi.get('driver')}/{csi['volumeHandle']}"
    return str(spec.get("nfs") or name(volume))


def _obstacles(one: Object) -> str:
    """What the namespace controller, or a finalizer, waits for."""
    conditions: Iterable[Any] = (one.get("status") or {}).get("conditions") or ()
    said = [
        str(each.get("message"))
        for each in conditions
        if each.get("status") == "True" and each.get("message")
    ]
    finalizers = (one.get("metadata") or {}).get("finalizers") or ()
    waiting = [*said, *(f"finalizer {each}" for each in finalizers)]
    return f": {one_line('; '.join(waiting), 200)}" if waiting else ""
