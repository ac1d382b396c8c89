"""States in the shape `pulumi stack export` prints, reduced to the fields that decide something.

The shapes were taken from exports of engine 3.259 after a SIGKILL.
"""

import json
from typing import Any

from stack.checkpoint import Checkpoint, parse

ROOT = "urn:pulumi:dev::backstop::pulumi:pulumi:Stack::backstop-dev"
PROVIDER = "urn:pulumi:dev::backstop::pulumi:providers:minio::store"
PROVIDER_REFERENCE = f"{PROVIDER}::1f0c0e2a-7d0b-4a0e-9d59-5f5a3a1c7a11"
CLUSTER = "urn:pulumi:dev::backstop::pulumi:providers:kubernetes::cluster"
CLUSTER_REFERENCE = f"{CLUSTER}::5d7c1b1e-3c41-4a35-8f4e-0a1b2c3d4e5f"
BUCKET = "minio:index/s3Bucket:S3Bucket"
VERSIONING = "minio:index/s3BucketVersioning:S3BucketVersioning"
COMMAND = "command:local:Command"


def urn(token: str, name: str) -> str:
    return f"urn:pulumi:dev::backstop::{token}::{name}"


def secret(value: object) -> dict[str, str]:
    return {
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "plaintext": json.dumps(value),
    }


def resource(token: str, name: str, **fields: Any) -> dict[str, Any]:
    return {
        "urn": urn(token, name),
        "custom": True,
        "type": token,
        "inputs": {},
        "parent": ROOT,
        **fields,
    }


def bucket(name: str, **fields: Any) -> dict[str, Any]:
    inputs = {"bucket": name, "acl": "private", "quota": 1000.0, **fields.pop("inputs", {})}
    return resource(BUCKET, name, inputs=inputs, provider=PROVIDER_REFERENCE, **fields)


def store_provider(**inputs: Any) -> dict[str, Any]:
    values = {
        "minioServer": "127.0.0.1:9000",
        "minioUser": "root",
        "minioPassword": secret("a password"),
        "minioRegion": "eu-west-1",
        "minioCacertFile": ".backstop/trust/dev-store-ca.pem",
        **inputs,
    }
    found = resource("pulumi:providers:minio", "store", inputs=values)
    return {**found, "urn": PROVIDER, "id": PROVIDER_REFERENCE.rsplit("::", 1)[-1]}


def cluster_provider(**inputs: Any) -> dict[str, Any]:
    values = {"kubeconfig": secret("a kubeconfig"), "context": "here", **inputs}
    found = resource("pulumi:providers:kubernetes", "cluster", inputs=values)
    return {**found, "urn": CLUSTER, "id": CLUSTER_REFERENCE.rsplit("::", 1)[-1]}


def kube_secret(name: str, **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "velero"}
    inputs = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    return resource(
        "kubernetes:core/v1:Secret", name, inputs=inputs, provider=CLUSTER_REFERENCE, **fields
    )


def release(**fields: Any) -> dict[str, Any]:
    inputs = {"name": "velero", "namespace": "velero", "chart": "velero"}
    return resource(
        "kubernetes:helm.sh/v3:Release",
        "velero",
        inputs=inputs,
        provider=CLUSTER_REFERENCE,
        **fields,
    )


def export(
    resources: list[dict[str, Any]] | None = None,
    creating: list[dict[str, Any]] | None = None,
    outputs: dict[str, Any] | None = None,
    **others: list[dict[str, Any]],
) -> str:
    """An export; `creating` and further operation types give the pending operations."""
    root = {
        "urn": ROOT,
        "custom": False,
        "type": "pulumi:pulumi:Stack",
        "outputs": outputs or {},
    }
    pending = {"creating": creating or [], **others}
    operations = [{"resource": r, "type": kind} for kind, many in pending.items() for r in many]
    deployment: dict[str, Any] = {
        "manifest": {"version": "v3.259.0"},
        "resources": [root, *(resources or [])],
    }
    if operations:
        deployment["pending_operations"] = operations
    return json.dumps({"version": 3, "deployment": deployment})


def state(*args: Any, **kwargs: Any) -> Checkpoint:
    return parse(export(*args, **kwargs))
