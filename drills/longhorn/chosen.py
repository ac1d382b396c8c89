"""Of which volumes an image is rebuilt: the canary's in every run, of the others all or one."""

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from drills.longhorn.expected import Claim, Live
from drills.longhorn.history import History
from drills.longhorn.lineage import Lineage
from drills.longhorn.origin import claim_of
from drills.rotation import longest_unproven
from drills.volumes.payload import CanaryTruth

_LONG_AGO = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class _Known:
    """A volume in the rotation: it waits for its turn since it was made."""

    name: str
    completed: datetime.datetime


def canaries(
    canary: CanaryTruth | None, live: Live | None, lineages: Mapping[str, Sequence[Lineage]]
) -> tuple[Mapping[str, Mapping[str, str]], Sequence[Claim]]:
    """Volumes that are the canary's, by target, and what it calls them; and the claims of the
    canary that no volume of Longhorn is behind. `lineages`: by target."""
    if canary is None:
        return {}, []
    if live is None:
        by_claim = _by_records(lineages)
    else:
        # A claim that was made anew is on another volume than the one it had.
        held = live.by_claim.items()
        by_claim = {claim: (one.volume.backup_target, one.name) for claim, one in held}
    found: dict[str, dict[str, str]] = {}
    without = []
    for each in canary.volumes:
        claim = (canary.namespace, each.claim)
        if claim in by_claim:
            target, volume = by_claim[claim]
            found.setdefault(target, {})[volume] = each.name
        else:
            without.append(claim)
    return found, without


def _by_records(lineages: Mapping[str, Sequence[Lineage]]) -> Mapping[Claim, tuple[str, str]]:
    """Target and volume of each claim that a record names; of several the one backed up last."""
    found: dict[Claim, tuple[str, str]] = {}
    all_of_them = ((target, one) for target, ones in lineages.items() for one in ones)
    for target, one in sorted(all_of_them, key=lambda each: _last(each[1])):
        claim = claim_of(one.record.labels) if one.record else None
        if claim is not None:
            found[claim] = (target, one.volume)
    return found


def _last(lineage: Lineage) -> datetime.datetime:
    return lineage.newest.taken if lineage.newest else _LONG_AGO


def in_turn(
    candidates: Sequence[Lineage], history: History, now: datetime.datetime, every: int
) -> str | None:
    """The volume whose turn it is; None of none.

    Receipts of earlier drills tell which has waited longest. Where none are kept, the turn moves on
    each `every` days.
    """
    if not candidates:
        return None
    names = sorted(one.volume for one in candidates)
    if not any(name in names for name, _ in history.trials):
        return names[now.toordinal() // every % len(names)]
    known = [_Known(one.volume, _made(one)) for one in candidates]
    return longest_unproven(known, history.trials, now).name


def _made(lineage: Lineage) -> datetime.datetime:
    record = lineage.record
    return (record.created if record else None) or _LONG_AGO


def with_data(lineages: Sequence[Lineage], living: Collection[str] | None) -> list[Lineage]:
    """What has a backup to rebuild. `living`: volumes of the cluster, None if nobody knows."""
    return [
        one for one in lineages
        if one.record and one.newest and (living is None or one.volume in living)
    ]  # fmt: skip
