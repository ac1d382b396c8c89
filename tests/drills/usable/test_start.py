"""What is started for which checks, and what never is."""

from typing import Any

import pytest

from drills.objects.keys import ObjectKey
from drills.usable.start import StartPlan, plan, relevant
from drills.verdict import Reason
from tests.drills.usable.samples import (
    DB,
    MAPPING,
    SANDBOX,
    SOURCE,
    WEB,
    archive,
    check,
    checks,
    claim,
    database,
    service,
    workload,
)


def planned(*given: dict[str, Any], objects: Any = None, **more: Any) -> StartPlan:
    return plan(checks(*given), archive() if objects is None else objects, MAPPING, **more)


def unfit(*given: dict[str, Any], objects: Any = None, **more: Any) -> tuple[Reason, str]:
    found = planned(*given, objects=objects, **more)
    assert (found.targets, found.started, found.pods) == ((), (), {})
    (one,) = found.unfit
    return one.reason, one.why


def test_http_starts_what_is_behind_the_service_and_nothing_else() -> None:
    other = workload("Deployment", "worker")
    found = planned(check("http"), objects=archive(other))
    assert [(one.key, one.sandbox, one.replicas) for one in found.started] == [(WEB, SANDBOX, 1)]
    assert found.started[0].patch == {"spec": {"replicas": 1}}
    assert found.started[0].path == f"/apis/apps/v1/namespaces/{SANDBOX}/deployments/web"
    assert found.targets[0].needs == (WEB,)


def test_what_start_names_is_started_instead_in_its_order() -> None:
    named = ["statefulsets.apps/db", "deployments.apps/web"]
    found = planned(check("http", start=named))
    assert [one.key for one in found.started] == [DB, WEB]
    assert planned(check("http", start=[])).started == ()


def test_a_command_starts_its_workload_beside_what_it_names() -> None:
    found = planned(check("command", start=["deployments.apps/web"]))
    assert found.targets[0].needs == (WEB, DB)
    assert found.targets[0].container == "main"


def test_the_quota_has_a_place_for_each_pod_the_checker_and_each_job() -> None:
    found = planned(
        check("http", "a", replicas=2), check("http", "b", seconds=300), check("command", "c"),
        check("job", "d"), check("job", "e"),
    )  # fmt: skip
    assert found.pods == {SANDBOX: 1 + 2 + 1 + 2}
    web = next(one for one in found.started if one.key == WEB)
    assert (web.replicas, web.seconds) == (2, 300)


@pytest.mark.parametrize(
    ("original", "most", "count"), [(3, 1, 1), (3, 2, 2), (2, 5, 2), (None, 5, 1), (0, 5, 1)]
)
def test_no_more_pods_than_asked_for_and_than_there_were(
    original: int | None, most: int, count: int
) -> None:
    web = workload("Deployment", "web", original)
    given = check("ready", replicas=most)
    assert planned(given, objects=archive(web)).started[0].replicas == count


def test_workloads_behind_a_service_that_were_off_stay_off() -> None:
    labels = {"app": "web"}
    green = workload("Deployment", "green", 0, labels=labels)
    assert [one.key for one in planned(check("http"), objects=archive(green)).started] == [WEB]
    off = archive(green, workload("Deployment", "web", 0))
    reason, why = unfit(check("http"), objects=off)
    assert (reason, "at zero" in why) == (Reason.CHECK_FAILED, True)


@pytest.mark.parametrize("kind", ["DaemonSet"])
def test_other_kinds_behind_a_service_are_never_started(kind: str) -> None:
    agent = workload(kind, "agent", labels={"app": "agent"})
    found = archive(agent, service(selector={"app": "agent"}))
    assert unfit(check("http"), objects=found)[0] is Reason.CHECK_FAILED


@pytest.mark.parametrize(
    ("changed", "reason", "says"),
    [
        (service(type="ExternalName"), Reason.TARGET_REFUSED, "leads out"),
        (service(ports=[{"port": 8080}]), Reason.CHECK_FAILED, "no port 80 (it has 8080)"),
        (service(selector=None), Reason.CHECK_FAILED, "selects no"),
        (workload("Deployment", "web", hostNetwork=True), Reason.TARGET_REFUSED, "network"),
        (
            workload("Deployment", "web", volumes=[{"name": "a", "nfs": {"server": "x"}}]),
            Reason.TARGET_REFUSED,
            "mounts nfs as its volume a",
        ),
        (
            workload("Deployment", "web", volumes=[{"name": "a", "csi": {"driver": "smb"}}]),
            Reason.TARGET_REFUSED,
            "mounts csi",
        ),
        (
            workload("Deployment", "web",
                     volumes=[{"name": "a", "persistentVolumeClaim": {"claimName": "lost"}}]),
            Reason.VOLUME_LOST,
            "claim lost, which is not in the backup",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_started_makes_its_check_fail(
    changed: dict[str, Any], reason: Reason, says: str
) -> None:
    found, why = unfit(check("http"), objects=archive(changed))
    assert found is reason
    assert says in why
    assert "\n" not in why


def test_own_volumes_are_no_hindrance() -> None:
    volumes = [
        {"name": "a", "emptyDir": {}},
        {"name": "b", "secret": {"secretName": "s"}},
        {"name": "c", "persistentVolumeClaim": {"claimName": "files"}},
    ]
    web = workload("Deployment", "web", volumes=volumes)
    found = planned(check("http"), objects=archive(web, claim("files")))
    assert found.unfit == ()
    assert [one.key for one in found.started] == [WEB]


def test_what_is_not_there_is_a_lost_scope() -> None:
    assert unfit(check("http"), objects=archive(without=("web",)))[0] is Reason.SCOPE_LOST
    gone = unfit(check("ready", workload="deployments.apps/gone"))
    assert gone[0] is Reason.SCOPE_LOST
    assert "deployments.apps/shop/gone is not in the backup" in gone[1]
    other = unfit(check("ready", namespace="other"))
    assert (other[0], "namespace other" in other[1]) == (Reason.SCOPE_LOST, True)


def test_a_stateful_set_is_not_started_on_an_empty_volume() -> None:
    reason, why = unfit(check("command", replicas=3), objects=archive(without=("data-db-2",)))
    assert (reason, "data-db-2" in why) == (Reason.VOLUME_LOST, True)
    assert planned(check("command"), objects=archive(without=("data-db-2",))).unfit == ()
    later = database(ordinals={"start": 2})
    assert unfit(check("command"), objects=archive(later, without=("data-db-2",)))[0] is reason
    bare = unfit(check("command"), unfilled={(SOURCE, "data-db-0")})
    assert (bare[0], "without data" in bare[1]) == (Reason.VOLUME_LOST, True)


def test_one_unfit_check_leaves_the_others() -> None:
    found = planned(check("ready", "a", workload="deployments.apps/gone"), check("command", "b"))
    assert [one.check.name for one in found.unfit] == ["a"]
    assert [one.check.name for one in found.targets] == ["b"]
    assert [one.key for one in found.started] == [DB]


def test_copies_never_drive_live_pods_out() -> None:
    web = workload("Deployment", "web", priorityClassName="high", priority=1000)
    patch = planned(check("http"), objects=archive(web)).started[0].patch
    gone = {"priorityClassName": None, "priority": None, "preemptionPolicy": None}
    assert patch["spec"]["template"] == {"spec": gone}


def test_a_command_runs_in_the_container_that_is_meant() -> None:
    many: dict[str, Any] = {"containers": [{"name": "proxy"}, {"name": "main"}]}
    note = {"kubectl.kubernetes.io/default-container": "main"}
    given = check("command", workload="deployments.apps/web")

    def container(web: dict[str, Any], **more: Any) -> str:
        return planned({**given, **more}, objects=archive(web)).targets[0].container

    assert container(workload("Deployment", "web", **many)) == "proxy"
    assert container(workload("Deployment", "web", annotations=note, **many)) == "main"
    assert container(workload("Deployment", "web", **many), container="main") == "main"
    reason, why = unfit({**given, "container": "nope"})
    assert (reason, "it has main" in why) == (Reason.CHECK_FAILED, True)


def test_whose_pod_it_is_is_told_by_its_owner() -> None:
    web, db = planned(check("http", "a"), check("command", "b")).started
    owned = {"labels": {"app": "web", "pod-template-hash": "5d4"}}
    by_set = {"ownerReferences": [{"kind": "ReplicaSet", "name": "web-5d4"}]}
    assert web.owns({"metadata": {**owned, **by_set}})
    assert not db.owns({"metadata": {**owned, **by_set}})
    canary = {"ownerReferences": [{"kind": "ReplicaSet", "name": "web-canary-5d4"}]}
    assert not web.owns({"metadata": {**owned, **canary}})
    assert not web.owns({"metadata": owned})
    assert db.owns({"metadata": {"ownerReferences": [{"kind": "StatefulSet", "name": "db"}]}})


def test_of_the_archive_only_what_the_plan_needs_is_kept() -> None:
    secret = ObjectKey("secrets", SOURCE, "token")
    elsewhere = ObjectKey("services", "other", "web")
    pairs = [*archive().items(), (secret, {}), (elsewhere, {})]
    assert relevant(pairs, checks(check("http"))) == archive()
