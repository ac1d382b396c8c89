"""What somebody deleted from the cluster together with its namespace, told before an update.

The engine changes what the config changed and does not look at the world. After a namespace was
deleted the state still has everything in it, and an update would find nothing to do.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from stack.checkpoint import IN_CLUSTER, Checkpoint, Resource
from stack.kubernetes_recovery import Address

NAMESPACE = "kubernetes:core/v1:Namespace"


def _metadata(resource: Resource) -> Mapping[str, Any]:
    found = (resource.get("inputs") or {}).get("metadata")
    return found if isinstance(found, Mapping) else {}


def namespaces(state: Checkpoint) -> dict[Address, Resource]:
    """Every namespace that the state has made, by its address."""
    return {
        Address("v1", "Namespace", "", str(_metadata(one)["name"])): one
        for one in state.of_type(NAMESPACE)
        if _metadata(one).get("name")
    }


def within(state: Checkpoint, gone: frozenset[str]) -> Iterator[str]:
    """The URNs of the namespaces `gone` and of every object and release that was in them."""
    for one in state.resources:
        kind = str(one.get("type"))
        if not kind.startswith(IN_CLUSTER) or one.get("delete"):
            continue
        own = _metadata(one).get("name") if kind == NAMESPACE else None
        # A release has its namespace beside its values and not in metadata.
        where = _metadata(one).get("namespace") or (one.get("inputs") or {}).get("namespace")
        if own in gone or where in gone:
            yield str(one["urn"])
