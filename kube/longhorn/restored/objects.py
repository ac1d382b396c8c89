"""The objects that bring volumes and their claims back."""

from collections.abc import Sequence
from typing import Any

from kube.longhorn.api import DRIVER, GROUP
from kube.longhorn.jobs import ENABLED, GROUP_PREFIX
from kube.longhorn.restored.chosen import Options, Restorable

# A group that no job serves: a restored volume without any label would be in `default` at once.
RESTORED_GROUP = "restored"
_ACCESS = {"rwo": "ReadWriteOnce", "rwop": "ReadWriteOncePod", "rwx": "ReadWriteMany"}


def volume_object(one: Restorable, options: Options) -> dict[str, Any]:
    """The Volume, which Longhorn fills from the backup as soon as it is there."""
    wanted = {
        "fromBackup": one.url,
        "size": str(one.size),
        "numberOfReplicas": options.replicas,
        "frontend": "blockdev",
        "dataEngine": "v1",
        "accessMode": one.access,
        "backupTargetName": options.target,
        **({"encrypted": True} if one.encrypted else {}),
        **({"backingImage": one.backing_image} if one.backing_image else {}),
    }
    return {
        "apiVersion": GROUP,
        "kind": "Volume",
        "metadata": {
            "name": one.volume,
            "namespace": options.namespace,
            "labels": {GROUP_PREFIX + RESTORED_GROUP: ENABLED},
        },
        "spec": wanted,
    }


def claim_objects(one: Restorable, options: Options) -> list[dict[str, Any]]:
    """The PersistentVolume, which stays when its claim goes, and the claim, each for the other."""
    modes = [_ACCESS.get(one.access, "ReadWriteOnce")]
    called = one.persistent_volume or one.volume
    driver: dict[str, Any] = {
        "driver": DRIVER,
        "volumeHandle": one.volume,
        "fsType": options.fs_type,
    }
    if one.encrypted and options.secret:
        reference = {"namespace": options.secret[0], "name": options.secret[1]}
        driver["nodeStageSecretRef"] = driver["nodePublishSecretRef"] = reference
        driver["volumeAttributes"] = {"encrypted": "true"}
    volume = {
        "capacity": {"storage": str(one.size)},
        "accessModes": modes,
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": one.storage_class,
        "claimRef": {"namespace": one.namespace, "name": one.claim},
        "csi": driver,
    }
    claim = {
        "accessModes": modes,
        "resources": {"requests": {"storage": str(one.size)}},
        "storageClassName": one.storage_class,
        "volumeName": called,
    }
    place = {"namespace": one.namespace, "name": one.claim}
    return [
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": called}}
        | {"spec": volume},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": place} | {"spec": claim},
    ]


def volumes(found: Sequence[Restorable], options: Options) -> tuple[list[Any], list[str]]:
    """The objects of the command `volumes`, and what is left out."""
    return [volume_object(one, options) for one in found], []


def claims(found: Sequence[Restorable], options: Options) -> tuple[list[Any], list[str]]:
    """The objects of the command `claims`, and what is left out."""
    faults, made = [], []
    for one in found:
        if not one.claim:
            faults.append(
                f"volume {one.volume}: its backup does not say which claim it had; make its "
                "PersistentVolume and claim by hand"
            )
        elif one.encrypted and options.secret is None:
            faults.append(
                f"volume {one.volume} ({one.namespace}/{one.claim}) is encrypted; name the Secret "
                "with its key by --encryption-secret NAMESPACE/NAME"
            )
        else:
            made.append(one)
    names = sorted({one.namespace for one in made})
    places = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": one}} for one in names]
    return [*places, *(part for one in made for part in claim_objects(one, options))], faults
