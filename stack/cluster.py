"""The stack's cluster as the state describes it, and what the driver asks of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from kube import marks, places
from kube.client import Client, connect
from kube.connection import open_exchange
from kube.errors import Cause, ClusterError
from kube.kubeconfig import Kubeconfig, parse
from kube.writer import Writer
from stack.checkpoint import Resource, plain
from stack.errors import StackError
from stack.kubernetes_recovery import Address, Found, Record, managers


@dataclass(frozen=True)
class ClusterAccess:
    """How one provider of the state reaches its cluster; the kubeconfig is in no text form."""

    kubeconfig: str = field(repr=False)
    context: str
    namespace: str


class Cluster(Protocol):
    """What the driver asks of a cluster. All raise ClusterError when there is no clear answer."""

    def find(self, where: Address) -> Found | None:
        """The object at this address, None if there is none."""

    def record(self, namespace: str, name: str) -> Record | None:
        """Helm's newest record of a release, None if it has none."""

    def remove_record(self, namespace: str, secret: str) -> None:
        """Removes one of helm's records."""


OpenCluster = Callable[[ClusterAccess], Cluster]


@dataclass(frozen=True)
class RealCluster:
    """The real cluster, over its API."""

    client: Client
    writer: Writer

    def find(self, where: Address) -> Found | None:
        """One look at the object; a kind that the server does not know has no objects."""
        live = places.find(self.client, where.api_version, where.kind, where.namespace, where.name)
        if live is None:
            return None
        namespaced = bool((live.get("metadata") or {}).get("namespace"))
        return Found(marks.owner(live), namespaced, managers(live))

    def record(self, namespace: str, name: str) -> Record | None:
        """Read from the labels of helm's Secrets; what they hold is not fetched."""
        try:
            within = self.client.get(f"/api/v1/namespaces/{namespace}")
        except ClusterError as error:
            if error.cause is Cause.MISSING:
                return None
            raise
        secrets = self.client.list(f"/api/v1/namespaces/{namespace}/secrets", metadata_only=True)
        records = [found for found in map(_labels, secrets) if _is_record(found, name)]
        if not records:
            return None
        newest = max(records, key=_revision)
        return Record(marks.owner(within), str(newest.get("status", "")), _revision(newest))

    def remove_record(self, namespace: str, secret: str) -> None:
        self.writer.delete(f"/api/v1/namespaces/{namespace}/secrets/{secret}")


def open_cluster(access: ClusterAccess) -> Cluster:
    """The real cluster behind an access. Raises ClusterError if the kubeconfig is no usable one."""
    kubeconfig: Kubeconfig = parse(access.kubeconfig, access.context)
    return RealCluster(connect(kubeconfig), Writer(open_exchange(kubeconfig), kubeconfig.server))


def access_of(provider: Resource) -> ClusterAccess:
    """The access a provider of the state has; needs an export with secrets shown."""
    inputs = provider.get("inputs") or {}
    text = str(plain(inputs.get("kubeconfig")) or "")
    if not text:
        raise StackError(
            "the state's kubernetes provider holds no kubeconfig: run `python -m stack recover` "
            "with --adopt or --clear for what it made"
        )
    return ClusterAccess(
        text,
        str(plain(inputs.get("context")) or ""),
        str(plain(inputs.get("namespace")) or "default"),
    )


def _labels(secret: Mapping[str, Any]) -> Mapping[str, Any]:
    labels: Mapping[str, Any] = (secret.get("metadata") or {}).get("labels") or {}
    return labels


def _is_record(labels: Mapping[str, Any], name: str) -> bool:
    return labels.get("owner") == "helm" and labels.get("name") == name


def _revision(labels: Mapping[str, Any]) -> int:
    version = str(labels.get("version") or "")
    return int(version) if version.isdigit() else 0
