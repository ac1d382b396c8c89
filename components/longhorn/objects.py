"""Objects of Longhorn, and parts of objects that others made, as the API takes them: plain data."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from components.longhorn import credentials, jobs
from components.settings.longhorn import StorageClass, VolumeBinding
from components.velero.objects import OPAQUE
from kube import marks
from kube.facts import DEFAULT_CLASS
from kube.longhorn.api import DRIVER, GROUP
from kube.longhorn.jobs import ENABLED, GROUP_PREFIX, JOB_PREFIX

Manifest = dict[str, Any]

# With it the labels of a claim count; without it Longhorn takes them back.
SOURCE_LABEL = f"{JOB_PREFIX}source"
_FIELD_MANAGER = "pulumi.com/patchFieldManager"
# Longhorn holds namespaces, host paths and devices of the node.
_PRIVILEGED = {
    f"pod-security.kubernetes.io/{mode}": "privileged" for mode in ("enforce", "audit", "warn")
}


def field_manager(site: str) -> dict[str, str]:
    """The annotation by which every state of a site is one owner of the fields that it patches."""
    return {_FIELD_MANAGER: f"backstop-{site}"}


def namespace(site: str, name: str) -> Manifest:
    """The namespace that Longhorn is installed into."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {**marks.labels(site), **_PRIVILEGED}},
    }


def secret(site: str, home: str, target: str, data: object) -> Manifest:
    """The Secret of a target. `data`: in base64; it may be known later."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": credentials.secret_name(target),
            "namespace": home,
            "labels": marks.labels(site),
        },
        "type": OPAQUE,
        "data": data,
    }


def target(site: str, home: str, name: str, specification: Mapping[str, Any]) -> Manifest:
    """A BackupTarget of our own."""
    return _longhorn(site, home, "BackupTarget", name, specification)


def target_fields(site: str, home: str, name: str, specification: Mapping[str, Any]) -> Manifest:
    """The fields of a BackupTarget that Longhorn made."""
    metadata = {
        "name": name,
        "namespace": home,
        "labels": {marks.SITE_LABEL: site},
        "annotations": field_manager(site),
    }
    return {
        "apiVersion": GROUP,
        "kind": "BackupTarget",
        "metadata": metadata,
        "spec": dict(specification),
    }


def target_specification(url: str, name: str, poll_interval: str) -> dict[str, str]:
    """`spec` of the BackupTarget `name`.

    The interval is always there, for without one Longhorn never polls; `syncRequestedAt` never is,
    for Longhorn writes it at every poll.
    """
    return {
        "backupTargetURL": url,
        "credentialSecret": credentials.secret_name(name),
        "pollInterval": poll_interval,
    }


def setting_fields(site: str, home: str, name: str, value: str) -> Manifest:
    """The value of one of Longhorn's Setting objects, which has no `spec`."""
    metadata = {"name": name, "namespace": home, "annotations": field_manager(site)}
    return {"apiVersion": GROUP, "kind": "Setting", "metadata": metadata, "value": value}


def job(site: str, home: str, name: str, declared: jobs.Job) -> Manifest:
    return _longhorn(site, home, "RecurringJob", name, jobs.specification(name, declared))


def claim_fields(site: str, bound: VolumeBinding) -> Manifest:
    """The labels of a claim by which its volume gets jobs and groups.

    They stand on the claim and not on the Volume: its name is known before there is a volume, it
    stays the same when the volume is restored under another name, and with the first of these
    labels Longhorn keeps both equal, whoever changes the Volume's.
    """
    labels = {
        SOURCE_LABEL: ENABLED,
        **{f"{JOB_PREFIX}{name}": ENABLED for name in bound.jobs},
        **{f"{GROUP_PREFIX}{name}": ENABLED for name in bound.groups},
    }
    metadata = {
        "name": bound.claim,
        "namespace": bound.namespace,
        "labels": labels,
        "annotations": field_manager(site),
    }
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata}


def selector(names: Sequence[str], groups: Sequence[str]) -> str:
    """`recurringJobSelector` of a class: JSON in a text."""
    chosen = [{"name": name, "isGroup": False} for name in names]
    chosen += [{"name": name, "isGroup": True} for name in groups]
    return json.dumps(chosen, separators=(",", ":"))


def storage_class(site: str, name: str, declared: StorageClass) -> Manifest:
    """A StorageClass of Longhorn's driver. Its parameters count only when a volume is made."""
    parameters = {
        "numberOfReplicas": str(declared.replicas),
        "staleReplicaTimeout": "30",
        "fsType": declared.fs_type,
        "backupTargetName": declared.backup_target,
        **declared.parameters,
    }
    if declared.jobs or declared.groups:
        parameters["recurringJobSelector"] = selector(declared.jobs, declared.groups)
    metadata: Manifest = {"name": name, "labels": marks.labels(site)}
    if declared.default:
        metadata["annotations"] = {DEFAULT_CLASS: "true"}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": metadata,
        "provisioner": DRIVER,
        "allowVolumeExpansion": declared.expandable,
        "reclaimPolicy": declared.reclaim_policy,
        "volumeBindingMode": declared.binding_mode,
        "parameters": parameters,
    }


def _longhorn(
    site: str, home: str, kind: str, name: str, specification: Mapping[str, Any]
) -> Manifest:
    metadata = {"name": name, "namespace": home, "labels": marks.labels(site)}
    return {
        "apiVersion": GROUP,
        "kind": kind,
        "metadata": metadata,
        "spec": dict(specification),
    }
