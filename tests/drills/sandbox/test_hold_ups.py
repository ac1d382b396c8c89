"""What a restore that stands still is said to wait for, by what its sandbox holds."""

from typing import Any

import pytest

from drills.sandbox.hold_ups import MOST_TOLD, Held, told
from kube.velero.volumes import Method, VolumeRestore

SANDBOX = "backstop-drill-1-shop"


def claim(name: str = "data", phase: str = "Pending", snapshot: str = "") -> dict[str, Any]:
    source = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": snapshot}
    return {
        "metadata": {"name": name, "namespace": SANDBOX},
        "spec": {"dataSource": source} if snapshot else {},
        "status": {"phase": phase},
    }


def snapshot(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "s1"}, **({"status": status} if status else {})}


def event(message: str, kind: str = "PersistentVolumeClaim", name: str = "data",
          severity: str = "Warning") -> dict[str, Any]:  # fmt: skip
    return {
        "involvedObject": {"kind": kind, "name": name, "namespace": SANDBOX},
        "type": severity, "reason": "ProvisioningFailed", "message": message,
        "lastTimestamp": "2026-11-21T12:00:00Z",
    }  # fmt: skip


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "db-0", "namespace": SANDBOX}, "status": status}


def transfer(phase: str, node: str = "n1", method: Method = Method.DATA_MOVER) -> VolumeRestore:
    volume = "data" if method is Method.DATA_MOVER else "db-0/data"
    return VolumeRestore(
        "x", method, SANDBOX, volume, "shop", "", phase, "", node, None, None, None
    )


def held(*, claims: Any = (), snapshots: Any = (), pods: Any = (), events: Any = ()) -> str:
    return told([Held(claims, snapshots, pods, events)], [])


def test_where_all_goes_on_nothing_is_told() -> None:
    running = pod(phase="Running", containerStatuses=[{"name": "c", "state": {"running": {}}}])
    assert held(claims=[claim(phase="Bound", snapshot="s1")], pods=[running]) == ""
    assert told([], [transfer("Completed"), transfer("Failed"), transfer("Canceled")]) == ""


@pytest.mark.parametrize(
    ("snapshots", "why"),
    [
        ([snapshot()], "was looked at by no snapshot controller; look whether one runs"),
        ([snapshot(readyToUse=False)], "is not ready to use; look at its driver's snapshotter"),
        (
            [snapshot(readyToUse=False, error={"message": "no such\nsnapshot"})],
            "is of no use: no such snapshot",
        ),
        ([], "is not there"),
    ],
)
def test_a_claim_of_a_snapshot_waits_for_that(snapshots: list[dict[str, Any]], why: str) -> None:
    """The event only says that it is not bound, which is so in each of these cases."""
    unbound = event("error getting handle for DataSource Type VolumeSnapshot by Name s1: not bound")
    found = held(claims=[claim(snapshot="s1")], snapshots=snapshots, events=[unbound])
    assert found == f"claim {SANDBOX}/data has no volume: its snapshot s1 {why}"


@pytest.mark.parametrize("of", ["", "s1"], ids=["empty", "of a snapshot that is ready"])
def test_any_other_claim_waits_for_what_its_newest_warning_says(of: str) -> None:
    events = [
        event("no space left\non the pool"),
        event("another's", name="logs"),
        event("a pod of this name", kind="Pod"),
        event("Waiting for a volume", severity="Normal"),
    ]
    found = held(claims=[claim(snapshot=of)], snapshots=[snapshot(readyToUse=True)], events=events)
    why = "ProvisioningFailed (no space left on the pool)"
    assert found == f"claim {SANDBOX}/data has no volume: {why}"


def test_a_claim_of_which_nobody_says_anything_has_where_to_look() -> None:
    found = held(claims=[claim()])
    assert found.endswith("no event says why; look at its storage class and its driver")


def test_a_pod_that_cannot_run_is_told_and_one_that_starts_is_not() -> None:
    unscheduled = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes: taint"}
    stuck = held(pods=[pod(phase="Pending", conditions=[unscheduled])])
    assert stuck == f"pod {SANDBOX}/db-0 fits on no node: 0/1 nodes: taint"
    restoring = [{"name": "restore-wait", "state": {"running": {}}}]
    assert held(pods=[pod(phase="Pending", initContainerStatuses=restoring)]) == ""
    mount = event("no such claim", kind="Pod", name="db-0") | {"reason": "FailedMount"}
    assert "FailedMount (no such claim)" in held(pods=[pod(phase="Pending")], events=[mount])


def test_a_transfer_is_told_with_its_node_and_one_without_with_where_to_look() -> None:
    assert told([], [transfer("InProgress")]) == (
        f"data-mover claim {SANDBOX}/data is InProgress on node n1"
    )
    assert told([], [transfer("New", node="", method=Method.FILE_SYSTEM)]) == (
        f"file-system pod {SANDBOX}/db-0/data is New on no node; look at Velero's node agents"
    )


def test_of_many_the_first_are_told_and_the_rest_counted() -> None:
    claims = [claim(f"data-{number}") for number in range(10)]
    found = held(claims=claims)
    assert found.count("has no volume") == MOST_TOLD
    assert found.endswith(f"; and {10 - MOST_TOLD} more")
