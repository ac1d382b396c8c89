"""A restore's time, shared among objects and volumes without a second lost or counted twice."""

from dataclasses import replace

import pytest

from drills import rto
from drills.volumes.timing import spans
from kube.velero.restores import Outcome, RestoreResult
from kube.velero.volumes import Method, VolumeRestore


def result(**timings: float) -> RestoreResult:
    return RestoreResult("r", "u", Outcome.COMPLETED, "Completed", 0.0, timings)


def restored(*seconds: float | None) -> list[VolumeRestore]:
    one = VolumeRestore(
        "v", Method.FILE_SYSTEM, "ns", "p/v", "shop", "s", "Completed", "", "", 1, 1, None
    )
    return [replace(one, seconds=each) for each in seconds]


@pytest.mark.parametrize(
    ("timings", "volumes", "objects", "data"),
    [
        # The data mover: Velero waits for it after the objects.
        ({"New": 1, "InProgress": 9, "WaitingForPluginOperations": 25, "Finalizing": 5}, [],
         10, 30),
        # Copies of files are made while it is still InProgress; the longest counts, not the sum.
        ({"InProgress": 40}, [12.0, 30.0, None], 10, 30),
        # No volumes, and no wait for any.
        ({"New": 2, "InProgress": 38}, [], 40, 0),
        # Whole seconds of Velero's clock may be more than there were.
        ({"InProgress": 40}, [41.0], 0, 40),
        ({"Finalizing": 55.5}, [], 0, 40),
        # A phase that nobody knows yet is one of waiting.
        ({"InProgress": 10, "Dreaming": 30}, [], 10, 30),
        ({}, [], 40, 0),
    ],
)  # fmt: skip
def test_the_time_is_shared_and_its_sum_is_exact(
    timings: dict[str, float], volumes: list[float | None], objects: float, data: float
) -> None:
    found = spans(100.0, 140.0, result(**timings), restored(*volumes))
    assert rto.measured(found).seconds == {"objects": objects, "volumes": data}
    (_, began, middle), (_, also, ended) = found
    assert (began, middle, ended) == (100.0, also, 140.0)


def test_a_restore_of_no_time_has_none() -> None:
    found = spans(5.0, 5.0, result(Finalizing=1), restored(2.0))
    assert rto.measured(found).total == 0.0
