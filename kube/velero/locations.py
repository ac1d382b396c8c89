"""Waits until BackupStorageLocations are available as they are now, not as they were."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field

from kube.velero import cures
from kube.velero.api import (
    Object,
    Velero,
    VeleroError,
    labels,
    last_change,
    moment,
    name,
    phase,
    status,
)
from kube.waiting import TimeoutPassedError, until

# A lasting fault is believed when Velero has found it in this many checks.
CHECKS = 2


@dataclass
class _Seen:
    """What one location said: the message and the times of the checks that were not passed."""

    message: str = ""
    checks: set[str] = field(default_factory=set)


def wait_available(
    velero: Velero, locations: Sequence[str], secrets: Sequence[str], seconds: float
) -> None:
    """Returns when every location was found available after its last change.

    Velero keeps the result of its last check for a minute. So one counts only if it is younger than
    the location's own specification and than the Secrets that it uses.

    Raises:
        VeleroError: one is not available; says what Velero says, and the cure.
        ClusterError: the cluster refuses.
    """
    for location in locations:
        _wait_one(velero, location, secrets, seconds)


def remove_former_secrets(velero: Velero, label: str, used: Sequence[str]) -> list[str]:
    """Deletes the Secrets that bear the label and are not used any more; returns their names.

    A state that began anew knows nothing of the Secret that the state before it made.
    """
    path = f"/api/v1/namespaces/{velero.namespace}/secrets"
    held = velero.client.list(path, metadata_only=True)
    former = [name(one) for one in held if label in labels(one) and name(one) not in used]
    for each in former:
        velero.writer.delete(f"{path}/{each}")
    return former


def _wait_one(velero: Velero, location: str, secrets: Sequence[str], seconds: float) -> None:
    seen = _Seen()
    try:
        until(lambda: _look(velero, location, secrets, seen), velero.clock, seconds)
    except TimeoutPassedError as error:
        raise VeleroError(_timed_out(velero, location, seen, error, seconds)) from None


def _look(velero: Velero, location: str, secrets: Sequence[str], seen: _Seen) -> bool | None:
    found = velero.client.get(velero.path("backupstoragelocations", location))
    checked = status(found).get("lastValidationTime")
    if not _is_fresh(moment(checked), found, _changes(velero, secrets)):
        return None
    if phase(found) == "Available":
        return True
    seen.message = cures.tidy(str(status(found).get("message") or ""))
    seen.checks.add(str(checked))
    cure = cures.find(seen.message)
    if cure is not None and cure.lasting and len(seen.checks) >= CHECKS:
        raise VeleroError(_sentence(location, seen.message))
    return None


def _changes(velero: Velero, secrets: Sequence[str]) -> list[datetime.datetime]:
    """When each of the Secrets was last changed; their contents are not read."""
    if not secrets:
        return []
    held = velero.client.list(f"/api/v1/namespaces/{velero.namespace}/secrets", metadata_only=True)
    times = [last_change(one, "data") for one in held if name(one) in secrets]
    return [time for time in times if time is not None]


def _is_fresh(
    checked: datetime.datetime | None, found: Object, changes: Sequence[datetime.datetime]
) -> bool:
    changed = last_change(found, "spec")
    limits = [*changes, *([changed] if changed is not None else [])]
    return checked is not None and all(checked >= limit for limit in limits)


def _sentence(location: str, message: str) -> str:
    cure = cures.find(message)
    said = f" (Velero says: {message})" if message else ""
    if cure is None:
        return f"location {location} is not available{said}; look at the log of deployment velero"
    return f"location {location} is not available: {cure.text}{said}"


def _timed_out(
    velero: Velero, location: str, seen: _Seen, error: TimeoutPassedError, seconds: float
) -> str:
    if error.last is not None:
        return f"location {location}: not seen available within {seconds:.0f} s: {error.last}"
    if seen.checks:
        return _sentence(location, seen.message)
    return (
        f"location {location} was not checked by Velero within {seconds:.0f} s: the server is not "
        f"running; look at the pods of namespace {velero.namespace}"
    )
