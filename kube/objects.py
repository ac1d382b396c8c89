"""Every object of a cluster or of some of its namespaces, over all kinds, one after the other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kube.client import Client
from kube.discovery import Resource
from kube.errors import Cause, ClusterError

NO_CONTENT: Mapping[str, str] = {
    "events": "notes about other objects, which expire by themselves",
    "events.events.k8s.io": "the same notes under another group",
    "componentstatuses": "no stored objects; the API server makes them up",
    "pods.metrics.k8s.io": "no stored objects; measured at each request",
    "nodes.metrics.k8s.io": "no stored objects; measured at each request",
}
"""Kinds, by the name of their resource, that hold nothing to keep, and why."""


class Stage(StrEnum):
    """What became of one listing.

    ANEW: it begins again, so what came of it before is void. SKIPPED: nothing came of it.
    """

    DONE = "done"
    ANEW = "anew"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Listing:
    """One collection. `namespace` "": all, or a kind without namespaces.

    `resource_version`: the state of the cluster that the listing shows. `why`: for SKIPPED.
    """

    resource: Resource
    namespace: str
    stage: Stage
    count: int = 0
    resource_version: str = ""
    why: str = ""


Tell = Callable[[Listing], None]


def in_namespaces(
    client: Client,
    resources: Sequence[Resource],
    namespaces: Sequence[str],
    *,
    excluded: Mapping[str, str] = NO_CONTENT,
    tell: Tell | None = None,
) -> Iterator[tuple[Resource, dict[str, Any]]]:
    """Every object in the given namespaces, in the order of `namespaces`, then of `resources`.

    `excluded`: names of resources that are left out. `tell` hears how each listing went. Objects
    bear `apiVersion` and `kind`, which a list leaves out. One page is held at a time.

    Raises:
        ClusterError: the cluster is not reached, or forbids a kind.
    """
    for namespace in namespaces:
        for one in resources:
            if one.namespaced:
                yield from _listed(client, one, namespace, excluded, tell)


def of_cluster(
    client: Client,
    resources: Sequence[Resource],
    *,
    excluded: Mapping[str, str] = NO_CONTENT,
    tell: Tell | None = None,
) -> Iterator[tuple[Resource, dict[str, Any]]]:
    """Every object of the kinds without namespaces; as `in_namespaces` else."""
    for one in resources:
        if not one.namespaced:
            yield from _listed(client, one, "", excluded, tell)


def _listed(
    client: Client,
    resource: Resource,
    namespace: str,
    excluded: Mapping[str, str],
    tell: Tell | None,
) -> Iterator[tuple[Resource, dict[str, Any]]]:
    def told(stage: Stage, count: int = 0, version: str = "", why: str = "") -> None:
        if tell is not None:
            tell(Listing(resource, namespace, stage, count, version, why))

    if resource.name in excluded:
        told(Stage.SKIPPED, why=excluded[resource.name])
        return
    count, version = 0, ""
    try:
        for page in client.pages(resource.path(namespace)):
            if page.anew:
                told(Stage.ANEW)
                count = 0
            count, version = count + len(page.items), page.resource_version
            for item in page.items:
                yield (
                    resource,
                    {
                        "apiVersion": resource.api_version,
                        "kind": resource.kind,
                        **item,
                    },
                )
    except ClusterError as error:
        if error.cause is not Cause.MISSING:
            raise
        told(Stage.SKIPPED, why="the cluster serves this kind no longer")
        return
    told(Stage.DONE, count, version)
