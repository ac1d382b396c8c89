"""Where Longhorn's objects are, and what is read of any of them."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kube.client import Client, Clock
from kube.errors import Cause, ClusterError
from kube.writer import Writer

GROUP = "longhorn.io/v1beta2"
DRIVER = "driver.longhorn.io"
NAMESPACE = "longhorn-system"

Object = Mapping[str, Any]


class LonghornError(Exception):
    """Longhorn does not do what it was asked for; the text is one sentence with the cure."""


@dataclass(frozen=True)
class Longhorn:
    """One installation: how to read and change its objects, and the time."""

    client: Client
    writer: Writer
    namespace: str
    clock: Clock

    def path(self, kind: str, name: str = "") -> str:
        """Path of an object of a kind ("backups"), or of all of them."""
        return object_path(self.namespace, kind, name)


def object_path(namespace: str, kind: str, name: str = "") -> str:
    """Path of an object of a kind ("backups"), or of all of them."""
    return f"/apis/{GROUP}/namespaces/{namespace}/{kind}" + (f"/{name}" if name else "")


def listed(
    client: Client, namespace: str, kind: str, labels: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Every object of a kind, ascending by name.

    Raises:
        ClusterError: the cluster is not reached or refuses, or (MISSING) has no such kind: then it
            has no Longhorn, which is another thing than a Longhorn without volumes.
    """
    found: list[dict[str, Any]] = []
    for page in client.pages(object_path(namespace, kind), labels=labels):
        found = page.items if page.anew else found + page.items
    return sorted(found, key=name)


def is_installed(client: Client) -> bool:
    """Whether the cluster serves Longhorn's kinds. Raises ClusterError."""
    try:
        client.get(f"/apis/{GROUP}")
    except ClusterError as error:
        if error.cause is Cause.MISSING:
            return False
        raise
    return True


def part(found: Object, key: str) -> Object:
    """An object within an object; empty for anything else."""
    held = found.get(key)
    return held if isinstance(held, Mapping) else {}


def metadata(found: Object) -> Object:
    return part(found, "metadata")


def spec(found: Object) -> Object:
    return part(found, "spec")


def status(found: Object) -> Object:
    return part(found, "status")


def name(found: Object) -> str:
    return str(metadata(found).get("name") or "")


def labels(found: Object) -> Mapping[str, str]:
    return part(metadata(found), "labels")


def created(found: Object) -> datetime.datetime | None:
    return moment(metadata(found).get("creationTimestamp"))


def text(held: Object, key: str) -> str:
    """A field as text, "" where it is not there or null."""
    value = held.get(key)
    return "" if value is None else str(value)


def number(held: Object, key: str) -> int:
    """A count or a size in bytes, which Longhorn writes as a number or as text; 0 if neither."""
    try:
        return int(held.get(key) or 0)
    except (TypeError, ValueError, OverflowError):
        return 0


def moment(value: object) -> datetime.datetime | None:
    """A time as the API server or Longhorn writes it, aware; None for anything else."""
    try:
        found = datetime.datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else None
