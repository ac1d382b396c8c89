"""Pods that only exist so that a file-system copy can be restored through them.

Velero restores such a copy into a running pod of the copied one's name: its init container
`restore-wait` runs until the data is there. What ran in the pod must not run again, so all of its
specification is replaced: one idle container that mounts the restored volumes read-only, where a
reader finds them before anything has written to them. No label, annotation, account, secret or
network of the original is left, and no source that it shares with the live pod.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drills.sandbox.patches import Rule, pointer
from kube.velero.api import Object

NOBODY = "backstop.io/drill-nobody"
"""A label that no node, pod or volume has; what selects it selects nothing."""

MOUNTED_AT = "/backstop"
"""Where the idle container holds the volumes, each below the name that the pod gives it."""

WAIT = "restore-wait"
_ASIDE = pointer("backstopOriginal")
_WAITING = pointer("backstopWait")
_ENDED = frozenset({"Succeeded", "Failed"})
# Volumes that come anew with the sandbox. Any other source, a network share above all, is the live
# one: restored into, it would be overwritten.
_OWN_SOURCES = ("persistentVolumeClaim", "emptyDir", "ephemeral")
# Volume roots may belong to anybody and be closed to others: the waiter looks for its mark in them
# and removes it again, the reader reads. This is what the Pod Security level `baseline` allows.
SECURITY = {
    "runAsUser": 0,
    "runAsGroup": 0,
    "runAsNonRoot": False,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"], "add": ["DAC_OVERRIDE"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True)
class Idle:
    """What the idle container runs. `command`: does nothing until it is killed."""

    image: str
    command: Sequence[str] = ("sleep", "infinity")
    pull_secrets: Sequence[str] = ()
    pull_policy: str = "IfNotPresent"


@dataclass(frozen=True)
class Held:
    """A pod that is held, and the volumes (as the pod names them) that are restored through it."""

    namespace: str
    name: str
    volumes: tuple[str, ...]


def can_be_held(pod: Object) -> bool:
    """Whether Velero restores the pod at all: it skips one that has ended."""
    return (pod.get("status") or {}).get("phase") not in _ENDED


def rules(
    pods: Mapping[Held, Object],
    namespaces: tuple[str, ...],
    labels: Mapping[str, str],
    run_id: str,
    idle: Idle,
) -> list[Rule]:
    """The rules for all pods of `namespaces`: these are held, every other one starts nowhere.

    Each pod first gets a specification that no node meets; so one that Velero gave no waiter stays
    where it is. `labels`: the run's marks, instead of the pod's own: its workload, held at zero,
    would adopt it by those and remove it.
    """
    nowhere = {**_base(idle), "nodeSelector": {NOBODY: run_id}, "containers": [_container(idle)]}
    aside = Rule(
        "pods",
        namespaces,
        operations=(
            ("move", _ASIDE, "/spec"),
            ("add", "/spec", nowhere),
            ("add", "/metadata/labels", dict(labels)),
            # Annotations hold hooks that Velero would run, and orders to network plugins.
            ("add", "/metadata/annotations", {}),
            # Whoever put one there, a Job's controller above all, would never take it off again.
            ("add", "/metadata/finalizers", []),
        ),
    )
    forget = Rule("pods", namespaces, merge={_ASIDE.removeprefix("/"): None})
    return [aside, *(_held(held, pod, idle) for held, pod in pods.items()), forget]


def _held(held: Held, pod: Object, idle: Idle) -> Rule:
    return Rule(
        "pods",
        (held.namespace,),
        names=(held.name,),
        matches=((pointer("spec", "initContainers", "0", "name"), WAIT),),
        operations=(
            ("copy", _WAITING, f"{_ASIDE}/initContainers/0"),
            ("add", "/spec", specification(pod, held.volumes, idle)),
            ("move", "/spec/initContainers/-", _WAITING),
            ("add", "/spec/initContainers/0/securityContext", SECURITY),
        ),
    )


def _base(idle: Idle) -> dict[str, Any]:
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "imagePullSecrets": [{"name": one} for one in idle.pull_secrets],
    }


def _container(idle: Idle, mounts: Collection[str] = ()) -> dict[str, Any]:
    return {
        "name": "idle",
        "image": idle.image,
        "imagePullPolicy": idle.pull_policy,
        "command": list(idle.command),
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
        "securityContext": {**SECURITY, "readOnlyRootFilesystem": True},
        "volumeMounts": [
            {"name": one, "mountPath": f"{MOUNTED_AT}/{one}", "readOnly": True} for one in mounts
        ],
    }


def specification(pod: Object, volumes: Sequence[str], idle: Idle) -> dict[str, Any]:
    """`spec` of a held pod, without its waiter. Where it may run is kept: the volume may ask it."""
    spec = pod.get("spec") or {}
    sources = {one["name"]: one for one in spec.get("volumes") or ()}
    affinity = (spec.get("affinity") or {}).get("nodeAffinity")
    return {
        **_base(idle),
        **{key: spec[key] for key in ("nodeSelector", "tolerations") if spec.get(key)},
        **({"affinity": {"nodeAffinity": affinity}} if affinity else {}),
        "initContainers": [],
        "containers": [_container(idle, volumes)],
        "volumes": [_own(sources.get(one) or {"name": one}) for one in volumes],
    }


def _own(volume: Mapping[str, Any]) -> dict[str, Any]:
    kept = next((key for key in _OWN_SOURCES if volume.get(key) is not None), None)
    return {"name": volume["name"], **({kept: volume[kept]} if kept else {"emptyDir": {}})}
