"""What a lived-in cluster holds, as somebody applies it: every kind that a restore treats apart."""

import base64
from typing import Any

from drills.objects.keys import UNPACKABLE_NAME_BYTES
from drills.objects.truth import Listed, listed
from tests.support.kube_api import KubeApi

Content = dict[str, Any]

RBAC = "rbac.authorization.k8s.io"
LONGEST = "x" * UNPACKABLE_NAME_BYTES


def secret_text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _pod_spec(**more: Any) -> Content:
    return {"containers": [{"name": "main", "image": "registry.example/app:1", "env": [
        {"name": "MODE", "value": "live"}]}], **more}  # fmt: skip


def _template(app: str, **more: Any) -> Content:
    return {"metadata": {"labels": {"app": app}}, "spec": _pod_spec(**more)}


def _meta(name: str, **more: Any) -> Content:
    return {"name": name, **more}


DEFINITION: Content = {
    "metadata": {"name": "widgets.example.org"},
    "spec": {
        "group": "example.org", "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
        "versions": [{
            "name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        }],
    },
}  # fmt: skip


def cluster_objects() -> list[tuple[str, Content]]:
    """(collection, object) without a namespace."""
    return [
        ("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", DEFINITION),
        ("/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": _meta("gold"), "value": 1000}),
        ("/apis/storage.k8s.io/v1/storageclasses", {
            "metadata": _meta("fast"), "provisioner": "none.example"}),
        (f"/apis/{RBAC}/v1/clusterroles", {"metadata": _meta("reader"), "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
        (f"/apis/{RBAC}/v1/clusterrolebindings", {
            "metadata": _meta("reader"),
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "web", "namespace": "shop"}]}),
        ("/api/v1/persistentvolumes", {"metadata": _meta("pv-1"), "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "fast",
            "hostPath": {"path": "/tmp/none"},
            "claimRef": {"namespace": "shop", "name": "bound"}}}),
    ]  # fmt: skip


def _services(core: str) -> list[tuple[str, Content]]:
    port = {"port": 80, "targetPort": 8080}
    selector = {"app": "web"}
    return [
        (f"{core}/services", {"metadata": _meta("web"), "spec": {
            "selector": selector, "ports": [port]}}),
        (f"{core}/services", {"metadata": _meta("headless"), "spec": {
            "selector": selector, "clusterIP": "None", "ports": [port]}}),
        (f"{core}/services", {"metadata": _meta("node"), "spec": {
            "type": "NodePort", "selector": selector, "ports": [port]}}),
        (f"{core}/services", {"metadata": _meta("balanced"), "spec": {
            "type": "LoadBalancer", "externalTrafficPolicy": "Local", "selector": selector,
            "ports": [port]}}),
        (f"{core}/services", {"metadata": _meta("outside"), "spec": {
            "type": "ExternalName", "externalName": "db.example.org"}}),
        (f"{core}/services", {"metadata": _meta("legacy"), "spec": {"ports": [port]}}),
        (f"{core}/endpoints", {"metadata": _meta("legacy"), "subsets": [
            {"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 8080}]}]}),
    ]  # fmt: skip


def _settings(core: str) -> list[tuple[str, Content]]:
    return [
        (f"{core}/configmaps", {"metadata": _meta("settings", labels={"tier": "gold"}),
                                "data": {"app.conf": "a=1\n", "empty": ""}, "immutable": True}),
        (f"{core}/configmaps", {"metadata": _meta("binary", finalizers=["example.org/hold"]),
                                "binaryData": {"blob": secret_text("\x00\x01")}}),
        (f"{core}/configmaps", {"metadata": _meta(LONGEST), "data": {"a": "1"}}),
        (f"{core}/secrets", {"metadata": _meta("db"), "stringData": {
            "password": "hunter2hunter2"}}),
        (f"{core}/secrets", {"metadata": _meta("pull"), "type": "kubernetes.io/dockerconfigjson",
                             "stringData": {".dockerconfigjson": "{}"}}),
        (f"{core}/serviceaccounts", {"metadata": _meta("web"), "imagePullSecrets": [
            {"name": "pull"}]}),
        (f"{core}/secrets", {"type": "kubernetes.io/service-account-token", "metadata": _meta(
            "web-own", annotations={"kubernetes.io/service-account.name": "web"})}),
        (f"{core}/resourcequotas", {"metadata": _meta("quota"), "spec": {
            "hard": {"pods": "50", "requests.storage": "4096Mi"}}}),
        (f"{core}/limitranges", {"metadata": _meta("limits"), "spec": {"limits": [{
            "type": "Container", "default": {"cpu": "1000m"}, "defaultRequest": {"cpu": "0.1"}}]}}),
        (f"{core}/persistentvolumeclaims", {"metadata": _meta("bound"), "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "volumeName": "pv-1",
            "resources": {"requests": {"storage": "1Gi"}}}}),
        (f"{core}/persistentvolumeclaims", {"metadata": _meta("pending"), "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
            "resources": {"requests": {"storage": "1Mi"}}}}),
    ]  # fmt: skip


def _workloads(core: str, apps: str, batch: str) -> list[tuple[str, Content]]:
    select = {"matchLabels": {"app": "web"}}
    return [
        (f"{apps}/deployments", {"metadata": _meta("web", labels={"tier": "gold"}), "spec": {
            "replicas": 2, "selector": select, "template": _template("web")}}),
        (f"{apps}/statefulsets", {"metadata": _meta("db"), "spec": {
            "serviceName": "headless", "replicas": 1, "selector": {"matchLabels": {"app": "db"}},
            "template": _template("db"), "volumeClaimTemplates": [{
                "metadata": {"name": "data"}, "spec": {
                    "accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
                    "resources": {"requests": {"storage": "1Mi"}}}}]}}),
        (f"{apps}/daemonsets", {"metadata": _meta("agent"), "spec": {
            "selector": {"matchLabels": {"app": "agent"}}, "template": _template("agent")}}),
        (f"{batch}/jobs", {"metadata": _meta("once"), "spec": {"template": {
            "spec": _pod_spec(restartPolicy="Never")}}}),
        (f"{batch}/cronjobs", {"metadata": _meta("nightly"), "spec": {
            "schedule": "0 3 1 1 *", "jobTemplate": {"spec": {"template": {
                "spec": _pod_spec(restartPolicy="Never")}}}}}),
        (f"{core}/pods", {"metadata": _meta("lone", labels={"app": "lone"}), "spec": _pod_spec(
            serviceAccountName="web", priorityClassName="gold",
            volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "bound"}},
                     {"name": "t", "emptyDir": {}}])}),
    ]  # fmt: skip


def _rules(namespace: str) -> list[tuple[str, Content]]:
    rbac = f"/apis/{RBAC}/v1/namespaces/{namespace}"
    net = f"/apis/networking.k8s.io/v1/namespaces/{namespace}"
    role = {"apiGroup": RBAC, "kind": "Role", "name": "read"}
    port = {"name": "web", "port": {"number": 80}}
    return [
        (f"{rbac}/roles", {"metadata": _meta("read"), "rules": [
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]}),
        (f"{rbac}/rolebindings", {"metadata": _meta("read"), "roleRef": role, "subjects": [
            {"kind": "ServiceAccount", "name": "web", "namespace": namespace},
            {"kind": "ServiceAccount", "name": "ops", "namespace": "elsewhere"},
            {"kind": "User", "name": "ann", "apiGroup": RBAC}]}),
        (f"{net}/networkpolicies", {"metadata": _meta("deny"), "spec": {
            "podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}},
            ]}]}}),
        (f"{net}/ingresses", {"metadata": _meta("web"), "spec": {"rules": [{
            "host": "shop.example", "http": {"paths": [{
                "path": "/", "pathType": "Prefix", "backend": {"service": port}}]}}]}}),
        (f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets", {
            "metadata": _meta("web"), "spec": {
                "minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}),
        (f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers", {
            "metadata": _meta("web"), "spec": {"maxReplicas": 3, "scaleTargetRef": {
                "apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}),
        (f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases", {
            "metadata": _meta("leader"), "spec": {"holderIdentity": "web-1"}}),
        (f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices", {
            "metadata": _meta("own", labels={"kubernetes.io/service-name": "legacy"}),
            "addressType": "IPv4", "endpoints": [{"addresses": ["192.0.2.2"]}],
            "ports": [{"port": 80}]}),
        (f"/apis/example.org/v1/namespaces/{namespace}/widgets", {
            "apiVersion": "example.org/v1", "kind": "Widget", "metadata": _meta("one"),
            "spec": {"whole": 2.0, "part": 0.25, "none": None, "empty": {}, "list": [],
                     "password": "hunter2hunter2"}, "status": {"ready": True}}),
    ]  # fmt: skip


def namespaced_objects(namespace: str) -> list[tuple[str, Content]]:
    """(collection, object) of one namespace."""
    core = f"/api/v1/namespaces/{namespace}"
    apps = f"/apis/apps/v1/namespaces/{namespace}"
    batch = f"/apis/batch/v1/namespaces/{namespace}"
    return [*_settings(core), *_services(core), *_workloads(core, apps, batch), *_rules(namespace)]


def everything(api: KubeApi, verbs: frozenset[str]) -> Listed:
    """Every object of every kind that has these verbs, in its preferred version."""
    versions = ["v1", *(group["preferredVersion"]["groupVersion"]
                        for group in api.request("GET", "/apis")["groups"])]  # fmt: skip
    for version in versions:
        place = f"/api/{version}" if version == "v1" else f"/apis/{version}"
        for kind in api.request("GET", place)["resources"]:
            if "/" in kind["name"] or not verbs <= set(kind["verbs"]):
                continue
            group = version.partition("/")[0] if "/" in version else ""
            resource = f"{kind['name']}.{group}" if group else kind["name"]
            items = api.request("GET", f"{place}/{kind['name']}")["items"]
            yield from listed(resource, version, kind["kind"], items)
