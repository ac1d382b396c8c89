"""The way through a restore point: what ends it, what is only told, and what is taken away."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from drills.backup.course import Course, Found
from drills.frame import Record, StopDrillError
from drills.lease import Lease
from drills.sandbox import fence, safety
from drills.sandbox.marks import Run
from drills.sandbox.plan import Plan, plan
from drills.sandbox.safety import Refusal, RefusedError
from drills.sandbox.volumes import StorageClass
from drills.sandbox.wish import Contents, Wish
from drills.verdict import Check, Reason, Verdict
from drills.volumes.payload import VolumesPayload
from kube.errors import Cause, ClusterError
from kube.marks import SITE_LABEL
from tests.drills.coverage.sites import made
from tests.drills.sandbox.runs import HOUR, NOW
from tests.drills.volumes.drill_site import UID, VELERO, DrillSite

DAEMON_SETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"
BACKUP = f"{VELERO}/backups/daily-1"


@pytest.fixture
def site(tmp_path: Path) -> DrillSite:
    found = DrillSite(tmp_path)
    found.build()
    return found


def course_of(site: DrillSite, **changes: Any) -> Course[VolumesPayload]:
    return site.drill(**changes).course


def found(site: DrillSite, **changes: Any) -> tuple[Found, Record]:
    record = Record()
    return course_of(site, **changes).find(record), record


def stopped(site: DrillSite, **changes: Any) -> tuple[Record, str]:
    """The record of a way that ends at once, and in which words."""
    record = Record()
    course = course_of(site, **changes)
    with pytest.raises(StopDrillError) as caught:
        course.find(record)
    assert record.judgement().verdict is not Verdict.PROVEN
    assert "\n" not in str(caught.value)
    course.clean_up(record)
    assert site.cluster.changes == []
    return record, str(caught.value)


def test_a_restore_point_is_found_with_all_that_is_in_it(site: DrillSite) -> None:
    seen, record = found(site)
    assert record.judgement().verdict is Verdict.PROVEN
    assert (seen.point.name, seen.overview.cluster_uid) == ("daily-1", UID)
    assert len(seen.overview.contents.claims) == 2
    assert record.point is not None
    assert (record.point.age_seconds, record.rpo_seconds) == (7200.0, 7200.0)


def test_the_time_of_fetching_counts(site: DrillSite) -> None:
    course = course_of(site)
    course.find(Record())
    assert [one[0] for one in course.spans] == ["fetch"]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"phase": "Unavailable", "message": "no such bucket"}, "Unavailable: no such bucket"),
        ({"phase": "Unavailable"}, "Unavailable: no reason given"),
        ({}, "not checked yet: no reason given"),
    ],
)
def test_a_location_that_is_not_available_ends_the_drill(
    site: DrillSite, state: Mapping[str, str], said: str
) -> None:
    site.cluster.put(f"{VELERO}/backupstoragelocations/default", {"status": state})
    record, sentence = stopped(site)
    assert record.judgement().reason is Reason.STORE_UNREACHABLE
    assert said in sentence


def test_a_location_that_is_not_there_is_named(site: DrillSite) -> None:
    place = {"namespace": "velero", "location": "other", "bucket": "b"}
    with pytest.raises(ClusterError) as caught:
        found(site, velero=place)
    assert caught.value.cause is Cause.MISSING


def no_backup(site: DrillSite) -> None:
    site.cluster.objects = {
        key: one for key, one in site.cluster.objects.items() if key[2] != "backups"
    }


def elsewhere(site: DrillSite) -> None:
    site.cluster.put(BACKUP, made("daily-1", 2, location="other"))


def unscheduled(site: DrillSite) -> None:
    site.cluster.put(BACKUP, made("daily-1", 2, of="by-hand"))


def going(site: DrillSite) -> None:
    path = f"{VELERO}/deletebackuprequests/one"
    site.cluster.put(path, {"spec": {"backupName": "daily-1"}})


def expiring(site: DrillSite) -> None:
    """It would expire while the drill runs, which may last an hour."""
    expires = (NOW + HOUR / 2).strftime("%Y-%m-%dT%H:%M:%SZ")
    site.cluster.put(BACKUP, made("daily-1", 2, expiration=expires))


def unfinished(site: DrillSite) -> None:
    site.cluster.put(BACKUP, made("daily-1", 2, phase="InProgress"))


@pytest.mark.parametrize(
    ("fault", "changes", "reason", "said"),
    [
        (no_backup, {}, Reason.RESTORE_POINT_MISSING, "there is no backup at all"),
        (elsewhere, {}, Reason.RESTORE_POINT_MISSING,
         "there is no backup in location default, only others: 1 in location other; make one"),
        (unscheduled, {"schedules": ["daily"]}, Reason.RESTORE_POINT_MISSING,
         "there is no backup in location default of schedule daily, only others: 1 of schedule "
         "by-hand; make one"),
        (going, {}, Reason.RESTORE_POINT_MISSING, "is being deleted"),
        (expiring, {}, Reason.RESTORE_POINT_MISSING, "before the drill may have ended"),
        (unfinished, {}, Reason.RESTORE_POINT_UNFINISHED, "is not finished"),
        (lambda _site: None, {"restorePoint": {"name": "never"}}, Reason.RESTORE_POINT_MISSING,
         "the newest usable one is daily-1"),
    ],
)  # fmt: skip
def test_without_a_restore_point_nothing_is_proven(
    site: DrillSite, fault: Any, changes: dict[str, Any], reason: Reason, said: str
) -> None:
    fault(site)
    record, sentence = stopped(site, **changes)
    assert (record.judgement().verdict, record.judgement().reason) == (Verdict.UNPROVEN, reason)
    assert said in sentence


@pytest.mark.parametrize(("limit", "reason"), [(7200, None), (7199, Reason.OVER_RPO)])
def test_the_age_of_the_newest_is_held_to_its_limit(
    site: DrillSite, limit: int, reason: Reason | None
) -> None:
    _, record = found(site, limits={"rtoSeconds": 1, "rpoSeconds": limit})
    assert record.judgement().reason is reason
    check = next(one for one in record.checks if one.check.startswith("age of the newest"))
    assert check.observed == "7200 s (daily-1)"


def test_an_older_one_that_has_its_turn_is_no_fault(site: DrillSite) -> None:
    site.cluster.put(f"{VELERO}/backups/daily-2", made("daily-2", 1))
    seen, record = found(
        site, limits={"rtoSeconds": 1, "rpoSeconds": 3600}, restorePoint={"name": "daily-1"}
    )
    assert seen.point.name == "daily-1"
    assert record.judgement().verdict is Verdict.PROVEN
    assert record.rpo_seconds == 7200.0


def test_another_cluster_is_not_even_asked_for_its_backups(site: DrillSite) -> None:
    record, _ = stopped(site, cluster={"kubeconfig": kubeconfig(site), "uid": "another"})
    assert record.judgement().reason is Reason.CLUSTER_MISMATCH
    assert len(record.checks) == 1


def kubeconfig(site: DrillSite) -> str:
    return site.drill().course.payload.cluster.kubeconfig.get_secret_value()


def of_site(name: str) -> dict[str, Any]:
    backup = made("daily-1", 2)
    backup["metadata"]["labels"][SITE_LABEL] = name
    return backup


def test_a_backup_of_another_site_is_not_restored(site: DrillSite) -> None:
    site.cluster.put(BACKUP, of_site("other"))
    record, sentence = stopped(site)
    assert record.judgement().reason is Reason.CLUSTER_MISMATCH
    assert "of site other" in sentence


def test_a_backup_of_another_cluster_is_not_restored(site: DrillSite) -> None:
    site.archived_uid = "uid-of-another"
    record, sentence = stopped(site)
    assert record.judgement().reason is Reason.CLUSTER_MISMATCH
    assert "uid-of-another" in sentence


@pytest.mark.parametrize("labelled", [True, False])
def test_a_backup_that_does_not_say_whose_it_is_is_told(site: DrillSite, labelled: bool) -> None:
    site.archived_uid = None
    if labelled:
        site.cluster.put(BACKUP, of_site("dev"))
    _, record = found(site)
    assert record.judgement().verdict is Verdict.PROVEN
    told = [one for one in record.not_compared if one.what == "the backup's cluster"]
    assert bool(told) is not labelled


def planned(course: Course[VolumesPayload], contents: Contents) -> Plan:
    wish = Wish(objects=False, volumes=True, seconds=60)
    return plan(
        course.run, "daily-1", contents, wish, classes={"fast": StorageClass("d", waits=False)},
        velero_namespace="velero",
    )  # fmt: skip


def prepared(site: DrillSite) -> tuple[Course[VolumesPayload], Record]:
    course, record = course_of(site), Record()
    contents = course.find(record).overview.contents
    records = site.records()
    course.prepare(record, planned(course, replace(contents, records=records)))
    return course, record


@pytest.mark.parametrize(
    ("daemon_set", "version", "told"),
    [
        ("calico-node", "v1.31.0", False),
        ("cilium", "v1.31.0", False),
        ("kube-flannel-ds", "v1.31.0", True),
        ("", "v1.31.0", True),
        ("", "v1.31.0+k3s1", False),
    ],
)
def test_who_closes_the_sandboxes_is_told_where_nobody_is_known(
    site: DrillSite, daemon_set: str, version: str, told: bool
) -> None:
    del site.cluster.objects["apis/apps/v1", "kube-system", "daemonsets", "calico-node"]
    if daemon_set:
        site.cluster.put(f"{DAEMON_SETS}/{daemon_set}", {})
    site.cluster.put("/api/v1/nodes/cp1", {"status": {"nodeInfo": {"kubeletVersion": version}}})
    _, record = prepared(site)
    found = [one for one in record.not_compared if one.what == "closed networks of sandboxes"]
    assert [one.count for one in found] == ([2] if told else [])


def test_a_sandbox_is_fenced_and_taken_away(site: DrillSite) -> None:
    course, record = prepared(site)
    kinds = {key[2] for key in site.cluster.objects if "backstop-drill-" in f"{key[1]}/{key[3]}"}
    assert kinds == {"namespaces", "networkpolicies", "resourcequotas", "configmaps", "leases"}
    assert [one[0] for one in course.spans] == ["fetch", "objects"]
    course.clean_up(record)
    assert site.cluster.drilled() == []
    assert (record.left, record.judgement().verdict) == ([], Verdict.PROVEN)


def test_the_archive_is_closed_at_the_end(site: DrillSite) -> None:
    course, record = course_of(site), Record()
    seen = course.find(record)
    assert list(seen.archive.objects())
    course.clean_up(record)
    with pytest.raises(ValueError, match="closed"):
        next(seen.archive.objects())


def test_beside_another_run_that_lives_nothing_is_made(site: DrillSite) -> None:
    other = Run("dev", "volumes", "other", NOW, NOW + HOUR)
    called = other.name("shop")
    site.cluster.put(f"/api/v1/namespaces/{called}", fence.namespace(other, called))
    with pytest.raises(StopDrillError):
        prepared(site)
    assert site.cluster.changes == []


@dataclass
class Lost:
    """What the run's Lease says whenever it is asked."""

    answer: Exception | None

    def check(self) -> None:
        if self.answer is not None:
            raise self.answer


TAKEN = RefusedError(Refusal(safety.Cause.LEASE_LOST, "another run has it"))
AWAY = ClusterError(Cause.UNREACHABLE, "no answer")


@pytest.mark.parametrize("fails", [None, ClusterError(Cause.MISSING, "it is gone"), ValueError()])
@pytest.mark.parametrize("answer", [None, AWAY, TAKEN], ids=["own", "unknown", "taken"])
def test_what_a_run_saw_after_it_was_taken_for_dead_is_no_finding(
    site: DrillSite, fails: Exception | None, answer: Exception | None
) -> None:
    course, record = course_of(site), Record(checks=[Check("backup", "before", "1", "1")])
    course.lease = cast("Lease", Lost(answer))

    def phase(own: Record) -> str:
        own.checks.append(Check("copy", "file", "there", "gone", Reason.FILE_LOST))
        if fails is not None:
            raise fails
        return "done"

    expected = StopDrillError() if answer is TAKEN else fails or answer
    if expected is None:
        assert course.alone(phase)(record) == "done"
    else:
        with pytest.raises(type(expected)):
            course.alone(phase)(record)
    found = [one.reason for one in record.checks]
    assert found == [None, Reason.TARGET_REFUSED if answer is TAKEN else Reason.FILE_LOST]


def test_what_another_made_stays_and_is_told(site: DrillSite) -> None:
    path = "/api/v1/namespaces/backstop-drill-dead-shop"
    site.cluster.put(path, {})
    course, record = course_of(site), Record()
    course.find(record)
    course.clean_up(record)
    assert site.cluster.drilled() == ["backstop-drill-dead-shop"]
    assert record.judgement().reason is Reason.DEBRIS_LEFT
    assert "no mark" in record.left[0]


def test_what_does_not_go_is_debris(site: DrillSite) -> None:
    course, record = prepared(site)
    site.cluster.staying.add(course.run.name("shop"))
    course.clean_up(record)
    assert record.judgement().reason is Reason.DEBRIS_LEFT
    assert record.left == [f"Namespace {course.run.name('shop')}: it does not go"]


@pytest.mark.parametrize(("limit", "reason"), [(10.0, None), (9.9, Reason.OVER_RTO)])
def test_the_time_to_usable_is_held_to_its_limit(
    site: DrillSite, limit: float, reason: Reason | None
) -> None:
    course, record = course_of(site, limits={"rtoSeconds": limit, "rpoSeconds": 1}), Record()
    course.spans += [("fetch", 0.0, 4.0), ("objects", 10.0, 16.0)]
    course.check_time(record)
    assert record.rto == {"fetch": 4.0, "objects": 6.0}
    assert record.judgement().reason is reason
