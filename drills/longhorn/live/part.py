"""Longhorn's part in a drill of its backups: whether it takes one, and what came of it."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from drills.backupstore import layout
from drills.canary.testimony import Testimony
from drills.frame import Clock, NotCompared, Record
from drills.longhorn.expected import Live
from drills.longhorn.history import History
from drills.longhorn.lineage import Lineage
from drills.longhorn.lines import grouped
from drills.longhorn.live import placement
from drills.longhorn.live.orders import Known, Orders, merged, orders
from drills.longhorn.live.restores import Opened, Restores
from drills.longhorn.live.trees import Trees
from drills.longhorn.live.turns import turns
from drills.longhorn.payload import LonghornPayload
from drills.longhorn.sources import Source
from drills.verdict import Check, Reason
from kube.longhorn.backups import Backup
from kube.longhorn.options import read_option
from kube.longhorn.seen import VERSION

PATH = "read from the store, no Longhorn took part"
BY_LONGHORN = "volumes restored by Longhorn"


@dataclass
class Part:
    """`opens`: what its restores need, None where it takes no part; it raises ClusterError.
    `sources`: the targets that are read, by name. `restores`: once something may have been made.
    `wanted`: the volumes to bring back, by target.
    """

    payload: LonghornPayload
    clock: Clock
    opens: Callable[[], Opened] | None
    trees: Trees
    stop: threading.Event
    sources: Mapping[str, Source]
    testimony: Testimony | None
    history: History
    left_seconds: Callable[[], float]
    restores: Restores | None = None
    wanted: dict[str, frozenset[str]] = field(default_factory=dict)
    _version: str = ""
    _live: Live | None = None

    def why_not(self) -> str:
        """Why it takes none, "" if it may."""
        payload = self.payload
        if payload.path == "store":
            return PATH
        if payload.live is None or self.opens is None:
            return "the payload does not say how (live)"
        return "no cluster is given" if payload.cluster is None else ""

    def choose(
        self,
        record: Record,
        live: Live | None,
        source: Source,
        fit: Sequence[Lineage],
        canaries: Mapping[str, str],
    ) -> frozenset[str]:
        """What Longhorn is to bring back of one target; the rest is told. Raises ClusterError."""
        settings, payload = self.payload.live, self.payload
        if live is None or not live.installed or settings is None or self.opens is None:
            if not source.suffix:
                # Once: it is so for every target.
                why = "Longhorn is not installed"
                record.not_compared.append(NotCompared(BY_LONGHORN, 1, why))
            return frozenset()
        chosen = turns(
            fit, live, canaries, settings, target=source.name,
            history=self.history.of(source.suffix), now=self.clock.now(), every=payload.every,
        )  # fmt: skip
        record.not_compared += grouped("restore by Longhorn of", chosen.left)
        # A volume has one target: what another one still holds of it is no truth about it.
        self.trees.wanted, self._live = chosen.taken, live
        self.wanted[source.name] = chosen.taken
        if self.restores is None:
            self.restores = Restores(
                settings, self.opens(), self.trees, self.stop, self.testimony, self.left_seconds,
                sources=sorted({one.namespace for one in live.subjects}),
            )  # fmt: skip
        self.restores.canaries.update(canaries)
        return chosen.taken

    def restore(self, record: Record) -> str:
        found = self.restores
        if found is None or self._live is None:
            return "nothing to be restored by Longhorn"
        longhorn = found.opened.longhorn
        self._version = read_option(longhorn.client, longhorn.namespace, VERSION) or ""
        placed = placement.of(longhorn.client, self._live)
        return found.restore(record, partial(self._ordered, placed))

    def _ordered(
        self, placed: Callable[[str], Mapping[str, Any]], backups: Sequence[Backup]
    ) -> Orders:
        return merged(
            orders(volumes, self.trees.found, self.known(target, backups), placed)
            for target, volumes in self.wanted.items()
        )

    def known(self, target: str, backups: Sequence[Backup]) -> Known:
        """What is known of backups in one target, given Longhorn's own objects of all."""
        source = self.sources[target]

        def in_store(volume: str, backup: str) -> bool:
            return source.store.objects.head(layout.backup_key(volume, backup)) is not None

        return Known(source.place, target, backups, in_store, source.suffix)

    def read(self, record: Record) -> str:
        return "nothing to read" if self.restores is None else self.restores.read(record)

    def compare(self, record: Record) -> str:
        told = "nothing to compare" if self.restores is None else self.restores.compare(record)
        if self.payload.path == "longhorn" and not self.count:
            nothing = Reason.NOTHING_TO_CHECK
            record.checks.append(Check("longhorn", BY_LONGHORN, "one at least", "none", nothing))
        return told

    @property
    def count(self) -> int:
        """How many volumes were brought back and read."""
        return 0 if self.restores is None else len(self.restores.readings)

    @property
    def seconds(self) -> Mapping[str, float]:
        """By phase of the time to usable."""
        found = {} if self.restores is None else self.restores.seconds
        return {phase: round(seconds, 3) for phase, seconds in found.items()}

    def path(self) -> str:
        """Which path was taken, for the receipt."""
        if not self.count:
            return PATH
        volumes = "1 volume" if self.count == 1 else f"{self.count} volumes"
        called = f"Longhorn {self._version}" if self._version else "a Longhorn without a version"
        return f"read from the store; {volumes} restored by {called} as well"

    def clean_up(self, record: Record) -> str:
        """Raises ClusterError."""
        return "" if self.restores is None else f", {self.restores.clean_up(record)}"
