"""The loop: whenever anything has changed, or its time has come, every part has its turn."""

import http.client
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from standins.longhorn import backup_volumes, defaults, snapshots, system_backups
from standins.longhorn.api import ApiError
from standins.longhorn.backups import Backups
from standins.longhorn.jobs import Jobs
from standins.longhorn.restores import Restores
from standins.longhorn.site import Site
from standins.longhorn.targets import Targets
from standins.longhorn.volumes import Volumes

# Changes come in droves; one turn for all of them.
GATHER_SECONDS = 0.05
LONGEST_SECONDS = 60.0
RETRY_SECONDS = 2.0

log = logging.getLogger("longhorn-stand-in")


@dataclass
class Turns:
    """All parts. `turned`: when they had their last turn, by a clock that nobody sets."""

    site: Site
    monotonic: Callable[[], float]
    turned: float = field(init=False)

    def __post_init__(self) -> None:
        cluster = self.site.cluster
        jobs = Jobs(cluster)
        targets, backups = Targets(self.site), Backups(self.site, jobs.completed)
        all_volumes = Volumes(cluster, Restores(self.site))
        self.turned = self.monotonic()
        self._parts: list[Callable[[], datetime | None]] = [
            lambda: defaults.turn(cluster),
            all_volumes.turn,
            targets.turn,
            lambda: backup_volumes.turn(self.site),
            lambda: snapshots.turn(self.site),
            jobs.turn,
            backups.turn,
            lambda: system_backups.turn(cluster),
        ]

    def once(self) -> float:
        """One turn of every part; the seconds until the next one is due at the latest."""
        due: list[datetime] = []
        wait = LONGEST_SECONDS
        for part in self._parts:
            try:
                moment = part()
            except (ApiError, OSError, http.client.HTTPException) as error:
                # What was not done is found again in the next turn.
                log.warning("a turn broke off: %s", error)
                wait = RETRY_SECONDS
            except Exception:
                # An object that nobody foresaw must not keep the other parts from their turns.
                log.exception("a turn failed")
                wait = RETRY_SECONDS
            else:
                due += [] if moment is None else [moment]
        self.turned = self.monotonic()
        now = self.site.cluster.clock()
        return max(min([wait, *((one - now).total_seconds() for one in due)]), 0.0)

    def for_ever(self, ended: threading.Event) -> None:
        changed = self.site.cluster.changed
        wait = 0.0
        while not ended.is_set():
            changed.wait(wait)
            ended.wait(GATHER_SECONDS)
            changed.clear()
            wait = self.once()
