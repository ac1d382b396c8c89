"""Which volumes Longhorn brings back in a run: the canary's, and a few others in turn."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drills.longhorn import chosen
from drills.longhorn.expected import Live, Subject
from drills.longhorn.history import History
from drills.longhorn.lineage import Lineage
from drills.longhorn.lines import sized
from drills.longhorn.live.settings import LiveRestores

NOT_IN_TURN = "a run restores the canary's volumes, and of all others so many in turn as it is told"


@dataclass(frozen=True)
class Turns:
    """`taken`: volumes by name. `others`: those of them that had their turn, no canary's.

    `left`: what is not taken, and why.
    """

    taken: frozenset[str]
    others: Sequence[str]
    left: Sequence[tuple[str, str]]


def turns(
    fit: Sequence[Lineage],
    live: Live,
    canaries: Mapping[str, str],
    settings: LiveRestores,
    *,
    target: str,
    history: History,
    now: datetime.datetime,
    every: int,
) -> Turns:
    """`fit`: volumes of which an image can be rebuilt. `canaries`: the canary's, by name.

    `target`: the one whose volumes these are.
    """
    known = {one.name: one for one in live.subjects}
    why = {one.volume: _unfit(one, known.get(one.volume), settings, target) for one in fit}
    able = [one for one in fit if not why[one.volume]]
    waiting = [one for one in able if one.volume not in canaries]
    others = _in_turn(waiting, settings.volumes, history, now, every)
    taken = {one.volume for one in able if one.volume in canaries} | set(others)
    left = [(volume, said) for volume, said in why.items() if said]
    left += [(one.volume, NOT_IN_TURN) for one in waiting if one.volume not in others]
    return Turns(frozenset(taken), others, left)


def _in_turn(
    waiting: Sequence[Lineage], count: int, history: History, now: datetime.datetime, every: int
) -> list[str]:
    """Those that have waited longest for Longhorn; their images may have had another turn."""
    trials, left, found = History(None, history.restored), list(waiting), list[str]()
    while left and len(found) < count:
        turn = chosen.in_turn(left, trials, now, every)
        if turn is None:
            break
        found.append(turn)
        left = [one for one in left if one.volume != turn]
    return found


def _unfit(lineage: Lineage, one: Subject | None, settings: LiveRestores, target: str) -> str:
    """Why Longhorn does not bring a volume back here, "" where it does."""
    if one is None:
        return "the cluster has no such volume any more"
    volume, data = one.volume, lineage.newest.data if lineage.newest else 0
    most = data if settings.most_bytes is None else settings.most_bytes
    reasons = (
        (volume.deleting, "it is being deleted"),
        (volume.standby, "it follows the backups of another cluster"),
        (volume.encrypted, "it is encrypted, and the drill has no key for a copy"),
        (volume.backup_target != target,
         f"the volume goes to target {volume.backup_target} now"),
        (data > most, f"it holds {sized(data)}, more than mostBytes allows"),
    )  # fmt: skip
    return next((why for is_so, why in reasons if is_so), "")
