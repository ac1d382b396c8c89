"""Reasons not to begin with Longhorn in this cluster; pure functions on what was seen.

A finding is one sentence: the key or the object, what was seen, what to do.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from components.longhorn import bindings, coverage, places, releases, tuning
from components.object_store.in_cluster import shared_fate
from components.settings import InClusterStore
from components.settings.longhorn import Longhorn
from components.settings.longhorn_targets import DEFAULT_TARGET, authority
from kube.facts import ClusterFacts
from kube.longhorn.api import DRIVER
from kube.longhorn.seen import SeenLonghorn

_KEY = "config backstop:longhorn"
CHARTS_CLASS = "longhorn"
RELEASE = ("kubernetes:helm.sh/v3:Release", "longhorn")
# What Longhorn's chart says of the default target, by the keys that its manager reads.
_CHART_KEYS = ("backup-target", "backup-target-credential-secret", "backupstore-poll-interval")
Resources = frozenset[tuple[str, str]]


def findings(
    longhorn: Longhorn,
    site: str,
    facts: ClusterFacts,
    recorded: Resources,
    wanted: Mapping[str, places.Place],
) -> list[str]:
    """Every reason not to begin. `recorded`: (type, name) of what the state has; `wanted`: where
    each target is to lie.
    """
    if longhorn.install is not None:
        version, faults = chart_version(longhorn)
        found = [*faults, *_install_findings(longhorn, facts, recorded, version)]
    else:
        version = facts.longhorn.version if facts.longhorn else ""
        found = list(_presence_findings(longhorn, facts))
    seen = facts.longhorn
    parsed = releases.parse(version)
    if parsed is not None and parsed.number >= releases.LEAST:
        found += [
            f"{_KEY}.settings.{key}: Longhorn {parsed} has no such setting; take it out"
            for key in tuning.too_new(longhorn.settings.given, parsed.line)
        ]
    if seen is not None:
        found += _target_findings(longhorn, seen, wanted)
        found += coverage.findings(longhorn, site, seen)
        if longhorn.install is None:
            found += _chart_findings(longhorn, seen)
    return [*found, *coverage.class_findings(longhorn, facts), *_authority_findings(longhorn)]


def _authority_findings(longhorn: Longhorn) -> Iterator[str]:
    for name, one in longhorn.targets.items():
        try:
            authority(name, one)
        except ValueError as error:
            yield f"config backstop:{error}"


def chart_version(longhorn: Longhorn) -> tuple[str, list[str]]:
    """The version of the chart that is installed, and what is wrong with a chart given by path."""
    if longhorn.install is None:
        return "", []
    chart = longhorn.install.chart
    if chart.path is None:
        return chart.version, []
    key = f"{_KEY}.install.chart.path"
    try:
        found: Any = yaml.safe_load((Path(chart.path) / "Chart.yaml").read_text())
        version = str(found["version"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return "", [
            f"{key}: {chart.path} is no folder with a Chart.yaml that names its version; correct "
            "the path, which counts from the project's folder, or give repository and version"
        ]
    fault = releases.install_fault(version)
    return version, [f"{key}: {fault}"] if fault else []


def _presence_findings(longhorn: Longhorn, facts: ClusterFacts) -> Iterator[str]:
    if facts.longhorn is None:
        older = any(one.startswith("longhorn.io/") for one in facts.served)
        said = (
            "serves only older kinds of longhorn.io; upgrade Longhorn"
            if older
            else "has no Longhorn; add install, or install it first"
        )
        yield f"{_KEY}: the cluster at {facts.server} {said}"
        return
    if longhorn.namespace not in facts.namespaces:
        yield (
            f"{_KEY}.namespace: the cluster has no namespace {longhorn.namespace}; give the one "
            "that Longhorn runs in"
        )
        return
    if not facts.longhorn.version:
        yield (
            f"{_KEY}.namespace: namespace {longhorn.namespace} has no setting "
            "current-longhorn-version; give the namespace that Longhorn runs in, or wait until its "
            "managers run"
        )
        return
    fault = releases.seen_fault(facts.longhorn.version)
    if fault:
        yield f"{_KEY}: Longhorn in namespace {longhorn.namespace} {fault}"


def _install_findings(
    longhorn: Longhorn, facts: ClusterFacts, recorded: Resources, version: str
) -> Iterator[str]:
    # A new state finds what a former one of this site installed by the mark of its namespace.
    ours = RELEASE in recorded or ("Namespace", "", longhorn.namespace) in facts.ours
    if facts.longhorn is not None and not ours:
        yield (
            f"{_KEY}.install: the cluster has a Longhorn {facts.longhorn.version} that this site "
            "did not install, and two of them would work on the same disks; take install out"
        )
    elif facts.longhorn is not None:
        fault = releases.upgrade_fault(facts.longhorn.version, version)
        if fault:
            yield f"{_KEY}.install.chart.version: {fault}"
    chart = releases.parse(version)
    if chart and chart.line < releases.WITHOUT_CLASS and CHARTS_CLASS in longhorn.storage_classes:
        yield (
            f"{_KEY}.storageClasses.{CHARTS_CLASS}: the chart of Longhorn {chart} makes a class of "
            "that name itself; name ours otherwise, or give storageClasses: {}"
        )
    kubernetes = releases.parse(facts.version)
    if kubernetes is not None and kubernetes.line < releases.KUBERNETES:
        least = ".".join(map(str, releases.KUBERNETES))
        yield f"{_KEY}.install: Kubernetes {kubernetes} is older than {least}; upgrade it first"


def _target_findings(
    longhorn: Longhorn, seen: SeenLonghorn, wanted: Mapping[str, places.Place]
) -> Iterator[str]:
    held = {one.name: one for one in seen.targets}
    changed = []
    for name, place in wanted.items():
        there = held.get(name)
        if there is None or not there.url:
            continue
        if places.same(there.url, place.url):
            continue
        changed.append(name)
        if not (name == DEFAULT_TARGET and longhorn.target.take_over):
            yield _moved(longhorn, name, there.url, place.url)
    for name, one in held.items():
        for other, place in wanted.items():
            if name not in wanted and places.same(one.url, place.url):
                yield (
                    f"{_KEY}.target: the target {name} in the cluster lies at {place.url} already, "
                    f"and Longhorn takes no second one ({other}) there; remove that one, or give "
                    "another prefix"
                )
    standby = [one.told for one in seen.volumes if one.standby]
    if changed and standby:
        yield (
            f"{_KEY}.target: the volume {standby[0]} follows another cluster's backups, and while "
            f"it does Longhorn lets no target be changed ({changed[0]}); activate or remove it"
        )


def _moved(longhorn: Longhorn, name: str, there: str, wanted: str) -> str:
    key, cure = f"{_KEY}.targets.{name}", "give this one another name"
    if name == DEFAULT_TARGET:
        key = f"{_KEY}.target"
        cure = "set prefix so that it stays, or accept that with takeOver: true"
    return (
        f"{key}: the target {name} in namespace {longhorn.namespace} lies at {there}, not at "
        f"{wanted}, and its backups would be lost from the cluster's sight; {cure}"
    )


def _chart_findings(longhorn: Longhorn, seen: SeenLonghorn) -> Iterator[str]:
    said = [key for key in _CHART_KEYS if key in seen.chart_target]
    if said:
        yield (
            f"{_KEY}.target: Longhorn's own chart says {said[0]} and puts it back at each start of "
            "its managers; set its value defaultBackupStore to null, for a target has one owner"
        )
    for name, value in tuning.by_object(longhorn.settings.given).items():
        other = seen.chart_settings.get(name)
        if other is not None and not _equal(other, value):
            chart = next(one.chart for one in tuning.SETTINGS.values() if one.name == name)
            yield (
                f"{_KEY}.settings.{chart}: Longhorn's own chart says {other!r} and puts that back "
                "whenever it differs; take the value out of the chart's defaultSettings, or null "
                "it here"
            )


def _equal(chart: str, ours: str) -> bool:
    """Whether the chart's spelling means our value; one value may stand for every engine."""
    if chart == ours:
        return True
    try:
        held = yaml.safe_load(ours)
    except yaml.YAMLError:
        return False
    return isinstance(held, dict) and set(held.values()) == {chart}


def warnings(longhorn: Longhorn, facts: ClusterFacts, recorded: Resources) -> list[str]:
    """What may go on, and should not for long. `recorded`: as for `findings`."""
    seen = facts.longhorn
    unbound = bindings.warnings(longhorn, seen, recorded)
    if seen is None:
        return [*unbound]
    found = []
    fault = None if longhorn.install else releases.seen_warning(seen.version)
    if fault:
        found.append(f"Longhorn in namespace {longhorn.namespace} {fault}")
    images = (one.image for one in facts.snapshot_controllers)
    older = releases.snapshotter_warning(seen.version, images)
    if older:
        found.append(older)
    bound = bindings.bindings(longhorn, seen, recorded).bound
    return [*found, *coverage.warnings(longhorn, seen, bound), *unbound]


def store_findings(store: object, facts: ClusterFacts) -> list[str]:
    """A sentence if the store that takes the backups keeps its own data on Longhorn."""
    if not isinstance(store, InClusterStore) or store.acknowledge_shared_fate:
        return []
    drivers = {one.name: one.provisioner for one in facts.storage_classes}
    if shared_fate.driver_of(store, drivers.get(store.storage.class_name or "")) != DRIVER:
        return []
    return [
        f"{_KEY}: the object store keeps its data on a volume of Longhorn in the same cluster, so "
        "that each would need the other to be restored first; give objectStore.storage another "
        "volume, or accept that with objectStore.acknowledgeSharedFate: true"
    ]
