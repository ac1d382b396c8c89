"""Which objects of a backup must come back in a drill, and what else may stand in the sandbox."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from drills.objects.keys import ObjectKey, printable
from drills.objects.makers import Rows, controller_of
from drills.objects.mapping import NAMESPACES
from drills.objects.normal_form import Restoration

_CLUSTER_SCOPED = "cluster-scoped: never restored over the live one, compared with the truth only"
_OWN_NAMESPACE = "the drill makes the sandbox's namespaces itself"
_OTHER_NAMESPACE = "its namespace was not restored in this drill"


class HeldBack(NamedTuple):
    """Why an object is not awaited. may_stand: one of that name in the sandbox is no addition."""

    why: str
    may_stand: bool


class Gate:
    """The tables of a restoration, asked object by object."""

    def __init__(self, restoration: Restoration) -> None:
        self._restoration = restoration
        self._never = Rows(restoration.never_restored)
        self._made = Rows(restoration.made)
        self._left_out: dict[str, str] = {}

    def held_back(self, key: ObjectKey, content: Mapping[str, object]) -> HeldBack | None:
        """Why an object of the backup need not come back as it is; None if it must."""
        if key.resource == NAMESPACES:
            return self._namespace(key)
        if not key.namespace:
            return HeldBack(_CLUSTER_SCOPED, False)
        if key.namespace not in self._restoration.namespaces:
            return HeldBack(_OTHER_NAMESPACE, False)
        if why := self._left_out_kind(key.resource):
            return HeldBack(why, False)
        never = self._never.match(key.resource, key.name, content)
        if never is not None:
            return HeldBack(never.why, False)
        made = self._made.match(key.resource, key.name, content)
        return None if made is None or made.compared else HeldBack(made.why, True)

    def made_there(self, key: ObjectKey, content: Mapping[str, object]) -> str:
        """Why an object of the sandbox that the backup lacks is nobody's addition; empty if it is.

        key: as it would be called in the source.
        """
        if key.resource == NAMESPACES:
            return _OWN_NAMESPACE
        row = self._made.match(key.resource, key.name, content)
        if row is not None:
            return row.why
        # Velero restores no owners: who has one was made, or taken over, in the sandbox.
        owner = controller_of(content)
        return f"made there by the controller of its owner, a {printable(owner)}" if owner else ""

    def _namespace(self, key: ObjectKey) -> HeldBack | None:
        if key.name not in self._restoration.namespaces:
            return HeldBack(_OTHER_NAMESPACE, False)
        return None if self._restoration.namespaces_restored else HeldBack(_OWN_NAMESPACE, True)

    def _left_out_kind(self, resource: str) -> str:
        why = self._left_out.get(resource)
        if why is None:
            found = (
                reason
                for glob, reason in self._restoration.left_out.items()
                if fnmatchcase(resource, glob)
            )
            why = self._left_out[resource] = next(found, "")
        return why
