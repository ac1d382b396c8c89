"""What is seen of a site: its objects, the last completed backups, and what those lack."""

from typing import Any

import pytest

from drills.coverage import look
from drills.coverage.gaps import Gap
from drills.coverage.live import OPT_IN, Allowed
from drills.coverage.survey import survey
from drills.verdict import Reason
from kube.errors import ClusterError
from s3.errors import Cause, StoreError
from tests.drills.coverage.clusters import HOUR, NOW, at, claim, namespace, pod, schedule, volume
from tests.drills.coverage.sites import COPIED, COPY, MOVED, Site, Store, files, made, packed

POLICY = {"resourcePolicy": {"kind": "configmap", "name": "policy"}}
POLICY_PATH = "/api/v1/namespaces/velero/configmaps/policy"
LIST = "backups/daily-1/daily-1-{}.json.gz"


def policy(text: str) -> dict[str, Any]:
    return {"metadata": {"name": "policy"}, "data": {"rules": text}}


def test_a_protected_site_is_seen_as_one() -> None:
    live = Site().live()
    assert live.now == NOW
    assert live.remarks == ()
    (backup,) = live.backups.values()
    assert (backup.name, backup.started) == ("daily-1", NOW - 2 * HOUR)
    assert backup.namespaces == {"shop"}
    found = survey(live)
    assert not found.unprotected
    assert [one.claim for one in found.protected] == ["", "data"]
    assert not found.idle


def test_every_page_of_a_listing_counts() -> None:
    names = ("data", "logs", "more")
    site = Site(
        namespaces=[namespace(), namespace("other")], claims=[claim(one) for one in names],
        volumes=[volume(one) for one in names], pods=[pod(one, claims=(one,)) for one in names],
    )  # fmt: skip
    live = site.live()
    assert len(live.namespaces) == 2
    assert (len(live.claims), len(live.volumes), len(live.pods)) == (3, 3, 3)
    assert {(one.namespace, one.claim) for one in survey(live).unprotected} == {
        ("other", ""), ("shop", "logs"), ("shop", "more"),
    }  # fmt: skip


def test_a_listing_that_begins_again_counts_nothing_twice() -> None:
    site = Site(pods=[pod("a"), pod("b")], too_old={"/api/v1/pods"})
    assert [one["metadata"]["name"] for one in site.live().pods] == ["a", "b"]
    assert not site.too_old


def test_of_a_pod_only_what_the_survey_asks_for_is_kept() -> None:
    one = pod(annotations={OPT_IN: "data", "note": "long"}, labels={"tier": "gold"})
    one["spec"]["volumes"].append({"name": "tmp", "emptyDir": {}})
    one["spec"]["containers"] = [{"name": "web"}]
    live = Site(pods=[one]).live()
    assert live.pods[0]["metadata"]["annotations"] == {OPT_IN: "data"}
    assert live.pods[0]["spec"].keys() == {"nodeName", "volumes"}
    (mount,) = live.mounts["shop", "data"]
    assert (mount.pod, mount.labels, mount.node) == ("web-0", {"tier": "gold"}, "cp1")
    assert mount.running
    assert mount.opted_in


@pytest.mark.parametrize(
    ("changed", "agents"),
    [
        ({}, {"cp1"}),
        ({"phase": "Pending"}, set()),
        ({"labels": {"role": "server"}}, set()),
        ({"namespace": "other"}, set()),
    ],
)
def test_nodes_with_a_running_node_agent_are_known(
    changed: dict[str, Any], agents: set[str]
) -> None:
    place = changed.pop("namespace", "velero")
    agent = pod("agent", claims=(), **{"labels": {"role": "node-agent"}, **changed})
    agent["metadata"]["namespace"] = place
    assert Site(pods=[pod(), agent]).live().node_agents == agents


def test_the_newest_completed_backup_is_read_and_no_other() -> None:
    store = Store({**files("daily-2", volumes=[MOVED]), **files("daily-1")})
    backups = [made("daily-2", 1), made("daily-1", 9), made("x", 0.5, of="gone"),
               made("daily-0", 0.1, phase="InProgress")]  # fmt: skip
    live = Site(store=store, backups=backups).live()
    assert live.backups["daily"].name == "daily-2"
    assert {one.split("/")[1] for one in store.read} == {"daily-2"}
    assert live.remarks == ()


@pytest.mark.parametrize(
    "gone",
    [
        {"deleting": [{"spec": {"backupName": "daily-2"}}]},
        {"backups": [made("daily-1", 2), made("daily-2", 1, expiration=at(-0.1))]},
    ],
)
def test_a_backup_that_is_about_to_vanish_is_not_counted_on(gone: dict[str, Any]) -> None:
    site = Site(backups=[made("daily-1", 2), made("daily-2", 1)])
    for key, value in gone.items():
        setattr(site, key, value)
    assert site.live().backups["daily"].name == "daily-1"


@pytest.mark.parametrize("phase", ["PartiallyFailed", "Failed", "FailedValidation"])
def test_failures_since_the_last_completed_backup_are_told(phase: str) -> None:
    backups = [made("daily-0", 9, phase=phase), made("daily-1", 2),
               made("daily-2", 1, phase=phase), made("daily-3", 0.5, phase=phase)]  # fmt: skip
    live = Site(backups=backups).live()
    (remark,) = live.remarks
    assert (remark.count, remark.reason) == (2, None)
    assert remark.what == "failed backups of schedule daily since daily-1"
    assert f"backup daily-3 ended as {phase}" in remark.why
    assert live.backups["daily"].name == "daily-1"


def test_a_schedule_that_only_ever_failed_has_no_backup_and_says_so() -> None:
    live = Site(backups=[made("daily-1", 2, phase="Failed")]).live()
    assert not live.backups
    assert [one.what for one in live.remarks] == ["failed backups of schedule daily"]
    assert {one.gap for one in survey(live).unprotected} == {Gap.NEVER_BACKED_UP}


@pytest.mark.parametrize("kind", ["volumeinfo", "resource-list"])
@pytest.mark.parametrize("content", [None, b"no gzip"])
def test_a_list_that_cannot_be_read_is_a_remark_and_the_rest_is_looked_at(
    kind: str, content: bytes | None
) -> None:
    site = Site()
    if content is None:
        del site.store.held[LIST.format(kind)]
    else:
        site.store.held[LIST.format(kind)] = content
    live = site.live()
    (remark,) = live.remarks
    assert remark.reason is Reason.RESTORE_POINT_DAMAGED
    assert "backup daily-1" in remark.why
    backup = live.backups["daily"]
    assert (backup.records is None) is (kind == "volumeinfo")
    assert (backup.namespaces is None) is (kind == "resource-list")
    gaps = {one.gap for one in survey(live).unprotected}
    assert gaps == ({Gap.LIST_MISSING} if kind == "volumeinfo" else set())


@pytest.mark.parametrize("cause", [Cause.UNREACHABLE, Cause.ACCESS_DENIED, Cause.BUCKET_MISSING])
def test_a_store_that_does_not_answer_is_raised(cause: Cause) -> None:
    site = Site()
    site.store.fault = StoreError(cause, "no answer")
    with pytest.raises(StoreError, match="no answer"):
        site.live()


@pytest.mark.parametrize(
    "off", [schedule(paused=True), {**schedule(), "status": {"phase": "FailedValidation"}}]
)
def test_nothing_is_read_for_a_schedule_that_makes_no_backups(off: dict[str, Any]) -> None:
    site = Site(schedules=[off])
    live = site.live()
    assert not site.store.read
    assert {one.gap for one in survey(live).unprotected} == {Gap.SCHEDULE_OFF}


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"backups": [made("daily-1", 2, location="aws")]},
        {"backups": [made("daily-1", 9), made("daily-2", 2, location="aws")]},
        {"backups": [], "schedules": [schedule(storageLocation="aws")]},
    ],
)
def test_backups_of_another_location_are_no_proof_and_the_reason_is_told(
    elsewhere: dict[str, Any],
) -> None:
    site = Site(**elsewhere)
    live = site.live()
    assert live.elsewhere == {"daily": "aws"}
    assert not site.store.read
    found = survey(live).unprotected
    assert {one.gap for one in found} == {Gap.OTHER_LOCATION}
    assert "schedule daily saves to location aws" in found[0].detail


@pytest.mark.parametrize("location", ["", "default"])
def test_a_schedule_without_a_backup_here_is_not_elsewhere(location: str) -> None:
    live = Site(backups=[], schedules=[schedule(storageLocation=location)]).live()
    assert not live.elsewhere
    assert {one.gap for one in survey(live).unprotected} == {Gap.NEVER_BACKED_UP}


def test_a_schedule_that_moved_is_judged_by_its_last_backup() -> None:
    live = Site(schedules=[schedule(storageLocation="aws")]).live()
    assert live.backups["daily"].name == "daily-1"
    assert not survey(live).unprotected


def test_policies_are_read_once_each() -> None:
    site = Site(schedules=[schedule(**POLICY), schedule("weekly", **POLICY)])
    site.objects[POLICY_PATH] = policy("volumePolicies: [{action: {type: skip}}]")
    live = site.live()
    assert live.policies == {"policy": [{"action": {"type": "skip"}}]}
    assert live.remarks == ()


@pytest.mark.parametrize(
    ("found", "said"),
    [(None, "there is no ConfigMap policy"), (policy("["), "is not as Velero reads it")],
)
def test_a_policy_that_stops_the_next_backup_is_red(
    found: dict[str, Any] | None, said: str
) -> None:
    site = Site(schedules=[schedule(**POLICY)])
    if found is not None:
        site.objects[POLICY_PATH] = found
    (remark,) = site.live().remarks
    assert remark.reason is Reason.UNPROTECTED
    assert said in remark.why


def test_a_policy_of_a_schedule_that_makes_no_backups_is_not_asked_for() -> None:
    assert Site(schedules=[schedule(paused=True, **POLICY)]).live().remarks == ()


def test_a_cluster_that_refuses_is_raised() -> None:
    site = Site(schedules=[schedule(**POLICY)])
    site.objects[POLICY_PATH] = "no object"
    with pytest.raises(ClusterError):
        site.live()


EMPTY = {**COPIED, "pvbInfo": {**COPIED["pvbInfo"], "size": 0}}


def older(*sizes: object) -> Site:
    """The last backup has the volume as empty; the ones before, newest first, hold these lists."""
    store = Store(files("daily-9", volumes=[EMPTY]))
    backups = [made("daily-9", 1)]
    for number, volumes in enumerate(sizes):
        called = f"daily-{8 - number}"
        backups.append(made(called, 2 + number))
        store.held |= files(called, volumes=volumes)
    return Site(store=store, backups=backups)


def test_a_volume_that_was_emptied_is_found_by_older_backups() -> None:
    site = older([EMPTY], [COPIED], [MOVED])
    live = site.live()
    assert live.sizes == {("shop", "data"): 7}
    assert [one.gap for one in survey(live).unprotected] == [Gap.EMPTIED]
    assert not any("daily-6" in one for one in site.store.read), "what was found is not asked again"


def test_only_so_many_older_backups_are_asked() -> None:
    site = older(*([[EMPTY]] * look.EARLIER_BACKUPS), [COPIED])
    assert not site.live().sizes
    assert not any("daily-5" in one for one in site.store.read)


@pytest.mark.parametrize(
    "before",
    [[{**COPIED, "pvName": "pv-former"}], [{**COPIED, "result": "failed"}], [EMPTY], []],
)
def test_nothing_was_emptied_where_the_volume_held_nothing(before: list[Any]) -> None:
    live = older(before).live()
    assert not live.sizes
    assert not survey(live).unprotected


def test_an_older_backup_that_cannot_be_read_says_nothing() -> None:
    site = older([EMPTY], [COPIED])
    site.store.held["backups/daily-8/daily-8-volumeinfo.json.gz"] = b"no gzip"
    live = site.live()
    assert live.sizes == {("shop", "data"): 7}
    assert live.remarks == ()


def test_a_copy_that_the_list_forgot_protects() -> None:
    site = Site()
    site.store.held |= files("daily-1", volumes=[], copies=[COPY])
    assert not survey(site.live()).unprotected


def test_exceptions_of_the_site_stand_before_those_of_every_site() -> None:
    given = Allowed("longhorn-system", "we say so")
    site = Site(
        namespaces=[namespace(), namespace("velero"), namespace("longhorn-system")],
        schedules=[schedule(excludedNamespaces=["velero", "longhorn-system"])],
    )
    found = survey(site.live(allowed=[given, Allowed("gone", "was here")]))
    assert not found.unprotected
    assert {one.found.namespace: one.why for one in found.excused}["longhorn-system"] == "we say so"
    assert "Velero's own namespace" in found.excused[0].why
    assert [one.namespace for one in found.idle] == ["gone"]


def test_the_grace_of_the_site_is_kept() -> None:
    site = Site(claims=[claim(made=1)], backups=[made("daily-1", 2)])
    site.store.held[LIST.format("volumeinfo")] = packed([])
    assert [one.gap for one in survey(site.live()).unprotected] == [Gap.NEWER_THAN_BACKUP]
    assert not survey(site.live(grace=3 * HOUR)).unprotected
