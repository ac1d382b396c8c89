"""Waits until Velero has accepted schedules: the API server takes any text as a cron expression."""

from collections.abc import Sequence

from kube.errors import one_line
from kube.velero.api import Velero, VeleroError, name, phase, status
from kube.waiting import TimeoutPassedError, until


def wait_enabled(velero: Velero, schedules: Sequence[str], seconds: float) -> None:
    """Returns when every schedule is enabled; one read serves them all.

    Raises:
        VeleroError: Velero refuses one, or does not look at it.
        ClusterError: the cluster refuses.
    """
    waiting: set[str] = set()

    def look() -> bool | None:
        found = {name(one): one for one in velero.client.list(velero.collection("schedules"))}
        waiting.clear()
        for schedule in schedules:
            held = found.get(schedule, {})
            if phase(held) == "FailedValidation":
                errors = one_line("; ".join(status(held).get("validationErrors") or ["no reason"]))
                raise VeleroError(
                    f"schedule {schedule} is refused by Velero ({errors}); correct "
                    f"velero.schedules.{schedule}"
                )
            if phase(held) != "Enabled":
                waiting.add(schedule)
        return None if waiting else True

    try:
        until(look, velero.clock, seconds)
    except TimeoutPassedError as error:
        if error.last is not None:
            raise VeleroError(f"schedules: {error.last}") from None
        raise VeleroError(
            f"Velero did not look at schedule {min(waiting)} within {seconds:.0f} s; look at the "
            f"pods of namespace {velero.namespace}"
        ) from None
