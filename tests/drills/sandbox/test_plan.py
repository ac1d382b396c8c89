"""The restore aside: what Velero is asked for, what fills which claim, what is refused."""

import dataclasses
from typing import Any

import pytest

from drills.coverage.volume_info import Method, VolumeRecord
from drills.sandbox.hold import NOBODY, Held, Idle
from drills.sandbox.kinds import NotRestored, Present
from drills.sandbox.plan import Consumer, Plan, plan
from drills.sandbox.volumes import NoData, StorageClass, storage_classes
from drills.sandbox.wish import Contents, PlanError, Wish
from drills.verdict import Reason
from tests.drills.sandbox import velero_rules
from tests.drills.sandbox.definitions import check
from tests.drills.sandbox.runs import RUN_ID, run
from tests.drills.sandbox.samples import claim, pod, service

FAST = StorageClass("driver.longhorn.io", waits=False)
LAZY = StorageClass("driver.longhorn.io", waits=True)
CLASSES = {"fast": FAST, "lazy": LAZY, "other": StorageClass("ebs", waits=False)}
IDLE = Idle("helper:1")
BOTH = Wish(objects=True, volumes=True, seconds=600, idle=IDLE)
SANDBOX = f"backstop-drill-{RUN_ID}-shop"


def record(name: str = "data", method: Method | None = Method.DATA_MOVER, **more: Any) -> Any:
    given: dict[str, Any] = {
        "namespace": "shop", "claim": name, "volume": f"pv-{name}", "method": method,
        "succeeded": True, "handle": "f00d", "driver": "driver.longhorn.io", "size": 10,
    }  # fmt: skip
    if method is Method.FILE_SYSTEM:
        given |= {"pod": "web-0", "pod_volume": name}
    return VolumeRecord(**{**given, **more})


def contents(*records: VolumeRecord, **more: Any) -> Contents:
    given: dict[str, Any] = {
        "namespaces": ("shop", "kube-system", "velero"),
        "claims": [claim(one) for one in sorted({one.claim for one in records if one.claim})],
        "pods": [pod()],
        "records": records,
    }
    return Contents(**{**given, **more})


def planned(held: Contents, wish: Wish = BOTH, **more: Any) -> Plan:
    given: dict[str, Any] = {"classes": CLASSES, "velero_namespace": "velero"}
    return plan(run(), "daily-1", held, wish, **{**given, **more})


def wished(**changed: Any) -> Wish:
    return dataclasses.replace(BOTH, **changed)


@pytest.mark.parametrize("method", [Method.DATA_MOVER, Method.CSI_SNAPSHOT, Method.FILE_SYSTEM])
def test_the_restore_is_what_veleros_definition_takes(method: Method) -> None:
    check("restores", planned(contents(record(method=method))).restore)


def test_a_field_that_velero_does_not_have_would_be_noticed() -> None:
    wrong = planned(contents(record())).restore
    wrong["spec"]["namespaceMappings"] = {}
    with pytest.raises(Exception, match="namespaceMappings"):
        check("restores", wrong)


def test_the_restore_asks_for_the_sandbox_and_nothing_live() -> None:
    found = planned(contents(record()))
    spec = found.restore["spec"]
    assert spec["backupName"] == "daily-1"
    assert spec["includedNamespaces"] == ["shop"]
    assert spec["namespaceMapping"] == {"shop": SANDBOX}
    assert spec["existingResourcePolicy"] == "none"
    assert spec["preserveNodePorts"] is False
    assert spec["restorePVs"] is True
    assert spec["itemOperationTimeout"] == "600s"
    assert spec["resourceModifier"] == {"kind": "ConfigMap", "name": run().name()}
    # Either value of it would be wrong, see `restore`.
    assert "includeClusterResources" not in spec
    assert "hooks" not in spec
    assert found.restore["metadata"]["labels"] == run().labels()
    assert found.restore["metadata"]["annotations"] == {"velero.io/pod-volume-timeout": "600s"}
    assert found.config_map["metadata"]["name"] == spec["resourceModifier"]["name"]


def test_pods_come_only_where_copies_are_restored_through_them() -> None:
    moved = planned(contents(record()))
    assert "pods" not in moved.restore["spec"]["includedResources"]
    assert moved.pods == {SANDBOX: 0}
    copied = planned(contents(record(method=Method.FILE_SYSTEM), pods=[pod(), pod("web-1")]))
    assert {"pods", "persistentvolumes"} <= set(copied.restore["spec"]["includedResources"])
    assert copied.pods == {SANDBOX: 2}
    assert copied.held == (Held("shop", "web-0", ("data",)),)


def test_a_drill_of_objects_asks_for_no_volumes() -> None:
    found = planned(contents(record()), wished(volumes=False))
    assert found.restore["spec"]["restorePVs"] is False
    assert "persistentvolumeclaims" not in found.restore["spec"]["includedResources"]
    assert (found.filled, found.without_data, found.held) == ({}, (), ())


def test_a_drill_of_volumes_takes_only_namespaces_that_have_some() -> None:
    held = contents(record(), namespaces=("shop", "empty"))
    assert planned(held, wished(objects=False)).mapping == {"shop": SANDBOX}
    assert set(planned(held).mapping) == {"shop", "empty"}


def test_the_clusters_own_namespaces_stay_out_unless_named() -> None:
    found = planned(contents(record()))
    assert [(one.what, one.why) for one in found.not_restored] == [
        ("namespace kube-system", "it is the cluster's own; name it to restore it aside"),
        ("namespace velero", "it is Velero's own"),
    ]
    named = planned(contents(record()), wished(namespaces=("sh*", "kube-system")))
    assert set(named.mapping) == {"shop", "kube-system"}


def test_sandboxes_of_other_drills_are_not_restored() -> None:
    held = contents(record(), namespaces=("shop", "backstop-drill-1-shop"))
    found = planned(held)
    assert set(found.mapping) == {"shop"}
    assert found.not_restored == (
        NotRestored("namespace backstop-drill-1-shop", 1, "it is the sandbox of a drill"),
    )


def test_a_glob_never_takes_veleros_namespace() -> None:
    assert "velero" not in planned(contents(record()), wished(namespaces=("*",))).mapping
    with pytest.raises(ValueError, match="Velero's own"):
        planned(contents(record()), wished(namespaces=("velero",)))


@pytest.mark.parametrize("wanted", ["gone", "go?e", "sho"])
def test_a_namespace_that_the_backup_lacks_is_lost_scope(wanted: str) -> None:
    with pytest.raises(PlanError, match=r"is not in backup daily-1") as refused:
        planned(contents(record()), wished(namespaces=("shop", wanted)))
    assert refused.value.reason is Reason.SCOPE_LOST


@pytest.mark.parametrize(
    ("held", "wish"),
    [
        (contents(namespaces=("velero",)), BOTH),
        (contents(), wished(objects=False)),
        (contents(record(succeeded=False)), wished(objects=False)),
    ],
)
def test_nothing_to_restore_is_nothing_to_check(held: Contents, wish: Wish) -> None:
    with pytest.raises(PlanError) as refused:
        planned(held, wish)
    assert refused.value.reason is Reason.NOTHING_TO_CHECK


def test_what_is_left_out_is_named_by_kind() -> None:
    present = [
        Present("configmaps", namespaced=True, count=4),
        Present("clusterroles.rbac.authorization.k8s.io", namespaced=False, count=9),
    ]
    found = planned(contents(record(), kinds=present))
    assert found.not_restored[0].what == "clusterroles.rbac.authorization.k8s.io"
    assert "configmaps" not in [one.what for one in found.not_restored]


WITHOUT_DATA = [
    (contents(record(), claims=[]), "its claim is not in the backup", True),
    (contents(claims=[claim()]), "the backup knows nothing of its data", False),
    (
        contents(record(method=None, succeeded=False, why="any: skipped;")),
        "its data was left out (any: skipped;)",
        False,
    ),
    (contents(record(succeeded=False)), "its data-mover failed", True),
    (
        contents(record(method=Method.NATIVE_SNAPSHOT)),
        "a snapshot by a Velero plugin of a cloud is not restored aside",
        True,
    ),
    (
        contents(record(method=Method.FILE_SYSTEM), pods=[]),
        "it is restored through pod web-0, which is not in the backup",
        True,
    ),
    (
        contents(
            record(method=Method.FILE_SYSTEM), pods=[{**pod(), "status": {"phase": "Succeeded"}}]
        ),
        "it is restored through pod web-0, which had ended and is not restored",
        True,
    ),
]


@pytest.mark.parametrize(("held", "why", "tried"), WITHOUT_DATA)
def test_a_claim_that_nothing_fills_is_named_and_not_compared(
    held: Contents, why: str, tried: bool
) -> None:
    found = planned(held)
    assert found.without_data == (NoData("shop", "data", why, tried),)
    assert not found.filled
    assert not found.held


def restored_claim(found: Plan, **spec: Any) -> dict[str, Any]:
    rules = velero_rules.parse(found.config_map)
    after, errors = velero_rules.apply(rules, "persistentvolumeclaims", claim(**spec))
    assert not errors
    held: dict[str, Any] = after["spec"]
    return held


@pytest.mark.parametrize(("held", "_why", "tried"), WITHOUT_DATA)
def test_a_claim_that_nothing_fills_takes_no_storage_unless_velero_waits_for_it(
    held: Contents, _why: str, tried: bool
) -> None:
    unmet = NOBODY in restored_claim(planned(held)).get("selector", {}).get("matchLabels", {})
    assert unmet is not tried


def test_a_copy_of_an_empty_volume_is_told_apart() -> None:
    found = planned(contents(record(method=Method.FILE_SYSTEM, handle="", size=0)))
    assert found.empty == (("shop", "data"),)
    assert not found.without_data
    assert not found.held


def test_of_several_records_the_one_with_data_fills() -> None:
    found = planned(contents(record(method=None, succeeded=False), record()))
    assert found.filled["shop", "data"].method is Method.DATA_MOVER


def test_a_volume_that_only_its_pod_knows_is_restored_through_it() -> None:
    scratch = record("", Method.FILE_SYSTEM, pod_volume="scratch")
    found = planned(contents(scratch, record(method=Method.FILE_SYSTEM)))
    assert found.held == (Held("shop", "web-0", ("data", "scratch")),)
    assert set(found.filled) == {("shop", "data")}


def test_copies_need_something_that_idles() -> None:
    with pytest.raises(ValueError, match="what idles"):
        planned(contents(record(method=Method.FILE_SYSTEM)), wished(idle=None))


@pytest.mark.parametrize(
    ("method", "storage_class", "consumers"),
    [
        (Method.DATA_MOVER, "fast", ()),
        (Method.DATA_MOVER, "lazy", (Consumer(SANDBOX, "data", during=True),)),
        (Method.CSI_SNAPSHOT, "lazy", (Consumer(SANDBOX, "data", during=False),)),
        (Method.FILE_SYSTEM, "lazy", ()),
    ],
)
def test_volumes_that_wait_for_a_pod_are_named(
    method: Method, storage_class: str, consumers: tuple[Consumer, ...]
) -> None:
    held = contents(record(method=method), claims=[claim(storageClassName=storage_class)])
    assert planned(held).consumers == consumers


def test_a_mapped_class_decides_whether_a_volume_waits() -> None:
    held = contents(record(), claims=[claim(storageClassName="lazy")])
    assert planned(held, wished(classes={"lazy": "fast"})).consumers == ()


@pytest.mark.parametrize(
    ("method", "storage_class", "mapping", "says"),
    [
        (Method.DATA_MOVER, "gone", {}, "StorageClass gone, which claim shop/data asks for, does"),
        (Method.DATA_MOVER, "", {}, 'StorageClass "", which'),
        (Method.DATA_MOVER, "fast", {"fast": "gone"}, "StorageClass gone, which"),
        (Method.CSI_SNAPSHOT, "other", {}, "is of ebs, and cannot read a snapshot of driver.long"),
        (Method.CSI_SNAPSHOT, "fast", {"fast": "other"}, "is of ebs"),
    ],
)
def test_a_class_that_cannot_fill_the_claim_is_refused(
    method: Method, storage_class: str, mapping: dict[str, str], says: str
) -> None:
    held = contents(record(method=method), claims=[claim(storageClassName=storage_class)])
    with pytest.raises(PlanError, match=says) as refused:
        planned(held, wished(classes=mapping))
    assert refused.value.reason is Reason.TARGET_REFUSED


@pytest.mark.parametrize("storage_class", ["other", "fast", None])
def test_moved_data_fits_every_class(storage_class: str | None) -> None:
    held = contents(record(), claims=[claim(storageClassName=storage_class)])
    assert planned(held).filled


def test_services_of_other_namespaces_make_no_rules() -> None:
    port = {"port": 80, "nodePort": 30080}
    foreign = service("NodePort", port)
    foreign["metadata"]["namespace"] = "elsewhere"
    names = [
        rule["conditions"].get("resourceNameRegex")
        for rule in velero_rules.parse(
            planned(contents(record(), services=[foreign, service("NodePort", port)])).config_map
        )
        if rule["conditions"]["groupResource"] == "services"
    ]
    assert names.count("^(web)$") == 1


def test_too_many_pods_for_one_restore_are_refused() -> None:
    pods = [pod(f"web-{number}") for number in range(1500)]
    records = [
        record(f"data-{number}", Method.FILE_SYSTEM, pod=f"web-{number}") for number in range(1500)
    ]
    with pytest.raises(PlanError, match="restore fewer namespaces") as refused:
        planned(contents(*records, pods=pods))
    assert refused.value.reason is Reason.TARGET_REFUSED


DIFFERS = "already exists. Warning: the in-cluster version is different than the backed-up version"


@pytest.mark.parametrize(
    ("warning", "expected"),
    [
        (f'could not restore, PersistentVolume "pv-1" {DIFFERS}', True),
        (f'could not restore, ConfigMap "kube-root-ca.crt" {DIFFERS}', True),
        (f'could not restore, ConfigMap "settings" {DIFFERS}', False),
        (
            "stat /tmp/1/resources/persistentvolumes/cluster/pv.json: no such file or directory",
            True,
        ),
        ("stat /tmp/1/resources/secrets/namespaces/a/s.json: no such file or directory", False),
    ],
)
def test_only_known_warnings_are_expected(warning: str, expected: bool) -> None:
    patterns = planned(contents(record())).expected_warnings
    assert any(pattern.search(warning) for pattern in patterns) is expected


def test_storage_classes_are_read_from_the_cluster() -> None:
    found = storage_classes(
        [
            {"metadata": {"name": "lazy"}, "provisioner": "p",
             "volumeBindingMode": "WaitForFirstConsumer"},
            {"metadata": {"name": "fast"}, "provisioner": "q"},
        ]
    )  # fmt: skip
    assert found == {"lazy": StorageClass("p", waits=True), "fast": StorageClass("q", waits=False)}
