"""The images of one target in one run: which are rebuilt, and what becomes of each."""

import datetime
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from drills.canary.freshness import age_check
from drills.frame import Clock, Record
from drills.longhorn import chosen
from drills.longhorn.history import History
from drills.longhorn.lineage import Lineage
from drills.longhorn.lines import grouped
from drills.longhorn.payload import LonghornPayload
from drills.longhorn.restore import Restorer

Aside = Callable[[Sequence[Lineage], Mapping[str, str]], frozenset[str]]
"""Which volumes Longhorn brings back as well, of those an image can be rebuilt of; the second are
the canary's. Their images are rebuilt in any case, to hold the copies against."""

_IN_TURN = "quick depth rebuilds the canary's volumes, and of all others one in turn"


@dataclass
class Rebuilds:
    """`volumes`: whose newest backup was rebuilt, well or not. `witnessed`: those of them whose
    files a truth of the canary was held against. `aside`: None where Longhorn takes no part."""

    payload: LonghornPayload
    restorer: Restorer
    clock: Clock
    aside: Aside | None = None
    volumes: list[str] = field(default_factory=list)
    witnessed: list[str] = field(default_factory=list)

    def run(
        self,
        record: Record,
        lineages: Sequence[Lineage],
        living: Collection[str] | None,
        canaries: Mapping[str, str],
        history: History,
    ) -> list[datetime.datetime]:
        """Adds all to the record; the heartbeats that came back.

        `living`: volumes of the cluster that are backed up to this target, None if nobody knows.
        `canaries`: what the canary calls its volumes, by name.

        Raises StoreError, StoppedError, OSError.
        """
        beats: list[datetime.datetime] = []
        for lineage in self._chosen(record, lineages, living, canaries, history):
            beats += self._one(record, lineage, canaries.get(lineage.volume, ""))
        return beats

    def _chosen(
        self,
        record: Record,
        lineages: Sequence[Lineage],
        living: Collection[str] | None,
        canaries: Mapping[str, str],
        history: History,
    ) -> Iterator[Lineage]:
        """The canary's, and all others, or one of them; what is left out is told."""
        full = self.payload.depth == "full"
        held = chosen.with_data(lineages, None if full else living)
        unfit = {one.volume: self.restorer.unfit(one) for one in held}
        record.not_compared += grouped("image of", (pair for pair in unfit.items() if pair[1]))
        fit = [one for one in held if not unfit[one.volume]]
        others = [one for one in fit if one.volume not in canaries]
        wanted = {one.volume for one in others}
        copied = self.aside(fit, canaries) if self.aside is not None else frozenset[str]()
        if not full:
            turn = chosen.in_turn(others, history, self.clock.now(), self.payload.every)
            wanted = {*copied, *([] if turn is None else [turn])}
            left = ((one.volume, _IN_TURN) for one in others if one.volume not in wanted)
            record.not_compared += grouped("image of", left)
        return (one for one in fit if one.volume in canaries or one.volume in wanted)

    def _one(self, record: Record, lineage: Lineage, called: str) -> list[datetime.datetime]:
        """The heartbeat that came back, if any."""
        volume, newest = lineage.record, lineage.newest
        if volume is None or newest is None:
            return []
        judged = self.restorer.restore(volume, newest, called)
        record.checks += judged.checks
        record.compared += judged.compared
        record.not_compared += judged.not_compared
        self.volumes.append(lineage.volume)
        if judged.heartbeat is None:
            return []
        self.witnessed.append(lineage.volume)
        now, limit = self.clock.now(), self.payload.limits.rpo_seconds
        record.checks.append(age_check(judged.heartbeat, newest.taken, now, limit))
        return [judged.heartbeat]
