"""The rules for kubernetes types: what an interrupted run left of an object or a Helm release.

Creating an object that exists is an error, so an object of ours is adopted. It enters the state as
one whose creation failed half-way: the next update writes it again and waits for it, as the
interrupted run would have. Helm keeps a record for each revision of a release; one that says
"pending" refuses every later operation, so it is removed when nobody can be at work on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kube.marks import SITE_LABEL
from stack.checkpoint import IN_CLUSTER, Resource, name_of
from stack.steps import Action, Step, step

RELEASE = IN_CLUSTER + "helm.sh/v3:Release"
UNINSTALLING = "uninstalling"
_PENDING = "pending-"
_UNFINISHED = "its creation was interrupted; the next update completes it"
# How the official plugin names itself to the server; what follows is random for each object.
_MANAGER_PREFIX = "pulumi-kubernetes"


@dataclass(frozen=True)
class Address:
    """Which object a resource describes; `namespace` is ignored for kinds without namespaces."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True)
class Found:
    """An object in the cluster: its site's mark, whether it has a namespace, who wrote it."""

    owner: str | None
    namespaced: bool
    managers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """The newest record of a release; `owner`: the site of the namespace it is in."""

    owner: str | None
    status: str
    revision: int


def is_patch(resource: Resource) -> bool:
    """Whether a resource is some fields of an object that others own."""
    kind = str((resource.get("inputs") or {}).get("kind") or "")
    return str(resource["type"]).rsplit(":", 1)[-1] == f"{kind}Patch"


def address(resource: Resource, namespace: str) -> Address:
    """Raises ValueError without a name. `namespace`: the provider's default."""
    inputs = resource.get("inputs") or {}
    metadata = inputs.get("metadata") or {}
    if not metadata.get("name"):
        raise ValueError(f"{name_of(resource)} has no metadata.name")
    return Address(
        str(inputs.get("apiVersion", "")),
        str(inputs.get("kind", "")),
        str(metadata.get("namespace") or namespace),
        str(metadata["name"]),
    )


def created_object(resource: Resource, site: str, where: Address, found: Found | None) -> Step:
    """The step for an object that was being created."""
    if found is None:
        return step(resource, Action.CLEAR, f"{where} does not exist, so it is created again")
    if found.owner != site:
        whose = f"belongs to site {found.owner}" if found.owner else "does not bear our mark"
        return step(
            resource,
            Action.REFUSE,
            f"{where} exists and {whose}: if it is this site's, label it {SITE_LABEL}={site} and "
            "run again, otherwise remove or rename one of the two",
        )
    inputs = dict(resource.get("inputs") or {})
    outputs = {**inputs, "__inputs": inputs, "__initialApiVersion": where.api_version}
    manager = next((m for m in found.managers if m.startswith(_MANAGER_PREFIX)), None)
    if manager:
        # Another name would meet its own fields as somebody else's.
        outputs["__fieldManager"] = manager
    identity = f"{where.namespace}/{where.name}" if found.namespaced else where.name
    fields = {"id": identity, "inputs": inputs, "outputs": outputs, "initErrors": [_UNFINISHED]}
    return step(resource, Action.ADOPT, f"{where} carries our mark", fields=fields, read_back=False)


def release_id(resource: Resource) -> tuple[str, str]:
    """Namespace and name of a release. Raises ValueError without a name."""
    inputs = resource.get("inputs") or {}
    if not inputs.get("name"):
        raise ValueError(f"{name_of(resource)} has no name")
    return str(inputs.get("namespace") or "default"), str(inputs["name"])


def created_release(resource: Resource, site: str, record: Record | None) -> Step:
    """The step for a release that was being installed."""
    namespace, name = release_id(resource)
    where = f"Helm release {namespace}/{name}"
    if record is None:
        return step(resource, Action.CLEAR, f"{where} has no record, so it is installed again")
    if record.owner != site:
        return step(
            resource,
            Action.REFUSE,
            f"{where} exists and its namespace does not bear our mark: if it is this site's, label "
            f"the namespace {SITE_LABEL}={site} and run again, otherwise give ours another name",
        )
    if record.status.startswith(_PENDING) and record.revision == 1:
        return step(
            resource,
            Action.CLEAR,
            f"{where} was cut short in its installation, so its record is removed and it is "
            "installed over what is there",
            record=_secret(namespace, name, record),
        )
    stuck = record.status.startswith(_PENDING)
    inputs = dict(resource.get("inputs") or {})
    fields = {
        "id": f"{namespace}/{name}",
        "inputs": inputs,
        "outputs": {**inputs, "__inputs": inputs},
        "initErrors": [_UNFINISHED],
    }
    return step(
        resource,
        Action.ADOPT,
        f"{where} is in our namespace with status {record.status}",
        fields=fields,
        read_back=False,
        record=_secret(namespace, name, record) if stuck else None,
    )


def updated_release(resource: Resource, record: Record | None) -> Step | None:
    """The step for a release that was being upgraded, None if nothing is in the way."""
    if record is None or not record.status.startswith(_PENDING):
        return None
    namespace, name = release_id(resource)
    return step(
        resource,
        Action.CLEAR,
        f"Helm release {namespace}/{name} was cut short in an upgrade, so the record of revision "
        f"{record.revision} is removed and the upgrade runs again",
        record=_secret(namespace, name, record),
    )


def removed(resource: Resource) -> Step:
    """The step for anything of the cluster that was being removed."""
    return step(resource, Action.FINISH, "its removal had begun and is carried through")


def _secret(namespace: str, name: str, record: Record) -> tuple[str, str]:
    return namespace, f"sh.helm.release.v1.{name}.v{record.revision}"


def managers(live: Mapping[str, Any]) -> tuple[str, ...]:
    """The field managers of an object as the server gives it, the latest first."""
    entries = (live.get("metadata") or {}).get("managedFields") or []
    ordered = sorted(entries, key=lambda entry: str(entry.get("time") or ""), reverse=True)
    return tuple(str(entry.get("manager") or "") for entry in ordered)
