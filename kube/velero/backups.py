"""One backup now, as `velero backup create --from-schedule` makes it, unless there is one."""

import datetime
from collections.abc import Callable, Mapping
from typing import Any

from kube.errors import RETRIED, Cause, ClusterError, one_line
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
    status,
)
from kube.waiting import TimeoutPassedError, until
from kube.writer import ExistsError

Say = Callable[[str], None]


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


def first_backup(
    velero: Velero,
    schedule: str,
    wanted: Mapping[str, str],
    *,
    seconds: float,
    now: datetime.datetime,
    say: Say,
) -> dict[str, object]:
    """A completed backup of the schedule with the labels: name, phase, items.

    One that is there is not repeated; one that an interrupted run began is waited for.

    Raises:
        VeleroError: the backup did not complete.
        ClusterError: the cluster refuses.
    """
    asked = {**wanted, SCHEDULE_LABEL: schedule}

    def begin() -> dict[str, Any]:
        there = matching(velero.client.list(velero.collection("backups")), asked)
        completed = [one for one in there if phase(one) == "Completed"]
        running = [one for one in there if phase(one) not in ENDED]
        if completed or running:
            return (completed or running)[-1]
        held = velero.client.get(velero.path("schedules", schedule))
        content = from_schedule(held, now)
        try:
            return velero.writer.create(velero.collection("backups"), content)
        except ExistsError:
            return content

    try:
        chosen = name(until(begin, velero.clock, seconds))
        return _summary(_wait(velero, chosen, seconds, say))
    except TimeoutPassedError as error:
        said = f": {error.last}" if error.last else ""
        raise VeleroError(
            f"a backup of schedule {schedule} did not end within {seconds:.0f} s{said}; it goes on "
            "in the cluster (velero backup get), and the next `up` waits for it"
        ) from None


def _wait(velero: Velero, chosen: str, seconds: float, say: Say) -> dict[str, Any]:
    last = ""

    def ended() -> dict[str, Any] | None:
        nonlocal last
        found = velero.client.get(velero.path("backups", chosen))
        told = _progress(found)
        if told != last:
            say(f"backup {chosen}: {told}")
            last = told
        return found if phase(found) in ENDED else None

    try:
        found = until(ended, velero.clock, seconds, passing=RETRIED)
    except ClusterError as error:
        if error.cause is Cause.MISSING:
            raise VeleroError(f"backup {chosen} was deleted while it ran; run `up` again") from None
        raise
    if phase(found) != "Completed":
        raise VeleroError(_failure(found))
    return found


def _progress(found: Object) -> str:
    progress = status(found).get("progress") or {}
    done, total = progress.get("itemsBackedUp", 0), progress.get("totalItems", 0)
    items = f", {done} of {total} items" if total else ""
    return (phase(found) or "New") + items


def _failure(found: Object) -> str:
    held = status(found)
    reasons = [*(held.get("validationErrors") or []), held.get("failureReason") or ""]
    reason = one_line("; ".join(text for text in reasons if text))
    counts = f"{held.get('errors', 0)} errors, {held.get('warnings', 0)} warnings"
    return (
        f"backup {name(found)} ended as {phase(found)} ({reason or counts}); read "
        f"`velero backup logs {name(found)}`, and run `up` again when that is put right"
    )


def _summary(found: Object) -> dict[str, object]:
    held = status(found)
    progress = held.get("progress") or {}
    return {
        "backup": name(found),
        "phase": phase(found),
        "items": progress.get("itemsBackedUp", 0),
        "warnings": held.get("warnings", 0),
        "completedAt": held.get("completionTimestamp"),
    }
