"""How far a restore is, out of the objects as Longhorn writes them."""

from typing import Any

import pytest

from kube.errors import ClusterError
from kube.longhorn.backups import backup
from kube.longhorn.restoring import progress, restoring
from tests.kube.fakes import status
from tests.kube.longhorn.cluster import ROOT, Cluster

URL = "s3://b@r/?backup=backup-1&volume=pvc-1"


def found(**held: Any) -> Any:
    volume = {"metadata": {"name": "pvc-2"}, "spec": {"fromBackup": URL}, "status": held}
    return restoring(volume)


@pytest.mark.parametrize(
    ("held", "done", "told"),
    [
        ({}, False, "new"),
        ({"state": ""}, False, "new"),
        ({"state": "creating"}, False, "creating, filled"),
        ({"state": "attached", "robustness": "healthy", "restoreRequired": True}, False,
         "attached, healthy, still to be filled"),
        ({"state": "attached", "robustness": "degraded", "restoreRequired": True}, False,
         "attached, degraded, still to be filled"),
        ({"state": "detached", "robustness": "unknown", "restoreRequired": False}, True,
         "detached, filled"),
        ({"state": "detached"}, True, "detached, filled"),
    ],
)  # fmt: skip
def test_a_volume_is_there_once_it_asks_for_no_data_any_more(
    held: Any, done: bool, told: str
) -> None:
    seen = found(**held)
    assert (seen.done, seen.told, seen.failure) == (done, told, "")
    assert seen.source == URL


def test_what_longhorn_says_against_it_is_heard() -> None:
    failed = {"type": "Restore", "status": "False", "reason": "RestoreFailure", "message": "no"}
    seen = found(state="detached", conditions=[failed])
    assert (seen.failure, seen.done) == ("no", False)
    assert found(state="detached", robustness="faulted").failure
    before = {"type": "Restore", "status": "False", "reason": "", "message": ""}
    assert found(state="detached", conditions=[before]).done
    unplaced = {"type": "Scheduled", "status": "False", "reason": "ReplicaSchedulingFailure"}
    seen = found(state="detached", restoreRequired=True, conditions=[unplaced])
    assert seen.unplaced == "ReplicaSchedulingFailure"
    assert "no replica has a place" in seen.told


def test_the_slowest_replica_tells_how_far_it_is() -> None:
    cluster = Cluster()
    longhorn = cluster.longhorn()
    assert progress(longhorn.client, longhorn.namespace, "pvc-2") is None
    replicas = {"r1": {"progress": 80}, "r2": {"progress": 35}, "r3": None}
    cluster.add("engines", "e", labels={"longhornvolume": "pvc-2"},
                status={"restoreStatus": replicas})  # fmt: skip
    assert progress(longhorn.client, longhorn.namespace, "pvc-2") == 35
    assert progress(longhorn.client, longhorn.namespace, "pvc-3") is None


def test_a_longhorn_without_engines_says_nothing_and_a_refusal_is_told() -> None:
    cluster = Cluster()
    longhorn = cluster.longhorn()
    cluster.refuse = lambda _method, path: (
        status(404, "no such kind", "NotFound") if path == f"{ROOT}engines" else None
    )
    assert progress(longhorn.client, longhorn.namespace, "pvc-2") is None
    cluster.refuse = lambda _method, _path: status(403, 'x is forbidden: User "y" cannot')
    with pytest.raises(ClusterError):
        progress(longhorn.client, longhorn.namespace, "pvc-2")


def test_a_backup_says_how_large_its_volume_is_and_what_it_needs() -> None:
    held = {"volumeSize": "16777216", "volumeBackingImageName": "golden",
            "labels": {"volume-encrypted": "enabled"}}  # fmt: skip
    metadata = {"name": "backup-1", "deletionTimestamp": "2026-11-03T12:00:00Z"}
    one = backup({"metadata": metadata, "spec": {}, "status": held})
    assert (one.volume_size, one.encrypted, one.backing_image, one.deleting) == (
        16777216, True, "golden", True,
    )  # fmt: skip
    plain = backup({"metadata": {"name": "backup-1"}, "status": {}})
    assert (plain.volume_size, plain.encrypted, plain.backing_image, plain.deleting) == (
        0, False, "", False,
    )  # fmt: skip
