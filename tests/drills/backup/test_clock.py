"""This machine's clock is held against the cluster's, by the times of the sandboxes it made."""

import datetime
from dataclasses import replace
from pathlib import Path

import pytest

from drills.frame import Clock, Record
from drills.sandbox.plan import plan
from drills.sandbox.volumes import StorageClass
from drills.sandbox.wish import Wish
from drills.verdict import Reason
from tests.drills.sandbox.runs import NOW
from tests.drills.surroundings.live import LiveCluster
from tests.drills.volumes.drill_site import Cluster, DrillSite


def prepared(folder: Path, cluster: Cluster, skew: float) -> Record:
    """What the drill says when its clock is `skew` seconds ahead of the cluster's."""
    site = DrillSite(folder, cluster=cluster)
    site.build()
    course, record = site.drill().course, Record()
    contents = replace(course.find(record).overview.contents, records=site.records())
    course.clock = Clock(now=lambda: NOW + datetime.timedelta(seconds=skew))
    made = plan(
        course.run, "daily-1", contents, Wish(objects=False, volumes=True, seconds=60),
        classes={"fast": StorageClass("d", waits=False)}, velero_namespace="velero",
    )  # fmt: skip
    course.prepare(record, made)
    return record


@pytest.mark.parametrize(
    ("skew", "reason"),
    [(0, None), (60, None), (-60, None), (61, Reason.CLOCK_SKEW), (-61, Reason.CLOCK_SKEW)],
)
def test_a_clock_that_goes_wrong_is_told(
    tmp_path: Path, skew: float, reason: Reason | None
) -> None:
    record = prepared(tmp_path, LiveCluster(), skew)
    (check,) = (one for one in record.checks if one.check == "clock")
    assert check.reason is reason
    assert check.observed == f"{abs(skew)} s apart"


def test_where_the_cluster_tells_no_time_nothing_is_said(tmp_path: Path) -> None:
    record = prepared(tmp_path, Cluster(), 3600)
    assert not [one for one in record.checks if one.check == "clock"]
