"""Each values key of the Velero chart that the program may set, and the field that it changes.

The same table holds for the official chart 12.1.0 and for our stand-in. A row says: with the key
at one sample and then at the other, that field of that object differs, and shows the sample.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SERVER, AGENT = "Deployment/velero", "DaemonSet/node-agent"
HOOK = "Job/velero-upgrade-crds"
ACCOUNT = "ServiceAccount/velero-server"

Path = tuple[str, ...]

# What every row starts from; it holds whatever makes the objects of the table appear.
BASE: dict[str, Any] = {
    "backupsEnabled": False,
    "snapshotsEnabled": False,
    "credentials": {"useSecret": True, "existingSecret": "store-credential"},
    "deployNodeAgent": True,
    "metrics": {
        "enabled": True,
        "serviceMonitor": {"enabled": True, "autodetect": False},
        "nodeAgentPodMonitor": {"enabled": True, "autodetect": False},
    },
}


@dataclass(frozen=True)
class Row:
    """`key` set to each of `samples` changes `field` of `object`; `given` is set as well.

    `shows`: the rendered field holds a sample that is a text or a number. `ours` is False where
    the stand-in refuses the key on purpose.
    """

    key: Path
    samples: tuple[Any, Any]
    object: str
    field: Path
    given: Mapping[str, Any] = field(default_factory=dict)
    shows: bool = True
    ours: bool = True

    @property
    def name(self) -> str:
        return f"{'.'.join(self.key)} -> {self.object} {'.'.join(self.field)}"


POD = ("spec", "template", "spec")
SERVER_CONTAINER = (*POD, "containers", "velero")
AGENT_CONTAINER = (*POD, "containers", "node-agent")
POD_METADATA = ("spec", "template", "metadata")
DIGESTS = ("sha256:" + "a" * 64, "sha256:" + "b" * 64)
RESOURCES = (
    {"requests": {"cpu": "100m", "memory": "64Mi"}},
    {"requests": {"cpu": "200m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}},
)
SECURITY = ({"runAsUser": 1000}, {"runAsUser": 2000})
CONTAINER_SECURITY = ({"readOnlyRootFilesystem": True}, {"allowPrivilegeEscalation": False})
TOLERATIONS = ([{"key": "a", "operator": "Exists"}], [{"key": "b", "operator": "Exists"}])
VOLUMES = ([{"name": "cache", "emptyDir": {}}], [])
MOUNTS = ([{"name": "cache", "mountPath": "/cache"}], [])
VARIABLES = ([{"name": "HTTPS_PROXY", "value": "one"}], [{"name": "HTTPS_PROXY", "value": "two"}])
TEXTS = ({"a.example/key": "one"}, {"a.example/key": "two"})
EXAMPLE_KEY = "a.example/key"


def _affinity(label: str) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": label, "operator": "Exists"}]}
    required = {"nodeSelectorTerms": [term]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def _everywhere(key: Path, samples: tuple[Any, Any], field: Path, **more: Any) -> list[Row]:
    """A key that reaches server, node agent and CRD job alike; `field` is inside the pod."""
    rows = []
    for name, container in ((SERVER, "velero"), (AGENT, "node-agent"), (HOOK, "velero")):
        steps = (*POD, *(container if step == "CONTAINER" else step for step in field))
        rows.append(Row(key, samples, name, steps, **more))
    return rows


def _flag(key: str, flag: str, samples: tuple[Any, Any], **more: Any) -> Row:
    path = (*SERVER_CONTAINER, "args", flag)
    return Row(("configuration", key), samples, SERVER, path, **more)


def _agent_flag(key: str, flag: str, samples: tuple[Any, Any]) -> Row:
    return Row(("configuration", key), samples, AGENT, (*AGENT_CONTAINER, "args", flag))


IMAGE = [
    *_everywhere(("image", "repository"), ("a/one", "a/two"), ("containers", "CONTAINER", "image")),
    *_everywhere(("image", "tag"), ("v1", "v2"), ("containers", "CONTAINER", "image")),
    *_everywhere(("image", "digest"), DIGESTS, ("containers", "CONTAINER", "image")),
    *_everywhere(
        ("image", "pullPolicy"),
        ("Always", "Never"),
        ("containers", "CONTAINER", "imagePullPolicy"),
    ),
    Row(("image", "imagePullSecrets"), (["one"], []), SERVER, (*POD, "imagePullSecrets", "one")),
    Row(("image", "imagePullSecrets"), (["one"], []), AGENT, (*POD, "imagePullSecrets", "one")),
]

SERVER_POD = [
    Row(("annotations",), TEXTS, SERVER, ("metadata", "annotations", EXAMPLE_KEY)),
    Row(("labels",), TEXTS, SERVER, ("metadata", "labels", EXAMPLE_KEY)),
    Row(("podAnnotations",), TEXTS, SERVER, (*POD_METADATA, "annotations", EXAMPLE_KEY)),
    Row(("podAnnotations",), TEXTS, AGENT, (*POD_METADATA, "annotations", EXAMPLE_KEY)),
    Row(("podLabels",), TEXTS, SERVER, (*POD_METADATA, "labels", EXAMPLE_KEY)),
    Row(("resources",), RESOURCES, SERVER, (*SERVER_CONTAINER, "resources")),
    Row(("podSecurityContext",), SECURITY, SERVER, (*POD, "securityContext")),
    Row(
        ("containerSecurityContext",),
        CONTAINER_SECURITY,
        SERVER,
        (*SERVER_CONTAINER, "securityContext"),
    ),
    Row(
        ("containerSecurityContext",),
        CONTAINER_SECURITY,
        HOOK,
        (*SERVER_CONTAINER, "securityContext"),
    ),
    Row(("priorityClassName",), ("one", "two"), SERVER, (*POD, "priorityClassName")),
    Row(
        ("terminationGracePeriodSeconds",),
        (60, 90),
        SERVER,
        (*POD, "terminationGracePeriodSeconds"),
    ),
    Row(("tolerations",), TOLERATIONS, SERVER, (*POD, "tolerations")),
    Row(("tolerations",), TOLERATIONS, HOOK, (*POD, "tolerations")),
    Row(("affinity",), (_affinity("one"), _affinity("two")), SERVER, (*POD, "affinity")),
    Row(("nodeSelector",), TEXTS, SERVER, (*POD, "nodeSelector", EXAMPLE_KEY)),
    Row(("nodeSelector",), TEXTS, HOOK, (*POD, "nodeSelector", EXAMPLE_KEY)),
    Row(("extraVolumes",), VOLUMES, SERVER, (*POD, "volumes", "cache")),
    Row(
        ("extraVolumeMounts",),
        MOUNTS,
        SERVER,
        (*SERVER_CONTAINER, "volumeMounts", "cache", "mountPath"),
    ),
    Row(
        ("initContainers",),
        (
            [{"name": "plugin", "image": "plugin:one"}],
            [{"name": "plugin", "image": "plugin:two"}],
        ),
        SERVER,
        (*POD, "initContainers", "plugin", "image"),
    ),
]

METRICS = [
    Row(("metrics", "enabled"), (True, False), "Service/velero", ()),
    Row(
        ("metrics", "scrapeInterval"),
        ("31s", "32s"),
        "ServiceMonitor/velero",
        ("spec", "endpoints"),
    ),
    Row(
        ("metrics", "scrapeTimeout"),
        ("8s", "9s"),
        "PodMonitor/node-agent",
        ("spec", "podMetricsEndpoints"),
    ),
    Row(
        ("metrics", "service", "annotations"),
        TEXTS,
        "Service/velero",
        ("metadata", "annotations", EXAMPLE_KEY),
    ),
    Row(
        ("metrics", "service", "labels"),
        TEXTS,
        "Service/velero",
        ("metadata", "labels", EXAMPLE_KEY),
    ),
    Row(
        ("metrics", "service", "type"),
        ("ClusterIP", "NodePort"),
        "Service/velero",
        ("spec", "type"),
    ),
    Row(
        ("metrics", "podAnnotations"),
        TEXTS,
        SERVER,
        (*POD_METADATA, "annotations", EXAMPLE_KEY),
        {"metrics": {"serviceMonitor": {"enabled": False}}},
    ),
    Row(
        ("metrics", "podAnnotations"),
        TEXTS,
        AGENT,
        (*POD_METADATA, "annotations", EXAMPLE_KEY),
        {"metrics": {"nodeAgentPodMonitor": {"enabled": False}}},
    ),
    Row(("metrics", "serviceMonitor", "enabled"), (True, False), "ServiceMonitor/velero", ()),
    Row(("metrics", "serviceMonitor", "autodetect"), (True, False), "ServiceMonitor/velero", ()),
    Row(
        ("metrics", "serviceMonitor", "additionalLabels"),
        TEXTS,
        "ServiceMonitor/velero",
        ("metadata", "labels", EXAMPLE_KEY),
    ),
    Row(
        ("metrics", "serviceMonitor", "annotations"),
        TEXTS,
        "ServiceMonitor/velero",
        ("metadata", "annotations", EXAMPLE_KEY),
    ),
    Row(("metrics", "nodeAgentPodMonitor", "enabled"), (True, False), "PodMonitor/node-agent", ()),
    Row(
        ("metrics", "nodeAgentPodMonitor", "autodetect"),
        (True, False),
        "PodMonitor/node-agent",
        (),
    ),
    Row(
        ("metrics", "nodeAgentPodMonitor", "additionalLabels"),
        TEXTS,
        "PodMonitor/node-agent",
        ("metadata", "labels", EXAMPLE_KEY),
    ),
    Row(
        ("metrics", "nodeAgentPodMonitor", "annotations"),
        TEXTS,
        "PodMonitor/node-agent",
        ("metadata", "annotations", EXAMPLE_KEY),
    ),
]

DEFINITIONS = [
    Row(("upgradeCRDs",), (True, False), HOOK, ()),
    Row(("upgradeJobResources",), RESOURCES, HOOK, (*SERVER_CONTAINER, "resources")),
    Row(("cleanUpCRDs",), (True, False), "Job/velero-cleanup-crds", (), ours=False),
]

FLAGS = [
    _flag("backupSyncPeriod", "--backup-sync-period", ("2m", "3m")),
    _flag("clientBurst", "--client-burst", (40, 50)),
    _flag("clientPageSize", "--client-page-size", (400, 500)),
    _flag("clientQPS", "--client-qps", (40, 50)),
    _flag("defaultBackupStorageLocation", "--default-backup-storage-location", ("one", "two")),
    _flag("defaultBackupTTL", "--default-backup-ttl", ("720h", "24h")),
    _flag("defaultItemOperationTimeout", "--default-item-operation-timeout", ("1h", "2h")),
    _flag("defaultRepoMaintainFrequency", "--default-repo-maintain-frequency", ("1h", "2h")),
    _flag("defaultSnapshotMoveData", "--default-snapshot-move-data", (True, False)),
    _flag("defaultVolumesToFsBackup", "--default-volumes-to-fs-backup", (True, False)),
    _flag("disableControllers", "--disable-controllers", ("gc", "schedule")),
    _flag("disableInformerCache", "--disable-informer-cache", (True, False)),
    _flag("features", "--features", ("EnableCSI", "EnableAPIGroupVersions")),
    _flag("fsBackupTimeout", "--fs-backup-timeout", ("1h", "2h")),
    _flag("garbageCollectionFrequency", "--garbage-collection-frequency", ("10m", "20m")),
    _flag("itemBlockWorkerCount", "--item-block-worker-count", (2, 3)),
    _flag("logFormat", "--log-format", ("json", "text")),
    _flag("logLevel", "--log-level", ("debug", "warning")),
    _flag("profilerAddress", "--profiler-address", ("localhost:1", "localhost:2")),
    _flag("restoreOnlyMode", "--restore-only", (True, False)),
    _flag("storeValidationFrequency", "--store-validation-frequency", ("10s", "20s")),
    _flag("terminatingResourceTimeout", "--terminating-resource-timeout", ("1m", "2m")),
    # The one uploader there is; without it nothing can be mutated, but it must be said.
    _flag("uploaderType", "--uploader-type", ("kopia", "kopia")),
    _agent_flag("dataMoverPrepareTimeout", "--data-mover-prepare-timeout", ("1h", "2h")),
    _agent_flag("features", "--features", ("EnableCSI", "EnableAPIGroupVersions")),
    _agent_flag("logFormat", "--log-format", ("json", "text")),
    _agent_flag("logLevel", "--log-level", ("debug", "warning")),
    _flag(
        "extraArgs",
        "--concurrent-backups",
        (["--concurrent-backups=1"], ["--concurrent-backups=2"]),
    ),
]

MAINTENANCE_KEY = ("configuration", "repositoryMaintenanceJob", "repositoryConfigData")
MAINTENANCE = [
    Row(
        (*MAINTENANCE_KEY, "name"),
        ("one", "two"),
        SERVER,
        (*SERVER_CONTAINER, "args", "--repo-maintenance-job-configmap"),
    ),
    Row(
        (*MAINTENANCE_KEY, "global"),
        ({"keepLatestMaintenanceJobs": 1}, {"keepLatestMaintenanceJobs": 2}),
        "ConfigMap/velero-repo-maintenance",
        ("data", "global"),
    ),
    Row(
        (*MAINTENANCE_KEY, "repositories"),
        (
            {"app-default-kopia": {"podResources": {"memoryLimit": "1Gi"}}},
            {"app-default-kopia": {"podResources": {"memoryLimit": "2Gi"}}},
        ),
        "ConfigMap/velero-repo-maintenance",
        ("data", "app-default-kopia"),
    ),
]

ENVIRONMENT = [
    Row(
        ("configuration", "extraEnvVars"),
        VARIABLES,
        SERVER,
        (*SERVER_CONTAINER, "env", "HTTPS_PROXY", "value"),
    ),
    Row(
        ("configuration", "extraEnvVars"),
        VARIABLES,
        AGENT,
        (*AGENT_CONTAINER, "env", "HTTPS_PROXY", "value"),
    ),
    Row(
        ("nodeAgent", "extraEnvVars"),
        VARIABLES,
        AGENT,
        (*AGENT_CONTAINER, "env", "HTTPS_PROXY", "value"),
    ),
    Row(
        ("credentials", "useSecret"),
        (True, False),
        SERVER,
        (*SERVER_CONTAINER, "env", "AWS_SHARED_CREDENTIALS_FILE"),
    ),
    Row(
        ("credentials", "existingSecret"),
        ("one", "two"),
        SERVER,
        (*POD, "volumes", "cloud-credentials", "secret", "secretName"),
    ),
    Row(
        ("credentials", "existingSecret"),
        ("one", "two"),
        AGENT,
        (*POD, "volumes", "cloud-credentials", "secret", "secretName"),
    ),
]

NODE_AGENT = [
    Row(("deployNodeAgent",), (True, False), AGENT, ()),
    Row(("nodeAgent", "annotations"), TEXTS, AGENT, ("metadata", "annotations", EXAMPLE_KEY)),
    Row(("nodeAgent", "labels"), TEXTS, AGENT, ("metadata", "labels", EXAMPLE_KEY)),
    Row(("nodeAgent", "podLabels"), TEXTS, AGENT, (*POD_METADATA, "labels", EXAMPLE_KEY)),
    Row(
        ("nodeAgent", "disableHostPath"),
        (True, False),
        AGENT,
        (*POD, "volumes", "host-pods"),
    ),
    Row(
        ("nodeAgent", "podVolumePath"),
        ("/one/pods", "/two/pods"),
        AGENT,
        (*POD, "volumes", "host-pods", "hostPath", "path"),
    ),
    Row(
        ("nodeAgent", "pluginVolumePath"),
        ("/one/plugins", "/two/plugins"),
        AGENT,
        (*POD, "volumes", "host-plugins", "hostPath", "path"),
    ),
    Row(("nodeAgent", "useScratchEmptyDir"), (True, False), AGENT, (*POD, "volumes", "scratch")),
    Row(("nodeAgent", "resources"), RESOURCES, AGENT, (*AGENT_CONTAINER, "resources")),
    Row(("nodeAgent", "podSecurityContext"), SECURITY, AGENT, (*POD, "securityContext")),
    Row(
        ("nodeAgent", "containerSecurityContext"),
        ({"privileged": True}, {"privileged": False}),
        AGENT,
        (*AGENT_CONTAINER, "securityContext", "privileged"),
    ),
    Row(("nodeAgent", "priorityClassName"), ("one", "two"), AGENT, (*POD, "priorityClassName")),
    Row(("nodeAgent", "tolerations"), TOLERATIONS, AGENT, (*POD, "tolerations")),
    Row(("nodeAgent", "affinity"), (_affinity("one"), _affinity("two")), AGENT, (*POD, "affinity")),
    Row(("nodeAgent", "nodeSelector"), TEXTS, AGENT, (*POD, "nodeSelector", EXAMPLE_KEY)),
    Row(
        ("nodeAgent", "extraArgs"),
        (["--node-agent-configmap=one"], ["--node-agent-configmap=two"]),
        AGENT,
        (*AGENT_CONTAINER, "args", "--node-agent-configmap"),
    ),
    Row(("nodeAgent", "extraVolumes"), VOLUMES, AGENT, (*POD, "volumes", "cache")),
    Row(
        ("nodeAgent", "extraVolumeMounts"),
        MOUNTS,
        AGENT,
        (*AGENT_CONTAINER, "volumeMounts", "cache", "mountPath"),
    ),
    Row(
        ("nodeAgent", "updateStrategy"),
        ({"type": "OnDelete"}, {"type": "RollingUpdate"}),
        AGENT,
        ("spec", "updateStrategy", "type"),
    ),
]

ACCESS = [
    Row(("rbac", "create"), (True, False), "RoleBinding/velero-server", ()),
    Row(("rbac", "clusterAdministrator"), (True, False), "ClusterRoleBinding/velero-server", ()),
    Row(
        ("rbac", "clusterAdministratorName"),
        ("one", "two"),
        "ClusterRoleBinding/velero-server",
        ("roleRef", "name"),
    ),
    Row(("serviceAccount", "server", "create"), (True, False), ACCOUNT, ()),
    Row(
        ("serviceAccount", "server", "name"),
        ("one", "two"),
        SERVER,
        (*POD, "serviceAccountName"),
    ),
    Row(
        ("serviceAccount", "server", "annotations"),
        TEXTS,
        ACCOUNT,
        ("metadata", "annotations", EXAMPLE_KEY),
    ),
    Row(
        ("serviceAccount", "server", "labels"),
        TEXTS,
        ACCOUNT,
        ("metadata", "labels", EXAMPLE_KEY),
    ),
]

LOCATION = {"name": "default", "provider": "aws", "bucket": "one", "config": {"region": "here"}}
OTHER = [
    Row(
        ("backupsEnabled",),
        (True, False),
        "BackupStorageLocation/default",
        (),
        {"configuration": {"backupStorageLocation": [LOCATION]}},
    ),
    Row(
        ("configuration", "backupStorageLocation"),
        ([LOCATION], [{**LOCATION, "bucket": "two"}]),
        "BackupStorageLocation/default",
        ("spec", "objectStorage", "bucket"),
        {"backupsEnabled": True},
    ),
    Row(
        ("snapshotsEnabled",),
        (True, False),
        "VolumeSnapshotLocation/default",
        (),
        {"configuration": {"volumeSnapshotLocation": [{"name": "default", "provider": "aws"}]}},
    ),
    Row(
        ("configMaps",),
        ({"one": {"data": {"key": "one"}}}, {"one": {"data": {"key": "two"}}}),
        "ConfigMap/velero-one",
        ("data", "key"),
    ),
]

ROWS: list[Row] = [
    *IMAGE,
    *SERVER_POD,
    *METRICS,
    *DEFINITIONS,
    *FLAGS,
    *MAINTENANCE,
    *ENVIRONMENT,
    *NODE_AGENT,
    *ACCESS,
    *OTHER,
]
KEYS: frozenset[Path] = frozenset(row.key for row in ROWS)
