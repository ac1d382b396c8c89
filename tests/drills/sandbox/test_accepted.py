"""A real API server and its controllers take what a drill makes, and hold what it restores.

What Velero would create is created here as its modifiers leave it, strictly, into a real fence, and
beside it the same without them. No container runs here: what runs are the pods that are made.
"""

import copy
import time
from collections.abc import Iterator
from typing import Any

import pytest

from drills.sandbox import fence, leases
from drills.sandbox.hold import Held, Idle
from drills.sandbox.kinds import CLAIMS
from drills.sandbox.marks import Run
from drills.sandbox.modifiers import Claims, modifiers
from drills.sandbox.plan import plan
from drills.sandbox.volumes import StorageClass
from drills.sandbox.wish import Contents, Wish
from tests.drills.sandbox import samples, velero_rules
from tests.drills.sandbox.definitions import definition
from tests.drills.sandbox.runs import NOW, run
from tests.drills.sandbox.samples import found
from tests.support.kube_api import CONTROLLERS, KubeApi, RefusedError, running_kube_api

pytestmark = pytest.mark.tools

STRICT = "?fieldValidation=Strict"
SECONDS = 60.0
LABELS = {"app": "web"}
TEMPLATE = {
    "metadata": {"labels": LABELS},
    "spec": {"containers": [{"name": "web", "image": "shop:1"}]},
}
ONCE = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}
SELECTOR = {"matchLabels": LABELS}
BACKEND = {"service": {"name": "web", "port": {"name": "http"}}}
PATHS = {
    "deployments.apps": "/apis/apps/v1",
    "statefulsets.apps": "/apis/apps/v1",
    "replicasets.apps": "/apis/apps/v1",
    "daemonsets.apps": "/apis/apps/v1",
    "jobs.batch": "/apis/batch/v1",
    "cronjobs.batch": "/apis/batch/v1",
    "networkpolicies.networking.k8s.io": "/apis/networking.k8s.io/v1",
    "ingresses.networking.k8s.io": "/apis/networking.k8s.io/v1",
}
SERVICES = [
    samples.service("NodePort", {"name": "http", "port": 80, "nodePort": 30080, "protocol": "TCP"}),
    samples.service("LoadBalancer", {"name": "http", "port": 80}, externalTrafficPolicy="Local",
                    loadBalancerIP="10.0.0.1", allocateLoadBalancerNodePorts=True),
]  # fmt: skip
for number, service in enumerate(SERVICES):
    service["metadata"]["name"] = f"web-{number}"


def versioned(group: str, kind: str, name: str = "web", **more: Any) -> dict[str, Any]:
    return {**found(kind, name, **more), "apiVersion": group}


WORKLOADS = [
    ("deployments.apps", versioned("apps/v1", "Deployment", spec={
        "replicas": 2, "selector": SELECTOR, "template": TEMPLATE})),
    ("statefulsets.apps", versioned("apps/v1", "StatefulSet", spec={
        "replicas": 2, "serviceName": "web", "selector": SELECTOR, "template": TEMPLATE})),
    ("replicasets.apps", versioned("apps/v1", "ReplicaSet", "lone", spec={
        "replicas": 2, "selector": SELECTOR, "template": TEMPLATE})),
    ("replicationcontrollers", found("ReplicationController", spec={
        "replicas": 2, "selector": LABELS, "template": TEMPLATE})),
    ("daemonsets.apps", versioned("apps/v1", "DaemonSet", spec={
        "selector": SELECTOR, "template": TEMPLATE})),
    ("jobs.batch", versioned("batch/v1", "Job", spec={"template": ONCE})),
]  # fmt: skip
OTHERS = [
    ("cronjobs.batch", versioned("batch/v1", "CronJob", spec={
        "schedule": "* * * * *", "jobTemplate": {"spec": {"template": ONCE}}})),
    ("networkpolicies.networking.k8s.io", versioned("networking.k8s.io/v1", "NetworkPolicy", spec={
        "podSelector": {}, "egress": [{}], "policyTypes": ["Egress"]})),
    ("ingresses.networking.k8s.io", versioned("networking.k8s.io/v1", "Ingress", spec={
        "ingressClassName": "nginx", "defaultBackend": BACKEND, "tls": [{"hosts": ["shop.test"]}],
        "rules": [{"host": "shop.test", "http": {"paths": [
            {"path": "/", "pathType": "Prefix", "backend": BACKEND}]}}]})),
    ("secrets", found("Secret", type="Opaque", stringData={"a": "b"}, metadata={
        "annotations": {"kubed.appscode.com/sync": "x=y"}})),
    ("configmaps", found("ConfigMap", data={"a": "b"})),
    *(("services", one) for one in SERVICES),
]  # fmt: skip
HELD = {Held(samples.SOURCE, "web-0", ("data", "scratch")): samples.pod()}
VALID_AFFINITY = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
    {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}]}}  # fmt: skip


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    controllers = (*CONTROLLERS, "replicationcontroller-controller")
    with running_kube_api(tmp_path_factory.mktemp("kube"), controllers) as running:
        # One node, so that a DaemonSet has somewhere to go; a new one is tainted as not ready.
        running.request("POST", "/api/v1/nodes", {"metadata": {"name": "cp1"}})
        running.patch("/api/v1/nodes/cp1", {"spec": {"taints": None}})
        yield running


def sandbox(api: KubeApi, one: Run, *, pods: int) -> str:
    """A whole fence, as a drill sets it up."""
    called = one.name(samples.SOURCE)
    api.request("POST", f"/api/v1/namespaces{STRICT}", fence.namespace(one, called))
    network = f"/apis/networking.k8s.io/v1/namespaces/{called}/networkpolicies{STRICT}"
    api.request("POST", network, fence.deny_all(one, called))
    quotas = f"/api/v1/namespaces/{called}/resourcequotas"
    api.request("POST", quotas + STRICT, fence.quota(one, called, pods=pods, storage="50Gi"))
    settled(lambda: api.request("GET", f"{quotas}/{fence.QUOTA}")["status"].get("hard"))
    settled(lambda: api.exists(f"/api/v1/namespaces/{called}/serviceaccounts/default"))
    return called


def settled(look: Any) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (seen := look()):
        assert time.monotonic() < deadline, "the controllers did nothing"
        time.sleep(0.2)
    return seen


def create(api: KubeApi, namespace: str, kind: str, one: dict[str, Any]) -> Any:
    made = copy.deepcopy(one)
    made["metadata"]["namespace"] = namespace
    root = PATHS.get(kind, "/api/v1")
    plural = kind.split(".", maxsplit=1)[0]
    return api.request("POST", f"{root}/namespaces/{namespace}/{plural}{STRICT}", made)


def pods_in(api: KubeApi, namespace: str) -> list[str]:
    found_ = api.request("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]
    return sorted(one["metadata"]["name"] for one in found_)


def rules(one: Run, **more: Any) -> list[dict[str, Any]]:
    made = modifiers(one, one.namespaces([samples.SOURCE]), services=SERVICES, **more)
    return velero_rules.parse(made.config_map(one, "velero"))


def held_back(parsed: list[dict[str, Any]], kind: str, one: dict[str, Any]) -> dict[str, Any]:
    after, errors = velero_rules.apply(parsed, kind, one)
    assert not errors
    assert isinstance(after, dict)
    return after


def apart(number: int, kind: str, one: dict[str, Any]) -> dict[str, Any]:
    """The workload with a name and labels of its own, or one would adopt the other's pods."""
    made, labels = copy.deepcopy(one), {"app": f"web-{number}"}
    made["metadata"]["name"] = f"web-{number}"
    made["spec"]["template"]["metadata"] = {"labels": labels}
    if kind != "jobs.batch":
        plain = kind == "replicationcontrollers"
        made["spec"]["selector"] = labels if plain else {"matchLabels": labels}
    return made


def test_what_is_restored_is_accepted_and_nothing_of_it_runs(api: KubeApi) -> None:
    one = run("held")
    namespace, parsed = sandbox(api, one, pods=0), rules(one)
    for kind, each in [*WORKLOADS, *OTHERS]:
        create(api, namespace, kind, held_back(parsed, kind, each))
    # The same without the modifiers, made later: when those run, these would.
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "unheld"}})
    settled(lambda: api.exists("/api/v1/namespaces/unheld/serviceaccounts/default"))
    for number, (kind, each) in enumerate(WORKLOADS):
        create(api, "unheld", kind, apart(number, kind, each))
    settled(
        lambda: all(
            any(pod.startswith(f"web-{number}-") for pod in pods_in(api, "unheld"))
            for number in range(len(WORKLOADS))
        )
    )
    assert pods_in(api, namespace) == []
    jobs = api.request("GET", f"/apis/batch/v1/namespaces/{namespace}/jobs")["items"]
    assert [job["metadata"]["name"] for job in jobs] == ["web"]


@pytest.mark.parametrize(
    ("run_id", "kind", "one", "says"),
    [
        ("nodeport", "services", SERVICES[0], "services.nodeports"),
        ("balancer", "services", SERVICES[1], "services.loadbalancers"),
        ("host", "pods", found("Pod", spec={**TEMPLATE["spec"], "hostNetwork": True}), "PodSec"),
        ("surplus", "pods", found("Pod", spec=TEMPLATE["spec"]), "exceeded quota"),
    ],
)
def test_the_fence_refuses_what_the_modifiers_would_have_let_through(
    api: KubeApi, run_id: str, kind: str, one: dict[str, Any], says: str
) -> None:
    with pytest.raises(RefusedError, match=says):
        create(api, sandbox(api, run(run_id), pods=0), kind, one)


def test_pods_that_hold_copies_are_accepted_and_others_start_nowhere(api: KubeApi) -> None:
    one = run("copies")
    namespace = sandbox(api, one, pods=2)
    source = samples.pod(spec={"affinity": {"nodeAffinity": VALID_AFFINITY}})
    parsed = rules(one, held={next(iter(HELD)): source}, idle=Idle("helper:1"))
    waiting = samples.as_velero_prepares(source)
    held = create(api, namespace, "pods", held_back(parsed, "pods", waiting))
    assert [each["name"] for each in held["spec"]["initContainers"]] == ["restore-wait"]
    assert held["spec"]["affinity"] == {"nodeAffinity": VALID_AFFINITY}
    other = samples.as_velero_prepares(samples.pod("web-1"), waiter=False)
    create(api, namespace, "pods", held_back(parsed, "pods", other))
    # A workload at zero removes pods that it takes for its own.
    kind, workload = WORKLOADS[2]
    create(api, namespace, kind, held_back(parsed, kind, workload))
    path = f"/apis/apps/v1/namespaces/{namespace}/replicasets/lone"
    settled(lambda: "observedGeneration" in api.request("GET", path)["status"])
    assert pods_in(api, namespace) == ["web-0", "web-1"]


def live_volume(called: str, namespace: str) -> dict[str, Any]:
    """A kept volume as Velero restores it: with the live storage, mapped to the sandbox's claim."""
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "storageClassName": "fast",
        "persistentVolumeReclaimPolicy": "Retain",
        "nfs": {"server": "10.0.0.9", "path": "/live"},
        "claimRef": {"kind": "PersistentVolumeClaim", "namespace": namespace, "name": "data"},
    }
    metadata = {"name": called}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec}


def test_claims_without_data_and_volumes_of_the_live_one_never_meet(api: KubeApi) -> None:
    one = run("claims")
    namespace, volumes = sandbox(api, one, pods=0), f"/api/v1/persistentvolumes{STRICT}"
    bare = Claims(without_data=[(samples.SOURCE, "data")])
    parsed = rules(one, claims=bare, held={}, idle=Idle("helper:1"))
    volume = held_back(parsed, "persistentvolumes", live_volume("pv-live", namespace))
    api.request("POST", volumes, volume)
    wanted = samples.claim(volumeName="pv-live")
    create(api, namespace, CLAIMS, held_back(parsed, CLAIMS, wanted))
    # The same without the modifiers, made later: when those are bound, these would be.
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "grabs"}})
    api.request("POST", volumes, live_volume("pv-2", "grabs"))
    create(api, "grabs", CLAIMS, samples.claim(volumeName="pv-2"))
    claim = "/api/v1/namespaces/{}/persistentvolumeclaims/data"
    settled(lambda: phase(api, claim.format("grabs")) == "Bound")
    assert phase(api, claim.format(namespace)) == "Pending"
    settled(lambda: phase(api, "/api/v1/persistentvolumes/pv-live") == "Available")


def phase(api: KubeApi, path: str) -> str:
    return str(api.request("GET", path)["status"].get("phase"))


def test_a_lease_is_held_by_one(api: KubeApi) -> None:
    path = f"/apis/coordination.k8s.io/v1/namespaces/default/leases{STRICT}"
    first, second = run("first"), run("second")
    api.request("POST", path, leases.content(first, "default", NOW, by="process 7 on here"))
    with pytest.raises(RefusedError) as refused:
        api.request("POST", path, leases.content(second, "default", NOW))
    assert refused.value.status == 409
    held = api.request("GET", path.replace("leases?", "leases/backstop-drill-kube-objects?"))
    assert (
        str(leases.holder(held)) == "run first (process 7 on here), since 12:00:00 UTC by its clock"
    )


def test_the_restore_object_is_accepted(api: KubeApi) -> None:
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    made = definition("restores")
    api.request("POST", definitions, made)
    name = made["metadata"]["name"]
    settled(lambda: any(
        one["type"] == "Established" and one["status"] == "True"
        for one in api.request("GET", f"{definitions}/{name}")["status"].get("conditions") or ()
    ))  # fmt: skip
    wish = Wish(objects=True, volumes=True, seconds=600)
    found_ = plan(run(), "daily-1", Contents(("shop",)), wish,
                  classes={"fast": StorageClass("d", waits=False)},
                  velero_namespace="default")  # fmt: skip
    path = f"/apis/velero.io/v1/namespaces/default/restores{STRICT}"
    settled(lambda: _served(api, path))
    held = api.request("POST", path, found_.restore)
    assert held["spec"] == found_.restore["spec"]
    api.request("POST", f"/api/v1/namespaces/default/configmaps{STRICT}", found_.config_map)


def _served(api: KubeApi, path: str) -> bool:
    try:
        return bool(api.request("GET", path.partition("?")[0]))
    except RefusedError:
        return False
