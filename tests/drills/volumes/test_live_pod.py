"""Reader pods beside running workloads: which claims get one, and what they may not disturb."""

from typing import Any

import pytest

from drills.coverage.live import OPT_OUT
from drills.sandbox import marks
from drills.sandbox.hold import Idle
from drills.volumes import live_pod
from drills.volumes.reader_pod import VOLUME
from tests.drills.coverage import clusters
from tests.drills.sandbox.runs import run
from tests.drills.volumes.drill_site import claim_of

CLAIM = claim_of("shop", "data-0")
TOLERATIONS = [{"key": "dedicated", "operator": "Exists"}]


def pod(name: str = "db-0", *, namespace: str = "shop", **more: Any) -> dict[str, Any]:
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": "data-0"}}
    given: dict[str, Any] = {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"nodeName": "n1", "volumes": [volume], "tolerations": TOLERATIONS},
        "status": {"phase": "Running"},
    }
    for key, held in more.items():
        given[key] = {**given[key], **held}
    return given


def user(*pods: dict[str, Any]) -> Any:
    return live_pod.user_of("shop", "data-0", pods)


def test_the_first_running_pod_that_mounts_it_is_its_user() -> None:
    assert user() is None
    assert user(pod("b"), pod("a"))["metadata"]["name"] == "a"


@pytest.mark.parametrize(
    "other",
    [
        pod(namespace="other"),
        pod(status={"phase": "Pending"}),
        pod(status={"phase": "Succeeded"}),
        pod(spec={"nodeName": ""}),
        pod(spec={"volumes": [{"name": "v", "emptyDir": {}}]}),
        pod(metadata={"deletionTimestamp": "2026-11-21T12:00:00Z"}),
        pod(metadata={"labels": run().labels()}),
    ],
    ids=["namespace", "pending", "ended", "no-node", "other-volume", "going", "reader"],
)
def test_others_are_no_user(other: dict[str, Any]) -> None:
    assert user(other) is None


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (CLAIM, ""),
        (claim_of("shop", "data-0", volumeMode="Filesystem"), ""),
        ({**CLAIM, "status": {"phase": "Pending"}}, "has no volume (Pending)"),
        ({**CLAIM, "status": {}}, "has no volume (Pending)"),
        ({**CLAIM, "metadata": {"deletionTimestamp": "x"}}, "is being deleted"),
        (claim_of("shop", "data-0", volumeMode="Block"), "raw block device"),
        (claim_of("shop", "data-0", accessModes=["ReadWriteOncePod"]), "by one pod alone"),
    ],
    ids=["plain", "files", "pending", "new", "going", "block", "alone"],
)
def test_a_claim_that_cannot_be_read_without_harm_is_told(claim: dict[str, Any], said: str) -> None:
    why = live_pod.refusal(claim, pod())
    assert said in why
    assert bool(said) is bool(why)


def test_a_volume_that_nobody_uses_is_left_alone() -> None:
    assert live_pod.refusal(CLAIM, None).startswith("no running pod uses claim shop/data-0")


def made(claim: dict[str, Any] = CLAIM, **more: Any) -> dict[str, Any]:
    idle = Idle("python:1", pull_secrets=("pull",))
    return live_pod.manifest(run(), live_pod.pod_for(claim, pod(**more)), idle)


def test_it_stands_beside_its_user_and_asks_nobody_to_make_room() -> None:
    found = made()
    assert found["metadata"]["namespace"] == "shop"
    spec = found["spec"]
    assert (spec["nodeName"], spec["tolerations"]) == ("n1", TOLERATIONS)
    assert {"priorityClassName", "nodeSelector", "affinity"}.isdisjoint(spec)


def test_it_reads_and_never_writes() -> None:
    spec = made()["spec"]
    (container,) = spec["containers"]
    assert [one["readOnly"] for one in container["volumeMounts"]] == [True]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {
        "drop": ["ALL"],
        "add": ["DAC_OVERRIDE"],
    }
    assert spec["automountServiceAccountToken"] is False
    # With a group of its own the kubelet would give it every file.
    assert "fsGroup" not in spec.get("securityContext", {})
    assert spec["volumes"] == [{"name": VOLUME, "persistentVolumeClaim": {"claimName": "data-0"}}]
    many = made(claim_of("shop", "data-0", accessModes=["ReadOnlyMany"]))["spec"]["volumes"]
    assert many[0]["persistentVolumeClaim"]["readOnly"]


def test_it_ends_with_its_run_and_bears_its_marks() -> None:
    found = made()
    assert marks.read(found) == run()
    assert found["metadata"]["name"].startswith(marks.PREFIX)
    assert found["spec"]["activeDeadlineSeconds"] == (run().until - run().made).total_seconds()
    assert found["spec"]["restartPolicy"] == "Never"


def test_no_backup_takes_it_or_takes_it_into_account() -> None:
    metadata = made()["metadata"]
    assert metadata["labels"]["velero.io/exclude-from-backup"] == "true"
    assert metadata["annotations"] == {OPT_OUT: VOLUME}


def test_the_survey_of_the_cluster_does_not_take_it_for_a_user() -> None:
    assert not clusters.live(pods=[made()]).mounts
    assert clusters.live(pods=[pod()]).mounts


@pytest.mark.parametrize("level", ["pod", "container"])
def test_its_files_keep_their_label(level: str) -> None:
    label = {"level": "s0:c1,c2"}
    context = {"securityContext": {"seLinuxOptions": label, "fsGroup": 5}}
    spec = context if level == "pod" else {"containers": [{"name": "a"}, {"name": "b", **context}]}
    assert made(spec=spec)["spec"]["securityContext"] == {"seLinuxOptions": label}
    assert "securityContext" not in made()["spec"]
