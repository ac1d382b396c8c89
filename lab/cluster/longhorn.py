"""The stand-in for Longhorn's manager and engine, as objects of the cluster.

Its code (standins/longhorn) comes as a ConfigMap, so that a change of it needs no other image.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from lab.images import longhorn
from lab.paths import ROOT

NAMESPACE = "longhorn-system"
NAME = "longhorn-manager"
CODE = "longhorn-manager-code"
GROUP = "longhorn.io"
PORT = 9500
PACKAGE = "standins/longhorn"
DEFINITIONS = ROOT / "standins" / "crds" / "longhorn"
WHAT = {"lab.backstop.dev/what": "a stand-in for Longhorn's manager and engine, not Longhorn"}
# Folders of the node: the CSI stand-in's, and where Longhorn keeps its own.
STORAGE, SNAPSHOTS = "/var/lib/lab-csi", "/var/lib/longhorn/snapshots"
# The one folder of the storage that it writes to, and where its container has that.
RESTORED, HANDED_OVER = f"{STORAGE}/restored", "/var/lib/longhorn/restored"
READ = ["get", "list", "watch"]
# To read every file of a volume, and to make files anew that have the same owners and modes.
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "MKNOD", "SETFCAP")

Object = dict[str, Any]


def everything() -> list[Object]:
    """All objects but the definitions, in the order in which they may be made."""
    code = _code()
    digest = hashlib.sha256(json.dumps(code, sort_keys=True).encode()).hexdigest()
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        _object("v1", "ServiceAccount", NAME),
        *_rights(),
        {**_object("v1", "ConfigMap", CODE), "data": code},
        _deployment(digest),
    ]


def text() -> str:
    """The objects as one List for `kubectl apply`."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": everything()}, indent=1) + "\n"


def definitions() -> str:
    """The definitions of Longhorn's kinds, as one stream of YAML."""
    files = sorted(DEFINITIONS.glob("*.yaml"))
    return "---\n".join(file.read_text(encoding="utf-8") for file in files)


def _modules() -> list[Path]:
    package = ROOT / PACKAGE
    return [ROOT / "standins" / "__init__.py", *sorted(package.glob("*.py"))]


def _code() -> dict[str, str]:
    return {_key(path): path.read_text(encoding="utf-8") for path in _modules()}


def _key(path: Path) -> str:
    """A ConfigMap has no folders in its keys."""
    return str(path.relative_to(ROOT)).replace("/", ".")


def _object(version: str, kind: str, name: str) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE, "annotations": WHAT}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _rule(group: str, resources: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _rights() -> list[Object]:
    """Longhorn's own objects and the Secrets beside them; of the cluster what volumes are about."""
    written = ["backuptargets", "backupvolumes", "backups", "snapshots", "volumes", "settings"]
    status = [f"{kind}/status" for kind in (*written, "nodes", "recurringjobs", "systembackups")]
    own = [
        _rule(GROUP, [*written, "nodes", "recurringjobs", "systembackups"], READ),
        _rule(GROUP, [*written, "nodes"], ["create", "patch"]),
        _rule(GROUP, ["backupvolumes", "backups", "snapshots", "volumes"], ["delete"]),
        _rule(GROUP, status, ["patch"]),
        _rule("", ["secrets"], READ),
        _rule("", ["events"], ["create"]),
    ]
    around = [
        _rule("", ["persistentvolumes", "persistentvolumeclaims", "pods"], READ),
        _rule("storage.k8s.io", ["storageclasses"], READ),
    ]
    account = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
    return [
        *_role("Role", f"lab:{NAME}", own, account),
        *_role("ClusterRole", f"lab:{NAME}", around, account),
    ]


def _role(kind: str, name: str, rules: list[Object], account: Object) -> list[Object]:
    group = "rbac.authorization.k8s.io"
    within = {"namespace": NAMESPACE} if kind == "Role" else {}
    about = {"apiVersion": f"{group}/v1", "metadata": {"name": name, **within}}
    reference = {"apiGroup": group, "kind": kind, "name": name}
    return [
        {**about, "kind": kind, "rules": rules},
        {**about, "kind": f"{kind}Binding", "roleRef": reference, "subjects": [account]},
    ]


def _deployment(digest: str) -> Object:
    # The label that Longhorn's own pods bear, for what selects them.
    labels = {"app": NAME}
    template = {
        "metadata": {"labels": labels, "annotations": {**WHAT, "lab.backstop.dev/code": digest}},
        "spec": _pod(),
    }
    spec = {
        "replicas": 1,
        # Two would do everything twice.
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": labels},
        "template": template,
    }
    return {**_object("apps/v1", "Deployment", NAME), "spec": spec}


def _pod() -> Object:
    items = [{"key": _key(path), "path": str(path.relative_to(ROOT))} for path in _modules()]
    return {
        "serviceAccountName": NAME,
        "enableServiceLinks": False,
        # A signal ends it at once; whatever it was at is begun again.
        "terminationGracePeriodSeconds": 5,
        "containers": [_container()],
        "volumes": [
            {"name": "code", "configMap": {"name": CODE, "items": items}},
            {"name": "storage", "hostPath": {"path": STORAGE, "type": "DirectoryOrCreate"}},
            {"name": "restored", "hostPath": {"path": RESTORED, "type": "DirectoryOrCreate"}},
            {"name": "snapshots", "hostPath": {"path": SNAPSHOTS, "type": "DirectoryOrCreate"}},
        ],
    }


def _container() -> Object:
    own = {"valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}
    node = {"valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    probe = {"httpGet": {"path": "/healthz", "port": PORT}, "timeoutSeconds": 5}
    return {
        "name": NAME,
        "image": longhorn.NAME,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-u", "-m", PACKAGE.replace("/", ".")],
        "env": [
            {"name": "POD_NAMESPACE", **own},
            {"name": "NODE_NAME", **node},
            {"name": "STORAGE", "value": STORAGE},
            {"name": "RESTORED", "value": HANDED_OVER},
            {"name": "SNAPSHOTS", "value": SNAPSHOTS},
            {"name": "PYTHONPATH", "value": "/opt/stand-in"},
            {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
        ],
        "ports": [{"name": "manager", "containerPort": PORT}],
        "startupProbe": {**probe, "periodSeconds": 1, "failureThreshold": 120},
        "livenessProbe": {**probe, "periodSeconds": 30},
        "resources": {
            "requests": {"cpu": "10m", "memory": "64Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": list(CAPABILITIES)},
            "readOnlyRootFilesystem": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"name": "code", "mountPath": "/opt/stand-in", "readOnly": True},
            {"name": "storage", "mountPath": STORAGE, "readOnly": True},
            {"name": "restored", "mountPath": HANDED_OVER},
            {"name": "snapshots", "mountPath": SNAPSHOTS},
        ],
    }
