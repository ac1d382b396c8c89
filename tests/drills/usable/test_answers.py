"""What each kind of check finds, and what its failures mean."""

from typing import Any

import pytest

from drills.usable.run import Usable
from drills.usable.start import plan
from drills.verdict import Check, Reason
from tests.drills.usable.clusters import JOBS, NAMESPACE, Cluster
from tests.drills.usable.samples import MAPPING, archive, check, checks
from tests.kube.fakes import status

FAILED = {"conditions": [{"type": "Failed", "status": "True", "message": "hush"}]}
CRASHED = {
    "phase": "Failed",
    "containerStatuses": [
        {"name": "check", "state": {"terminated": {"exitCode": 9, "reason": "Error"}}}
    ],
}


def result(cluster: Cluster, kind: str, **more: Any) -> Check:
    found: Usable = cluster.use(plan(checks(check(kind, "it", **more)), archive(), MAPPING))
    (one,) = [each for each in found.checks if each.check == "it"]
    assert len(one.observed) <= 200
    assert "\n" not in one.observed
    return one


@pytest.mark.parametrize(
    ("answer", "more", "reason", "observed"),
    [
        ({"status": 200}, {}, None, "status 200"),
        ({"status": 302}, {"status": 302}, None, "status 302"),
        ({"status": 503, "tries": 9}, {}, Reason.CHECK_FAILED, "status 503 (asked 9 times)"),
        ({"status": 200, "found": False}, {"contains": "x"}, Reason.CHECK_FAILED,
         "status 200, and not the text"),
        ({"status": 200, "found": None}, {"contains": "x"}, Reason.CHECK_FAILED,
         "status 200, and not the text"),
        ({"status": None, "error": "connection refused"}, {}, Reason.CHECK_FAILED,
         "no status: connection refused"),
        ({}, {}, Reason.CHECK_FAILED, "no status: no reason given"),
    ],
)  # fmt: skip
def test_http_is_judged_by_status_and_text(
    answer: dict[str, Any], more: dict[str, Any], reason: Reason | None, observed: str
) -> None:
    one = result(Cluster(answer=answer), "http", **more)
    assert (one.reason, one.observed) == (reason, observed)


def test_the_checker_is_asked_word_for_word() -> None:
    cluster = Cluster()
    result(cluster, "http", path="/a?b=$(c)'\"", contains="ü `x`", scheme="https", host="shop.test")
    assert cluster.asked[-1] == {
        "ask": "http", "scheme": "https", "host": "web", "port": 80, "path": "/a?b=$(c)'\"",
        "header": "shop.test", "expected": 200, "contains": "ü `x`", "seconds": 120,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "more", "reason", "observed"),
    [
        ((0, b"hush"), {}, None, "exit code 0"),
        ((3, b"hush"), {"exitCode": 3}, None, "exit code 3"),
        ((3, b"hush"), {}, Reason.CHECK_FAILED, "exit code 3"),
        ((0, b"a row"), {"contains": "a row"}, None, "exit code 0, and the text"),
        ((0, b"hush"), {"contains": "row"}, Reason.CHECK_FAILED, "exit code 0, and not the text"),
        ((1, b"row"), {"contains": "row"}, Reason.CHECK_FAILED, "exit code 1, and the text"),
    ],
)
def test_a_command_is_judged_by_exit_code_and_text(
    said: Any, more: dict[str, Any], reason: Reason | None, observed: str
) -> None:
    cluster = Cluster(commands=lambda _pod, _command: said)
    one = result(cluster, "command", command=["psql", "-c", "a b"], **more)
    assert (one.reason, one.observed) == (reason, observed)
    assert cluster.ran == [("db-0", ["psql", "-c", "a b"])]


def test_a_container_without_a_shell_runs_the_command_itself() -> None:
    tried: list[bool] = []

    def commands(_pod: str, _command: list[str]) -> Any:
        tried.append(True)
        return 'exec: "sh": executable file not found' if len(tried) == 1 else (0, b"row")

    assert result(Cluster(commands=commands), "command", contains="row").ok
    assert len(tried) == 2


def test_a_command_that_is_not_there_fails_its_check() -> None:
    cluster = Cluster(commands=lambda _pod, _command: "executable file not found\n" + "x" * 900)
    one = result(cluster, "command")
    assert one.reason is Reason.CHECK_FAILED
    assert "was not run" in one.observed


def test_output_that_was_cut_says_nothing_about_the_workload() -> None:
    cluster = Cluster()
    real = cluster._dial

    def cut(path: str, query: Any) -> Any:
        wire = real(path, query)
        if "db-0" in path:
            wire.messages = [wire.messages[0], wire.messages[-1]]
        return wire

    cluster._dial = cut  # type: ignore[method-assign]
    assert result(cluster, "command").reason is Reason.DRILL_FAILED


def test_a_command_that_does_not_end_fails_its_check() -> None:
    cluster = Cluster()
    real = cluster._dial

    def silent(path: str, query: Any) -> Any:
        wire = real(path, query)
        if "db-0" in path:
            wire.messages = []
            wire.receive = lambda _seconds: cluster.time.pass_by(1)
        return wire

    cluster._dial = silent  # type: ignore[method-assign]
    one = result(cluster, "command", seconds=30)
    assert (one.reason, "within 30 s" in one.observed) == (Reason.CHECK_FAILED, True)


def test_a_pod_that_went_before_its_command_fails_the_check() -> None:
    cluster = Cluster()
    pods = f"{NAMESPACE}/pods"

    def gone(_method: str, path: str) -> tuple[int, bytes] | None:
        # The workload was ready when it was waited for.
        if path == f"{NAMESPACE.replace('/api/v1', '/apis/apps/v1')}/statefulsets/db":
            answer = cluster.objects.get(path)
            if answer and answer.get("status"):
                cluster.objects.pop(f"{pods}/db-0", None)
        return None

    cluster.refuse = gone
    one = result(cluster, "command")
    assert (one.reason, "no ready pod" in one.observed) == (Reason.CHECK_FAILED, True)


def test_a_job_that_fails_is_told_by_its_pod_and_not_by_its_words() -> None:
    cluster = Cluster(jobs=[FAILED])
    labels = {"batch.kubernetes.io/job-name": "backstop-drill-job-1"}
    # Made by hand, for it bears no mark: the run's own pods are removed before.
    cluster.put(f"{NAMESPACE}/pods/x", {"metadata": {"labels": labels}, "status": CRASHED})
    one = result(cluster, "job")
    assert one.reason is Reason.CHECK_FAILED
    assert "exit code 9" in one.observed
    assert "hush" not in one.observed
    assert one.expected == "completed"


def test_a_job_that_does_not_end_or_makes_no_pod_fails_its_check() -> None:
    refused = {"reason": "FailedCreate", "message": "pods is forbidden"}
    one = result(Cluster(jobs=[{}], events=[refused]), "job", seconds=20)
    assert one.reason is Reason.CHECK_FAILED
    assert one.observed.startswith("not completed within 20 s: its pod is not made: pods is forb")


def test_a_job_that_the_cluster_refuses_is_told_by_its_reason() -> None:
    def refuse(method: str, path: str) -> tuple[int, bytes] | None:
        if (method, path) == ("POST", JOBS):
            return status(403, 'admission webhook "x" denied the request: no')
        return None

    assert result(Cluster(refuse=refuse), "job").reason is Reason.RESTORE_FAILED


def test_jobs_of_two_checks_do_not_meet() -> None:
    cluster = Cluster(jobs=[{"conditions": [{"type": "Complete", "status": "True"}]}] * 2)
    given = checks(check("job", "a"), check("job", "b"))
    found = cluster.use(plan(given, archive(), MAPPING))
    assert all(one.ok for one in found.checks)
    assert [path.rpartition("-")[2] for path in cluster.objects if path.startswith(JOBS)] == [
        "1", "2"]  # fmt: skip
