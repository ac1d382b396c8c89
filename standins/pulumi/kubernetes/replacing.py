"""Which fields of which kinds cannot be changed in place: a change there replaces the object."""

from collections.abc import Sequence

from standins.pulumi.kubernetes.kinds import Kind
from standins.pulumi.kubernetes.settings import Settings
from standins.pulumi.kubernetes.values import Props, Value

Path = tuple[str | int, ...]
IDENTITY = ("metadata.name", "metadata.namespace")


def _words(names: str) -> list[str]:
    return names.split()


_WORKLOAD = ("spec.selector",)
_POD_FIELDS = _words(
    "affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases "
    "hostIPC hostNetwork hostPID hostname imagePullSecrets nodeName nodeSelector overhead "
    "preemptionPolicy priority priorityClassName readinessGates restartPolicy runtimeClassName "
    "schedulerName securityContext serviceAccount serviceAccountName shareProcessNamespace "
    "subdomain terminationGracePeriodSeconds volumes"
)
_CONTAINER_FIELDS = _words(
    "args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources "
    "securityContext stdin stdinOnce terminationMessagePath terminationMessagePolicy tty "
    "volumeDevices volumeMounts workingDir"
)
_VOLUME_SOURCES = _words(
    "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker "
    "gcePersistentDisk glusterfs hostPath iscsi local nfs photonPersistentDisk portworxVolume "
    "quobyte rbd scaleIO storageos vsphereVolume"
)

_FIELDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "PersistentVolume"): tuple(f"spec.{name}" for name in _VOLUME_SOURCES),
    ("", "PersistentVolumeClaim"): (
        "spec.accessModes",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeName",
    ),
    ("", "Pod"): (
        *(f"spec.{name}" for name in _POD_FIELDS),
        *(f"spec.containers.*.{name}" for name in _CONTAINER_FIELDS),
        *(f"spec.initContainers.*.{name}" for name in _CONTAINER_FIELDS),
    ),
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "Secret"): ("type",),
    ("", "Service"): ("spec.clusterIP",),
    ("apps", "DaemonSet"): _WORKLOAD,
    ("apps", "Deployment"): _WORKLOAD,
    ("apps", "StatefulSet"): (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch", "Job"): ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner"),
}


def fields(kind: Kind, wanted: Props, settings: Settings, *, patch: bool) -> Sequence[str]:
    """The fields whose change replaces an object of this kind; `*` stands for any index."""
    if patch:
        return IDENTITY
    more = _FIELDS.get((kind.group, kind.name), ())
    fixed = wanted.get("immutable") is True
    if kind.group == "" and kind.name == "Secret" and (fixed or not settings.secret_mutable):
        more = ("type", "stringData", "data")
    if kind.group == "" and kind.name == "ConfigMap" and (fixed or not settings.config_map_mutable):
        more = ("binaryData", "data")
    return (*IDENTITY, *more)


def replaces(path: Path, value: Value, patterns: Sequence[str]) -> bool:
    """Whether a change at `path` to `value` (None: removed) touches one of the fields."""
    return any(_touches(path, value, pattern.split(".")) for pattern in patterns)


def _touches(path: Path, value: Value, pattern: list[str]) -> bool:
    for step, wanted in zip(path, pattern, strict=False):
        if step != wanted and not (wanted == "*" and isinstance(step, int)):
            return False
    return _holds(value, pattern[len(path) :])


def _holds(value: Value, rest: list[str]) -> bool:
    if not rest:
        return True
    if rest[0] == "*":
        return isinstance(value, list) and any(_holds(item, rest[1:]) for item in value)
    return isinstance(value, dict) and rest[0] in value and _holds(value[rest[0]], rest[1:])
