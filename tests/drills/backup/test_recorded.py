"""A backup with its truth: what is listed when, by whose clock, and when none is taken for one."""

import datetime
import json
import stat
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from drills.backup.payload import CanaryClaims
from drills.backup.recorded import ahead
from drills.backup.truths import NotKeptError
from drills.objects.keys import parse
from drills.objects.truth import Seen, Truth, encloses
from kube.velero.api import VeleroError, moment
from tests.drills.backup.small_cluster import NOON, TEMPLATE, UID, SmallCluster, shown

SHOP = ("one", "two", "three")


@pytest.fixture
def cluster(tmp_path: Path) -> SmallCluster:
    return SmallCluster(tmp_path)


def truth_of(cluster: SmallCluster, made: dict[str, Any]) -> Truth:
    found = cluster.truths().read(str(made["backup"]))
    assert found is not None
    return found


def seen(truth: Truth, name: str) -> Seen:
    return truth.entries[parse(f"configmaps/shop/{name}")].seen


def test_a_backup_is_made_by_the_schedules_template_and_its_truth_kept(
    cluster: SmallCluster,
) -> None:
    made = cluster.recording().make("nightly")
    assert (made["phase"], made["items"]) == ("Completed", 3)
    (name,) = cluster.backups()
    backup = cluster.objects["backups", "velero", name]
    assert backup["spec"] == TEMPLATE
    assert backup["metadata"]["labels"] == {
        "template": "t1", "velero.io/schedule-name": "nightly",
    }  # fmt: skip
    truth = truth_of(cluster, made)
    assert (truth.head.cluster_uid, truth.head.backup) == (UID, name)
    assert truth.head.spec == TEMPLATE
    assert {str(key) for key, entry in truth.entries.items() if entry.required} == {
        "namespaces/shop", "events/shop/noise", *(f"configmaps/shop/{one}" for one in SHOP),
    }  # fmt: skip
    assert {seen(truth, one) for one in SHOP} == {Seen.STRICT}
    place = cluster.truths().place(name)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    told = made["truth"]
    assert isinstance(told, dict)
    assert told["kept"] == str(place)
    assert json.loads(json.dumps(made)) == made
    assert [line.partition(":")[0] for line in cluster.said if "list" in line] == [
        "first list", "second list",
    ]  # fmt: skip


def test_what_is_written_while_it_runs_is_told_apart(cluster: SmallCluster) -> None:
    def meanwhile() -> None:
        cluster.put("configmaps", "shop", "one", data={"value": "another"})
        cluster.put("configmaps", "shop", "new")
        cluster.remove("configmaps", "shop", "two")

    cluster.acts = [meanwhile]
    truth = truth_of(cluster, cluster.recording().make("nightly"))
    assert {name: seen(truth, name) for name in (*SHOP, "new")} == {
        "one": Seen.CHANGED, "two": Seen.DELETED, "three": Seen.STRICT, "new": Seen.CREATED,
    }  # fmt: skip


def test_an_api_that_does_not_answer_is_told_as_not_listed(cluster: SmallCluster) -> None:
    cluster.silent = ("metrics.k8s.io",)
    truth = truth_of(cluster, cluster.recording().make("nightly"))
    (silent,) = [one for one in truth.left_out if one.count == 0]
    assert silent.what == "API metrics.k8s.io/v1"
    assert "did not answer" in silent.why


@pytest.mark.parametrize("ahead_by", [-7200.0, -3.7, -0.4, 0.0, 0.4, 3.7, 7200.0])
@pytest.mark.parametrize("begins_at", [0.0, 0.05, 0.5, 0.95])
def test_the_lists_are_dated_by_the_clusters_clock(
    tmp_path: Path, ahead_by: float, begins_at: float
) -> None:
    cluster = SmallCluster(tmp_path, ahead=ahead_by)
    cluster.time.now = begins_at
    made = cluster.recording().make("nightly")
    held = cluster.objects["backups", "velero", str(made["backup"])]["status"]
    began, ended = (moment(held[f"{one}Timestamp"]) for one in ("start", "completion"))
    assert began is not None
    assert ended is not None
    head = truth_of(cluster, made).head
    assert encloses(head, began, ended) == ""
    assert abs((head.before_ended - began).total_seconds()) < 2
    assert head.before_began <= head.before_ended < head.after_began <= head.after_ended


@pytest.mark.parametrize("apart", [-3.0, 3.0])
def test_nodes_whose_clocks_differ_a_little_are_no_fault(tmp_path: Path, apart: float) -> None:
    cluster = SmallCluster(tmp_path, velero_ahead=apart)
    made = cluster.recording().make("nightly")
    assert truth_of(cluster, made).head.backup == made["backup"]


@pytest.mark.parametrize(
    ("apart", "said"), [(-60.0, "the first list ended"), (60.0, "the second list began")]
)
def test_nodes_whose_clocks_differ_much_give_no_truth(
    tmp_path: Path, apart: float, said: str
) -> None:
    cluster = SmallCluster(tmp_path, velero_ahead=apart)
    with pytest.raises(VeleroError, match=f"{said}.*synchronise the clocks"):
        cluster.recording().make("nightly")
    assert not (tmp_path / "truths").exists()


@pytest.mark.parametrize("phase", ["PartiallyFailed", "Failed", "FailedValidation"])
def test_of_a_backup_that_did_not_complete_there_is_no_truth(
    cluster: SmallCluster, phase: str
) -> None:
    cluster.phase = phase
    with pytest.raises(VeleroError, match=f"ended as {phase}"):
        cluster.recording().make("nightly")
    assert not (cluster.folder / "truths").exists()


def test_a_schedule_that_is_not_there_is_told_with_those_that_are(cluster: SmallCluster) -> None:
    with pytest.raises(VeleroError, match=r"no schedule weekly .*\(there: nightly\)"):
        cluster.recording().make("weekly")
    assert cluster.backups() == []


def test_in_another_cluster_nothing_is_made(cluster: SmallCluster) -> None:
    for act in (cluster.recording("another").make, cluster.recording("another").first):
        with pytest.raises(VeleroError, match="has the UID uid-of-the-cluster"):
            act("nightly")
    assert cluster.backups() == []


def test_a_disk_that_refuses_is_told(cluster: SmallCluster) -> None:
    (cluster.folder / "truths").write_text("a file in the way")
    with pytest.raises(NotKeptError, match="make it writable"):
        cluster.recording().make("nightly")


def test_the_first_one_is_made_once(cluster: SmallCluster) -> None:
    made = cluster.recording().first("nightly")
    cluster.time.pass_by(100)
    again = cluster.recording().first("nightly")
    assert again["backup"] == made["backup"]
    assert cluster.backups() == [made["backup"]]


def forget(_cluster: SmallCluster, place: Path) -> None:
    place.unlink()


def cut_off(_cluster: SmallCluster, place: Path) -> None:
    place.write_bytes(place.read_bytes()[:-30])


def of_another_template(cluster: SmallCluster, _place: Path) -> None:
    template = {**TEMPLATE, "metadata": {"labels": {"template": "t2"}}}
    cluster.put("schedules", "velero", "nightly", spec={"template": template})


def failed(cluster: SmallCluster, _place: Path) -> None:
    (name,) = cluster.backups()
    cluster.end(name, "PartiallyFailed")


@pytest.mark.parametrize("change", [forget, cut_off, of_another_template, failed])
def test_one_that_does_not_serve_is_followed_by_another(cluster: SmallCluster, change: Any) -> None:
    made = cluster.recording().first("nightly")
    change(cluster, cluster.truths().place(str(made["backup"])))
    cluster.time.pass_by(100)
    again = cluster.recording().first("nightly")
    assert again["backup"] != made["backup"]
    assert cluster.backups() == [made["backup"], again["backup"]]
    assert truth_of(cluster, again).head.backup == again["backup"]


@pytest.mark.parametrize(
    ("claim", "followed"), [("canary-new", True), ("canary-gone", False), ("of-others", False)]
)
def test_one_from_before_a_claim_of_the_canary_is_followed_by_another(
    cluster: SmallCluster, claim: str, *, followed: bool
) -> None:
    cluster.canary = CanaryClaims(namespace="canary", claims=("canary-old", "canary-new"))
    cluster.put("persistentvolumeclaims", "canary", "canary-old")
    cluster.time.pass_by(100)
    made = cluster.recording().first("nightly")
    cluster.time.pass_by(100)
    cluster.put("persistentvolumeclaims", "canary", claim)
    cluster.time.pass_by(100)
    again = cluster.recording().first("nightly")
    assert (again["backup"] != made["backup"]) is followed
    why = f"backup {made['backup']} was begun before the canary's claim {claim}"
    assert (why in cluster.said) is followed
    assert cluster.recording().first("nightly")["backup"] == again["backup"]


def test_the_truth_of_another_cluster_does_not_serve(cluster: SmallCluster) -> None:
    made = cluster.recording().first("nightly")
    cluster.objects["namespaces", "", "kube-system"]["metadata"]["uid"] = "built-anew"
    cluster.time.pass_by(100)
    assert cluster.recording("built-anew").first("nightly")["backup"] != made["backup"]


def test_one_that_an_interrupted_run_began_is_waited_for_and_followed(
    cluster: SmallCluster,
) -> None:
    labels = {"template": "t1", "velero.io/schedule-name": "nightly"}
    cluster.put("backups", "velero", "nightly-1", spec=TEMPLATE, metadata={"labels": labels})
    made = cluster.recording().first("nightly")
    assert made["backup"] != "nightly-1"
    waited, listed = (
        next(number for number, line in enumerate(cluster.said) if line.startswith(words))
        for words in ("backup nightly-1: Completed", "first list")
    )
    assert waited < listed


@dataclass
class Readings:
    """What was asked for around a backup. `kept`: backups whose digests serve."""

    cluster: SmallCluster
    kept: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def serves(self, backup: str) -> bool:
        return backup in self.kept

    def before(self, included: Callable[[str], bool]) -> None:
        assert self.cluster.said == [], "nothing is listed yet"
        assert [included(one) for one in ("shop", "velero")] == [True, False]
        self.asked.append(f"before {len(self.cluster.backups())}")

    def after(self, backup: str) -> dict[str, object]:
        assert self.cluster.truths().read(backup) is not None, "the truth is kept by then"
        self.asked.append(f"after {backup}")
        self.kept.add(backup)
        return {"volumes": 1}


def test_volumes_are_read_around_the_backup_and_its_lists(cluster: SmallCluster) -> None:
    readings = Readings(cluster)
    made = replace(cluster.recording(), digests=readings).make("nightly")
    assert readings.asked == ["before 0", f"after {made['backup']}"]
    assert made["digests"] == {"volumes": 1}


def test_the_first_one_is_made_anew_for_digests_that_it_lacks(cluster: SmallCluster) -> None:
    made = cluster.recording().first("nightly")
    assert "digests" not in made
    cluster.time.pass_by(100)
    cluster.said.clear()
    recording = replace(cluster.recording(), digests=Readings(cluster))
    again = recording.first("nightly")
    assert again["backup"] != made["backup"]
    assert recording.first("nightly")["backup"] == again["backup"]


def test_no_volume_is_read_for_a_schedule_that_is_not_there(cluster: SmallCluster) -> None:
    readings = Readings(cluster)
    with pytest.raises(VeleroError):
        replace(cluster.recording(), digests=readings).make("weekly")
    assert readings.asked == []


def test_a_second_that_is_cut_off_is_no_difference_between_clocks() -> None:
    def second(number: float) -> datetime.datetime:
        return NOON + datetime.timedelta(seconds=number)

    def of(created: float, before: float, after: float) -> float:
        made = {"metadata": {"creationTimestamp": shown(second(created))}}
        return ahead(made, second(before), second(after)).total_seconds()

    assert of(5.9, 5.8, 6.0) == 0
    assert of(5.0, 4.9, 5.1) == 0
    assert of(9.0, 5.0, 5.5) == 3.5
    assert of(1.5, 5.0, 5.5) == pytest.approx(-3.001)
    assert ahead({"metadata": {}}, NOON, NOON).total_seconds() == 0
