"""What is known of the cluster, and how it is changed."""

import http.client
import logging
import threading
from collections.abc import Mapping
from typing import Any

from standins.longhorn.api import Api, ApiError
from standins.longhorn.kinds import EVENT, Kind, Object, name, namespace, owner
from standins.longhorn.moments import Clock, stamp

log = logging.getLogger("longhorn-stand-in")


class Cluster:
    """The objects of the watched kinds as they were seen last, and every way to change them.

    What a change answers is known at once, so that nothing is done twice because a watch is late.
    `changed` is set whenever anything is not what it was.
    """

    def __init__(self, api: Api, namespace: str, node: str, clock: Clock) -> None:
        self.namespace = namespace
        self.node = node
        self.clock = clock
        self.changed = threading.Event()
        self._api = api
        self._mutex = threading.Lock()
        self._known: dict[Kind, dict[tuple[str, str], Object]] = {}

    # What is known

    def all(self, kind: Kind) -> list[Object]:
        """Every object of a kind, by name."""
        with self._mutex:
            found = list(self._known.get(kind, {}).values())
        return sorted(found, key=lambda one: (namespace(one), name(one)))

    def find(self, kind: Kind, name: str, within: str | None = None) -> Object | None:
        """`within`: the namespace, for kinds that are not looked at in Longhorn's own alone."""
        place = self.namespace if kind.own else (within or "")
        with self._mutex:
            return self._known.get(kind, {}).get((place, name))

    def replace(self, kind: Kind, found: list[Object]) -> None:
        """All that there is of a kind, as a listing has it; what is newer here stays."""
        with self._mutex:
            before = self._known.get(kind, {})
            listed = {(namespace(one), name(one)): one for one in found}
            self._known[kind] = {
                key: max(one, before.get(key, one), key=_version) for key, one in listed.items()
            }
        self.changed.set()

    def note(self, kind: Kind, found: Object) -> None:
        """An object as a watch or an answer has it, unless a newer one is known already."""
        key = (namespace(found), name(found))
        with self._mutex:
            held = self._known.setdefault(kind, {})
            if key in held and _version(held[key]) >= _version(found):
                return
            held[key] = found
        self.changed.set()

    def forget(self, kind: Kind, found: Object) -> None:
        with self._mutex:
            self._known.setdefault(kind, {}).pop((namespace(found), name(found)), None)
        self.changed.set()

    # How it is changed

    def create(self, kind: Kind, body: Object) -> Object | None:
        """Makes an object in Longhorn's namespace; None if there is one of that name."""
        metadata = {"namespace": self.namespace, **body["metadata"]}
        full = {"apiVersion": kind.version, "kind": kind.name, **body, "metadata": metadata}
        try:
            made = self._api.create(kind, self.namespace, full)
        except ApiError as error:
            if error.status == http.client.CONFLICT:
                return None
            raise
        self.note(kind, made)
        return made

    def change(self, kind: Kind, name: str, changes: Mapping[str, Any], sub: str = "") -> None:
        """Merges changes into an object, if there are any; one that is gone is left gone."""
        held = self.find(kind, name)
        if held is None or not differs(held, changes):
            return
        try:
            made = self._api.patch(kind, self.namespace, name, changes, sub)
        except ApiError as error:
            if error.status == http.client.NOT_FOUND:
                return
            raise
        if made["metadata"].get("deletionTimestamp") and not made["metadata"].get("finalizers"):
            self.forget(kind, made)
        else:
            self.note(kind, made)

    def change_status(self, kind: Kind, name: str, changes: Mapping[str, Any]) -> None:
        self.change(kind, name, {"status": changes}, "status")

    def delete(self, kind: Kind, name: str) -> None:
        try:
            self._api.delete(kind, self.namespace, name)
        except ApiError as error:
            if error.status != http.client.NOT_FOUND:
                raise

    def tell(self, about: Object, reason: str, message: str) -> None:
        """An event on an object, for who describes it; never a reason to fail."""
        now = stamp(self.clock())
        body: Object = {
            "apiVersion": EVENT.version,
            "kind": EVENT.name,
            "metadata": {"generateName": f"{name(about)}.", "namespace": self.namespace},
            "involvedObject": {**owner(about), "namespace": self.namespace},
            "type": "Warning",
            "reason": reason,
            "message": message,
            "source": {"component": "longhorn-manager (stand-in)"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            self._api.create(EVENT, self.namespace, body)
        except (ApiError, OSError, http.client.HTTPException) as error:
            log.warning("event on %s could not be written: %s", name(about), error)


def differs(held: object, changes: object) -> bool:
    """Whether merging the changes into what is held makes another thing of it (RFC 7386)."""
    if not isinstance(changes, Mapping):
        return held != changes
    if not isinstance(held, Mapping):
        return any(value is not None for value in changes.values()) or held is not None
    return any(
        key in held if value is None else key not in held or differs(held[key], value)
        for key, value in changes.items()
    )


def _version(found: Object) -> int:
    """Versions grow as numbers in every API server that there is."""
    text = str(found["metadata"].get("resourceVersion", ""))
    return int(text) if text.isdigit() else 0
