"""Reasons not to begin with Velero in this cluster on this store; pure functions on what was seen.

A finding is one sentence: the key or the object, what was seen, what to do.
"""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from components.settings.velero import Velero
from components.velero import filters
from components.velero.location import moved_finding, places
from kube.facts import SNAPSHOT_CRDS, ClusterFacts

# What Velero puts at the root of a bucket or prefix; it refuses a location that holds more.
OWN_FOLDERS = frozenset({"backups", "restores", "restic", "metadata", "plugins", "kopia"})
_KEY = "config backstop:velero"


def findings(
    velero: Velero,
    site: str,
    facts: ClusterFacts,
    *,
    bucket: str,
    in_bucket: Iterable[str],
    classes: bool,
    installs_crds: bool,
    makes: Collection[str] = (),
) -> list[str]:
    """Everything that is in the way: chart, cluster, and the folder of the bucket.

    `in_bucket`: top-level names of that folder. `classes`: the site declares snapshot classes.
    `makes`: namespaces that this program adds.
    """
    csi = velero.snapshots_volumes(classes=classes)
    foreign = folder_finding(bucket, velero.location.prefix, in_bucket)
    return [
        *chart_findings(velero),
        *cluster_findings(
            velero,
            site,
            facts,
            bucket=bucket,
            csi=csi,
            installs_crds=installs_crds,
            makes=makes,
        ),
        *([foreign] if foreign else []),
    ]


def cluster_findings(
    velero: Velero,
    site: str,
    facts: ClusterFacts,
    *,
    bucket: str,
    csi: bool,
    installs_crds: bool,
    makes: Collection[str] = (),
) -> list[str]:
    """What in the cluster is in the way.

    `bucket`: of the store's client velero. `installs_crds`: this program adds snapshot CRDs.
    `makes`: namespaces that it adds.
    """
    held = [one for one in facts.locations if one.namespace == velero.namespace]
    moved = moved_finding(
        velero.location, bucket, {one.name: (one.bucket, one.prefix) for one in held}
    )
    return [
        *([moved] if moved else []),
        *_snapshot_crds(facts, csi=csi, installs_crds=installs_crds),
        *_namespaces(velero, facts, makes),
        *_foreign_velero(site, facts),
        *_defaults(velero, facts),
    ]


def _snapshot_crds(facts: ClusterFacts, *, csi: bool, installs_crds: bool) -> Iterable[str]:
    missing = [name for name in SNAPSHOT_CRDS if name not in facts.crds]
    if csi and missing and not installs_crds:
        yield (
            f"{_KEY}.csi: the cluster at {facts.server} has no CRD {missing[0]}, and backups with "
            "CSI snapshots fail without it; add snapshots, which installs it, or set csi off"
        )


def _namespaces(velero: Velero, facts: ClusterFacts, makes: Collection[str]) -> Iterable[str]:
    for name, schedule in velero.schedules.items():
        for namespace in filters.plain_names(schedule.included_namespaces):
            if namespace not in facts.namespaces and namespace not in makes:
                there = ", ".join(sorted(facts.namespaces))
                yield (
                    f"{_KEY}.schedules.{name}.includedNamespaces: the cluster has no namespace "
                    f"{namespace} (there: {there}); correct the name, or make it first"
                )


def _foreign_velero(site: str, facts: ClusterFacts) -> Iterable[str]:
    """A Velero that somebody else installed: two of them would both act on every volume."""
    ours = {one.namespace for one in facts.locations if one.site == site}
    foreign = [one for one in facts.locations if one.namespace not in ours]
    if foreign:
        one = foreign[0]
        owner = "without a site's mark" if one.site is None else f"of site {one.site}"
        yield (
            f"{_KEY}.namespace: namespace {one.namespace} has a location {one.name} {owner}, so "
            "another Velero is installed there; remove that one (its backups stay in its bucket), "
            "or leave velero out of this site"
        )


def _defaults(velero: Velero, facts: ClusterFacts) -> Iterable[str]:
    declared = {place.name for place in places(velero.location)}
    others = [
        one.name
        for one in facts.locations
        if one.namespace == velero.namespace and one.default and one.name not in declared
    ]
    if others:
        yield (
            f"{_KEY}.location: {others[0]} is a default location in the cluster beside "
            f"{velero.location.name}, and Velero would take either; delete it (velero "
            f"backup-location delete {others[0]}), or put it under location.former"
        )


def folder_finding(bucket: str, prefix: str, top: Iterable[str]) -> str | None:
    """A sentence if the bucket's folder holds what is not Velero's. `top`: its top-level names."""
    foreign = sorted(name for name in (one.strip("/") for one in top) if name not in OWN_FOLDERS)
    if not foreign:
        return None
    place = f"{bucket}/{prefix}" if prefix else bucket
    named = ", ".join(foreign[:3]) + (" ..." if len(foreign) > 3 else "")  # noqa: PLR2004
    return (
        f"{_KEY}.location: {place} holds {named}, which is not Velero's, and Velero refuses such a "
        "place; give clients.velero.bucket a bucket of its own, or velero.location a new name and "
        "prefix"
    )


def chart_findings(velero: Velero, exists: Callable[[Path], bool] = Path.exists) -> list[str]:
    """A chart given by path must be there, as a folder with a Chart.yaml or as an archive."""
    path = velero.chart.path
    if path is None:
        return []
    found = Path(path)
    if exists(found / "Chart.yaml") or (found.suffix == ".tgz" and exists(found)):
        return []
    return [
        f"{_KEY}.chart.path: {path} is no chart (a folder with Chart.yaml, or a .tgz); correct the "
        "path, which counts from the project's folder, or give repository and version"
    ]
