"""From opened sandboxes to a verdict on each check."""

import dataclasses
from typing import Any

import pytest

from drills import rto
from drills.frame import Record
from drills.sandbox.marks import read
from drills.usable.controls import CONTROLS, applicable
from drills.usable.objects import ALLOW, CHECKER
from drills.usable.run import Usable
from drills.usable.start import StartPlan, plan
from drills.verdict import Check, Reason, Verdict, judge
from tests.drills.sandbox.runs import run
from tests.drills.usable.clusters import (
    APPS,
    NAMESPACE,
    POLICIES,
    TERMS,
    Cluster,
)
from tests.drills.usable.samples import MAPPING, SANDBOX, archive, check, checks, workload
from tests.kube.fakes import status

CRASHING = {
    "phase": "Running",
    "containerStatuses": [
        {
            "name": "main",
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "hush"}},
            "lastState": {"terminated": {"exitCode": 3, "reason": "Error", "message": "hush"}},
        }
    ],
}
IMAGE = {
    "phase": "Pending",
    "containerStatuses": [
        {"name": "main", "image": "web:1", "state": {"waiting": {"reason": "ErrImagePull"}}}
    ],
}
NOWHERE = {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes fit"}]}
UNTOLD: dict[str, Any] = {"phase": "Pending"}


def made(*given: dict[str, Any], objects: Any = None) -> StartPlan:
    return plan(checks(*given), archive() if objects is None else objects, MAPPING)


def of(found: Usable, name: str) -> Check:
    (one,) = [each for each in found.checks if each.check == name]
    return one


def test_all_that_is_as_it_should_be_is_proven_and_counted() -> None:
    cluster = Cluster(answer={"status": 200, "found": True, "tries": 2})
    found = cluster.use(made(
        check("http", "web answers", contains="Welcome"), check("command", "rows"),
        check("job", "report"), check("ready", "up"),
    ))  # fmt: skip
    assert [(one.client, one.check, one.reason) for one in found.checks] == [
        ("cluster", f"network of {SANDBOX}", None),
        ("restored copy", "start deployments.apps/shop/web", None),
        ("restored copy", "start statefulsets.apps/shop/db", None),
        ("user check", "web answers", None),
        ("user check", "rows", None),
        ("user check", "report", None),
        ("user check", "up", None),
    ]
    assert judge(found.checks).verdict is Verdict.PROVEN
    assert of(found, "web answers").observed == "status 200 (asked 2 times), and the text"
    assert [(one.what, one.count) for one in found.compared] == [
        (f"user check {name}", 1) for name in ("web answers", "rows", "report", "up")
    ]
    record = Record()
    found.into(record)
    assert (record.checks, record.compared) == (found.checks, found.compared)
    assert found.words() == "4 user checks run, 0 findings"


def test_the_spans_are_of_the_phases_ready_and_checks() -> None:
    cluster = Cluster()
    found = cluster.use(made(check("http")))
    assert [one[0] for one in found.spans] == ["ready", "checks"]
    assert set(rto.measured(found.spans).seconds) == {"ready", "checks"}
    assert all(ended >= began for _, began, ended in found.spans)


def test_waiting_for_workloads_counts_as_their_time() -> None:
    cluster = Cluster(pods={"web": CRASHING})
    found = cluster.use(made(check("http", seconds=40)))
    ready = rto.measured(found.spans).seconds["ready"]
    assert 30 < ready <= 41


def test_everything_happens_in_an_order_that_is_safe() -> None:
    cluster = Cluster()
    held = {"metadata": {"labels": run().labels()}}
    cluster.put(f"{NAMESPACE}/pods/db-0", held)
    foreign = cluster.put(f"{NAMESPACE}/pods/other", {"metadata": {"labels": {"app": "x"}}})
    cluster.use(made(check("http")))
    told = [(method, path.removeprefix(NAMESPACE)) for method, path, _ in cluster.changes]
    assert told == [
        ("DELETE", "/pods/db-0"),
        ("PATCH", "/resourcequotas/backstop-drill-quota"),
        ("POST", f"/pods/{CHECKER}"),
        ("POST", f"{POLICIES}/{ALLOW}"),
        ("PATCH", f"{APPS}/deployments/web"),
    ]
    quota = cluster.changes[1][2]["spec"]["hard"]
    assert quota == {"pods": "2", "services.loadbalancers": "0", "services.nodeports": "0"}
    assert foreign in cluster.objects.values()
    assert cluster.changes[0][2]["gracePeriodSeconds"] == 1


def test_all_that_is_made_bears_the_marks_and_reaches_nowhere() -> None:
    cluster = Cluster()
    cluster.use(made(check("job")))
    posted = [content for method, _, content in cluster.changes if method == "POST"]
    assert [one["kind"] for one in posted] == ["Pod", "NetworkPolicy", "Job"]
    assert [read(one) for one in posted] == [run()] * 3
    pod, policy, job = posted
    inside = [{"podSelector": {}}]
    assert policy["spec"]["ingress"] == [{"from": inside}]
    first, names = policy["spec"]["egress"]
    assert first == {"to": inside}
    assert [port["port"] for port in names["ports"]] == [53, 53]
    selected = names["to"][0]["namespaceSelector"]["matchLabels"]
    assert (len(names["to"]), selected) == (1, {"kubernetes.io/metadata.name": "kube-system"})
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["containers"][0]["securityContext"]["runAsNonRoot"] is True
    assert job["spec"]["backoffLimit"] == 0
    template = job["spec"]["template"]
    assert template["spec"]["automountServiceAccountToken"] is False
    assert read(template) == run()


def test_further_name_servers_are_allowed_by_their_networks() -> None:
    cluster = Cluster()
    cluster.use(
        made(check("ready")), terms=dataclasses.replace(TERMS, dns_networks=["10.9.0.0/16"])
    )
    to = cluster.objects[f"{POLICIES}/{ALLOW}"]["spec"]["egress"][1]["to"]
    assert to[1] == {"ipBlock": {"cidr": "10.9.0.0/16"}}


@pytest.mark.parametrize(
    ("pods", "reason"),
    [
        (CRASHING, Reason.CHECK_FAILED),
        (UNTOLD, Reason.CHECK_FAILED),
        (IMAGE, Reason.RESTORE_FAILED),
        (NOWHERE, Reason.RESTORE_FAILED),
    ],
)
def test_what_does_not_become_ready_is_red_by_its_fault(pods: Any, reason: Reason) -> None:
    cluster = Cluster(pods={"web": pods})
    found = cluster.use(made(check("http", seconds=10), check("command", "rows")))
    failed = of(found, "start deployments.apps/shop/web")
    assert failed.reason is reason
    assert judge(found.checks).reason is reason
    missed = of(found, "web answers")
    assert (missed.reason, "was not run" in missed.observed) == (Reason.CHECK_FAILED, True)
    assert of(found, "rows").ok
    assert [one["ask"] for one in cluster.asked] == ["name-server"] * 2
    assert "user check web answers" not in {one.what for one in found.compared}


@pytest.mark.parametrize(
    ("message", "reason", "verdict"),
    [
        ("exceeded quota: backstop-drill-quota", Reason.DRILL_FAILED, Verdict.UNPROVEN),
        ('pods "web-5d4-x" is forbidden: violates PodSecurity "baseline:latest": host namespaces',
         Reason.TARGET_REFUSED, Verdict.UNPROVEN),
        ("admission webhook denied it", Reason.RESTORE_FAILED, Verdict.BROKEN),
    ],
)  # fmt: skip
def test_pods_that_are_refused_tell_whether_the_fence_did_it(
    message: str, reason: Reason, verdict: Verdict
) -> None:
    cluster = Cluster(pods={"web": {}}, events=[{"reason": "FailedCreate", "message": message}])
    judgement = judge(cluster.use(made(check("http", seconds=5))).checks)
    assert (judgement.reason, judgement.verdict) == (reason, verdict)


def test_no_output_of_a_workload_gets_into_a_receipt() -> None:
    event = {"type": "Warning", "reason": "FailedPostStartHook", "message": "said: hush"}
    cluster = Cluster(pods={"web": UNTOLD, "db": CRASHING}, events=[event])
    found = cluster.use(made(check("http", seconds=5), check("command", "rows", seconds=5)))
    told = "".join(one.observed for one in found.checks) + "".join(cluster.told)
    assert "FailedPostStartHook" in told
    assert "exit code 3" in told
    assert "hush" not in told


def test_pods_of_another_workload_with_the_same_labels_are_not_enough() -> None:
    cluster = Cluster(pods={"web": {}})
    other = {"metadata": {"labels": {"app": "web"}}, "status": {
        "conditions": [{"type": "Ready", "status": "True"}]}}  # fmt: skip
    cluster.put(f"{NAMESPACE}/pods/other", other)
    failed = of(cluster.use(made(check("http", seconds=5))), "start deployments.apps/shop/web")
    assert (failed.reason, failed.observed) == (Reason.CHECK_FAILED, "not within 5 s")


def test_a_workload_that_did_not_come_back_is_lost() -> None:
    cluster = Cluster()
    del cluster.objects[f"{APPS}/deployments/web"]
    found = cluster.use(made(check("http")))
    assert of(found, "start deployments.apps/shop/web").reason is Reason.OBJECT_LOST
    assert not of(found, "web answers").ok


def test_an_open_network_starts_nothing() -> None:
    cluster = Cluster(network=False)
    found = cluster.use(made(check("http")))
    judgement = judge(found.checks)
    assert (judgement.reason, judgement.verdict) == (Reason.TARGET_REFUSED, Verdict.UNPROVEN)
    assert "10.96.0.10 was reached" in of(found, f"network of {SANDBOX}").observed
    assert not [path for _, path, _ in cluster.changes if path.startswith((APPS, POLICIES))]
    assert (found.spans, found.compared) == ([], [])


def test_an_open_network_can_be_taken_into_the_bargain_and_is_told() -> None:
    cluster = Cluster(network=False)
    terms = dataclasses.replace(TERMS, must_be_closed=False)
    found = cluster.use(made(check("http")), terms=terms)
    assert judge(found.checks).verdict is Verdict.PROVEN
    assert [one.what for one in found.not_compared] == [f"closed network of {SANDBOX}"]


@pytest.mark.parametrize("server", ["169.254.20.10", ""])
def test_a_name_server_that_says_nothing_leaves_it_to_what_is_known(server: str) -> None:
    unknown = Cluster(network=False, server=server)
    assert judge(unknown.use(made(check("http"))).checks).reason is Reason.TARGET_REFUSED
    known = Cluster(network=False, server=server)
    known.put("/apis/apps/v1/daemonsets/calico-node", {})
    found = known.use(made(check("http")))
    assert judge(found.checks).verdict is Verdict.PROVEN
    observed = of(found, f"network of {SANDBOX}").observed
    assert observed == "believed: calico-node is known to enforce NetworkPolicies"


def test_a_name_server_that_is_never_reached_closes_nothing() -> None:
    cluster = Cluster()

    never = b'{"server": "10.96.0.10", "reached": false}'
    cluster._check = lambda _command: (0, never)  # type: ignore[method-assign]
    found = cluster.use(made(check("http")))
    assert judge(found.checks).reason is Reason.TARGET_REFUSED
    assert "not reached either" in of(found, f"network of {SANDBOX}").observed


def test_a_checker_that_cannot_run_is_a_fault_of_the_drill() -> None:
    cluster = Cluster(checker=IMAGE)
    judgement = judge(cluster.use(made(check("http"))).checks)
    assert (judgement.reason, judgement.verdict) == (Reason.DRILL_FAILED, Verdict.UNPROVEN)
    assert "checker cannot run" in judgement.detail


@pytest.mark.parametrize("said", [(127, b""), (0, b"no json"), (0, b"[]"), "no such file: sh"])
def test_an_image_without_python_is_a_fault_of_the_drill(said: Any) -> None:
    cluster = Cluster()
    cluster._check = lambda _command: said  # type: ignore[method-assign]
    assert judge(cluster.use(made(check("http"))).checks).reason is Reason.DRILL_FAILED


def test_a_pod_of_the_drill_that_does_not_go_stops_it() -> None:
    cluster = Cluster()
    stuck = {"metadata": {"labels": run().labels(), "deletionTimestamp": "x"}}
    cluster.put(f"{NAMESPACE}/pods/reader", stuck)
    found = cluster.use(made(check("http")))
    assert judge(found.checks).reason is Reason.DRILL_FAILED
    assert not [one for one in cluster.changes if one[0] == "PATCH"]


def test_an_unfit_check_is_red_with_its_own_reason() -> None:
    network = workload("Deployment", "web", hostNetwork=True)
    cluster = Cluster()
    found = cluster.use(made(check("http"), check("command", "rows"), objects=archive(network)))
    assert of(found, "web answers").reason is Reason.TARGET_REFUSED
    assert of(found, "rows").ok


def test_without_checks_nothing_is_touched() -> None:
    cluster = Cluster()
    found = cluster.use(made())
    assert (cluster.changes, found.checks, found.spans) == ([], [], [])


@pytest.mark.parametrize("kind", ["http", "command", "job", "ready"])
def test_the_control_makes_every_kind_of_check_fail(kind: str) -> None:
    given = made(check(kind))
    assert judge(Cluster().use(given).checks).verdict is Verdict.PROVEN
    (control,) = CONTROLS
    judgement = judge(Cluster().use(given, lens=control.lens).checks)
    assert judgement.reason is control.expected is Reason.CHECK_FAILED


def test_a_control_needs_a_check() -> None:
    assert applicable(()) == ()
    assert [one.name for one in applicable(checks(check("ready")))] == ["check-that-must-fail"]


def test_a_cluster_that_refuses_a_start_is_told_by_its_reason() -> None:
    def refuse(method: str, path: str) -> tuple[int, bytes] | None:
        if method == "PATCH" and path.startswith(APPS):
            return status(403, 'admission webhook "x" denied the request: no')
        return None

    found = Cluster(refuse=refuse).use(made(check("http")))
    assert of(found, "start deployments.apps/shop/web").reason is Reason.RESTORE_FAILED
