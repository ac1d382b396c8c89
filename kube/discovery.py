"""What kinds of objects a cluster serves, as it tells itself: built-in, custom and aggregated."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kube.client import Client
from kube.errors import Cause, ClusterError

# One request for all groups where the server knows how (1.26 and later), else one per group.
_AGGREGATED = ",".join(
    (
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        "application/json",
    )
)


@dataclass(frozen=True)
class Resource:
    """A kind of object in the version that the server prefers. `group` "" is the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    verbs: frozenset[str]

    @property
    def name(self) -> str:
        """ "deployments.apps", "pods": the same in every version."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "") -> str:
        """The collection; "" for all namespaces, or for a kind without namespaces."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"
        inside = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}{inside}/{self.plural}"


@dataclass(frozen=True)
class Served:
    """`resources` by name. `unavailable`: "group/version" whose own server does not answer now.

    What `unavailable` names may hold objects, of which this list says nothing.
    """

    resources: tuple[Resource, ...]
    unavailable: tuple[str, ...] = ()

    def named(self, name: str) -> Resource | None:
        return next((one for one in self.resources if one.name == name), None)


@dataclass(frozen=True)
class _Version:
    """One version of a group; `resources` None: its server does not answer."""

    group: str
    version: str
    resources: tuple[Resource, ...] | None


def discover(client: Client, *, verb: str = "list") -> Served:
    """Every kind that the cluster serves with `verb`, each once, in its preferred version.

    A kind that the preferred version of its group does not have comes in the next one that does.

    Raises:
        ClusterError: the cluster is not reached, or refuses.
    """
    versions = [*_versions(client, "/api"), *_versions(client, "/apis")]
    chosen: dict[str, Resource] = {}
    for held in versions:
        for one in held.resources or ():
            if verb in one.verbs:
                chosen.setdefault(one.name, one)
    silent = [f"{one.group}/{one.version}" for one in versions if one.resources is None]
    return Served(tuple(chosen[name] for name in sorted(chosen)), tuple(sorted(silent)))


def _versions(client: Client, root: str) -> Iterator[_Version]:
    """The versions below /api or /apis, those of one group in the order of preference."""
    answer = client.get(root, accept=_AGGREGATED)
    if answer.get("kind") == "APIGroupDiscoveryList":
        for group in answer.get("items") or []:
            yield from _aggregated(group)
        return
    for name, version in _listed(answer):
        yield _asked(client, name, version)


def _aggregated(group: Mapping[str, Any]) -> Iterator[_Version]:
    name = str((group.get("metadata") or {}).get("name") or "")
    for held in group.get("versions") or []:
        version = str(held.get("version"))
        if held.get("freshness") == "Stale":
            yield _Version(name, version, None)
            continue
        yield _Version(
            name,
            version,
            tuple(
                Resource(
                    name,
                    version,
                    str(one.get("resource")),
                    str((one.get("responseKind") or {}).get("kind")),
                    one.get("scope") == "Namespaced",
                    frozenset(one.get("verbs") or []),
                )
                for one in held.get("resources") or []
            ),
        )


def _listed(answer: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """(group, version) of the plain lists, the preferred version of a group first."""
    for version in answer.get("versions") or []:
        yield "", str(version)
    for group in answer.get("groups") or []:
        preferred = str((group.get("preferredVersion") or {}).get("version"))
        versions = [str(one.get("version")) for one in group.get("versions") or []]
        for version in sorted(versions, key=lambda each: each != preferred):
            yield str(group.get("name")), version


def _asked(client: Client, group: str, version: str) -> _Version:
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    try:
        found = client.get(root).get("resources") or []
    except ClusterError as error:
        # An aggregated server that is down answers so; one that left meanwhile is not there.
        if error.cause in (Cause.BUSY, Cause.MISSING):
            return _Version(group, version, None if error.cause is Cause.BUSY else ())
        raise
    return _Version(
        group,
        version,
        tuple(
            Resource(
                str(one.get("group") or group),
                str(one.get("version") or version),
                str(one.get("name")),
                str(one.get("kind")),
                bool(one.get("namespaced")),
                frozenset(one.get("verbs") or []),
            )
            for one in found
            if "/" not in str(one.get("name"))
        ),
    )
