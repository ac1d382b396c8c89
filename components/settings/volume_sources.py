"""Sources of a PersistentVolume that a store may lie on, and what each must say."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_PORTAL = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9a-fA-F:]+\](:[0-9]{1,5})?")
_IQN = re.compile(
    r"(iqn\.[0-9]{4}-[0-9]{2}\.[a-z0-9.-]+(:.+)?|eui\.[0-9A-Fa-f]{16}|naa\.[0-9A-Fa-f]+)"
)


@dataclass(frozen=True)
class VolumeSource:
    """One source of a PersistentVolume: the fields it must have and those it may have.

    `outside`: whether its data always lies outside the cluster; None: its fields do not tell.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    outside: bool | None


_CSI_SECRETS = tuple(
    f"{step}SecretRef"
    for step in ("controllerExpand", "controllerPublish", "nodeExpand", "nodePublish", "nodeStage")
)
SOURCES: Mapping[str, VolumeSource] = {
    "iscsi": VolumeSource(
        ("targetPortal", "iqn", "lun"),
        (
            "portals",
            "fsType",
            "readOnly",
            "iscsiInterface",
            "initiatorName",
            "chapAuthDiscovery",
            "chapAuthSession",
            "secretRef",
        ),
        outside=True,
    ),
    "nfs": VolumeSource(("server", "path"), ("readOnly",), outside=True),
    "fc": VolumeSource((), ("targetWWNs", "lun", "wwids", "fsType", "readOnly"), outside=True),
    "csi": VolumeSource(
        ("driver", "volumeHandle"),
        ("fsType", "readOnly", "volumeAttributes", *_CSI_SECRETS),
        outside=None,
    ),
    "local": VolumeSource(("path",), ("fsType",), outside=None),
    "hostPath": VolumeSource(("path",), ("type",), outside=None),
}
# Kubernetes no longer mounts these itself; their CSI drivers do.
LEFT_TO_CSI = frozenset(
    {
        "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "flexVolume",
        "flocker", "gcePersistentDisk", "glusterfs", "photonPersistentDisk", "portworxVolume",
        "quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume",
    }
)  # fmt: skip


def _wrong_iscsi(fields: Mapping[str, Any]) -> str | None:
    if not _PORTAL.fullmatch(str(fields["targetPortal"])):
        return f"targetPortal: {fields['targetPortal']} is no host or host:port"
    if not _IQN.fullmatch(str(fields["iqn"])):
        return f"iqn: {fields['iqn']} is no target's name; one looks like iqn.2026-01.lan.nas:store"
    lun = fields["lun"]
    if isinstance(lun, bool) or not isinstance(lun, int) or not 0 <= lun <= 255:  # noqa: PLR2004
        return "lun: give a whole number from 0 to 255"
    chap = fields.get("chapAuthSession") or fields.get("chapAuthDiscovery")
    secret = fields.get("secretRef")
    if chap and not (isinstance(secret, dict) and secret.get("name") and secret.get("namespace")):
        return (
            "secretRef: CHAP needs the name and namespace of a Secret of kubernetes.io/iscsi-chap"
        )
    return None


def _wrong_nfs(fields: Mapping[str, Any]) -> str | None:
    if not re.fullmatch(r"[A-Za-z0-9.:-]+", str(fields["server"])):
        return f"server: {fields['server']} is no host"
    return _wrong_path(fields)


def _wrong_path(fields: Mapping[str, Any]) -> str | None:
    path = str(fields["path"])
    if not path.startswith("/") or ".." in path.split("/"):
        return f"path: {path} is no absolute path without .."
    return None


def _wrong_fc(fields: Mapping[str, Any]) -> str | None:
    by_target = bool(fields.get("targetWWNs")) and "lun" in fields
    if by_target == bool(fields.get("wwids")):
        return "give either targetWWNs with lun, or wwids"
    return None


_WRONG: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = {
    "iscsi": _wrong_iscsi,
    "nfs": _wrong_nfs,
    "fc": _wrong_fc,
    "local": _wrong_path,
    "hostPath": _wrong_path,
}


def volume_fault(volume: Mapping[str, Any]) -> str | None:
    """What is wrong with a PersistentVolume's source ({"nfs": {…}}), or None."""
    if len(volume) != 1:
        named = ", ".join(sorted(volume)) or "nothing"
        return f"names {named}; give exactly one source, such as iscsi, nfs or csi"
    ((name, fields),) = volume.items()
    if name in LEFT_TO_CSI:
        return f"{name} is no longer mounted by Kubernetes itself; name its driver under csi"
    if name not in SOURCES:
        return f"{name} is no source of a PersistentVolume; known are {', '.join(sorted(SOURCES))}"
    fault = _wrong_fields(name, fields)
    return fault and f"{name}: {fault}"


def _wrong_fields(name: str, fields: object) -> str | None:
    source = SOURCES[name]
    if not isinstance(fields, Mapping):
        return f"give its fields, such as {', '.join(source.required) or 'wwids'}"
    missing = [key for key in source.required if fields.get(key) in (None, "")]
    unknown = sorted(set(fields) - {*source.required, *source.optional})
    if missing:
        return f"{', '.join(missing)} missing; every such volume needs it"
    if unknown:
        return f"{', '.join(unknown)} is no field of it; correct the spelling"
    if fields.get("readOnly"):
        return "readOnly: the store writes to its volume; leave it out"
    return _WRONG[name](fields) if name in _WRONG else None
