"""One Volume for each PersistentVolume of the driver, and what it tells of its claim."""

from standins.longhorn.kinds import (
    CLAIM,
    CLASS,
    DRIVER,
    PERSISTENT_VOLUME,
    POD,
    SETTING,
    SNAPSHOT,
    VOLUME,
    Object,
)
from standins.longhorn.selection import DEFAULT_GROUP
from tests.standins.longhorn.sites import NAMESPACE, Bench, persistent_volume

JOB = "recurring-job.longhorn.io/nightly"
SOURCE = "recurring-job.longhorn.io/source"


def volume(bench: Bench, name: str = "pvc-a") -> Object:
    found: Object = bench.api.get(VOLUME, name)
    return found


def test_a_volume_tells_its_claim_and_its_pod(bench: Bench) -> None:
    bench.give_volume("pvc-a")
    bench.turn()
    found = volume(bench)
    assert found["spec"]["size"] == str(32 << 20)
    assert found["spec"]["backupTargetName"] == "default"
    assert found["metadata"]["labels"] == {DEFAULT_GROUP: "enabled", "backup-target": "default"}
    status = found["status"]
    assert (status["state"], status["robustness"]) == ("attached", "healthy")
    assert status["currentNodeID"] == "cp1"
    assert list(status["kubernetesStatus"]) == [
        "pvName", "pvStatus", "namespace", "pvcName", "lastPVCRefAt", "workloadsStatus",
        "lastPodRefAt",
    ]  # fmt: skip
    assert status["kubernetesStatus"] == {
        "pvName": "pvc-a",
        "pvStatus": "Bound",
        "namespace": "apps",
        "pvcName": "claim-pvc-a",
        "lastPVCRefAt": "",
        "workloadsStatus": [
            {
                "podName": "pod-pvc-a",
                "podStatus": "Running",
                "workloadName": "app-pvc-a",
                "workloadType": "ReplicaSet",
            }
        ],
        "lastPodRefAt": "",
    }


def test_without_its_pod_it_is_detached_and_remembers_it(bench: Bench) -> None:
    bench.give_volume("pvc-a")
    bench.turn()
    bench.api.drop(POD, "pod-pvc-a", "apps")
    bench.turn()
    status = volume(bench)["status"]
    assert (status["state"], status["robustness"]) == ("detached", "unknown")
    assert status["kubernetesStatus"]["lastPodRefAt"] == "2026-03-01T12:00:30Z"
    assert status["kubernetesStatus"]["workloadsStatus"][0]["podName"] == "pod-pvc-a"
    bench.clock.sleep(60)
    bench.turn()
    assert volume(bench)["status"] == status, "the time is that of the change"


def test_without_its_claim_it_remembers_which_it_was(bench: Bench) -> None:
    bench.give_volume("pvc-a", running=False)
    bench.turn()
    released = persistent_volume("pvc-a", "longhorn", "32Mi")
    released["status"]["phase"] = "Released"
    bench.api.put(PERSISTENT_VOLUME, released)
    bench.turn()
    known = volume(bench)["status"]["kubernetesStatus"]
    assert (known["pvcName"], known["pvStatus"]) == ("claim-pvc-a", "Released")
    assert known["lastPVCRefAt"] == "2026-03-01T12:00:30Z"


def test_it_goes_with_the_persistent_volume_and_takes_its_snapshots(bench: Bench) -> None:
    bench.give_volume("pvc-a")
    bench.give_target()
    bench.ask_backup("pvc-a", "backup-1")
    assert bench.images.names() == {"snap-backup-1"}
    bench.api.drop(PERSISTENT_VOLUME, "pvc-a")
    bench.turn()
    assert bench.api.names(VOLUME) == bench.api.names(SNAPSHOT) == []
    assert bench.images.names() == set()


def test_other_drivers_volumes_are_none_of_it(bench: Bench) -> None:
    other = persistent_volume("pv-other", "other", "1Gi")
    other["spec"]["csi"]["driver"] = "other.example.org"
    bench.api.put(PERSISTENT_VOLUME, other)
    bench.api.put(PERSISTENT_VOLUME, {"metadata": {"name": "local"}, "spec": {"local": {}}})
    bench.turn()
    assert bench.api.names(VOLUME) == []


def test_a_claim_that_says_so_gives_its_volume_the_jobs(bench: Bench) -> None:
    bench.give_volume("pvc-a", claim={SOURCE: "enabled", JOB: "enabled"})
    bench.turn()
    assert volume(bench)["metadata"]["labels"] == {JOB: "enabled", "backup-target": "default"}
    bench.api.patch(CLAIM, "apps", "claim-pvc-a", {"metadata": {"labels": {JOB: None}}})
    bench.turn()
    assert volume(bench)["metadata"]["labels"] == {
        DEFAULT_GROUP: "enabled",
        "backup-target": "default",
    }


def test_another_label_takes_the_default_group_away_only_by_hand(bench: Bench) -> None:
    bench.give_volume("pvc-a")
    bench.turn()
    labels = {"metadata": {"labels": {JOB: "enabled", DEFAULT_GROUP: None}}}
    bench.api.patch(VOLUME, NAMESPACE, "pvc-a", labels)
    bench.turn()
    assert volume(bench)["metadata"]["labels"] == {JOB: "enabled", "backup-target": "default"}


def test_a_class_decides_about_target_and_jobs_of_new_volumes(bench: Bench) -> None:
    selector = '[{"name":"nightly","isGroup":false}]'
    parameters = {"recurringJobSelector": selector, "backupTargetName": "second"}
    bench.give_volume("pvc-a", storage_class="gold")
    bench.api.put(
        CLASS, {"metadata": {"name": "gold"}, "provisioner": DRIVER, "parameters": parameters}
    )
    bench.turn()
    assert volume(bench)["spec"]["backupTargetName"] == "second"
    assert volume(bench)["metadata"]["labels"] == {JOB: "enabled", "backup-target": "second"}


def test_settings_decide_how_new_volumes_are_backed_up(bench: Bench) -> None:
    bench.turn()
    bench.api.patch(SETTING, NAMESPACE, "backup-compression-method", {"value": "gzip"})
    bench.api.patch(SETTING, NAMESPACE, "default-backup-block-size", {"value": "16"})
    bench.give_volume("pvc-a")
    bench.turn()
    assert volume(bench)["spec"]["backupCompressionMethod"] == "gzip"
    assert volume(bench)["spec"]["backupBlockSize"] == str(16 << 20)


def test_a_size_that_cannot_be_read_makes_no_volume(bench: Bench) -> None:
    bench.give_volume("pvc-a", size="much")
    bench.turn()
    assert bench.api.names(VOLUME) == []
