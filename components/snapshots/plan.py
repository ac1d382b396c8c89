"""What is installed for snapshots, decided from what is there: pure functions.

What bears the site's mark, or stands in its state, was installed by an earlier run and stays the
program's. Taken for somebody else's it would be dropped, and installed again by the run after that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.cluster import SeenCluster
from components.settings import SnapshotClass, Snapshots
from components.snapshots import crds
from components.snapshots.crds import OFFICIAL
from kube.facts import (
    SNAPSHOT_CRDS,
    SNAPSHOT_GROUP,
    VELERO_CLASS_LABEL,
    ClusterFacts,
    Controller,
    VolumeSnapshotClass,
)

KEY = "config backstop:snapshots"
CRD_TYPE = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
CLASS_TYPE = f"kubernetes:{SNAPSHOT_GROUP}/v1:VolumeSnapshotClass"
DEPLOYMENT_TYPE = "kubernetes:apps/v1:Deployment"
CONTROLLER_RESOURCE = "snapshot-controller"
Resources = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class SnapshotPlan:
    """`crds`: documents to declare. `controller`: whether it is declared."""

    crds: tuple[Mapping[str, Any], ...]
    controller: bool
    classes: tuple[SnapshotClass, ...]


def plan(
    settings: Snapshots,
    documents: Mapping[str, Mapping[str, Any]],
    facts: ClusterFacts,
    recorded: Resources,
    site: str,
) -> SnapshotPlan:
    """What this run declares. `documents`: the CRDs of the config; `recorded`: (type, name)."""
    return SnapshotPlan(
        crds=tuple(
            documents[name]
            for name in sorted(documents)
            if name not in facts.crds or _own_crd(name, facts, recorded, site)
        ),
        controller=settings.controller == "auto"
        and not _foreign_controllers(facts, recorded, site),
        classes=settings.classes,
    )


def _own_crd(name: str, facts: ClusterFacts, recorded: Resources, site: str) -> bool:
    return facts.crds[name].site == site or (CRD_TYPE, name) in recorded


def _foreign_controllers(facts: ClusterFacts, recorded: Resources, site: str) -> list[Controller]:
    # Without its label our Deployment is still known by its name, where the state has it.
    unmarked_own = (DEPLOYMENT_TYPE, CONTROLLER_RESOURCE) in recorded
    return [
        one
        for one in facts.snapshot_controllers
        if one.site != site
        and not (unmarked_own and (one.namespace, one.name) == ("kube-system", CONTROLLER_RESOURCE))
    ]


def findings(
    settings: Snapshots,
    documents: Mapping[str, Mapping[str, Any]],
    facts: ClusterFacts,
    recorded: Resources,
    site: str,
) -> list[str]:
    """Every reason not to begin, each with key and cure."""
    return [
        *_crd_findings(documents, facts),
        *_controller_findings(settings, facts, recorded, site),
        *_class_findings(settings, facts, recorded, site),
    ]


def _crd_findings(documents: Mapping[str, Mapping[str, Any]], facts: ClusterFacts) -> list[str]:
    missing = [name for name in SNAPSHOT_CRDS if name not in facts.crds and name not in documents]
    if missing:
        return [
            f"{KEY}.crds.path: the cluster has no CRD {missing[0]} and no path gives one; write "
            f"the official ones with {OFFICIAL} and name that file"
        ]
    there = [name for name in SNAPSHOT_CRDS if name in facts.crds]
    if there and f"{SNAPSHOT_GROUP}/v1" not in facts.served:
        return [
            f"{KEY}: the cluster has {there[0]} and does not serve its version v1; bring the "
            f"snapshot CRDs up to date ({OFFICIAL})"
        ]
    return []


def _controller_findings(
    settings: Snapshots, facts: ClusterFacts, recorded: Resources, site: str
) -> list[str]:
    foreign = _foreign_controllers(facts, recorded, site)
    own = [one for one in facts.snapshot_controllers if one not in foreign]
    named = [f"{one.namespace}/{one.name}" for one in foreign]
    if len(foreign) > 1:
        return [
            f"{KEY}.controller: {' and '.join(named)} are both snapshot controllers, and they work "
            "against each other; remove one"
        ]
    if foreign and own and settings.controller == "auto":
        return [
            f"{KEY}.controller: {named[0]} is a second snapshot controller beside this site's own, "
            "and they work against each other; remove it, or set controller never"
        ]
    return []


def class_resource(name: str) -> str:
    """The resource name of the class `name`."""
    return f"snapshot-class-{name}"


def _class_findings(
    settings: Snapshots, facts: ClusterFacts, recorded: Resources, site: str
) -> list[str]:
    foreign = [
        one
        for one in facts.snapshot_classes
        if one.site != site and (CLASS_TYPE, class_resource(one.name)) not in recorded
    ]
    found = [
        f"{KEY}.classes: {one.name} exists and bears another mark than this site's; choose another "
        "name, or delete that class"
        for one in foreign
        if one.name in {declared.name for declared in settings.classes}
    ]
    declared_drivers = {one.driver for one in settings.classes}
    for driver in sorted({one.driver for one in foreign}):
        of_driver = [one for one in foreign if one.driver == driver]
        fault = _driver_fault(driver, of_driver, declared=driver in declared_drivers)
        if fault:
            found.append(f"{KEY}.classes: {fault}")
    return found


def _driver_fault(driver: str, classes: list[VolumeSnapshotClass], *, declared: bool) -> str | None:
    """Why Velero would not find exactly one class of `driver`, or None."""
    labelled = [one.name for one in classes if one.labelled]
    if declared and labelled:
        return (
            f"the class {labelled[0]} of {driver} bears the label {VELERO_CLASS_LABEL} too, and "
            "Velero would take either; remove that label, or the driver's class here"
        )
    if len(labelled) > 1:
        return (
            f"{' and '.join(labelled)} of {driver} both bear the label {VELERO_CLASS_LABEL}, and "
            "Velero would take either; remove one label"
        )
    chosen = labelled or [one.name for one in classes if one.default]
    if not declared and not chosen and len(classes) > 1:
        names = ", ".join(one.name for one in classes)
        return (
            f"none of the classes of {driver} ({names}) bears the label {VELERO_CLASS_LABEL}, and "
            "Velero would refuse to choose; label one, or declare one here"
        )
    return None


def warnings(settings: Snapshots, facts: ClusterFacts) -> list[str]:
    """What will not work yet, and may later: a driver that nobody has installed."""
    known = facts.drivers | {one.provisioner for one in facts.storage_classes}
    there = ", ".join(sorted(facts.drivers)) or "none"
    return [
        f"{KEY}.classes: the cluster has no CSI driver {one.driver} yet (there: {there}); no "
        "snapshot of it is taken until it is installed"
        for one in settings.classes
        if one.driver not in known
    ]


def decide(site: str, settings: Snapshots, seen: SeenCluster) -> tuple[SnapshotPlan, list[str]]:
    """The plan on the cluster that was seen, and every reason not to begin.

    Raises:
        SettingsError: the CRDs' file cannot be used.
    """
    documents = crds.read(settings.crds.path)
    facts, recorded = seen.facts, seen.recorded.resources
    faults = findings(settings, documents, facts, recorded, site)
    return plan(settings, documents, facts, recorded, site), faults
