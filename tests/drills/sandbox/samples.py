"""Objects as they stand in a backup, one of each kind that a drill changes."""

from typing import Any

SOURCE = "shop"
WAITER = {
    "name": "restore-wait",
    "image": "velero/velero:v1.18.1",
    "args": ["uid"],
    "securityContext": {"privileged": True},
    "volumeMounts": [{"name": "data", "mountPath": "/restores/data"}],
}


def found(kind: str, name: str = "web", **more: Any) -> dict[str, Any]:
    metadata = {
        "name": name,
        "labels": {"app": name},
        "annotations": {"note": "kept"},
        **more.pop("metadata", {}),
    }
    if more.pop("namespaced", True):
        metadata["namespace"] = more.pop("namespace", SOURCE)
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **more}


def workload(kind: str, **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c"}]}}
    return found(kind, spec={"template": template, **spec})


def service(type_: str, *ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    held = {"type": type_, "selector": {"app": "web"}, "ports": list(ports), **spec}
    return found("Service", spec=held)


def claim(name: str = "data", **spec: Any) -> dict[str, Any]:
    held = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "volumeName": "pv-live",
        "resources": {"requests": {"storage": "1Gi"}},
        **spec,
    }
    return found("PersistentVolumeClaim", name, spec=held)


def pod(name: str = "web-0", **more: Any) -> dict[str, Any]:
    """A pod that would do harm: privileged, on the host's network, with a share of the live one."""
    spec = {
        "hostNetwork": True,
        "serviceAccountName": "admin",
        "priorityClassName": "system-node-critical",
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "storage", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"x": 1}, "podAffinity": {"y": 2}},
        "securityContext": {"fsGroup": 999},
        "initContainers": [{"name": "migrate", "image": "shop:1"}],
        "containers": [
            {
                "name": "web",
                "image": "shop:1",
                "command": ["rewrite-everything"],
                "securityContext": {"privileged": True},
                "lifecycle": {"postStart": {"exec": {"command": ["x"]}}},
                "livenessProbe": {"httpGet": {"port": 80}},
            }
        ],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "share", "nfs": {"server": "10.0.0.9", "path": "/live"}},
            {"name": "scratch", "emptyDir": {}},
            {"name": "token", "secret": {"secretName": "token"}},
        ],
        **more.pop("spec", {}),
    }
    hooks = {"post.hook.restore.velero.io/command": '["rm", "-rf", "/"]'}
    metadata = {"annotations": hooks}
    return found("Pod", name, metadata=metadata, spec=spec, status={"phase": "Running"}, **more)


def as_velero_prepares(one: dict[str, Any], *, waiter: bool = True) -> dict[str, Any]:
    """A pod as Velero's own actions leave it to the rules: no status, its waiter first."""
    spec = dict(one["spec"])
    if waiter:
        spec["initContainers"] = [WAITER, *spec.get("initContainers", ())]
    return {key: value for key, value in {**one, "spec": spec}.items() if key != "status"}
