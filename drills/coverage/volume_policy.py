"""Volume policies as Velero reads them: which action a volume gets; the first that matches decides.

Source: internal/resourcepolicies of Velero 1.18.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import yaml

from kube.velero.api import Object, labels

SKIP, SNAPSHOT, FILE_SYSTEM = "skip", "snapshot", "fs-backup"
_VOLUME_TYPES = (
    "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "fc", "flocker",
    "flexVolume", "gcePersistentDisk", "glusterfs", "hostPath", "iscsi", "local", "nfs",
    "photonPersistentDisk", "portworxVolume", "quobyte", "rbd", "scaleIO", "storageos",
    "vsphereVolume",
)  # fmt: skip
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([KMGTPE]i|[numkMGTPE]?)")
_SUFFIXES = {
    "": Decimal(1), "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"),
    "k": Decimal("1e3"), "M": Decimal("1e6"), "G": Decimal("1e9"), "T": Decimal("1e12"),
    "P": Decimal("1e15"), "E": Decimal("1e18"),
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}  # fmt: skip

Policy = Sequence[Mapping[str, Any]]
"""The entries `volumePolicies`, each with `conditions` and `action`."""


class PolicyError(Exception):
    """A volume policy cannot be read; the text is one sentence."""


def from_config_map(config_map: Object) -> Policy:
    """The policy in a ConfigMap, which has exactly one key. Raises PolicyError."""
    called = str((config_map.get("metadata") or {}).get("name", ""))
    data = config_map.get("data") or {}
    try:
        (text,) = data.values()
        document = yaml.safe_load(text)
        entries = document.get("volumePolicies") or []
        if not all(isinstance(one["action"]["type"], str) for one in entries):
            raise ValueError
        for one in entries:
            _bounds((one.get("conditions") or {}).get("capacity"))
    except (ValueError, AttributeError, KeyError, TypeError, yaml.YAMLError):
        raise PolicyError(
            f"the volume policy in ConfigMap {called} is not as Velero reads it; correct "
            "velero.volumePolicy and run `up`"
        ) from None
    return list(entries)


def action(policy: Policy, claim: Object, volume: Object | None) -> str | None:
    """The type of the first action that matches; None if none does.

    `volume`: the claim's PersistentVolume; None while it has none. Conditions on the volume itself
    then match nothing but what asks nothing.
    """
    for entry in policy:
        conditions = entry.get("conditions") or {}
        if _all_match(conditions, claim, volume):
            return str(entry["action"]["type"])
    return None


def _all_match(conditions: Mapping[str, Any], claim: Object, volume: Object | None) -> bool:
    spec: Mapping[str, Any] = (volume or {}).get("spec") or {}
    classes = conditions.get("storageClass") or ()
    types = conditions.get("volumeTypes") or ()
    wanted: Mapping[str, str] = conditions.get("pvcLabels") or {}
    phases = conditions.get("pvcPhase") or ()
    return (
        _in_range(conditions.get("capacity"), spec)
        and (not classes or spec.get("storageClassName") in classes)
        and (not types or volume_type(spec) in types)
        and _nfs(conditions.get("nfs"), spec.get("nfs"))
        and _csi(conditions.get("csi"), spec.get("csi"))
        and wanted.items() <= labels(claim).items()
        and (not phases or (claim.get("status") or {}).get("phase") in phases)
    )


def volume_type(spec: Mapping[str, Any]) -> str:
    """Of a PersistentVolume's `spec`: "csi", "hostPath", "local", ...; "" for none."""
    return next((one for one in _VOLUME_TYPES if spec.get(one) is not None), "")


def _nfs(wanted: Mapping[str, str] | None, held: Mapping[str, str] | None) -> bool:
    if wanted is None:
        return True
    if held is None:
        return False
    return all(held.get(key) == wanted[key] for key in ("server", "path") if wanted.get(key))


def _csi(wanted: Mapping[str, Any] | None, held: Mapping[str, Any] | None) -> bool:
    if wanted is None:
        return True
    if held is None:
        return False
    if wanted.get("driver") and wanted["driver"] != held.get("driver"):
        return False
    asked: Mapping[str, str] = wanted.get("volumeAttributes") or {}
    return asked.items() <= (held.get("volumeAttributes") or {}).items()


def _in_range(capacity: str | None, spec: Mapping[str, Any]) -> bool:
    low, high = _bounds(capacity)
    size = quantity(str((spec.get("capacity") or {}).get("storage") or "0"))
    # An end of nothing is open; so "," and "0,0" take every size.
    return low <= size and (not high or size <= high)


def _bounds(capacity: object) -> tuple[Decimal, Decimal]:
    low, high = str(capacity or ",").split(",")
    return quantity(low.strip() or "0"), quantity(high.strip() or "0")


def quantity(text: str) -> Decimal:
    """A Kubernetes quantity such as "10Gi". Raises ValueError."""
    found = _QUANTITY.fullmatch(text)
    try:
        if found is None:
            raise InvalidOperation
        return Decimal(found[1]) * _SUFFIXES[found[2]]
    except InvalidOperation:
        raise ValueError(f"{text[:40]!r} is no quantity") from None
