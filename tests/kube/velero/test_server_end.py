"""How Velero's server ended, said with what it failed when it came back."""

from typing import Any

import pytest

from kube.velero.api import Velero, VeleroError
from kube.velero.backups import check_completed
from kube.velero.server import last_end
from tests.kube.fakes import Answer, Server, items, status
from tests.kube.velero.server_pods import server_pod

CURE = "its server ended as OOMKilled (exit code 137): give it more memory by velero.resources"


def velero(*answers: Answer) -> tuple[Server, Velero]:
    server = Server(list(answers))
    return server, Velero(server.client(), server.writer(), "velero", server.time.clock())


@pytest.mark.parametrize(
    ("answer", "clause"),
    [
        (items(server_pod("OOMKilled", 137)), CURE),
        (
            items(server_pod("Error", 2)),
            "its server ended as Error (exit code 2): "
            "see `kubectl -n velero logs deploy/velero --previous`",
        ),
        (
            items(server_pod("OOMKilled", 137), server_pod("Error", 1, "2026-11-21T11:00:00Z")),
            CURE,
        ),
        (items({"metadata": {"name": "velero-2"}, "status": {}}), ""),
        (items(), ""),
        (status(403, "pods is forbidden", "Forbidden"), ""),
    ],
    ids=["out of memory", "crashed", "the later one", "another pod", "no pod", "not to be told"],
)
def test_the_last_end_of_its_container_is_told(answer: Answer, clause: str) -> None:
    server, at = velero(answer)
    assert last_end(at, "2026-11-21T10:00:00Z") == clause
    method, path, query = server.asked[-1]
    assert (method, path) == ("GET", "/api/v1/namespaces/velero/pods")
    assert query["labelSelector"] == "name=velero"


def test_the_end_of_another_one_is_not_told_for_this_one() -> None:
    server, at = velero(items(server_pod("OOMKilled", 137, "2026-11-21T09:59:59Z")))
    assert last_end(at, "2026-11-21T10:00:00Z") == ""
    assert server.time.now > 15


def test_the_kubelet_is_waited_for() -> None:
    before = items({"metadata": {"name": "velero-1"}, "status": {"containerStatuses": [{}]}})
    server, at = velero(before, before, items(server_pod("OOMKilled", 137)))
    assert last_end(at, "2026-11-21T10:00:00Z") == CURE
    assert 0 < server.time.now < 10


def backup(**held: Any) -> dict[str, Any]:
    return {"metadata": {"name": "daily-1"}, "status": {"phase": "Failed", **held}}


def test_a_backup_that_a_restart_failed_says_why() -> None:
    reason = 'found a backup with status "InProgress" during the server starting'
    _, at = velero(items(server_pod("OOMKilled", 137)))
    with pytest.raises(VeleroError) as failed:
        check_completed(at, backup(failureReason=reason))
    assert f"daily-1 ended as Failed ({reason}; {CURE}); read" in str(failed.value)


def test_one_that_failed_otherwise_asks_for_no_pods() -> None:
    server, at = velero(items(server_pod("OOMKilled", 137)))
    with pytest.raises(VeleroError) as failed:
        check_completed(at, backup(failureReason="no space"))
    assert "(no space)" in str(failed.value)
    assert server.asked == []
