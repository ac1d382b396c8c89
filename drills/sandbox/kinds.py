"""Which kinds a drill restores into the cluster, and why each other one stays in the backup.

What is left out is still compared, in the backup's archive. The list says what may come, not what
may not: what an unknown kind sets in motion is unknown, for some operator acts on it. Names are
those of Velero, `<plural>.<group>`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

CLAIMS = "persistentvolumeclaims"
VOLUMES = "persistentvolumes"
PODS = "pods"
SNAPSHOTS = "volumesnapshots.snapshot.storage.k8s.io"

OBJECT_KINDS = (
    "configmaps",
    "cronjobs.batch",
    "daemonsets.apps",
    "deployments.apps",
    "grpcroutes.gateway.networking.k8s.io",
    "httproutes.gateway.networking.k8s.io",
    "ingresses.networking.k8s.io",
    "jobs.batch",
    "networkpolicies.networking.k8s.io",
    "poddisruptionbudgets.policy",
    "podtemplates",
    "replicasets.apps",
    "replicationcontrollers",
    "rolebindings.rbac.authorization.k8s.io",
    "roles.rbac.authorization.k8s.io",
    "secrets",
    "serviceaccounts",
    "services",
    "statefulsets.apps",
)

_RULES_OVER_PODS = "it would rule over the drill's own pods"
_DERIVED = "the cluster derives it from other objects"
_WHOLE_CLUSTER = "it rules the whole cluster, the live workloads included"
LEFT_OUT = {
    "apiservices.apiregistration.k8s.io": _WHOLE_CLUSTER,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": _WHOLE_CLUSTER,
    "validatingadmissionpolicies.admissionregistration.k8s.io": _WHOLE_CLUSTER,
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": _WHOLE_CLUSTER,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": _WHOLE_CLUSTER,
    "customresourcedefinitions.apiextensions.k8s.io": _WHOLE_CLUSTER,
    "namespaces": "the drill makes its own",
    "horizontalpodautoscalers.autoscaling": "it would scale what is held at zero",
    "limitranges": _RULES_OVER_PODS,
    "resourcequotas": _RULES_OVER_PODS,
    "controllerrevisions.apps": _DERIVED,
    "endpoints": _DERIVED,
    "endpointslices.discovery.k8s.io": _DERIVED,
    "leases.coordination.k8s.io": "it is a lock of a running program",
    "events": "Velero never restores it",
    "events.events.k8s.io": "Velero never restores it",
    PODS: "its workload makes it, and one without a workload would run",
    CLAIMS: "this drill restores no volumes",
    VOLUMES: "a restored claim gets a new one",
}


@dataclass(frozen=True)
class Present:
    """A kind in a backup and how many objects of it there are."""

    kind: str
    namespaced: bool
    count: int


@dataclass(frozen=True)
class NotRestored:
    """What is compared in the archive only, and why."""

    what: str
    count: int
    why: str


def restored(
    *, objects: bool, volumes: bool, copies: bool, custom: Collection[str] = ()
) -> list[str]:
    """The kinds to restore: `objects` of workloads, `volumes`, `copies` of file systems.

    A file-system copy is restored through its pod, and Velero starts no such restore where
    PersistentVolumes are left out (pkg/restore/restore.go, restoreItem, in 1.18). `custom`: further
    kinds that somebody knows to be harmless. Raises ValueError for one that is known not to be.
    """
    for kind in custom:
        if kind in LEFT_OUT:
            raise ValueError(f"drills restore no {kind}: {LEFT_OUT[kind]}; take it off the list")
        if "*" in kind or not kind:
            raise ValueError(f"{kind!r} names no kind; write <plural>.<group>")
    found = {*custom} if objects else set()
    found |= set(OBJECT_KINDS) if objects else set()
    found |= {CLAIMS, SNAPSHOTS} if volumes else set()
    found |= {PODS, VOLUMES} if volumes and copies else set()
    return sorted(found)


def not_restored(present: Iterable[Present], kinds: Collection[str]) -> tuple[NotRestored, ...]:
    """Every kind of the backup that is not in `kinds`, by name."""
    return tuple(
        NotRestored(one.kind, one.count, _why(one))
        for one in sorted(present, key=lambda one: one.kind)
        if one.kind not in kinds and one.count
    )


def _why(one: Present) -> str:
    if one.kind in LEFT_OUT:
        return LEFT_OUT[one.kind]
    if not one.namespaced:
        return "it belongs to no namespace, so it would replace or meet the live one"
    if one.kind in OBJECT_KINDS:
        return "this drill restores volumes only"
    return "an operator may act on it as on the live one"
