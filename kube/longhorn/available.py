"""Waits until backup targets are available as they are now, not as they were.

Longhorn keeps what it found at its last poll, whatever was changed since: URL, Secret or store. So
it is asked for a look of its own, and only what it finds then counts.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kube.errors import Cause, ClusterError
from kube.longhorn import cures
from kube.longhorn.api import Longhorn, LonghornError, name
from kube.longhorn.targets import BackupTarget, read_targets
from kube.waiting import TimeoutPassedError, until

# Between two requests for a look; Longhorn's own poll may be an hour away.
ASK_SECONDS = 30.0
# A lasting fault is believed when it still stands this long after the first request: a look is one
# listing, and what is in the status says nothing of its age.
FAULT_SECONDS = 60.0
# For how long another URL or Secret than the wanted one may be there: managers that restart write
# the values of the chart once more.
OTHER_SECONDS = 20.0

Today = Callable[[], datetime.datetime]


def today() -> datetime.datetime:
    """The time now, aware."""
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True)
class Wanted:
    """A target as it is declared."""

    name: str
    url: str
    credential_secret: str


@dataclass
class _Seen:
    """What one target said so far. `right`: whether the declared one was seen at all.

    `asked`: the time in the first request for a look. `before`: its last synchronisation before
    that. `since`: those that were seen after it.
    """

    first: float
    found: BackupTarget | None = None
    right: bool = False
    before: datetime.datetime | None = None
    asked: datetime.datetime | None = None
    asked_at: float | None = None
    since: set[datetime.datetime] = field(default_factory=set)
    done: bool = False


def wait_available(
    longhorn: Longhorn, targets: Sequence[Wanted], seconds: float, today: Today = today
) -> list[BackupTarget]:
    """Returns the targets when Longhorn has read each of them as it is declared now.

    Raises:
        LonghornError: one is not available, or is another one; says what Longhorn says.
        ClusterError: the cluster refuses.
    """
    wait = _Wait(longhorn, today, {one.name: _Seen(longhorn.clock.now()) for one in targets})

    def look() -> bool | None:
        found = {one.name: one for one in _read(longhorn)}
        for wanted in targets:
            wait.note(wanted, found.get(wanted.name))
        return True if all(one.done for one in wait.seen.values()) else None

    try:
        until(look, longhorn.clock, seconds)
    except TimeoutPassedError as error:
        late = next(one for one in targets if not wait.seen[one.name].done)
        raise LonghornError(wait.timed_out(late, error.last, seconds)) from None
    return [found for one in targets if (found := wait.seen[one.name].found) is not None]


def _read(longhorn: Longhorn) -> Sequence[BackupTarget]:
    try:
        return read_targets(longhorn.client, longhorn.namespace)
    except ClusterError as error:
        if error.cause is Cause.MISSING:  # its CRDs come with the first manager
            return ()
        raise


@dataclass
class _Wait:
    longhorn: Longhorn
    today: Today
    seen: dict[str, _Seen]

    def note(self, wanted: Wanted, found: BackupTarget | None) -> None:
        seen, now = self.seen[wanted.name], self.longhorn.clock.now()
        seen.found, seen.done = found, False
        if found is None:
            return
        other = _other(wanted, found)
        if other:
            if now - seen.first > OTHER_SECONDS:
                raise LonghornError(other)
            return
        if not seen.right and found.last_synced is not None:
            self._ask(seen, found, now)
        seen.right = True
        seen.done = _is_read(seen, found)
        if seen.done:
            return
        cure = cures.find(found.message)
        if cure is not None and cure.lasting and now - seen.first > FAULT_SECONDS:
            raise LonghornError(_sentence(found))
        if now - (seen.first if seen.asked_at is None else seen.asked_at) >= ASK_SECONDS:
            fault = _secret_fault(self.longhorn, wanted)
            if fault:  # of which Longhorn itself says nothing
                raise LonghornError(fault)
            self._ask(seen, found, now)

    def _ask(self, seen: _Seen, found: BackupTarget, now: float) -> None:
        """Longhorn looks when the time asked for is later than that of its last look.

        Clocks differ, so the time is later than that one by all means.
        """
        moment = self.today().replace(microsecond=0)
        if found.last_synced is not None:
            moment = max(moment, found.last_synced + datetime.timedelta(seconds=1))
        requested = moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        path = self.longhorn.path("backuptargets", found.name)
        self.longhorn.writer.merge(path, {"spec": {"syncRequestedAt": requested}})
        if seen.asked is None:
            seen.before, seen.asked = found.last_synced, moment
        seen.asked_at = now

    def timed_out(self, wanted: Wanted, last: ClusterError | None, seconds: float) -> str:
        found = self.seen[wanted.name].found
        if last is not None:
            return f"backup target {wanted.name}: not seen available within {seconds:.0f} s: {last}"
        if found is None:
            return (
                f"backup target {wanted.name} is not there after {seconds:.0f} s; Longhorn's "
                f"manager makes it, so look at the pods of namespace {self.longhorn.namespace}"
            )
        other = _other(wanted, found) or _secret_fault(self.longhorn, wanted)
        if other:
            return other
        if found.available:
            return (
                f"backup target {wanted.name} was not read anew by Longhorn within {seconds:.0f} "
                f"s; look at the pods longhorn-manager of namespace {self.longhorn.namespace}"
            )
        return _sentence(found)


def _is_read(seen: _Seen, found: BackupTarget) -> bool:
    """Whether Longhorn has read the target since it was asked to (or for the first time)."""
    if not found.usable or found.last_synced is None:
        return False
    if seen.asked is None:
        return True
    if found.last_synced != seen.before:
        seen.since.add(found.last_synced)
    # The first one after the request may have begun before it; the second has not.
    return found.last_synced >= seen.asked or len(seen.since) > 1


def _other(wanted: Wanted, found: BackupTarget) -> str | None:
    """A sentence if the target is not the declared one."""
    for key, expected, seen in (
        ("backupTargetURL", wanted.url, found.url),
        ("credentialSecret", wanted.credential_secret, found.credential_secret),
    ):
        if expected != seen:
            return (
                f"backup target {found.name} has {key} {seen or 'empty'} in the cluster and should "
                f"have {expected}: another owner writes it (chart values defaultBackupStore, or "
                "somebody in Longhorn's UI); take it from that one, then run `refresh` and `up`"
            )
    return None


def _sentence(found: BackupTarget) -> str:
    return cures.sentence(found.name, found.credential_secret, found.message)


def _secret_fault(longhorn: Longhorn, wanted: Wanted) -> str | None:
    """A sentence if the target's Secret is not there. No Secret's content is read."""
    path = f"/api/v1/namespaces/{longhorn.namespace}/secrets"
    names = {name(one) for one in longhorn.client.list(path, metadata_only=True)}
    if wanted.credential_secret in names:
        return None
    return (
        f"backup target {wanted.name} names Secret {wanted.credential_secret}, which namespace "
        f"{longhorn.namespace} does not have; run `refresh` and `up`"
    )
