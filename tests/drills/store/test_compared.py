"""What the store's receipt says was compared, and what was not."""

from typing import Any

import pytest

from drills.frame import Compared, Record
from drills.store.drill import PROBE_BYTES, VERSIONS
from drills.verdict import Reason
from tests.support.drill_runs import assert_proven, assert_red, drill
from tests.support.store_site import StoreSite

pytestmark = pytest.mark.tools

# Two probes of each client that may delete, one of each that only appends.
PLANTED = 12


def compared(record: Record) -> Compared:
    (only,) = record.compared
    assert only.what == VERSIONS
    return only


def not_compared(record: Record) -> dict[tuple[str, str], int]:
    return {(each.what, each.why): each.count for each in record.not_compared}


def test_every_lost_version_is_compared_by_digest_and_the_rest_of_the_buckets_is_not(
    store_site: StoreSite,
) -> None:
    record = drill(store_site.payload, run_id="compared")
    assert_proven(record)
    found = compared(record)
    assert (found.count, found.bytes) == (PLANTED, PLANTED * PROBE_BYTES)
    beside = ("buckets, all but the probes in them", "other layers' drills")
    assert not_compared(record) == {beside: len(store_site.payload["buckets"])}
    assert list(record.rto) == ["read back"]
    assert (record.point, record.rpo_seconds) == (None, None)


def test_probes_in_a_bucket_without_versions_are_not_compared(store_site: StoreSite) -> None:
    def change(bucket: dict[str, Any]) -> dict[str, Any]:
        return {**bucket, "versioning": bucket["name"] != "dev-longhorn"}

    buckets = [change(bucket) for bucket in store_site.payload["buckets"]]
    record = drill({**store_site.payload, "buckets": buckets}, run_id="unversioned")
    assert compared(record).count == PLANTED - 2
    assert not_compared(record)[VERSIONS, "the bucket keeps no versions"] == 2


def test_a_drill_that_could_not_begin_has_compared_nothing(store_site: StoreSite) -> None:
    record = drill({**store_site.payload, "region": "elsewhere"})
    assert_red(record, Reason.REGION_MISMATCH)
    assert (record.compared, record.not_compared, record.rto) == ([], [], {})
