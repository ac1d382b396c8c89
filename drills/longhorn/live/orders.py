"""Which backup of the cluster stands behind each volume that is to come back, if one does."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drills.backupstore.errors import BackupStoreError
from drills.backupstore.url import Target, parse_backup_url
from drills.frame import NotCompared
from drills.longhorn.history import RESTORED, TURN_USED
from drills.longhorn.live.objects import Order
from drills.longhorn.live.trees import ImageTree, Unreadable
from drills.verdict import Check, Reason
from kube.longhorn.backups import COMPLETED, DELETING, Backup

_WANTED = "a complete backup that Longhorn knows"
_SYNC = "look when Longhorn last read its target (backuptargets.longhorn.io), and what it said"


@dataclass
class Orders:
    """`taken`: what Longhorn is to bring back."""

    taken: list[Order] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    left: list[NotCompared] = field(default_factory=list)


@dataclass(frozen=True)
class Known:
    """What is known of backups. `place`, `target`: where they are, and what Longhorn calls that.

    `in_store`: whether the store still has the finished record of a backup (volume, name).
    `suffix`: what stands behind the names of its volumes in the receipt.
    """

    place: Target
    target: str
    backups: Sequence[Backup]
    in_store: Callable[[str, str], bool]
    suffix: str = ""


def merged(found: Iterable[Orders]) -> Orders:
    """Those of several targets as one."""
    made = Orders()
    for one in found:
        made.taken += one.taken
        made.checks += one.checks
        made.left += one.left
    return made


def orders(
    volumes: Iterable[str],
    found: Mapping[str, ImageTree | Unreadable],
    known: Known,
    placement: Callable[[str], Mapping[str, Any]],
) -> Orders:
    """`found`: by volume, what became of its image; one that was not rebuilt has nothing there.

    `placement`: of a volume by name, where its own pod may run. Raises what `in_store` raises.
    """
    made = Orders()
    for volume in sorted(volumes):
        tree, told = found.get(volume), f"{volume}{known.suffix}"
        if isinstance(tree, ImageTree):
            _enter(made, tree, known, placement)
        elif tree is None:
            why = "no image of it was rebuilt, so there is nothing to hold it against"
            made.left.append(_left(told, why))
        else:
            made.left.append(_left(told, tree.why))
            if tree.damaged:
                damaged = Reason.RESTORE_POINT_DAMAGED
                made.checks.append(Check(told, "its files", "readable", tree.why, damaged))
    return made


def _enter(
    made: Orders,
    tree: ImageTree,
    known: Known,
    placement: Callable[[str], Mapping[str, Any]],
) -> None:
    backup, told = _behind(tree, known), f"{tree.volume}{known.suffix}"
    if backup is None or backup.deleting or backup.state == DELETING:
        if _is_over(tree, known):
            made.left.append(_left(told, f"backup {tree.backup} was deleted meanwhile"))
            return
        seen = "is being deleted" if backup else f"has no object in the cluster; {_SYNC}"
        made.checks.append(_check(told, tree.backup, seen, Reason.RESTORE_POINT_MISSING))
        return
    refusal = next(_refusals(tree, backup, known), None)
    if refusal is not None:
        made.checks.append(_check(told, tree.backup, *refusal))
    elif backup.encrypted or backup.backing_image:
        what = "encrypted" if backup.encrypted else f"on backing image {backup.backing_image}"
        made.left.append(_left(told, f"backup {tree.backup} is of a volume that is {what}"))
    else:
        made.taken.append(
            Order(tree.volume, tree.backup, backup.url, known.target, backup.volume_size, tree,
                  placement(tree.volume), known.suffix)
        )  # fmt: skip


def _behind(tree: ImageTree, known: Known) -> Backup | None:
    for one in known.backups:
        same = (one.name, one.volume) == (tree.backup, tree.volume)
        if same and one.target in ("", known.target):
            return one
    return None


def _is_over(tree: ImageTree, known: Known) -> bool:
    """Retention may take a backup while the drill runs, if a newer one is complete."""
    newer = has_another(known.backups, known.target, tree.volume, tree.backup)
    return newer and not known.in_store(tree.volume, tree.backup)


def has_another(backups: Iterable[Backup], target: str, volume: str, backup: str) -> bool:
    """Whether Longhorn has another complete backup of a volume in a target."""
    return any(
        one.volume == volume and one.state == COMPLETED and one.name != backup and not one.deleting
        and one.target in ("", target)
        for one in backups
    )  # fmt: skip


def _refusals(tree: ImageTree, backup: Backup, known: Known) -> Iterator[tuple[str, Reason]]:
    if backup.state != COMPLETED:
        said = f": {backup.error[:300]}" if backup.error else ""
        yield f"is {backup.state or 'new'}{said}", Reason.RESTORE_POINT_UNFINISHED
    try:
        place, volume, name = parse_backup_url(backup.url)
    except BackupStoreError as error:
        yield f"has a URL that is none ({error.detail})", Reason.RESTORE_POINT_UNFINISHED
        return
    here = (place.bucket, place.prefix, volume, name)
    if here != (known.place.bucket, known.place.prefix, tree.volume, tree.backup):
        yield f"names another place: {backup.url[:200]}", Reason.SCOPE_LOST
    if not backup.volume_size:
        yield "does not say how large its volume is", Reason.RESTORE_POINT_UNFINISHED


def _check(told: str, backup: str, seen: str, reason: Reason) -> Check:
    return Check(told, RESTORED, _WANTED, f"backup {backup} {seen}", reason)


def _left(told: str, why: str) -> NotCompared:
    return NotCompared(f"{TURN_USED}{told}", 1, why)
