"""What the copies of restore points left in a cluster: what to remove, in which order, and why not.

A location goes first, for Velero makes the backups of a location anew as long as it is there.
What Velero made for it (backups, their copies, repositories) follows, and then the Secret. Restores
are the sandbox's affair (drills/sandbox/sweep.py) and go before: Velero deletes a restore's files
through its location.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drills.sandbox.marks import MarkError, Run, read, run_id_of
from kube.errors import Cause
from kube.velero.api import Object, Velero, VeleroError, name
from kube.waiting import TimeoutPassedError, until

REMOVAL_SECONDS = 120.0
_SECRETS = "secrets"
# In the order of their removal.
_KINDS = ("backupstoragelocations", "backups", "podvolumebackups", "backuprepositories", _SECRETS)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Item:
    """One object. `plural`: its kind as the API names it."""

    plural: str
    name: str


@dataclass(frozen=True)
class Kept:
    """One that stays although it should be gone, and why."""

    item: Item
    why: str


def remove_run(velero: Velero, run: Run, *, say: Say = lambda _line: None) -> None:
    """Removes what this run made, and what Velero made for it. Raises VeleroError, ClusterError."""
    _remove(velero, lambda: chosen(_found(velero), run.site, run.made, own=run.run_id)[0], say)


def sweep(
    velero: Velero, site: str, now: datetime.datetime, *, say: Say = lambda _line: None
) -> tuple[Kept, ...]:
    """Removes what dead runs of this site left; what stays and should not.

    Raises VeleroError, ClusterError.
    """
    _remove(velero, lambda: chosen(_found(velero), site, now)[0], say)
    return tuple(chosen(_found(velero), site, now)[1])


def chosen(
    found: Sequence[tuple[str, Object]],
    site: str,
    now: datetime.datetime,
    *,
    own: str | None = None,
) -> tuple[list[Item], list[Kept]]:
    """What goes, in order, and what stays. `found`: (plural, object).

    `own`: id of the run that asks, whose things alone go; without it, those of all dead runs.

    A repository that Velero made bears no mark; it is known by the name of its location, which
    tells the run. It goes unless a mark says that this run may be alive: the location bears one.
    """
    items: list[Item] = []
    kept: list[Kept] = []
    alive: set[str] = set()
    unmarked: list[tuple[Item, str]] = []
    for plural, one in found:
        item = Item(plural, name(one))
        try:
            owner = read(one)
        except MarkError as error:
            kept.append(Kept(item, str(error)))
            continue
        if owner is None:
            run_id = _named_run(plural, one)
            if run_id is not None:
                unmarked.append((item, run_id))
        elif owner.site == site and _is_over(owner, now, own):
            if run_id_of(item.name) is None:
                why = "it has a drill's mark and another name; remove the mark if it is not one"
                kept.append(Kept(item, why))
            else:
                items.append(item)
        else:
            alive.add(owner.run_id)
    items += [
        item
        for item, run_id in unmarked
        if (run_id == own if own is not None else run_id not in alive)
    ]
    return sorted(items, key=lambda one: (_KINDS.index(one.plural), one.name)), kept


def _is_over(owner: Run, now: datetime.datetime, own: str | None) -> bool:
    return owner.until <= now if own is None else owner.run_id == own


def _named_run(plural: str, one: Object) -> str | None:
    """The run in the name of the location that an object of Velero's own belongs to."""
    spec = one.get("spec") or {}
    if plural == "backuprepositories":
        return run_id_of(str(spec.get("backupStorageLocation") or ""))
    return None


def _found(velero: Velero) -> list[tuple[str, Object]]:
    return [
        (plural, one)
        for plural in _KINDS
        for one in velero.client.list(_collection(velero, plural), metadata_only=plural == _SECRETS)
    ]


def _collection(velero: Velero, plural: str) -> str:
    if plural == _SECRETS:
        return f"/api/v1/namespaces/{velero.namespace}/secrets"
    return velero.collection(plural)


def _remove(velero: Velero, look: Callable[[], list[Item]], say: Say) -> None:
    """Looks more than once: Velero may be at making an object while its location goes."""

    def gone() -> bool | None:
        items = look()
        for item in items:
            velero.writer.delete(f"{_collection(velero, item.plural)}/{item.name}")
        if items:
            say(f"removing {len(items)} objects of a copy")
        return None if items else True

    try:
        until(gone, velero.clock, REMOVAL_SECONDS)
    except TimeoutPassedError as error:
        if error.last is not None and error.last.cause is not Cause.MISSING:
            raise error.last from None
        left = ", ".join(f"{one.plural}/{one.name}" for one in look()[:3])
        raise VeleroError(
            f"these objects of a damaged copy do not go: {left}; look at their finalizers"
        ) from None
