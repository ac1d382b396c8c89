"""The canary's Kubernetes objects as plain data.

A Deployment of one pod writes on one claim per method of backup. It has no token, no way in, and
one way out: to the store (and to the cluster's DNS). Its Secret is not made here; see `secret`.
"""

import hashlib
import json
from pathlib import Path

from canary import writer
from canary.contents import Content, contents
from canary.pod import (
    CODE,
    CONFIG,
    DATA,
    NAME,
    SCRIPT,
    STATE,
    STORE,
    Manifest,
    claim_name,
    pod_annotations,
    pod_spec,
)
from canary.settings import Canary, CanaryVolume, StoreAccess
from kube import marks

AUTHORITY = "ca.crt"
ACCESS_KEY, SECRET_KEY = "accessKey", "secretKey"
DIGEST = "backstop-canary-config"


def objects(canary: Canary) -> list[Manifest]:
    """Every object but the Secret, in the order in which they can be made."""
    return [
        namespace(canary),
        service_account(canary),
        config_map(canary),
        network_policy(canary),
        *(claim(canary, volume) for volume in canary.volumes),
        deployment(canary),
    ]


def secret(canary: Canary) -> Manifest:
    """The Secret that the pod mounts, without its data: the keys `accessKey` and `secretKey`."""
    name = canary.store.secret_name if canary.store else ""
    return {**_object(canary, "v1", "Secret", name), "type": "Opaque"}


def config(canary: Canary) -> Manifest:
    """The writer's config."""
    return {
        "schema": 1,
        "site": canary.site,
        "periodSeconds": canary.period_seconds,
        "keep": canary.keep,
        "stateDir": STATE,
        "volumes": [
            {"name": volume.name, "path": f"{DATA}/{volume.name}", "files": _files(canary, volume)}
            for volume in canary.volumes
        ],
        "store": _store(canary.store) if canary.store else None,
    }


def _files(canary: Canary, volume: CanaryVolume) -> list[Content]:
    found = contents(volume.method, canary.as_root) if volume.files is None else volume.files
    return list(found)


def _store(store: StoreAccess) -> Manifest:
    return {
        "endpoint": store.endpoint,
        "region": store.region,
        "bucket": store.bucket,
        "prefix": store.prefix,
        "caFile": f"{CODE}/{AUTHORITY}",
        "accessKeyFile": f"{STORE}/{ACCESS_KEY}",
        "secretKeyFile": f"{STORE}/{SECRET_KEY}",
        "attempts": store.attempts,
        "requestSeconds": store.request_seconds,
        "budgetSeconds": store.budget_seconds,
    }


def _object(canary: Canary, version: str, kind: str, name: str) -> Manifest:
    metadata: Manifest = {"name": name, "labels": marks.labels(canary.site)}
    if kind != "Namespace":
        metadata["namespace"] = canary.namespace
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def namespace(canary: Canary) -> Manifest:
    found = _object(canary, "v1", "Namespace", canary.namespace)
    found["metadata"]["labels"].update(canary.namespace_labels)
    return found


def service_account(canary: Canary) -> Manifest:
    return {
        **_object(canary, "v1", "ServiceAccount", NAME),
        "automountServiceAccountToken": False,
    }


def config_map(canary: Canary) -> Manifest:
    data = {
        SCRIPT: Path(writer.__file__).read_text(encoding="utf-8"),
        CONFIG: json.dumps(config(canary), indent=1, sort_keys=True) + "\n",
    }
    if canary.store is not None:
        data[AUTHORITY] = canary.store.ca_pem
    return {**_object(canary, "v1", "ConfigMap", NAME), "data": data}


def digest(canary: Canary) -> str:
    """Changes with everything in the ConfigMap."""
    data = config_map(canary)["data"]
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def claim(canary: Canary, volume: CanaryVolume) -> Manifest:
    found = _object(canary, "v1", "PersistentVolumeClaim", claim_name(volume))
    found["metadata"]["labels"].update(volume.labels)
    if volume.annotations:
        found["metadata"]["annotations"] = dict(volume.annotations)
    found["spec"] = {
        "accessModes": ["ReadWriteOnce"],
        "volumeMode": "Filesystem",
        "storageClassName": volume.storage_class,
        "resources": {"requests": {"storage": volume.size}},
    }
    return found


def network_policy(canary: Canary) -> Manifest:
    """Nothing in; out to the store and to DNS only, or nowhere without a store."""
    egress = _ways_out(canary.store) if canary.store else []
    return {
        **_object(canary, "networking.k8s.io/v1", "NetworkPolicy", NAME),
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "egress": egress,
        },
    }


def _ways_out(store: StoreAccess) -> list[Manifest]:
    to: list[Manifest] = [{"ipBlock": {"cidr": network}} for network in store.networks]
    if store.namespace:
        to.append(_in_namespace(store.namespace))
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    resolvers = [{"ipBlock": {"cidr": network}} for network in store.dns_networks]
    names = {"to": [_in_namespace("kube-system"), *resolvers], "ports": ports}
    if not to:  # without a `to` the rule would let the pod reach everything at that port
        return [names]
    return [{"to": to, "ports": [{"protocol": "TCP", "port": store.port}]}, names]


def _in_namespace(name: str) -> Manifest:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def deployment(canary: Canary) -> Manifest:
    """One pod, never two on the same volumes."""
    selector = {"app.kubernetes.io/name": NAME}
    pod = {
        "metadata": {
            "labels": {**marks.labels(canary.site), **selector},
            # Script and config are read at the start only, so others make another pod.
            "annotations": {DIGEST: digest(canary), **pod_annotations(canary)},
        },
        "spec": pod_spec(canary),
    }
    spec = {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": selector},
        "template": pod,
    }
    return {**_object(canary, "apps/v1", "Deployment", NAME), "spec": spec}
