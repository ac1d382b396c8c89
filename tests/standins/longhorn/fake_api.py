"""An API server of dictionaries: what the stand-in needs of one, with its rules.

Status is apart from the rest, versions grow, a finalizer keeps an object, watches are not needed:
`refresh` lists everything anew, as a watch that is late would.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from standins.longhorn.api import ApiError, Event, Listing
from standins.longhorn.cluster import Cluster
from standins.longhorn.kinds import EVENT, WATCHED, Kind, Object

CREATED = "2026-03-01T00:00:00Z"


class FakeApi:
    """`requests`: what was changed, as verb, kind and name."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str]] = []
        self._objects: dict[tuple[Kind, str, str], Object] = {}
        self._version = 0

    # As the stand-in asks

    def listing(self, kind: Kind, namespace: str) -> Listing:
        found = [
            copy.deepcopy(one)
            for (which, place, _), one in sorted(self._objects.items(), key=lambda one: one[0][1:])
            if which is kind and namespace in ("", place)
        ]
        return Listing(found, str(self._version))

    def watch(self, kind: Kind, namespace: str, version: str) -> Iterator[Event]:
        raise NotImplementedError

    def create(self, kind: Kind, namespace: str, body: Object) -> Object:
        made = copy.deepcopy(body)
        metadata = made["metadata"]
        if "generateName" in metadata:
            metadata["name"] = f"{metadata['generateName']}{self._version}"
        key = (kind, namespace, metadata["name"])
        if key in self._objects:
            raise ApiError(409, f"{kind.plural} {metadata['name']} already exists")
        metadata.setdefault("creationTimestamp", CREATED)
        metadata["uid"] = f"uid-{self._version}"
        if kind is not EVENT:
            made.pop("status", None)
        return self._store("create", key, made)

    def patch(
        self, kind: Kind, namespace: str, name: str, changes: Mapping[str, Any], sub: str = ""
    ) -> Object:
        key = (kind, namespace, name)
        if key not in self._objects:
            raise ApiError(404, f"{kind.plural} {name} not found")
        held = copy.deepcopy(self._objects[key])
        merged = merge(held, changes)
        if sub == "status":
            made = {**held, "status": merged.get("status", {})}
        else:
            made = {**merged}
            made.pop("status", None)
            if "status" in held:
                made["status"] = held["status"]
        return self._store(f"patch {sub}".strip(), key, made)

    def delete(self, kind: Kind, namespace: str, name: str) -> None:
        key = (kind, namespace, name)
        if key not in self._objects:
            raise ApiError(404, f"{kind.plural} {name} not found")
        held = copy.deepcopy(self._objects[key])
        held["metadata"].setdefault("deletionTimestamp", CREATED)
        self._store("delete", key, held)

    # As a person asks

    def put(self, kind: Kind, body: Object, *, namespace: str = "") -> None:
        """Makes or replaces an object, status and all."""
        made = copy.deepcopy(body)
        made.setdefault("apiVersion", kind.version)
        made.setdefault("kind", kind.name)
        metadata = made["metadata"]
        if namespace:
            metadata["namespace"] = namespace
        metadata.setdefault("uid", f"uid-{self._version}")
        metadata.setdefault("creationTimestamp", CREATED)
        self._store("put", (kind, namespace, metadata["name"]), made)

    def get(self, kind: Kind, name: str, namespace: str = "longhorn-system") -> Object:
        return self._objects[kind, namespace, name]

    def has(self, kind: Kind, name: str, namespace: str = "longhorn-system") -> bool:
        return (kind, namespace, name) in self._objects

    def names(self, kind: Kind) -> list[str]:
        return [one["metadata"]["name"] for one in self.listing(kind, "").items]

    def drop(self, kind: Kind, name: str, namespace: str = "") -> None:
        del self._objects[kind, namespace, name]

    def refresh(self, cluster: Cluster) -> None:
        """What every watch would have brought by now."""
        for kind in WATCHED:
            cluster.replace(kind, self.listing(kind, "").items)

    def _store(self, verb: str, key: tuple[Kind, str, str], made: Object) -> Object:
        self._version += 1
        made["metadata"]["resourceVersion"] = str(self._version)
        if "deletionTimestamp" in made["metadata"] and not made["metadata"].get("finalizers"):
            self._objects.pop(key, None)
        else:
            self._objects[key] = made
        self.requests.append((verb, key[0].name, key[2]))
        return copy.deepcopy(made)


def merge(held: Any, changes: Any) -> Any:
    """RFC 7386."""
    if not isinstance(changes, Mapping):
        return changes
    made = dict(held) if isinstance(held, Mapping) else {}
    for key, value in changes.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merge(made.get(key), value)
    return made
