"""Which pods read which restored claims, and what such a pod may do."""

import dataclasses
import re
from typing import Any

import pytest

from drills.coverage.volume_info import Method, VolumeRecord
from drills.sandbox.hold import SECURITY, Idle
from drills.sandbox.plan import Plan, plan
from drills.sandbox.volumes import StorageClass
from drills.sandbox.wish import Contents, Wish
from drills.volumes.reader_pod import (
    DEVICE,
    ReaderPod,
    manifest,
    most_in_one,
    not_readable,
    pod_name,
    reader_pods,
)
from drills.volumes.sources import Source, held_sources
from tests.drills.sandbox.runs import RUN_ID, run
from tests.drills.sandbox.samples import claim, pod

SANDBOX = f"backstop-drill-{RUN_ID}-shop"
IDLE = Idle("helper:1", pull_secrets=("pull",))
POD = ReaderPod("shop", SANDBOX, "data")
CLASSES = {
    "fast": StorageClass("driver.longhorn.io", waits=False),
    "lazy": StorageClass("driver.longhorn.io", waits=True),
}
# RFC 1123: what the API server takes as the name of a pod.
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def record(name: str, method: Method = Method.DATA_MOVER, **more: Any) -> VolumeRecord:
    given: dict[str, Any] = {
        "namespace": "shop", "claim": name, "volume": f"pv-{name}", "method": method,
        "succeeded": True, "handle": "f00d", "driver": "driver.longhorn.io", "size": 10,
    }  # fmt: skip
    return VolumeRecord(**{**given, **more})


def copy(name: str, pod_volume: str, **more: Any) -> VolumeRecord:
    held = {"pod": "web-0", "pod_volume": pod_volume, **more}
    return record(name, Method.FILE_SYSTEM, **held)


def planned(*records: VolumeRecord, claims: Any = None, pods: Any = None) -> tuple[Plan, Contents]:
    named = sorted({one.claim for one in records if one.claim})
    contents = Contents(
        namespaces=("shop",),
        claims=[claim(one) for one in named] if claims is None else claims,
        pods=[pod()] if pods is None else pods,
        records=records,
    )
    wish = Wish(objects=False, volumes=True, seconds=600, idle=IDLE)
    made = plan(run(), "daily-1", contents, wish, classes=CLASSES, velero_namespace="velero")
    return made, contents


def made(pod: ReaderPod = POD, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"idle": IDLE, **more}
    return manifest(run(), pod, **given)


def test_a_claim_has_a_reader_unless_a_held_pod_has_it_open() -> None:
    given = planned(record("logs"), record("cache", Method.CSI_SNAPSHOT), copy("data", "data"))
    assert [(one.claim, one.namespace, one.during) for one in reader_pods(*given)] == [
        ("cache", SANDBOX, False), ("logs", SANDBOX, False),
    ]  # fmt: skip
    assert held_sources(given[0]) == [Source("shop", "data", "web-0", "data", SANDBOX, held=True)]


def test_what_the_restore_waits_for_is_told() -> None:
    claims = [claim("moved", storageClassName="lazy"), claim("snapped", storageClassName="lazy")]
    pods = reader_pods(
        *planned(record("moved"), record("snapped", Method.CSI_SNAPSHOT), claims=claims)
    )
    assert [(one.claim, one.during) for one in pods] == [("moved", True), ("snapped", False)]


def test_a_claim_without_data_has_no_reader() -> None:
    given = planned(record("data"), record("lost", succeeded=False), copy("empty", "x", handle=""))
    assert [one.claim for one in reader_pods(*given)] == ["data"]
    assert held_sources(given[0]) == []


def test_a_held_volume_is_found_by_the_name_that_its_pod_gives_it() -> None:
    volumes = [
        {"name": "disk", "persistentVolumeClaim": {"claimName": "web-data"}},
        {"name": "scratch", "emptyDir": {}},
    ]
    given, _ = planned(
        copy("web-data", "disk"), copy("", "scratch"), pods=[pod(spec={"volumes": volumes})]
    )
    scratch, disk = held_sources(given)
    assert (str(disk), disk.root, disk.container) == ("shop/web-data", "/backstop/disk", "idle")
    assert (str(scratch), scratch.root) == ("shop/web-0:scratch", "/backstop/scratch")
    assert scratch.claim == ""
    assert {scratch.pod, disk.pod} == {"web-0"}


def test_the_pod_bears_the_runs_marks_and_nothing_of_a_workload() -> None:
    found = made()
    assert found["metadata"] == {
        "name": f"backstop-drill-{RUN_ID}-reader-data",
        "namespace": SANDBOX,
        "labels": run().labels(),
    }
    spec = found["spec"]
    assert spec["restartPolicy"] == "Never"
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    # fsGroup would rewrite the attributes that are to be compared.
    assert "securityContext" not in spec
    (container,) = spec["containers"]
    assert container["securityContext"] == {**SECURITY, "readOnlyRootFilesystem": True}
    assert (container["image"], container["imagePullPolicy"]) == ("helper:1", "IfNotPresent")
    assert container["command"] == ["sleep", "infinity"]
    assert container["resources"]["requests"] == {"cpu": "10m", "memory": "32Mi"}


def test_the_container_cannot_write_and_the_kernel_can_replay_a_journal() -> None:
    spec = made()["spec"]
    (mount,) = spec["containers"][0]["volumeMounts"]
    assert mount == {"name": "volume", "mountPath": "/backstop/volume", "readOnly": True}
    (volume,) = spec["volumes"]
    assert volume["persistentVolumeClaim"] == {"claimName": "data"}
    source = POD.source(run())
    assert source is not None
    assert source.root == mount["mountPath"]
    assert source.container == spec["containers"][0]["name"]


@pytest.mark.parametrize(
    ("modes", "read_only"),
    [
        (["ReadOnlyMany"], True),
        (["ReadOnlyMany", "ReadWriteOnce"], False),
        (["ReadWriteOncePod"], False),
        ([], False),
    ],
)
def test_a_claim_that_allows_no_writer_is_asked_for_read_only(
    modes: list[str], read_only: bool
) -> None:
    (found,) = reader_pods(*planned(record("data"), claims=[claim(accessModes=modes)]))
    assert found.read_only is read_only
    (volume,) = made(found)["spec"]["volumes"]
    assert volume["persistentVolumeClaim"].get("readOnly", False) is read_only


def test_a_raw_device_is_consumed_and_named_as_not_read() -> None:
    claims = [claim(volumeMode="Block", storageClassName="lazy"), claim("files")]
    block, files = reader_pods(*planned(record("data"), record("files"), claims=claims))
    assert (block.block, block.during, files.block) == (True, True, False)
    assert block.source(run()) is None
    assert files.source(run()) is not None
    (named,) = not_readable([block, files])
    assert (named.what, named.count) == ("content of shop/data", 1)
    assert "volumeMode Block" in named.why
    spec = made(block)["spec"]
    (container,) = spec["containers"]
    assert container["volumeDevices"] == [{"name": "volume", "devicePath": DEVICE}]
    assert container["volumeMounts"] == []
    assert [one["name"] for one in spec["volumes"]] == ["volume"]


def test_the_pod_may_run_where_the_claims_own_pod_may() -> None:
    placed = reader_pods(*planned(record("data")))[0].placement
    spec = made(dataclasses.replace(POD, placement=placed))["spec"]
    assert spec["tolerations"] == [{"key": "storage", "operator": "Exists"}]
    assert spec["nodeSelector"] == {"disk": "ssd"}
    # Where it stands beside other pods is of no use in a sandbox without them.
    assert spec["affinity"] == {"nodeAffinity": {"x": 1}}
    assert "hostNetwork" not in spec
    assert "serviceAccountName" not in spec


def test_a_running_pod_says_more_of_the_place_than_one_that_ended() -> None:
    volumes = [{"name": "v", "ephemeral": {"volumeClaimTemplate": {}}}]
    job = pod("a", spec={"nodeSelector": {"of": "job"}})
    job["status"] = {"phase": "Succeeded"}
    live = pod("b", spec={"nodeSelector": {"of": "live"}})
    own = pod("c", spec={"nodeSelector": {"of": "c"}, "volumes": volumes})
    found = reader_pods(*planned(record("data"), record("c-v"), pods=[job, live, own]))
    assert [one.placement["nodeSelector"] for one in found] == [{"of": "c"}, {"of": "live"}]
    (alone,) = reader_pods(*planned(record("data"), pods=[pod("x", namespace="other")]))
    assert alone.placement == {}


LONG = "a" * 253


@pytest.mark.parametrize(
    "called",
    ["data", LONG, "a." * 126 + "b", *(f"{'a' * size}.{'b' * 60}" for size in range(1, 30))],
)
@pytest.mark.parametrize("run_id", ["0", "0123456789abcdef"])
def test_names_are_what_the_api_server_takes(called: str, run_id: str) -> None:
    found = pod_name(run(run_id), called)
    assert len(found) <= 63
    assert SUBDOMAIN.fullmatch(found)
    assert found.startswith(f"backstop-drill-{run_id}-reader-")


def test_two_claims_never_share_a_name() -> None:
    names = [f"{'a' * size}{end}" for size in range(1, 60) for end in ("", ".b", "-b", ".b.c")]
    assert len({pod_name(run(), one) for one in names}) == len(names)
    assert pod_name(run(), LONG) != pod_name(run(), LONG[:-1] + "b")


def test_the_quota_of_each_sandbox_has_room_for_the_readers_of_the_fullest() -> None:
    other = dataclasses.replace(POD, namespace="other")
    assert most_in_one([]) == 0
    assert most_in_one([POD, other, dataclasses.replace(POD, claim="logs")]) == 2
