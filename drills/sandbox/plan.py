"""The restore aside: Velero's Restore object, its modifiers, and what is known before it runs."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drills.coverage.live import Key, namespace_of
from drills.coverage.volume_info import Method, VolumeRecord
from drills.sandbox import kinds
from drills.sandbox.hold import Held, can_be_held
from drills.sandbox.kinds import NotRestored
from drills.sandbox.marks import Run
from drills.sandbox.modifiers import Claims, TooManyRulesError, modifiers
from drills.sandbox.patches import Change
from drills.sandbox.volumes import Fates, NoData, StorageClass, fates
from drills.sandbox.wish import Contents, PlanError, Wish, choose_namespaces
from drills.verdict import Reason
from kube.velero.api import GROUP, name

POD_VOLUME_TIMEOUT = "velero.io/pod-volume-timeout"


@dataclass(frozen=True)
class Consumer:
    """A claim in the sandbox whose volume is made only when a pod wants it.

    `during`: the data mover waits for that pod, so it has to be there while the restore runs.
    """

    namespace: str
    claim: str
    during: bool


@dataclass(frozen=True)
class Plan:
    """`mapping`: source namespaces and their sandboxes. `restore`, `config_map`: to be created.

    `pods`: how many pods the restore makes in each sandbox, none of which may run but the held
    ones. `changes`: what the comparison has to expect. `expected_warnings`: patterns of what Velero
    warns of although nothing is wrong; any other warning speaks against the restore.
    """

    mapping: Mapping[str, str]
    restore: dict[str, Any]
    config_map: dict[str, Any]
    pods: Mapping[str, int]
    changes: tuple[Change, ...]
    not_restored: tuple[NotRestored, ...]
    filled: Mapping[Key, VolumeRecord]
    empty: tuple[Key, ...]
    without_data: tuple[NoData, ...]
    held: tuple[Held, ...]
    consumers: tuple[Consumer, ...]
    expected_warnings: tuple[re.Pattern[str], ...]


def plan(
    run: Run,
    backup: str,
    contents: Contents,
    wish: Wish,
    *,
    classes: Mapping[str, StorageClass],
    velero_namespace: str,
) -> Plan:
    """`classes`: those of this cluster.

    Raises PlanError; ValueError on a wish that contradicts itself.
    """
    chosen, left = choose_namespaces(backup, contents, wish, velero_namespace)
    found = fates(contents.records, contents.claims, contents.pods, chosen if wish.volumes else ())
    if not wish.objects:
        chosen = sorted({one for one in chosen if _has_volumes(one, found)})
    if not chosen:
        raise PlanError(
            Reason.NOTHING_TO_CHECK,
            f"nothing that the drill asks for is in backup {backup}; choose other namespaces",
        )
    if found.held and wish.idle is None:
        raise ValueError("file-system copies are restored through pods; say what idles in them")
    _check_classes(contents, wish, found, classes)
    wanted = kinds.restored(
        objects=wish.objects,
        volumes=wish.volumes,
        copies=bool(found.held),
        custom=wish.custom,
    )
    mapping = run.namespaces(chosen)
    made = modifiers(
        run,
        mapping,
        services=[one for one in contents.services if namespace_of(one) in mapping],
        claims=_claims(found, wish) if wish.volumes else None,
        held=found.held,
        idle=wish.idle if found.held else None,
        custom=wish.custom if wish.objects else (),
    )
    try:
        config_map = made.config_map(run, velero_namespace)
    except TooManyRulesError as error:
        raise PlanError(Reason.TARGET_REFUSED, str(error)) from None
    return Plan(
        mapping=mapping,
        restore=restore(run, backup, mapping, wanted, wish=wish, velero_namespace=velero_namespace),
        config_map=config_map,
        pods=_pods(contents, mapping) if found.held else dict.fromkeys(mapping.values(), 0),
        changes=made.changes,
        not_restored=(*kinds.not_restored(contents.kinds, wanted), *left),
        filled=found.filled,
        empty=found.empty,
        without_data=found.without_data,
        held=tuple(found.held),
        consumers=tuple(_consumers(contents, wish, found, classes, mapping)),
        expected_warnings=_expected_warnings(),
    )


def restore(
    run: Run,
    backup: str,
    mapping: Mapping[str, str],
    wanted: Sequence[str],
    *,
    wish: Wish,
    velero_namespace: str,
) -> dict[str, Any]:
    """The Restore object. Whether cluster-scoped objects come is left to Velero on purpose.

    With `includeClusterResources: false` it would leave out the VolumeSnapshotContents and
    PersistentVolumes that the data of claims is found by; with `true` it would take all. Unset, it
    takes from the kinds that are wanted those that a restored claim asks for
    (pkg/restore/restore.go, restoreItem and getOrderedResourceCollection, in 1.18).
    """
    return {
        "apiVersion": GROUP,
        "kind": "Restore",
        "metadata": {
            "name": run.name(),
            "namespace": velero_namespace,
            "labels": run.labels(),
            "annotations": {POD_VOLUME_TIMEOUT: f"{wish.seconds}s"},
        },
        "spec": {
            "backupName": backup,
            "includedNamespaces": sorted(mapping),
            "namespaceMapping": dict(mapping),
            "includedResources": list(wanted),
            "existingResourcePolicy": "none",
            "itemOperationTimeout": f"{wish.seconds}s",
            "preserveNodePorts": False,
            "resourceModifier": {"kind": "ConfigMap", "name": run.name()},
            "restorePVs": wish.volumes,
        },
    }


def _has_volumes(namespace: str, found: Fates) -> bool:
    keys = [*found.filled, *((one.namespace, one.name) for one in found.held)]
    return any(key[0] == namespace for key in keys)


def _claims(found: Fates, wish: Wish) -> Claims:
    """Where a backup tells of a snapshot or copy, Velero waits until the claim has a volume.

    It does so for ten minutes and calls the restore a failure then
    (pkg/controller/restore_finalizer_controller.go in 1.18); so such a claim gets an empty one.
    """
    copied = [key for key, one in found.filled.items() if one.method is Method.FILE_SYSTEM]
    tried = [(one.namespace, one.claim) for one in found.without_data if one.tried]
    untried = [(one.namespace, one.claim) for one in found.without_data if not one.tried]
    return Claims([*copied, *found.empty, *tried], untried, wish.classes)


def _restored_claims(
    contents: Contents, wish: Wish, found: Fates
) -> Iterator[tuple[Key, VolumeRecord, str | None]]:
    """Claims with data, how it was taken, and the class they ask for once it was mapped."""
    for one in contents.claims:
        key = (namespace_of(one), name(one))
        if key in found.filled:
            asked: str | None = (one.get("spec") or {}).get("storageClassName")
            mapped = None if asked is None else wish.classes.get(asked, asked)
            yield key, found.filled[key], mapped


def _check_classes(
    contents: Contents, wish: Wish, found: Fates, classes: Mapping[str, StorageClass]
) -> None:
    for key, record, asked in _restored_claims(contents, wish, found):
        if asked is None:
            continue
        subject = f"StorageClass {asked or chr(34) * 2}, which claim {'/'.join(key)} asks for,"
        cure = "map it to one that does in the drill's storage classes"
        if asked not in classes:
            raise PlanError(
                Reason.TARGET_REFUSED, f"{subject} does not exist in this cluster; {cure}"
            )
        provisioner = classes[asked].provisioner
        snapshot = record.method is Method.CSI_SNAPSHOT and record.driver
        if snapshot and provisioner != record.driver:
            raise PlanError(
                Reason.TARGET_REFUSED,
                f"{subject} is of {provisioner}, and cannot read a snapshot of {record.driver}; "
                f"{cure}",
            )


def _pods(contents: Contents, mapping: Mapping[str, str]) -> dict[str, int]:
    counted = Counter(
        mapping[namespace_of(one)]
        for one in contents.pods
        if namespace_of(one) in mapping and can_be_held(one)
    )
    return {sandbox: counted[sandbox] for sandbox in mapping.values()}


def _consumers(
    contents: Contents,
    wish: Wish,
    found: Fates,
    classes: Mapping[str, StorageClass],
    mapping: Mapping[str, str],
) -> Iterator[Consumer]:
    for (namespace, called), record, asked in _restored_claims(contents, wish, found):
        # A copy is restored through a pod, which is its consumer.
        waits = asked is not None and classes[asked].waits
        if waits and record.method is not Method.FILE_SYSTEM:
            during = record.method is Method.DATA_MOVER
            yield Consumer(mapping[namespace], called, during)


def _expected_warnings() -> tuple[re.Pattern[str], ...]:
    """Of Velero 1.18, pkg/restore/restore.go, restoreItem."""
    return (
        # Kept volumes without data stand in the cluster already, and each new namespace gets the
        # cluster's CA by itself.
        re.compile(
            r'could not restore, (PersistentVolume "[^"]+"|ConfigMap "kube-root-ca\.crt") already '
            r"exists\. Warning: the in-cluster version is different than the backed-up version"
        ),
        # What a restored object asks for, and the backup left out as the drill does.
        re.compile(
            r"stat \S+/resources/(persistentvolumes|priorityclasses\.scheduling\.k8s\.io)/cluster/"
            r"\S+: no such file or directory"
        ),
    )
