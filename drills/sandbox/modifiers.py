"""The resource modifiers of one restore: workloads at zero, nothing that reaches out of the fence.

Every rule is for the namespaces of this restore and returns what it changes, for the comparison.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from drills.coverage.live import namespace_of
from drills.sandbox import hold, kinds
from drills.sandbox.hold import NOBODY, Held, Idle
from drills.sandbox.marks import Run
from drills.sandbox.patches import Change, Rule
from kube.velero.api import Object, name

KEY = "modifiers.yaml"
INERT_NAME = "backstop-drill-nobody"
_TYPES_TO_CLOSE = ("LoadBalancer", "NodePort")
# etcd takes no object much larger (its request limit is 1.5 MiB, that of a ConfigMap 1 MiB).
MOST_BYTES = 1_000_000

# Controllers that copy objects between namespaces because of an annotation would carry the
# sandbox's copy to the live ones, or fill it from those: emberstack/kubernetes-reflector,
# mittwald/kubernetes-replicator, appscode/kubed.
COPYING_ANNOTATIONS = (
    "kubed.appscode.com/sync",
    "reflector.v1.k8s.emberstack.com/reflection-auto-enabled",
    "reflector.v1.k8s.emberstack.com/reflects",
    "replicator.v1.mittwald.de/replicate-from",
    "replicator.v1.mittwald.de/replicate-to",
    "replicator.v1.mittwald.de/replicate-to-matching",
)


_ROLES = ("rolebindings.rbac.authorization.k8s.io", "roles.rbac.authorization.k8s.io")


class TooManyRulesError(Exception):
    """The rules do not fit into one ConfigMap; the text is one sentence."""


@dataclass(frozen=True)
class Claims:
    """Claims of the restore by what becomes of them, each as namespace and name.

    `copied`: filled by a file-system copy. `without_data`: nothing fills them. `classes`: storage
    classes to replace, by their old names.
    """

    copied: Sequence[tuple[str, str]] = ()
    without_data: Sequence[tuple[str, str]] = ()
    classes: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Modifiers:
    """The rules of one restore in their order, and the differences they make."""

    rules: tuple[Rule, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(change for rule in self.rules for change in rule.changes())

    def config_map(self, run: Run, namespace: str) -> dict[str, Any]:
        """The ConfigMap in Velero's namespace; one key, for Velero refuses more.

        Raises TooManyRulesError.
        """
        document = {
            "version": "v1",
            "resourceModifierRules": [rule.document() for rule in self.rules],
        }
        text = yaml.safe_dump(document, sort_keys=True, width=1_000_000)
        if len(text.encode()) > MOST_BYTES:
            raise TooManyRulesError(
                f"holding back what would run needs {len(self.rules)} rules, more than one "
                "ConfigMap takes; restore fewer namespaces at once"
            )
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": run.name(), "namespace": namespace, "labels": run.labels()},
            "data": {KEY: text},
        }


def modifiers(
    run: Run,
    mapping: Mapping[str, str],
    *,
    services: Iterable[Object] = (),
    claims: Claims | None = None,
    held: Mapping[Held, Object] | None = None,
    idle: Idle | None = None,
    custom: Sequence[str] = (),
) -> Modifiers:
    """`mapping`: source namespaces and their sandboxes. `services`: as they are in the backup.

    `custom`: kinds that are restored beside those of kinds.py. `held`: pods that a file-system copy
    is restored through; with `idle`, pods are restored at all.
    """
    namespaces = tuple(sorted(mapping))
    rules = [
        *(Rule(kind, namespaces, merge) for kind, merge in _held_back(run.run_id)),
        *(Rule(kind, namespaces, _LET_GO) for kind in (*kinds.OBJECT_KINDS, *custom)),
        *_services(namespaces, services),
        *_claims(namespaces, run.run_id, claims or Claims()),
    ]
    if idle is not None:
        rules.append(_volumes(mapping))
        rules += hold.rules(held or {}, namespaces, run.labels(), run.run_id, idle)
    return Modifiers(tuple(rules))


def _held_back(run_id: str) -> Iterable[tuple[str, dict[str, Any]]]:
    nobody = {NOBODY: run_id}
    for kind in ("deployments.apps", "statefulsets.apps", "replicasets.apps"):
        yield kind, {"spec": {"replicas": 0}}
    yield "replicationcontrollers", {"spec": {"replicas": 0}}
    yield "daemonsets.apps", {"spec": {"template": {"spec": {"nodeSelector": nobody}}}}
    for kind in ("jobs.batch", "cronjobs.batch"):
        yield kind, {"spec": {"suspend": True}}
    # Policies add up: one that allows something would open the sandbox's own.
    selector = {"podSelector": {"matchLabels": nobody}}
    yield "networkpolicies.networking.k8s.io", {"spec": selector}
    # A rule without its host would catch every request that no other rule wants, so all rules go.
    yield "ingresses.networking.k8s.io", {"metadata": {"annotations": None}, "spec": _INERT_INGRESS}
    for kind in ("httproutes", "grpcroutes"):
        routes = {"parentRefs": None, "hostnames": None}
        inert = {"metadata": {"annotations": None}, "spec": routes}
        yield f"{kind}.gateway.networking.k8s.io", inert
    for kind in ("configmaps", "secrets", *_ROLES):
        yield kind, {"metadata": {"annotations": dict.fromkeys(COPYING_ANNOTATIONS)}}


# Whoever put a finalizer there would tidy up after the copy as if it were the live object; where
# nobody does, the sandbox would never go.
_LET_GO = {"metadata": {"finalizers": None}}
_INERT_INGRESS = {
    "ingressClassName": INERT_NAME,
    "rules": None,
    "tls": None,
    "defaultBackend": {
        "resource": None,
        "service": {"name": INERT_NAME, "port": {"name": None, "number": 1}},
    },
}
# What asks for something outside: an address of the cluster's nodes or of a load balancer. Orders
# to load balancers, meshes and name servers stand in annotations, of which there is no end.
_CLOSED_SERVICE = {
    "metadata": {"annotations": None},
    "spec": dict.fromkeys(
        (
            "allocateLoadBalancerNodePorts",
            "externalIPs",
            "externalTrafficPolicy",
            "healthCheckNodePort",
            "loadBalancerClass",
            "loadBalancerIP",
            "loadBalancerSourceRanges",
        )
    ),
}


def _services(namespaces: tuple[str, ...], services: Iterable[Object]) -> Iterable[Rule]:
    yield Rule("services", namespaces, _CLOSED_SERVICE)
    for kept in _TYPES_TO_CLOSE:
        closed = {"spec": {"type": "ClusterIP"}}
        yield Rule("services", namespaces, closed, matches=(("/spec/type", kept),))
    for service in services:
        spec = service.get("spec") or {}
        ports = spec.get("ports") or []
        # Velero keeps a node port that somebody chose, and a ClusterIP Service may have none.
        if spec.get("type") in _TYPES_TO_CLOSE and any("nodePort" in port for port in ports):
            kept_ports = [
                {key: value for key, value in port.items() if key != "nodePort"} for port in ports
            ]
            merge = {"spec": {"ports": kept_ports}}
            yield Rule("services", (namespace_of(service),), merge, names=(name(service),))


def _claims(namespaces: tuple[str, ...], run_id: str, claims: Claims) -> Iterable[Rule]:
    # By its name a claim would wait for the live volume, or get hold of it.
    yield Rule(kinds.CLAIMS, namespaces, {"spec": {"volumeName": None}})
    for old, new in sorted((claims.classes or {}).items()):
        merge = {"spec": {"storageClassName": new}}
        matches = (("/spec/storageClassName", old),)
        yield Rule(kinds.CLAIMS, namespaces, merge, matches=matches)
    # What a claim was once made from is not in the sandbox; a copy fills an empty volume.
    source = {"dataSource": None, "dataSourceRef": None}
    for namespace, names in _by_namespace(claims.copied):
        yield Rule(kinds.CLAIMS, (namespace,), {"spec": source}, names=names)
    # An empty volume would look restored; a claim that nothing meets takes no storage.
    unmet = {**source, "selector": {"matchLabels": {NOBODY: run_id}}}
    for namespace, names in _by_namespace(claims.without_data):
        yield Rule(kinds.CLAIMS, (namespace,), {"spec": unmet}, names=names)


def _by_namespace(claims: Iterable[tuple[str, str]]) -> list[tuple[str, tuple[str, ...]]]:
    found: dict[str, list[str]] = {}
    for namespace, called in sorted(claims):
        found.setdefault(namespace, []).append(called)
    return [(namespace, tuple(names)) for namespace, names in found.items()]


def _volumes(mapping: Mapping[str, str]) -> Rule:
    """For the PersistentVolumes that Velero restores as they were: kept ones without data.

    Such a volume names the live storage. It is reserved for a claim that nobody makes, so that
    nothing in the sandbox gets hold of it, and removing it removes no data.
    """
    sandbox = min(mapping.values())
    reserved = {"namespace": sandbox, "name": INERT_NAME, "uid": None, "resourceVersion": None}
    merge = {"spec": {"claimRef": reserved, "persistentVolumeReclaimPolicy": "Retain"}}
    return Rule(kinds.VOLUMES, (), merge)
