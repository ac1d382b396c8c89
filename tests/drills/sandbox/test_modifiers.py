"""What is restored does nothing and reaches nobody, and every difference to the backup is told."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.sandbox import hold, modifiers
from drills.sandbox.hold import NOBODY, Held, Idle
from drills.sandbox.kinds import OBJECT_KINDS
from drills.sandbox.modifiers import Claims, Modifiers, TooManyRulesError
from drills.sandbox.patches import Change, Rule, Value, exactly, pointer
from tests.drills.sandbox import velero_rules
from tests.drills.sandbox.runs import RUN_ID, run
from tests.drills.sandbox.samples import (
    SOURCE,
    as_velero_prepares,
    claim,
    found,
    pod,
    service,
    workload,
)

MAPPING = run().namespaces([SOURCE])
IDLE = Idle("registry.example/helper:1")
HTTP = {"name": "http", "port": 80, "nodePort": 30080, "targetPort": 8080}
SERVICES = [service("NodePort", HTTP), service("LoadBalancer", {"port": 80})]


def built(**more: Any) -> Modifiers:
    return modifiers.modifiers(run(), MAPPING, **more)


def restored(found_: Modifiers, kind: str, one: dict[str, Any]) -> dict[str, Any]:
    """The object as Velero creates it; no rule may fail."""
    rules = velero_rules.parse(found_.config_map(run(), "velero"))
    result, errors = velero_rules.apply(rules, kind, one)
    assert not errors
    assert isinstance(result, dict)
    return result


HARMFUL: list[tuple[str, dict[str, Any], str, object]] = [
    ("deployments.apps", workload("Deployment", replicas=3), "/spec/replicas", 0),
    ("deployments.apps", workload("Deployment"), "/spec/replicas", 0),
    ("statefulsets.apps", workload("StatefulSet", replicas=3), "/spec/replicas", 0),
    ("replicasets.apps", workload("ReplicaSet", replicas=1), "/spec/replicas", 0),
    ("replicationcontrollers", workload("ReplicationController", replicas=1), "/spec/replicas", 0),
    (
        "daemonsets.apps",
        workload("DaemonSet"),
        pointer("spec", "template", "spec", "nodeSelector", NOBODY),
        RUN_ID,
    ),
    ("jobs.batch", workload("Job", suspend=False), "/spec/suspend", True),
    ("cronjobs.batch", found("CronJob", spec={"schedule": "* * * * *"}), "/spec/suspend", True),
    (
        "networkpolicies.networking.k8s.io",
        found("NetworkPolicy", spec={"podSelector": {}, "egress": [{}]}),
        pointer("spec", "podSelector", "matchLabels", NOBODY),
        RUN_ID,
    ),
    (
        "ingresses.networking.k8s.io",
        found("Ingress", spec={"ingressClassName": "nginx", "rules": [{"host": "shop.example"}],
                               "tls": [{"hosts": ["shop.example"]}]}),
        "/spec/rules",
        Value.GONE,
    ),
    (
        "httproutes.gateway.networking.k8s.io",
        found("HTTPRoute", spec={"parentRefs": [{"name": "gw"}], "hostnames": ["shop.example"]}),
        "/spec/parentRefs",
        Value.GONE,
    ),
    ("grpcroutes.gateway.networking.k8s.io", found("GRPCRoute", spec={"hostnames": ["a"]}),
     "/spec/hostnames", Value.GONE),
    ("services", service("NodePort", HTTP), "/spec/type", "ClusterIP"),
    ("services", service("LoadBalancer", {"port": 80}), "/spec/type", "ClusterIP"),
    ("services", service("ClusterIP", {"port": 80}, externalIPs=["10.0.0.1"]), "/spec/externalIPs",
     Value.GONE),
    ("services", service("LoadBalancer", {"port": 80}, loadBalancerIP="10.0.0.1"),
     "/spec/loadBalancerIP", Value.GONE),
    ("services", service("ClusterIP", {"port": 80}), "/metadata/annotations", Value.GONE),
    ("secrets", found("Secret", metadata={"annotations": {"kubed.appscode.com/sync": "a=b"}}),
     pointer("metadata", "annotations", "kubed.appscode.com/sync"), Value.GONE),
    ("configmaps", found("ConfigMap", metadata={"annotations": {
        "reflector.v1.k8s.emberstack.com/reflects": "live/it"}}),
     pointer("metadata", "annotations", "reflector.v1.k8s.emberstack.com/reflects"), Value.GONE),
    ("persistentvolumeclaims", claim(), "/spec/volumeName", Value.GONE),
]  # fmt: skip


def at(one: Any, path: str) -> object:
    for step in path.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(one, dict) or key not in one:
            return Value.GONE
        one = one[key]
    return one


@pytest.mark.parametrize(("kind", "one", "path", "value"), HARMFUL)
def test_what_would_act_is_held_and_the_change_is_told(
    kind: str, one: dict[str, Any], path: str, value: object
) -> None:
    made = built(services=SERVICES)
    assert at(restored(made, kind, one), path) == value
    told = [change for change in made.changes if change.kind == kind and change.path == path]
    assert value in [change.value for change in told]
    assert all(change.namespaces == (SOURCE,) for change in told)


def explained(before: Any, after: Any, changes: list[Change]) -> None:
    """Applies the told changes to the object from the backup: nothing else may differ."""
    expected = copy.deepcopy(before)
    for change in changes:
        if change.names and before["metadata"]["name"] not in change.names:
            continue
        if change.was is not Value.ANY and at(before, change.path) != change.was:
            continue
        keys = [key.replace("~1", "/") for key in change.path.split("/")[1:]]
        place = expected
        for key in keys[:-1]:
            place = (
                place.setdefault(key, {}) if change.value is not Value.GONE else place.get(key, {})
            )
        if change.value is Value.GONE:
            place.pop(keys[-1], None)
        else:
            place[keys[-1]] = change.value
    assert _without_empty(after) == _without_empty(expected)


def _without_empty(one: Any) -> Any:
    """The API server keeps no empty map or list, so neither counts as a difference."""
    if isinstance(one, dict):
        kept = {key: _without_empty(value) for key, value in one.items()}
        return {key: value for key, value in kept.items() if value not in ({}, [])}
    return one


@pytest.mark.parametrize(("kind", "one", "_path", "_value"), HARMFUL)
def test_nothing_is_changed_beside_what_is_told(
    kind: str, one: dict[str, Any], _path: str, _value: object
) -> None:
    made = built(
        services=SERVICES,
        claims=Claims(copied=[(SOURCE, "data")], classes={"fast": "slow", "other": "x"}),
    )
    after = restored(made, kind, one)
    explained(one, after, [change for change in made.changes if change.kind == kind])


@pytest.mark.parametrize("kind", [*OBJECT_KINDS, "widgets.example.org"])
def test_no_finalizer_comes_along(kind: str) -> None:
    made = built(custom=["widgets.example.org"])
    one = found("Any", metadata={"finalizers": ["example.org/hold"]})
    assert "finalizers" not in restored(made, kind, one)["metadata"]
    told = [
        each for each in made.changes if (each.kind, each.path) == (kind, "/metadata/finalizers")
    ]
    assert [each.value for each in told] == [Value.GONE]


def test_an_untouched_kind_stays_as_it_was() -> None:
    one = found("ServiceAccount", imagePullSecrets=[{"name": "x"}])
    assert restored(built(), "serviceaccounts", one) == one


def test_other_namespaces_are_not_touched() -> None:
    one = workload("Deployment", replicas=3)
    one["metadata"]["namespace"] = "elsewhere"
    assert restored(built(), "deployments.apps", one) == one


def test_a_chosen_node_port_goes_and_the_rest_of_the_ports_stays() -> None:
    after = restored(built(services=SERVICES), "services", service("NodePort", HTTP))
    assert after["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": 8080}]


def test_an_ingress_catches_no_request() -> None:
    (one,) = [one for kind, one, *_ in HARMFUL if kind == "ingresses.networking.k8s.io"]
    spec = restored(built(), "ingresses.networking.k8s.io", one)["spec"]
    assert spec["ingressClassName"] == modifiers.INERT_NAME
    assert "tls" not in spec
    assert spec["defaultBackend"] == {
        "service": {"name": modifiers.INERT_NAME, "port": {"number": 1}}
    }


@pytest.mark.parametrize(
    "backend",
    [{"resource": {"kind": "Bucket"}}, {"service": {"name": "web", "port": {"name": "http"}}}],
)
def test_an_ingress_keeps_no_backend_of_its_own(backend: dict[str, Any]) -> None:
    one = found("Ingress", spec={"defaultBackend": backend})
    spec = restored(built(), "ingresses.networking.k8s.io", one)["spec"]
    assert spec["defaultBackend"] == {
        "service": {"name": modifiers.INERT_NAME, "port": {"number": 1}}
    }


CLAIMS = Claims(
    copied=[(SOURCE, "copied")],
    without_data=[(SOURCE, "bare"), (SOURCE, "bare-2")],
    classes={"fast": "drill-fast", "5": "five"},
)


def restored_claim(name: str, **spec: Any) -> dict[str, Any]:
    after = restored(built(claims=CLAIMS), "persistentvolumeclaims", claim(name, **spec))
    held: dict[str, Any] = after["spec"]
    return held


def test_a_claim_never_keeps_the_live_volume() -> None:
    assert "volumeName" not in restored_claim("data")


def test_a_claim_that_a_snapshot_fills_keeps_its_source() -> None:
    source = {"kind": "VolumeSnapshot", "name": "s", "apiGroup": "snapshot.storage.k8s.io"}
    assert restored_claim("data", dataSource=source)["dataSource"] == source


def test_a_copied_claim_forgets_what_it_was_once_made_from() -> None:
    source = {"kind": "VolumeSnapshot", "name": "gone"}
    spec = restored_claim("copied", dataSource=source, dataSourceRef=source)
    assert "dataSource" not in spec
    assert "dataSourceRef" not in spec
    assert "selector" not in spec


@pytest.mark.parametrize("name", ["bare", "bare-2"])
def test_a_claim_without_data_is_met_by_no_volume(name: str) -> None:
    spec = restored_claim(name, selector={"matchLabels": {"a": "b"}})
    assert spec["selector"]["matchLabels"] == {"a": "b", NOBODY: RUN_ID}


@pytest.mark.parametrize(
    ("old", "new"),
    [("fast", "drill-fast"), ("5", "five"), ("slow", "slow"), ("fast-2", "fast-2")],
)
def test_storage_classes_are_mapped_by_their_whole_name(old: str, new: str) -> None:
    assert restored_claim("data", storageClassName=old)["storageClassName"] == new


def test_a_claim_without_a_class_stays_without() -> None:
    one = claim()
    del one["spec"]["storageClassName"]
    after = restored(built(claims=CLAIMS), "persistentvolumeclaims", one)
    assert "storageClassName" not in after["spec"]


HELD = {Held(SOURCE, "web-0", ("data",)): pod()}


def restored_pod(one: dict[str, Any], *, waiter: bool = True) -> dict[str, Any]:
    made = built(held=HELD, idle=IDLE)
    return restored(made, "pods", as_velero_prepares(one, waiter=waiter))


def test_a_held_pod_idles_behind_its_waiter_and_mounts_read_only() -> None:
    after = restored_pod(pod())
    spec = after["spec"]
    (waiter,) = spec["initContainers"]
    assert (waiter["name"], waiter["args"]) == ("restore-wait", ["uid"])
    assert waiter["volumeMounts"] == [{"name": "data", "mountPath": "/restores/data"}]
    (idle,) = spec["containers"]
    assert (idle["image"], idle["command"]) == (IDLE.image, ["sleep", "infinity"])
    assert idle["volumeMounts"] == [
        {"name": "data", "mountPath": "/backstop/data", "readOnly": True}
    ]
    assert spec["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    assert set(after) == {"apiVersion", "kind", "metadata", "spec"}


def test_nothing_of_what_ran_is_left_but_where_it_may_run() -> None:
    after = restored_pod(pod())
    spec = after["spec"]
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert spec["tolerations"] == [{"key": "storage", "operator": "Exists"}]
    assert spec["affinity"] == {"nodeAffinity": {"x": 1}}
    assert not spec["automountServiceAccountToken"]
    for gone in ("hostNetwork", "serviceAccountName", "priorityClassName", "securityContext"):
        assert gone not in spec
    assert after["metadata"]["labels"] == run().labels()
    assert after["metadata"]["annotations"] == {}


def test_no_container_asks_for_more_than_baseline_allows() -> None:
    spec = restored_pod(pod())["spec"]
    for one in [*spec["initContainers"], *spec["containers"]]:
        context = one["securityContext"]
        assert not context.get("privileged")
        assert not context["allowPrivilegeEscalation"]
        assert context["capabilities"] == {"drop": ["ALL"], "add": ["DAC_OVERRIDE"]}


@pytest.mark.parametrize(
    ("one", "waiter"), [(pod(), False), (pod("other"), True), (pod("other"), False)]
)
def test_every_other_pod_starts_nowhere(one: dict[str, Any], waiter: bool) -> None:
    after = restored_pod(one, waiter=waiter)
    assert after["spec"]["nodeSelector"] == {NOBODY: RUN_ID}
    assert [each["image"] for each in after["spec"]["containers"]] == [IDLE.image]
    assert "initContainers" not in after["spec"]
    assert set(after) == {"apiVersion", "kind", "metadata", "spec"}


def test_a_share_of_the_live_one_is_never_mounted() -> None:
    spec = hold.specification(pod(), ["data", "share", "scratch", "unknown"], IDLE)
    assert spec["volumes"] == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "share", "emptyDir": {}},
        {"name": "scratch", "emptyDir": {}},
        {"name": "unknown", "emptyDir": {}},
    ]


@pytest.mark.parametrize(("phase", "held"), [("Running", True), ("Succeeded", False),
                                             ("Failed", False)])  # fmt: skip
def test_a_pod_that_has_ended_is_not_restored_by_velero(phase: str, held: bool) -> None:
    assert hold.can_be_held({"status": {"phase": phase}}) is held


def test_a_volume_that_velero_restores_as_it_was_is_reserved_for_nobody() -> None:
    one = found(
        "PersistentVolume",
        "pv-live",
        namespaced=False,
        spec={
            "csi": {"driver": "d", "volumeHandle": "live"},
            "claimRef": {"kind": "PersistentVolumeClaim", "namespace": "x", "name": "data",
                         "uid": "1", "resourceVersion": "2"},
            "persistentVolumeReclaimPolicy": "Delete",
        },
    )  # fmt: skip
    spec = restored(built(held=HELD, idle=IDLE), "persistentvolumes", one)["spec"]
    assert spec["persistentVolumeReclaimPolicy"] == "Retain"
    assert spec["claimRef"] == {
        "kind": "PersistentVolumeClaim",
        "namespace": MAPPING[SOURCE],
        "name": modifiers.INERT_NAME,
    }


def test_without_copies_no_pod_is_spoken_of() -> None:
    assert not [rule for rule in built().rules if rule.kind == "pods"]


def test_the_config_map_is_marked_and_has_one_key() -> None:
    made = built().config_map(run(), "velero")
    assert made["metadata"] == {
        "name": "backstop-drill-0123456789ab",
        "namespace": "velero",
        "labels": run().labels(),
    }
    assert list(made["data"]) == ["modifiers.yaml"]
    assert built().config_map(run(), "velero") == made


def test_too_many_rules_for_one_config_map_are_refused() -> None:
    many = {Held(SOURCE, f"web-{number}", ("data",)): pod() for number in range(1200)}
    with pytest.raises(TooManyRulesError, match="restore fewer namespaces"):
        built(held=many, idle=IDLE).config_map(run(), "velero")


NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,30}[a-z0-9])?", fullmatch=True)


@given(st.sets(NAMES, min_size=1, max_size=5), NAMES)
def test_rules_by_name_meet_these_names_and_no_others(names: set[str], other: str) -> None:
    rule = Rule("secrets", ("a",), {"x": 1}, names=tuple(names))
    conditions = rule.document()["conditions"]
    assert conditions["resourceNameRegex"] == exactly(tuple(names))
    for name in {*names, other, f"{other}x", f"x{min(names)}"}:
        one = {"metadata": {"name": name, "namespace": "a"}}
        after, _ = velero_rules.apply([rule.document()], "secrets", one)
        assert ("x" in after) is (name in names)


def test_a_value_whose_type_velero_would_guess_is_refused() -> None:
    rule = Rule("secrets", ("a",), operations=(("add", "/spec/x", "5"),))
    with pytest.raises(TypeError, match="guess the type of '5'"):
        rule.document()
