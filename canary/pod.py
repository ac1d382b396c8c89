"""The canary's pod: its container, its volumes, and the annotations that Velero reads."""

import hashlib
import json
from typing import Any

from canary.contents import Method
from canary.settings import Canary, CanaryVolume

Manifest = dict[str, Any]

NAME = "canary"
CONTAINER = "writer"
SCRIPT = "writer.py"
CONFIG = "config.json"
CODE = "/opt/canary"
STORE = "/run/store"
STATE = "/run/canary"
DATA = "/data"
READ_BY_GROUP = 0o440

# Velero's annotations (velero pkg/apis/velero/v1/labels_annotations.go, internal/hook).
FILE_SYSTEM_VOLUMES = "backup.velero.io/backup-volumes"
OTHER_VOLUMES = "backup.velero.io/backup-volumes-excludes"
HOOK = "hook.backup.velero.io"
HOOK_SECONDS = 90


def claim_name(volume: CanaryVolume) -> str:
    """The claim's name, another one for another class or size.

    Neither can be changed in a claim, and one that is to be replaced under its own name cannot go
    while the pod has it mounted.
    """
    fixed = f"{volume.storage_class} {volume.size}"
    return f"{NAME}-{volume.name}-{hashlib.sha256(fixed.encode()).hexdigest()[:6]}"


def pod_annotations(canary: Canary) -> dict[str, str]:
    """Which volumes Velero reads as files, and the hooks that keep them still meanwhile."""
    by_files = [v.name for v in canary.volumes if v.method is Method.FILE_SYSTEM]
    # Also where a site reads the files of all volumes unless told otherwise.
    others = [v.name for v in canary.volumes if v.method is not Method.FILE_SYSTEM]
    found = {OTHER_VOLUMES: ",".join([*others, "state"])}
    if by_files:
        found[FILE_SYSTEM_VOLUMES] = ",".join(by_files)
    if canary.hold:
        found |= _hook("pre", "hold", str(canary.hold_seconds)) | _hook("post", "release")
    return {**found, **canary.pod_annotations}


def _hook(moment: str, command: str, *more: str) -> dict[str, str]:
    return {
        f"{moment}.{HOOK}/container": CONTAINER,
        f"{moment}.{HOOK}/command": json.dumps(_command(command, *more)),
        # The canary must not be what fails a backup; it has flaws of its own for that.
        f"{moment}.{HOOK}/on-error": "Continue",
        f"{moment}.{HOOK}/timeout": f"{HOOK_SECONDS}s",
    }


def _command(name: str, *more: str) -> list[str]:
    return ["python3", "-I", f"{CODE}/{SCRIPT}", name, f"{CODE}/{CONFIG}", *more]


def pod_spec(canary: Canary) -> Manifest:
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # A signal ends the writer at once; only a name that does not resolve can hold it up.
        "terminationGracePeriodSeconds": 15,
        "securityContext": _pod_security(canary),
        "containers": [_container(canary)],
        "volumes": _volumes(canary),
    }


def _pod_security(canary: Canary) -> Manifest:
    found: Manifest = {
        "runAsNonRoot": not canary.as_root,
        "runAsUser": canary.user,
        "runAsGroup": canary.user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if not canary.as_root:
        found["fsGroup"] = canary.user
        # Without it every start would change the modes of files whose truth is told already.
        found["fsGroupChangePolicy"] = "OnRootMismatch"
    return found


def _container(canary: Canary) -> Manifest:
    resources = canary.resources
    mounts: list[Manifest] = [
        {"name": "code", "mountPath": CODE, "readOnly": True},
        {"name": "state", "mountPath": STATE},
        *({"name": v.name, "mountPath": f"{DATA}/{v.name}"} for v in canary.volumes),
    ]
    if canary.store is not None:
        mounts.append({"name": "store", "mountPath": STORE, "readOnly": True})
    capabilities: Manifest = {"drop": ["ALL"]}
    if canary.as_root:
        # To give files away, to set modes of files given away, and to remove them again.
        capabilities["add"] = ["CHOWN", "FOWNER", "FSETID", "DAC_OVERRIDE"]
    return {
        "name": CONTAINER,
        "image": canary.image,
        "imagePullPolicy": canary.pull_policy,
        "command": _command("run"),
        "resources": {
            "requests": {"cpu": resources.cpu_request, "memory": resources.memory_request},
            "limits": {"memory": resources.memory_limit},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": capabilities,
            "readOnlyRootFilesystem": True,
        },
        # The first turn may wait for the store on every volume.
        "startupProbe": _probe("alive", 10, 18),
        "livenessProbe": _probe("alive", 60, 3),
        "readinessProbe": _probe("ready", 30, 2),
        "volumeMounts": mounts,
    }


def _probe(name: str, period: int, failures: int) -> Manifest:
    return {
        "exec": {"command": _command(name)},
        "periodSeconds": period,
        "timeoutSeconds": 10,
        "failureThreshold": failures,
    }


def _volumes(canary: Canary) -> list[Manifest]:
    found: list[Manifest] = [
        {"name": "code", "configMap": {"name": NAME}},
        {"name": "state", "emptyDir": {"sizeLimit": "16Mi"}},
        *(
            {"name": v.name, "persistentVolumeClaim": {"claimName": claim_name(v)}}
            for v in canary.volumes
        ),
    ]
    if canary.store is not None:
        held = {"secretName": canary.store.secret_name, "defaultMode": READ_BY_GROUP}
        found.append({"name": "store", "secret": held})
    return found
