"""First backups are made once, taken over, waited for, and failed in a sentence for each volume."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest

from kube.longhorn.api import LonghornError
from kube.longhorn.asked import label_value
from kube.longhorn.backups import Backup, backup, read_backups
from kube.longhorn.first_backup import MARK, FirstBackupsError, first_backups, new_name
from kube.longhorn.jobs import GROUP_PREFIX
from tests.kube.fakes import status
from tests.kube.longhorn.cluster import Cluster, at

DETACHED_OPTION = "allow-recurring-job-while-volume-detached"


class Site:
    """A cluster with a target, a job for the default group, and a Longhorn that does its work."""

    def __init__(self, *volumes: str, **first: Any) -> None:
        self.cluster = Cluster(always=self._work)
        self.said: list[str] = []
        self.stalls: set[str] = set()
        self.fails: dict[str, str] = {}
        spec = {"task": "backup", "groups": ["default"], "retain": 7, "labels": {"by": "us"}}
        self.cluster.add("recurringjobs", "nightly", spec=spec)
        held = {"available": True, "lastSyncedAt": at(0)}
        self.cluster.add("backuptargets", "default", spec={"backupTargetURL": "s3://b@r/"},
                         status=held)  # fmt: skip
        for name in volumes:
            self.volume(name, **first)

    def volume(self, name: str, state: str = "attached", **more: Any) -> None:
        labels = more.pop("labels", {})
        robustness = more.pop("robustness", "healthy")
        known = {"namespace": "app", "pvcName": f"claim-{name}"}
        self.cluster.add(
            "volumes", name, labels=labels,
            spec={"size": "1048576", "backupTargetName": "default", **more},
            status={"state": state, "robustness": robustness, "kubernetesStatus": known},
        )  # fmt: skip

    def completed(self, name: str, volume: str, target: str = "default", **more: Any) -> None:
        labels = {"backup-volume": volume, "backup-target": target}
        self.cluster.add("backups", name, labels=labels, spec={"snapshotName": "s"},
                         status={"state": "Completed", **more})  # fmt: skip

    def _work(self) -> None:
        """Snapshots become ready, backups go on by halves; what stalls or fails does so."""
        for one in self.cluster.of("snapshots"):
            if one["spec"]["volume"] in self.stalls:
                one["status"] = {"readyToUse": False, "error": "Waiting for the volume"}
            else:
                one["status"] = {"readyToUse": True}
        for one in self.cluster.of("backups"):
            held = one.setdefault("status", {})
            volume = one["metadata"]["labels"]["backup-volume"]
            if volume in self.fails and held.get("state") != "Completed":
                held.update(state="Error", error=self.fails[volume])
            elif held.get("state") in ("", None):
                held.update(state="InProgress", progress=50)
            elif held.get("state") == "InProgress":
                held.update(state="Completed", progress=100)

    def run(self, seconds: float = 600, wanted: Sequence[str] = (), at_once: int = 5) -> Any:
        counter = itertools.count(1)
        return first_backups(
            self.cluster.longhorn(), seconds=seconds, say=self.said.append, now=self.cluster.wall,
            wanted=wanted, at_once=at_once, named=lambda prefix: f"{prefix}-{next(counter)}",
        )  # fmt: skip

    def faults(self, seconds: float = 600, **more: Any) -> tuple[str, ...]:
        with pytest.raises(FirstBackupsError) as caught:
            self.run(seconds, **more)
        assert all("\n" not in one for one in caught.value.faults)
        return caught.value.faults


def test_a_volume_without_a_backup_gets_what_its_job_would_make() -> None:
    site = Site("v1")
    found = site.run()
    assert found["made"] == [
        {
            "volume": "v1", "namespace": "app", "claim": "claim-v1", "target": "default",
            "job": "nightly", "backup": "backup-2",
        }
    ]  # fmt: skip
    (snapshot,), (made,) = site.cluster.of("snapshots"), site.cluster.of("backups")
    noted = {"by": "us", "RecurringJob": "nightly"}
    assert snapshot["spec"] == {"volume": "v1", "createSnapshot": True, "labels": noted}
    known = json.loads(made["spec"]["labels"].pop("KubernetesStatus"))
    assert known == {"namespace": "app", "pvcName": "claim-v1"}
    assert made["spec"] == {
        "snapshotName": "first-1", "backupMode": "incremental", "labels": noted,
    }  # fmt: skip
    assert made["metadata"]["labels"] == {
        "backup-volume": "v1", "backup-target": "default", MARK: "v1",
    }  # fmt: skip
    assert made["metadata"]["namespace"] == snapshot["metadata"]["namespace"] == "longhorn-system"


def test_progress_is_said_once_for_each_change() -> None:
    site = Site("v1")
    site.run()
    assert site.said == [
        "volume v1 (app/claim-v1): backup backup-2 is InProgress, 50 %",
        "volume v1 (app/claim-v1): backup backup-2 is complete",
    ]


def test_a_second_run_finds_nothing_to_do() -> None:
    site = Site("v1", "v2")
    assert len(site.run()["made"]) == 2
    again = site.run()
    assert (again["made"], again["held"]) == ([], ["v1", "v2"])
    assert len(site.cluster.of("backups")) == 2


def test_a_backup_in_another_target_is_none_here() -> None:
    site = Site("v1")
    site.completed("old", "v1", target="former")
    assert [one["volume"] for one in site.run()["made"]] == ["v1"]


def test_volumes_that_no_job_backs_up_are_named_and_left_alone() -> None:
    site = Site("v1")
    site.volume("v2", labels={GROUP_PREFIX + "gold": "enabled"})
    found = site.run()
    assert found["uncovered"] == ["v2"]
    assert "volume v2: no job backs it up" in site.said
    assert [one["spec"]["volume"] for one in site.cluster.of("snapshots")] == ["v1"]


def test_only_the_volumes_of_the_wanted_jobs_count() -> None:
    site = Site("v1")
    site.cluster.add("recurringjobs", "gold", spec={"task": "backup", "groups": ["gold"]})
    site.volume("v2", labels={GROUP_PREFIX + "gold": "enabled"})
    found = site.run(wanted=["gold"])
    assert [(one["volume"], one["job"]) for one in found["made"]] == [("v2", "gold")]
    assert found["uncovered"] == []


def test_a_job_that_does_not_exist_or_only_trims_is_refused() -> None:
    site = Site()
    site.cluster.add("recurringjobs", "trim", spec={"task": "filesystem-trim"})
    for name in ("weekly", "trim"):
        with pytest.raises(LonghornError, match=f"no recurring job {name} that makes backups"):
            site.run(wanted=[name])


def test_an_unfinished_backup_of_a_killed_run_is_taken_over() -> None:
    site = Site("v1")
    labels = {"backup-volume": "v1", "backup-target": "default", MARK: "v1"}
    site.cluster.add("backups", "backup-old", labels=labels, spec={"snapshotName": "s"},
                     status={"state": "InProgress"})  # fmt: skip
    assert [one["backup"] for one in site.run()["made"]] == ["backup-old"]
    assert site.cluster.names("snapshots") == []


def test_a_backup_of_somebody_else_that_runs_is_waited_for() -> None:
    site = Site("v1")
    labels = {"backup-volume": "v1", "backup-target": "default"}
    site.cluster.add("backups", "nightly-1", labels=labels, status={"state": "Pending"})
    site.cluster.deeds = [lambda: site.cluster.answer("backups", "nightly-1", state="Completed")]
    assert [one["backup"] for one in site.run()["made"]] == ["nightly-1"]


def test_a_snapshot_of_a_killed_run_is_gone_on_with_unless_it_is_old_or_used() -> None:
    for age, expected in ((600, "first-left"), (7200, "first-1")):
        site = Site("v1")
        site.cluster.add("snapshots", "first-left", labels={MARK: "v1"}, created=at(-age),
                         spec={"volume": "v1"})  # fmt: skip
        site.run()
        assert site.cluster.of("backups")[0]["spec"]["snapshotName"] == expected
    site = Site("v1")
    site.cluster.add("snapshots", "first-left", labels={MARK: "v1"}, spec={"volume": "v1"})
    labels = {"backup-volume": "v1", "backup-target": "default", MARK: "v1"}
    site.cluster.add("backups", "backup-failed", labels=labels,
                     spec={"snapshotName": "first-left"}, status={"state": "Error"})  # fmt: skip
    site.run()
    assert site.cluster.of("backups")[1]["spec"]["snapshotName"] == "first-1"


def test_a_failure_of_a_run_before_does_not_fail_this_one() -> None:
    site = Site("v1")
    labels = {"backup-volume": "v1", "backup-target": "default", MARK: "v1"}
    site.cluster.add("backups", "backup-failed", labels=labels, spec={"snapshotName": "s"},
                     status={"state": "Error", "error": "old"})  # fmt: skip
    assert [one["backup"] for one in site.run()["made"]] == ["backup-2"]


def test_a_backup_that_fails_is_told_and_the_others_are_made() -> None:
    site = Site("v1", "v2")
    site.fails = {"v1": "AWS Error:\nAccessDenied"}
    (fault,) = site.faults()
    assert fault == (
        "volume v1 (app/claim-v1): backup backup-2 ended as Error (AWS Error: AccessDenied); put "
        "that right and run this again"
    )
    assert [one["status"]["state"] for one in site.cluster.of("backups")] == ["Error", "Completed"]


def test_a_backup_that_somebody_deletes_is_told() -> None:
    site = Site("v1")
    made = f"{site.cluster.longhorn().path('backups')}/backup-2"
    site.cluster.deeds = [lambda: None, lambda: site.cluster.objects.pop(made)]
    (fault,) = site.faults()
    assert "backup backup-2 was deleted while it ran" in fault


def test_a_volume_that_cannot_be_attached_is_given_up_and_its_snapshot_taken_back() -> None:
    site = Site("v1", "v2")
    site.volume("v1", state="detached")
    site.stalls = {"v1"}
    (fault,) = site.faults(3600)
    assert 390 < site.cluster.now < 400
    assert "volume v1 (app/claim-v1): Longhorn made no snapshot within 390 s" in fault
    assert "the volume was detached; Waiting for the volume" in fault
    assert [one["spec"]["volume"] for one in site.cluster.of("snapshots")] == ["v2"]


def test_of_a_detached_volume_it_is_said_whether_its_jobs_will_take_it() -> None:
    site = Site("v1", state="detached")
    site.run()
    assert any("v1 (app/claim-v1) is detached: Longhorn attaches it" in one for one in site.said)
    site = Site("v1", state="detached")
    site.cluster.add("settings", DETACHED_OPTION, value="true")
    site.run()
    assert not any("is detached" in one for one in site.said)


def test_time_that_is_up_names_what_runs_and_what_did_not_begin() -> None:
    site = Site("v1", "v2")
    site.cluster.always = None
    first, second = site.faults(20, at_once=1)
    assert "volume v1 (app/claim-v1) has no backup after 20 s: snapshot first-1" in first
    assert "who runs this again waits for it" in first
    assert "volume v2 (app/claim-v2) has no backup: its turn did not come within 20 s" in second


def test_no_more_volumes_than_asked_are_under_way_at_once() -> None:
    site = Site("v1", "v2", "v3")
    most: list[int] = []
    work = site.cluster.always

    def watch() -> None:
        under_way = [one for one in site.cluster.of("backups")
                     if one.get("status", {}).get("state") != "Completed"]  # fmt: skip
        most.append(len(under_way))
        assert work is not None
        work()

    site.cluster.always = watch
    assert len(site.run(at_once=2)["made"]) == 3
    assert max(most) == 2


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"robustness": "faulted"}, "is faulted: no replica of it is usable"),
        ({"backupTargetName": "gone"}, "names backup target gone, which does not exist"),
        ({"backupTargetName": "down"}, "to target down, which is not available"),
    ],
)
def test_a_volume_that_cannot_be_backed_up_is_a_fault(more: dict[str, Any], told: str) -> None:
    site = Site("v1")
    site.cluster.add("backuptargets", "down", spec={}, status={"available": False})
    site.volume("v2", **more)
    (fault,) = site.faults()
    assert told in fault
    assert [one["status"]["state"] for one in site.cluster.of("backups")] == ["Completed"]


def test_a_linked_clone_under_a_job_is_a_fault() -> None:
    site = Site()
    labels = {GROUP_PREFIX + "default": "enabled"}
    site.volume("v1", labels=labels, cloneMode="linked-clone")
    assert "is a linked clone, which Longhorn does not back up" in site.faults()[0]


def test_volumes_that_make_no_backup_for_now_are_left_out_and_said() -> None:
    site = Site()
    site.volume("v1", Standby=True)
    site.volume("v2")
    site.cluster.answer("volumes", "v2", restoreRequired=True)
    found = site.run()
    assert set(found["leftOut"]) == {"v1", "v2"}
    assert found["made"] == []
    assert "follows the backups of another cluster" in site.said[0]


def test_a_volume_that_is_being_deleted_is_none() -> None:
    site = Site("v1")
    site.cluster.of("volumes")[0]["metadata"]["deletionTimestamp"] = at(0)
    assert site.run() == {"made": [], "held": [], "uncovered": [], "leftOut": {}}


def test_what_the_webhook_says_is_the_fault_of_that_volume() -> None:
    site = Site("v1", "v2")
    said = 'admission webhook "validator.longhorn.io" denied the request: no'

    def refuse(method: str, path: str) -> Any:
        first = method == "POST" and path.endswith("/snapshots") and "v1" not in seen
        if first:
            seen.append("v1")
            return status(400, said, "BadRequest")
        return None

    seen: list[str] = []
    site.cluster.refuse = refuse
    (fault,) = site.faults()
    assert fault.startswith("volume v1 (app/claim-v1): ")
    assert "denied the request: no" in fault


def test_a_lost_answer_makes_nothing_twice() -> None:
    site = Site("v1")
    path = site.cluster.longhorn().path("backups")
    lost: list[str] = []

    def lose(method: str, at_path: str) -> Any:
        if method == "POST" and at_path == path and not lost:
            lost.append("yes")
            labels = {"backup-volume": "v1", "backup-target": "default", MARK: "v1"}
            site.cluster.add("backups", "backup-2", labels=labels,
                             spec={"snapshotName": "first-1"})  # fmt: skip
            return ConnectionResetError()
        return None

    site.cluster.refuse = lose
    site.fails = {"v1": "broken"}
    (fault,) = site.faults()
    assert "backup backup-2 ended as Error (broken)" in fault
    assert site.cluster.names("backups") == ["backup-2"]


def test_a_request_that_is_carried_out_late_makes_nothing_twice() -> None:
    site = Site("v1")
    path = site.cluster.longhorn().path("snapshots")
    asked: list[str] = []

    def late(method: str, at_path: str) -> Any:
        if method != "POST" or at_path != path:
            return None
        asked.append(at_path)
        if len(asked) == 1:
            return ConnectionResetError()
        site.cluster.add("snapshots", "first-1", labels={MARK: "v1"}, spec={"volume": "v1"})
        return status(409, "already exists", "AlreadyExists")

    site.cluster.refuse = late
    assert [one["backup"] for one in site.run()["made"]] == ["backup-2"]
    assert site.cluster.names("snapshots") == ["first-1"]


def test_names_differ_and_labels_fit() -> None:
    assert new_name("backup") != new_name("backup")
    assert len(label_value("v" * 62 + "-" + "w" * 9)) == 62


def test_a_backup_is_read_as_longhorn_writes_it() -> None:
    site = Site()
    noted = {"RecurringJob": "nightly"}
    site.completed("b1", "v1", labels=noted, size="4096", backupCreatedAt=at(0), url="s3://x")
    (found,) = read_backups(site.cluster.longhorn().client, "longhorn-system")
    assert (found.volume, found.target, found.job, found.size) == ("v1", "default", "nightly", 4096)
    bare: Backup = backup({"metadata": {"name": "b"}, "status": None})
    assert (bare.state, bare.ended, bare.made, bare.job) == ("", False, None, "")
