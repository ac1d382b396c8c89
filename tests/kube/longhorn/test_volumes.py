"""Volumes are joined with the claims they serve, and jobs are bound by Longhorn's own rules."""

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.errors import Cause, ClusterError
from kube.longhorn.api import is_installed, listed, moment, number
from kube.longhorn.jobs import GROUP_PREFIX, JOB_PREFIX, Job, backing_up, binding, covering, job
from kube.longhorn.volumes import Volume, join, read_expected, volume
from tests.kube.fakes import status
from tests.kube.longhorn.cluster import VOLUMES, Cluster

HANDLE = "pvc-0b0e5c3a"


def volume_object(name: str = HANDLE, **more: Any) -> dict[str, Any]:
    labels = more.pop("labels", {})
    return {
        "metadata": {
            "name": name, "labels": labels, "creationTimestamp": "2026-11-01T10:00:00Z",
        },
        "spec": {"size": "1073741824", "backupTargetName": "default", "dataEngine": "v1", **more},
        "status": {
            "state": "attached",
            "robustness": "healthy",
            "lastBackup": "backup-1",
            "lastBackupAt": "2026-11-02T03:00:05Z",
            "kubernetesStatus": {"namespace": "app", "pvcName": "data", "pvName": name},
        },
    }  # fmt: skip


def persistent(name: str = HANDLE, driver: str = "driver.longhorn.io", **spec: Any) -> Any:
    return {
        "metadata": {"name": name},
        "spec": {
            "csi": {"driver": driver, "volumeHandle": name, "fsType": "ext4"},
            "claimRef": {"namespace": "app", "name": "data"},
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "longhorn",
            **spec,
        },
        "status": {"phase": "Bound"},
    }


def labelled(labels: dict[str, str], **more: Any) -> Volume:
    return volume(volume_object(labels=labels, **more))


def recurring(name: str, task: str = "backup", groups: tuple[str, ...] = ()) -> Job:
    return job(
        {"metadata": {"name": name}, "spec": {"task": task, "groups": list(groups), "retain": 3}}
    )


def test_a_volume_is_read_as_longhorn_writes_it() -> None:
    found = volume(volume_object())
    assert (found.name, found.size, found.told) == (HANDLE, 1 << 30, f"{HANDLE} (app/data)")
    assert found.last_backup_at == datetime.datetime(2026, 11, 2, 3, 0, 5, tzinfo=datetime.UTC)
    assert (found.state, found.backup_target, found.standby) == ("attached", "default", False)


def test_a_volume_that_says_nothing_is_read_all_the_same() -> None:
    found = volume({"metadata": {"name": "v"}, "spec": None, "status": {"kubernetesStatus": None}})
    assert (found.size, found.last_backup_at, found.told) == (0, None, "v")
    assert (found.backup_target, found.data_engine) == ("default", "v1")


def test_every_volume_of_the_driver_is_expected_with_its_claim() -> None:
    orphan = volume(volume_object("pvc-orphan"))
    found = join(
        [persistent(), persistent("other", "ebs.csi.aws.com"), persistent("pvc-lost")],
        [volume(volume_object()), orphan],
    )
    assert [(one.name, one.claim) for one in found.claimed] == [
        (HANDLE, "data"),
        ("pvc-lost", "data"),
    ]
    lost = found.claimed[1]
    assert lost.volume is None
    assert found.claimed[0].volume is not None
    assert found.unclaimed == (orphan,)


def test_a_volume_is_found_by_its_handle_and_not_by_the_name_of_its_object() -> None:
    renamed = persistent("pv-by-hand")
    renamed["spec"]["csi"]["volumeHandle"] = HANDLE
    found = join([renamed], [volume(volume_object())])
    assert found.claimed[0].volume is not None
    assert found.unclaimed == ()


def test_a_persistent_volume_without_csi_or_claim_is_no_fault() -> None:
    plain: dict[str, Any] = {"metadata": {"name": "nfs"}, "spec": {"nfs": {"path": "/"}}}
    found = join([plain, persistent(claimRef=None)], [])
    assert [(one.namespace, one.claim) for one in found.claimed] == [("", "")]


def test_the_cluster_is_asked_once_for_each_kind() -> None:
    cluster = Cluster()
    cluster.objects[f"{VOLUMES}/{HANDLE}"] = persistent()
    cluster.add("volumes", HANDLE, **{k: v for k, v in volume_object().items() if k != "metadata"})
    found = read_expected(cluster.longhorn().client, "longhorn-system")
    assert [one.volume is not None for one in found.claimed] == [True]
    assert len(cluster.asked) == 2


def test_a_cluster_without_longhorn_is_no_longhorn_without_volumes() -> None:
    cluster = Cluster(refuse=lambda _method, _path: status(404, "no such kind", "NotFound"))
    client = cluster.longhorn().client
    with pytest.raises(ClusterError) as caught:
        listed(client, "longhorn-system", "volumes")
    assert caught.value.cause is Cause.MISSING
    assert not is_installed(client)


DEFAULT = recurring("nightly", groups=("default",))
NAMED = recurring("hourly")
TRIM = recurring("trim", "filesystem-trim", ("default", "slow"))
JOBS = (DEFAULT, NAMED, TRIM)


def names(jobs: tuple[Job, ...]) -> list[str]:
    return [one.name for one in jobs]


def test_a_volume_without_labels_is_in_the_default_group() -> None:
    assert names(covering(labelled({}), JOBS)) == ["nightly", "trim"]
    assert names(backing_up(labelled({}), JOBS)) == ["nightly"]
    assert binding(labelled({})).implied


def test_a_label_for_a_group_that_no_job_serves_ends_the_default() -> None:
    lost = labelled({GROUP_PREFIX + "gold": "enabled"})
    assert covering(lost, JOBS) == ()
    assert not binding(lost).implied


def test_the_mark_of_the_source_alone_ends_the_default_too() -> None:
    assert covering(labelled({JOB_PREFIX + "source": "enabled"}), JOBS) == ()


def test_a_job_that_only_trims_is_no_backup() -> None:
    slow = labelled({GROUP_PREFIX + "slow": "enabled"})
    assert names(covering(slow, JOBS)) == ["trim"]
    assert backing_up(slow, JOBS) == ()


def test_a_label_that_is_not_enabled_binds_nothing() -> None:
    off = labelled({JOB_PREFIX + "hourly": "disabled"})
    assert covering(off, JOBS) == ()


def test_a_job_by_name_and_by_group_counts_once() -> None:
    both = labelled({JOB_PREFIX + "nightly": "enabled", GROUP_PREFIX + "default": "enabled"})
    assert names(covering(both, JOBS)) == ["nightly", "trim"]


def test_a_linked_clone_is_in_no_group_by_itself() -> None:
    assert covering(labelled({}, cloneMode="linked-clone"), JOBS) == ()


@given(st.dictionaries(st.sampled_from(
    [JOB_PREFIX + "hourly", GROUP_PREFIX + "default", GROUP_PREFIX + "x", "app"]
), st.sampled_from(["enabled", "no"])))  # fmt: skip
def test_coverage_never_comes_from_a_label_that_is_not_enabled(labels: dict[str, str]) -> None:
    found = set(names(covering(labelled(labels), JOBS)))
    ours = {key: value for key, value in labels.items() if key != "app"}
    if "hourly" in found:
        assert ours[JOB_PREFIX + "hourly"] == "enabled"
    if "nightly" in found:
        assert not ours or ours.get(GROUP_PREFIX + "default") == "enabled"


@given(st.one_of(st.none(), st.text(), st.integers(), st.floats()))
def test_odd_values_become_nothing_and_no_error(value: object) -> None:
    found = moment(value)
    assert found is None or found.tzinfo is not None
    assert isinstance(number({"n": value}, "n"), int)
