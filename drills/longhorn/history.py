"""What earlier drills have read, by their receipts on this machine."""

import datetime
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drills.rotation import Trial

LAYER = "longhorn"
REBUILT = "rebuilt image"
"""The check that tells of a rebuilt image; its client is the volume."""
RESTORED = "restored by Longhorn"
"""The check that tells what became of a volume that Longhorn was to bring back."""
TURN_USED = "the copy by Longhorn of "
"""Before the volume that had its turn and was not restored, in what was not compared."""
# The phase after the one that reads the blocks: who came so far has read its share.
_AFTER_BLOCKS = "rebuild"


@dataclass(frozen=True)
class History:
    """`last`: the day (UTC) of the newest drill that read its share of blocks. `trials`: volumes
    whose image was rebuilt, red ones too, and when; `restored`: those whose turn it was to be
    brought back by Longhorn."""

    last: datetime.date | None = None
    trials: tuple[Trial, ...] = field(default_factory=tuple)
    restored: tuple[Trial, ...] = field(default_factory=tuple)

    def of(self, suffix: str) -> "History":
        """What it tells of one target, with the volumes' own names. `suffix`: see sources.py."""
        return History(self.last, _bearing(self.trials, suffix), _bearing(self.restored, suffix))


def _bearing(trials: Iterable[Trial], suffix: str) -> tuple[Trial, ...]:
    """No volume's name holds a space, so that of the first target, which has no suffix, is told
    from the others."""
    if not suffix:
        return tuple(one for one in trials if " " not in one[0])
    return tuple((name.removesuffix(suffix), at) for name, at in trials if name.endswith(suffix))


def read(directory: Path, site: str) -> History:
    """From every receipt that can be read; one that cannot has read nothing."""
    days: list[datetime.date] = []
    trials: list[Trial] = []
    restored: list[Trial] = []
    for receipt in _receipts(directory):
        try:
            if receipt["site"] != site:
                continue
            began = datetime.datetime.fromisoformat(str(receipt["startedAt"]))
            rebuilt = [one["client"] for one in receipt["checks"] if one["check"] == REBUILT]
            turns = [*_turns(receipt)]
            reached = {phase["name"] for phase in receipt["phases"]}
        except (KeyError, TypeError, ValueError):
            continue
        if began.tzinfo is None:
            continue
        if _AFTER_BLOCKS in reached:
            days.append(began.astimezone(datetime.UTC).date())
        trials += [(str(name), began) for name in rebuilt]
        restored += [(name, began) for name in turns]
    return History(max(days, default=None), tuple(trials), tuple(restored))


def _turns(receipt: Mapping[str, Any]) -> Iterator[str]:
    """Volumes that had their turn, whatever came of it: else one would keep all others waiting."""
    yield from (str(one["client"]) for one in receipt["checks"] if one["check"] == RESTORED)
    for one in receipt.get("notCompared", ()):
        what = str(one["what"])
        if what.startswith(TURN_USED):
            yield what.removeprefix(TURN_USED)


def _receipts(directory: Path) -> Iterator[Mapping[str, Any]]:
    for place in sorted(directory.glob(f"*Z-{LAYER}-*.json")):
        try:
            found = json.loads(place.read_text())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found
