"""Backup targets: are they there, and what do they hold.

Source: longhorn-manager controller/backup_target_controller.go, kubernetes_secret_controller.go. A
target is looked at when it has not been yet, and when `spec.syncRequestedAt` is later than the last
look: the manager sets that field itself at every poll, and when the Secret of `default` changes. A
new URL alone leads to no look before the next poll, unless there was none.
"""

import json
import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from standins.longhorn import conditions
from standins.longhorn.kinds import (
    BACKUP,
    BACKUP_VOLUME,
    DEFAULT_TARGET,
    SECRET,
    TARGET,
    Object,
    deleting,
    labels,
    name,
    spec,
    status,
    text,
)
from standins.longhorn.moments import duration, duration_text, moment, stamp
from standins.longhorn.records import SYSTEM_BACKUPS
from standins.longhorn.site import Site
from standins.longhorn.store_errors import StoreError
from standins.longhorn.store_sync import COMPLETED, TARGET_LABEL, StoreSync, remove_only
from standins.longhorn.target import CredentialError

UNAVAILABLE = "Unavailable"

log = logging.getLogger("longhorn-stand-in")


@dataclass
class _Seen:
    """What is remembered of a target. `failed`: what it was when a look failed."""

    interval: timedelta = timedelta(0)
    next_poll: datetime | None = None
    failed: str = ""


@dataclass
class Targets:
    """All backup targets."""

    site: Site
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _secret: tuple[str, str] | None = None

    def turn(self) -> datetime | None:
        """Looks where a look is due; when the next one is."""
        found = [one for one in self.site.cluster.all(TARGET) if not deleting(one)]
        self._watch_secret()
        due = [one for target in found if (one := self._target(target)) is not None]
        self._orphans({name(one): text(spec(one), "backupTargetURL") for one in found})
        return min(due, default=None)

    def _target(self, target: Object) -> datetime | None:
        cluster, seen = self.site.cluster, self._seen.setdefault(name(target), _Seen())
        cluster.change_status(TARGET, name(target), {"ownerID": cluster.node})
        if not text(spec(target), "backupTargetURL"):
            seen.next_poll, seen.failed = None, ""
            self._empty(target)
            return None
        due = self._poll(target, seen)
        requested = self._required(target)
        if requested is None or seen.failed == self._signature(target):
            return due
        if requested > cluster.clock():
            return min(requested, due or requested)
        self.site.tasks.start(f"target {name(target)}", lambda: self._look(name(target)))
        return due

    def _poll(self, target: Object, seen: _Seen) -> datetime | None:
        """Asks for a look when the interval is over; when it is over next."""
        now, interval = self.site.cluster.clock(), duration(spec(target).get("pollInterval"))
        if interval != seen.interval or seen.next_poll is None:
            seen.interval = interval
            seen.next_poll = now + interval if interval else None
        elif now >= seen.next_poll:
            seen.next_poll = now + interval
            self._ask(target)
        return seen.next_poll

    def _ask(self, target: Object) -> None:
        """The manager writes the whole object, so it also writes the interval as Go writes it."""
        changes = {
            "syncRequestedAt": stamp(self.site.cluster.clock()),
            "pollInterval": duration_text(duration(spec(target).get("pollInterval"))),
        }
        self.site.cluster.change(TARGET, name(target), {"spec": changes})

    def _required(self, target: Object) -> datetime | None:
        """Since when a look is asked for; None if none is."""
        last = moment(status(target).get("lastSyncedAt"))
        if last is None:
            return datetime.min.replace(tzinfo=self.site.cluster.clock().tzinfo)
        requested = moment(spec(target).get("syncRequestedAt"))
        return requested if requested is not None and requested > last else None

    def _signature(self, target: Object) -> str:
        """What may change the outcome of a look that failed."""
        secret = self.site.cluster.find(SECRET, text(spec(target), "credentialSecret")) or {}
        version = (secret.get("metadata") or {}).get("resourceVersion")
        return json.dumps([spec(target), version], sort_keys=True)

    def _watch_secret(self) -> None:
        target = self.site.cluster.find(TARGET, DEFAULT_TARGET)
        if target is None or not text(spec(target), "backupTargetURL"):
            return
        secret = self.site.cluster.find(SECRET, text(spec(target), "credentialSecret"))
        if secret is None:
            return
        held = (name(secret), str(secret["metadata"].get("resourceVersion")))
        if held != self._secret:
            log.info("secret %s is another one than before: its target is read anew", name(secret))
            self._secret = held
            self._ask(target)

    def _look(self, target_name: str) -> None:
        """One look, and what it says."""
        cluster = self.site.cluster
        target = cluster.find(TARGET, target_name)
        if target is None:
            return
        began, signature = cluster.clock(), self._signature(target)
        seen = self._seen.setdefault(target_name, _Seen())
        url = text(spec(target), "backupTargetURL")
        try:
            store = self.site.store(target)
        except CredentialError as error:
            # The manager logs it and says nothing in the object.
            log.warning("backup target %s: failed to init backup target clients: %s", url, error)
            seen.failed = signature
            return
        except StoreError as error:
            self._unavailable(target, f"failed to list system backups in {url}: {error}")
            seen.failed = signature
            return
        try:
            store.folders(SYSTEM_BACKUPS)
        except StoreError as error:
            self._unavailable(target, f"failed to list system backups in {url}: {error}")
            seen.failed = signature
            return
        self._available(target)
        try:
            StoreSync(cluster, store, target).everything()
        except StoreError as error:
            log.warning("backup target %s could not be read: %s", url, error)
            seen.failed = signature
            return
        seen.failed = ""
        cluster.change_status(TARGET, target_name, {"lastSyncedAt": stamp(began)})

    def _available(self, target: Object) -> None:
        if not status(target).get("available"):
            log.info("backup target %s is available", name(target))
        changes = {"available": True, "conditions": self._conditions(target, "False", "")}
        self.site.cluster.change_status(TARGET, name(target), changes)

    def _unavailable(self, target: Object, message: str) -> None:
        log.warning("backup target %s is not available: %s", name(target), message)
        changes = {"available": False, "conditions": self._conditions(target, "True", message)}
        self.site.cluster.change_status(TARGET, name(target), changes)

    def _conditions(self, target: Object, state: str, message: str) -> list[Object]:
        held, reason = status(target).get("conditions") or (), UNAVAILABLE * (state == "True")
        now = stamp(self.site.cluster.clock())
        return conditions.changed(held, UNAVAILABLE, state, now, reason=reason, message=message)

    def _empty(self, target: Object) -> None:
        changes = {
            "available": False,
            "lastSyncedAt": None,
            "conditions": self._conditions(target, "True", "backup target URL is empty"),
        }
        self.site.cluster.change_status(TARGET, name(target), changes)

    def _orphans(self, urls: dict[str, str]) -> None:
        """Without its URL a target has no objects in the cluster; its data stay."""
        cluster = self.site.cluster
        pulled = [one for one in cluster.all(BACKUP) if text(status(one), "state") == COMPLETED]
        for kind, found in ((BACKUP, pulled), (BACKUP_VOLUME, cluster.all(BACKUP_VOLUME))):
            for one in found:
                target = labels(one).get(TARGET_LABEL)
                if target is not None and not urls.get(target) and not deleting(one):
                    remove_only(cluster, kind, one)
