"""Checks and the backup's objects that they are about."""

from typing import Any

from pydantic import TypeAdapter

from drills.objects.keys import ObjectKey
from drills.usable.settings import Checks, UserCheck
from tests.drills.sandbox.runs import run

SOURCE = "shop"
SANDBOX = run().name(SOURCE)
MAPPING = {SOURCE: SANDBOX}
WEB = ObjectKey("deployments.apps", SOURCE, "web")
DB = ObjectKey("statefulsets.apps", SOURCE, "db")
_FORM: TypeAdapter[tuple[UserCheck, ...]] = TypeAdapter(Checks)


def checks(*given: dict[str, Any]) -> tuple[UserCheck, ...]:
    return _FORM.validate_python(given)


def check(kind: str, name: str = "web answers", **more: Any) -> dict[str, Any]:
    """A check of the kind with all that it needs."""
    own: dict[str, dict[str, Any]] = {
        "http": {"service": "web", "port": 80},
        "command": {"workload": "statefulsets.apps/db", "command": ["true"]},
        "job": {"image": "tools:1", "command": ["true"]},
        "ready": {"workload": "deployments.apps/web"},
    }
    return {"name": name, "namespace": SOURCE, "kind": kind, **own[kind], **more}


def key(one: dict[str, Any]) -> ObjectKey:
    kinds = {
        "Deployment": "deployments.apps",
        "StatefulSet": "statefulsets.apps",
        "DaemonSet": "daemonsets.apps",
        "Service": "services",
        "PersistentVolumeClaim": "persistentvolumeclaims",
    }
    return ObjectKey(kinds[one["kind"]], SOURCE, one["metadata"]["name"])


def workload(kind: str, name: str, replicas: int | None = 2, **pod: Any) -> dict[str, Any]:
    labels = pod.pop("labels", {"app": name})
    annotations = pod.pop("annotations", {})
    more = pod.pop("more", {})
    template = {
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": {"containers": [{"name": "main", "image": f"{name}:1"}], **pod},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": SOURCE},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template,
            **more,
        },
    }


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    held = {"selector": {"app": "web"}, "ports": [{"port": 80}], **spec}
    metadata = {"name": name, "namespace": SOURCE}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": held}


def claim(name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": SOURCE}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata}


def database(**more: Any) -> dict[str, Any]:
    templates = {"volumeClaimTemplates": [{"metadata": {"name": "data"}}], **more}
    return workload("StatefulSet", "db", 3, more=templates)


def archive(*changed: dict[str, Any], without: tuple[str, ...] = ()) -> dict[ObjectKey, Any]:
    """A web Deployment behind a Service, and a database with its claims."""
    usual = [
        workload("Deployment", "web"),
        database(),
        service(),
        *(claim(f"data-db-{number}") for number in range(3)),
        *changed,
    ]
    found = {key(one): one for one in usual}
    return {one: content for one, content in found.items() if one.name not in without}
