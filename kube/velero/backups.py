"""One backup now, as `velero backup create --from-schedule` makes it: begun, and waited for."""

import datetime
from collections.abc import Callable, Mapping
from typing import Any

from kube.errors import RETRIED, Cause, ClusterError
from kube.velero import progress, server
from kube.velero.api import (
    ENDED,
    GROUP,
    SCHEDULE_LABEL,
    Object,
    Velero,
    VeleroError,
    labels,
    name,
    phase,
    reasons,
    status,
)
from kube.velero.progress import Told
from kube.waiting import TimeoutPassedError, until
from kube.writer import ExistsError

Say = Callable[[str], None]
# How long an API server that is just away is waited for.
BEGIN_SECONDS = 180.0


def from_schedule(schedule: Object, now: datetime.datetime) -> dict[str, Any]:
    """The Backup that Velero's command line would make of a Schedule at `now`."""
    metadata, template = schedule["metadata"], schedule["spec"]["template"]
    own = (template.get("metadata") or {}).get("labels")
    held = dict(own if own is not None else metadata.get("labels") or {})
    made: dict[str, Any] = {
        "name": f"{metadata['name']}-{now:%Y%m%d%H%M%S}",
        "namespace": metadata["namespace"],
        "labels": {**held, SCHEDULE_LABEL: metadata["name"]},
    }
    # Notes of tools on the schedule (what was last applied) say nothing about its backups.
    return {"apiVersion": GROUP, "kind": "Backup", "metadata": made, "spec": template}


def matching(backups: list[dict[str, Any]], wanted: Mapping[str, str]) -> list[dict[str, Any]]:
    """The backups that bear every wanted label, oldest first."""
    found = [one for one in backups if wanted.items() <= labels(one).items()]
    return sorted(found, key=lambda one: str(one["metadata"].get("creationTimestamp")))


def begin(velero: Velero, content: Object) -> dict[str, Any]:
    """Makes the Backup `content`; returns it as the server holds it.

    Raises:
        VeleroError: there is one of that name, which somebody else made.
        ClusterError: the cluster refuses, or stays away.
    """
    path, asked = velero.path("backups", name(content)), False

    def made() -> dict[str, Any]:
        nonlocal asked
        again, asked = asked, True
        try:
            return velero.writer.create(velero.collection("backups"), content)
        except ExistsError:
            if again:  # the answer to the first request was lost
                return velero.client.get(path)
            raise VeleroError(
                f"backup {name(content)} is there already: somebody began one of this schedule in "
                "the same second; run this again"
            ) from None

    try:
        return until(made, velero.clock, BEGIN_SECONDS, passing=RETRIED)
    except TimeoutPassedError as error:
        said = f": {error.last}" if error.last else ""
        raise VeleroError(f"backup {name(content)} cannot be begun{said}; run this again") from None


def wait_ended(velero: Velero, chosen: str, seconds: float, say: Say) -> dict[str, Any]:
    """The backup when it has ended, however it did; `say` hears how it goes on.

    Raises:
        VeleroError: it does not end within `seconds`, or somebody deleted it.
        ClusterError: the cluster refuses.
    """
    tell = Told(lambda text: say(f"backup {chosen}: {text}"), velero.clock)

    def ended() -> dict[str, Any] | None:
        found = velero.client.get(velero.path("backups", chosen))
        tell(_progress(found))
        return found if phase(found) in ENDED else None

    try:
        return until(ended, velero.clock, seconds, passing=RETRIED)
    except ClusterError as error:
        if error.cause is Cause.MISSING:
            raise VeleroError(f"backup {chosen} was deleted while it ran; run this again") from None
        raise
    except TimeoutPassedError as error:
        said = f": {error.last}" if error.last else ""
        raise VeleroError(
            f"backup {chosen} did not end within {seconds:.0f} s{said}; it goes on in the cluster "
            "(velero backup get), and who runs this again waits for it"
        ) from None


def check_completed(velero: Velero, found: Object) -> None:
    """Raises VeleroError if a backup that ended did not end as Completed."""
    if phase(found) != "Completed":
        raise VeleroError(_failure(found, server.end_behind(velero, found)))


def _progress(found: Object) -> str:
    counts = status(found).get("progress") or {}
    return progress.text(phase(found), counts.get("itemsBackedUp", 0), counts.get("totalItems", 0))


def _failure(found: Object, how: str) -> str:
    held = status(found)
    reason = "; ".join(filter(None, (reasons(found), how)))
    counts = f"{held.get('errors', 0)} errors, {held.get('warnings', 0)} warnings"
    return (
        f"backup {name(found)} ended as {phase(found)} ({reason or counts}); read "
        f"`velero backup logs {name(found)}`, and run this again when that is put right"
    )


def summary(found: Object) -> dict[str, object]:
    """A backup in a few words, as plain data."""
    held = status(found)
    counts = held.get("progress") or {}
    return {
        "backup": name(found),
        "phase": phase(found),
        "items": counts.get("itemsBackedUp", 0),
        "warnings": held.get("warnings", 0),
        "completedAt": held.get("completionTimestamp"),
    }
