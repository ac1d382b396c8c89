"""Objects as an API server gives them: a namespace of a shop, and clusters of any size."""

import copy
import itertools
import uuid
from collections.abc import Iterator
from typing import Any

from drills.objects.keys import ObjectKey

Content = dict[str, Any]
Pair = tuple[ObjectKey, Content]

_VERSIONS = itertools.count(1000)


def uid_of(key: ObjectKey) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, str(key)))


def make(
    resource: str, api_version: str, kind: str, namespace: str, name: str, **rest: Any
) -> Pair:
    """One object; `labels`, `annotations` and `metadata` go into metadata, the rest beside it."""
    key = ObjectKey(resource, namespace, name)
    metadata: Content = {
        "name": name,
        "uid": uid_of(key),
        "resourceVersion": str(next(_VERSIONS)),
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "generation": 1,
        "managedFields": [_managed(api_version, uid_of(key._replace(resource="by")), rest)],
    }
    if namespace:
        metadata["namespace"] = namespace
    for part in ("labels", "annotations"):
        if part in rest:
            metadata[part] = rest.pop(part)
    metadata.update(rest.pop("metadata", {}))
    return key, {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def _managed(api_version: str, manager: str, rest: Content) -> Content:
    """Who wrote which field: in a cluster, a third of what an object weighs."""

    def fields(value: Any) -> Content:
        if not isinstance(value, dict):
            return {}
        return {".": {}} | {f"f:{name}": fields(held) for name, held in value.items()}

    return {
        "manager": manager, "operation": "Update", "apiVersion": api_version,
        "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields(rest),
    }  # fmt: skip


def deployment(namespace: str = "shop", name: str = "web", replicas: int = 3) -> Pair:
    return make(
        "deployments.apps", "apps/v1", "Deployment", namespace, name,
        labels={"app": name, "team": "a"},
        annotations={"deployment.kubernetes.io/revision": "3"},
        spec={
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"type": "RollingUpdate",
                         "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": {
                "metadata": {"creationTimestamp": None, "labels": {"app": name}},
                "spec": {
                    "containers": [
                        {
                            "name": "main",
                            "image": "registry.example/app:1.2.3",
                            "env": [{"name": "MODE", "value": "live"},
                                    {"name": "DB", "valueFrom": {"secretKeyRef":
                                        {"name": "db", "key": "password"}}}],
                            "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                        }
                    ],
                    "volumes": [{"name": "tmp", "emptyDir": {}}],
                    "restartPolicy": "Always",
                    "terminationGracePeriodSeconds": 30,
                },
            },
        },
        status={"observedGeneration": 1, "replicas": replicas, "readyReplicas": replicas},
    )  # fmt: skip


def config_map(namespace: str = "shop", name: str = "settings", **data: str) -> Pair:
    return make("configmaps", "v1", "ConfigMap", namespace, name, data=data or {"a": "1"})


def secret(namespace: str = "shop", name: str = "db", **data: str) -> Pair:
    return make("secrets", "v1", "Secret", namespace, name,
                type="Opaque", data=data or {"password": "aHVudGVyMg=="})  # fmt: skip


def service(namespace: str = "shop", name: str = "web", **spec: Any) -> Pair:
    held = {
        "type": "ClusterIP", "clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7"],
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}],
        "selector": {"app": "web"},
    } | spec  # fmt: skip
    return make("services", "v1", "Service", namespace, name,
                spec=held, status={"loadBalancer": {}})  # fmt: skip


def claim(namespace: str = "shop", name: str = "data", **spec: Any) -> Pair:
    held = {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "longhorn", "volumeMode": "Filesystem", "volumeName": "pvc-1",
    } | spec  # fmt: skip
    return make(
        "persistentvolumeclaims", "v1", "PersistentVolumeClaim", namespace, name,
        annotations={"pv.kubernetes.io/bind-completed": "yes"},
        metadata={"finalizers": ["kubernetes.io/pvc-protection"]},
        spec=held, status={"phase": "Bound"},
    )  # fmt: skip


def volume(name: str = "pvc-1", namespace: str = "shop", claimed: str = "data") -> Pair:
    return make(
        "persistentvolumes", "v1", "PersistentVolume", "", name,
        spec={"capacity": {"storage": "1Gi"}, "storageClassName": "longhorn",
              "claimRef": {"namespace": namespace, "name": claimed, "uid": "u"}},
        status={"phase": "Bound"},
    )  # fmt: skip


def role_binding(namespace: str = "shop", name: str = "read") -> Pair:
    return make(
        "rolebindings.rbac.authorization.k8s.io", "rbac.authorization.k8s.io/v1", "RoleBinding",
        namespace, name,
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "read"},
        subjects=[{"kind": "ServiceAccount", "name": "web", "namespace": namespace},
                  {"kind": "ServiceAccount", "name": "ops", "namespace": "elsewhere"}],
    )  # fmt: skip


def account(namespace: str = "shop", name: str = "web") -> Pair:
    return make("serviceaccounts", "v1", "ServiceAccount", namespace, name)


def namespace(name: str = "shop", phase: str = "Active", **labels: str) -> Pair:
    return make(
        "namespaces", "v1", "Namespace", "", name,
        labels={"kubernetes.io/metadata.name": name, **labels},
        spec={"finalizers": ["kubernetes"]}, status={"phase": phase},
    )  # fmt: skip


def pod(namespace: str = "shop", name: str = "lone", owner: str = "", **spec: Any) -> Pair:
    metadata: Content = {}
    if owner:
        metadata["ownerReferences"] = [
            {"apiVersion": "apps/v1", "kind": owner, "name": "web", "uid": "u", "controller": True}
        ]
    held = {
        "containers": [{"name": "main", "image": "i:1", "volumeMounts": [
            {"name": "kube-api-access-abcde", "mountPath": "/var/run/secrets"}]}],
        "volumes": [{"name": "kube-api-access-abcde", "projected": {"sources": []}}],
        "nodeName": "node-1", "priority": 0, "serviceAccountName": "default",
    } | spec  # fmt: skip
    return make("pods", "v1", "Pod", namespace, name, metadata=metadata, spec=held,
                status={"phase": "Running"})  # fmt: skip


def shop(name: str = "shop") -> list[Pair]:
    """One of everything that a small namespace has."""
    return [
        namespace(name), account(name), secret(name), config_map(name), deployment(name),
        service(name), claim(name), volume("pvc-1", name), role_binding(name), pod(name),
    ]  # fmt: skip


def crowd(count: int, namespaces: int = 20) -> Iterator[Pair]:
    """`count` namespaced objects of the usual mixture, spread over `namespaces` namespaces."""
    makers = (deployment, config_map, secret, service, claim)
    for number in range(count):
        maker = makers[number % len(makers)]
        yield maker(f"team-{number % namespaces}", f"object-{number:06d}")


def restored(pair: Pair, sandbox: str, source: str = "shop") -> Pair:
    """What a restore makes of an object: a new identity, and what others own rewritten."""
    key, content = pair[0], copy.deepcopy(pair[1])
    metadata = content["metadata"]
    target = key._replace(namespace=sandbox)
    metadata.update(
        namespace=sandbox, uid=uid_of(target), resourceVersion=str(next(_VERSIONS)), generation=1,
        creationTimestamp="2026-02-01T00:00:00Z",
    )  # fmt: skip
    metadata.pop("ownerReferences", None)
    metadata.setdefault("labels", {}).update(
        {"velero.io/backup-name": "b", "velero.io/restore-name": "r"}
    )
    content.pop("status", None)
    for subject in content.get("subjects", ()):
        if subject.get("namespace") == source:
            subject["namespace"] = sandbox
    if key.resource == "services" and content["spec"].get("clusterIP") != "None":
        content["spec"].update(clusterIP="10.96.9.9", clusterIPs=["10.96.9.9"])
    if key.resource == "persistentvolumeclaims":
        content["spec"]["volumeName"] = "pvc-new"
        metadata["annotations"] = {"volume.kubernetes.io/selected-node": "node-2"}
    if key.resource == "pods":
        content["spec"]["nodeName"] = "node-2"
    return target, content
