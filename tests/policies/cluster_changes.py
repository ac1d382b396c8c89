"""Changes to the cluster's part of the sound stack: each breaks one rule, or only looks like it."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from policies.plain import UNKNOWN, Resource
from tests.policies.change import Change, Stack
from tests.policies.sound_cluster import CLOUD, KUBECONFIG, NAMESPACE, STORE, in_base64
from tests.policies.sound_stack import resource

PROVIDER = "pulumi:providers:kubernetes"
RELEASE = "kubernetes:helm.sh/v3:Release"
LOCATION = "kubernetes:velero.io/v1:BackupStorageLocation"
SCHEDULE = "kubernetes:velero.io/v1:Schedule"
CLASS = "kubernetes:snapshot.storage.k8s.io/v1:VolumeSnapshotClass"
TARGET = "kubernetes:longhorn.io/v1beta2:BackupTargetPatch"
SECRET = "kubernetes:core/v1:Secret"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
LOCAL = "command:local:Command"
LABEL = "velero.io/csi-volumesnapshot-class"

At = tuple[str, str]
VELERO: At = (RELEASE, "velero")
BSL: At = (LOCATION, "default")
DAILY: At = (SCHEDULE, "daily")
HOURLY: At = (SCHEDULE, "hourly")
SNAPSHOTS: At = (CLASS, "longhorn-backup")
STORE_VOLUME: At = ("kubernetes:core/v1:PersistentVolume", "store")
DEV: At = (PROVIDER, "dev")
REPOSITORY: At = (SECRET, "velero-repo-credentials")
DRILL: At = (LOCAL, "drill-kube-objects")


def with_inner(value: object, path: tuple[str, ...], new: object) -> object:
    """A copy of nested objects with the value at `path` replaced; `...` removes it."""
    if not path:
        return new
    fields = dict(value) if isinstance(value, Mapping) else {}
    inner = with_inner(fields.get(path[0]), path[1:], new)
    if inner is ...:
        fields.pop(path[0], None)
    else:
        fields[path[0]] = inner
    return fields


def inner_changed(stack: Stack, at: At, path: str, new: object) -> Stack:
    """The stack with one value inside one resource replaced; LookupError if it is not there."""
    if not any((r.type, r.name) == at for r in stack):
        raise LookupError(f"the stack has no {at[0]} named {at[1]}")
    return [
        replace(r, props=with_inner(r.props, tuple(path.split("/")), new))
        if (r.type, r.name) == at
        else r
        for r in stack
    ]


def _set(  # noqa: PLR0917  (a row of the table, in the order of its columns)
    rule: str, what: str, at: At, path: str, new: object, blamed: At | None = None
) -> Change:
    return Change(rule, what, blamed or at, lambda stack: inner_changed(stack, at, path, new))


def _sets(rule: str, what: str, blamed: At, *edits: tuple[At, str, object]) -> Change:
    def make(stack: Stack) -> Stack:
        for at, path, new in edits:
            stack = inner_changed(stack, at, path, new)
        return stack

    return Change(rule, what, blamed, make)


def _added(rule: str, what: str, extra: Resource, blamed: At | None = None) -> Change:
    return Change(rule, what, blamed or (extra.type, extra.name), lambda stack: [*stack, extra])


def _without(rule: str, what: str, at: At, blamed: At) -> Change:
    def make(stack: Stack) -> Stack:
        return [r for r in stack if (r.type, r.name) != at]

    return Change(rule, what, blamed, make)


def _all(*makes: Callable[[Stack], Stack]) -> Callable[[Stack], Stack]:
    def make(stack: Stack) -> Stack:
        for one in makes:
            stack = one(stack)
        return stack

    return make


def _location(name: str, namespace: str = NAMESPACE, **storage: object) -> Resource:
    return resource(
        LOCATION,
        name,
        {
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "objectStorage": {"caCert": "c2VudGluZWw=", **storage},
                "config": {"region": "eu-west-1", "s3Url": STORE},
            },
        },
    )


def _class(name: str, labels: Mapping[str, object], driver: str = "driver.longhorn.io") -> Resource:
    props = {
        "metadata": {"name": name, "labels": labels},
        "driver": driver,
        "deletionPolicy": "Retain",
        "parameters": {"type": "bak"},
    }
    return resource(CLASS, name, props)


def _plugins(*images: str) -> list[dict[str, object]]:
    return [{"name": f"p{n}", "image": image} for n, image in enumerate(images)]


def _containers(image: object) -> list[dict[str, object]]:
    return [{"name": "c", "image": image}]


AWS = "velero/velero-plugin-for-aws"
PLUGINS = "values/initContainers"
TEMPLATE = "spec/template"
CRON_FAULTS = {
    "a word": "daily",
    "six fields": "0 0 2 * * *",
    "no shorthand": "@noon",
    "an interval too short": "@every 5s",
    "a time zone": "CRON_TZ=Europe/Berlin 0 2 * * *",
    "the short time zone": "TZ=UTC 0 2 * * *",
    "minute 60": "60 2 * * *",
    "weekday 7": "0 2 * * 7",
    "a range backwards": "0 5-2 * * *",
    "a step of nothing": "*/0 2 * * *",
    "not text": 5.0,
    "absent": ...,
}
TTL_FAULTS = {"shorter": "24h", "a minute short": "47h59m", "absent": ..., "not one": "30d"}
VELERO_SAVED = {
    "everything": {"includedNamespaces": ["*"], "excludedNamespaces": []},
    "nothing named": {"includedNamespaces": ..., "excludedNamespaces": ...},
    "by a pattern": {"includedNamespaces": ["vel*"], "excludedNamespaces": ["kube-system"]},
    "by name": {"includedNamespaces": ["shop", "velero"], "excludedNamespaces": ...},
}

CLUSTER_CHANGES = [
    _set("cluster-explicit", "no kubeconfig", DEV, "kubeconfig", ...),
    _set("cluster-explicit", "a path", DEV, "kubeconfig", "~/.kube/config"),
    _set("cluster-explicit", "no identifier", DEV, "clusterIdentifier", ...),
    _set(
        "cluster-tls",
        "not verified",
        DEV,
        "kubeconfig",
        KUBECONFIG + "    insecure-skip-tls-verify: true\n",
    ),
    _set(
        "cluster-tls",
        "not verified, as JSON",
        DEV,
        "kubeconfig",
        '{"clusters": [{"cluster": {"insecure-skip-tls-verify": true}}]}',
    ),
    _set("cluster-tls", "http", DEV, "kubeconfig", KUBECONFIG.replace("https:", "http:")),
    _set("cluster-not-forgotten", "deletes", DEV, "deleteUnreachable", "true"),
    _set("cluster-not-forgotten", "skips", DEV, "skipUpdateUnreachable", True),
    _set("cluster-not-forgotten", "overwrites", DEV, "upsertExistingObjects", "true"),
    *[
        _added(
            "chart-as-release", version, resource(f"kubernetes:helm.sh/{version}:Chart", "x", {})
        )
        for version in ("v3", "v4")
    ],
    *[
        _added("no-backup-as-resource", kind, resource(f"kubernetes:{kind}", "once", {}))
        for kind in ("velero.io/v1:Backup", "velero.io/v1:Restore", "longhorn.io/v1beta2:Backup")
    ],
    *[
        _set("volume-retained", policy, STORE_VOLUME, "spec/persistentVolumeReclaimPolicy", policy)
        for policy in ("Delete", "Recycle")
    ],
    _set("image-pinned", "server's latest", VELERO, "values/image/tag", "latest"),
    _set("image-pinned", "plugin without a tag", VELERO, PLUGINS, _plugins(AWS)),
    _set("image-pinned", "nested in values", VELERO, "values/kubectl/image", {"tag": "latest"}),
    _set(
        "image-pinned",
        "workload",
        (DEPLOYMENT, "snapshot-controller"),
        "spec/template/spec/containers",
        _containers("registry.example:5000/minio/minio"),
    ),
    _set(
        "image-pinned",
        "init container",
        (DEPLOYMENT, "snapshot-controller"),
        "spec/template/spec/initContainers",
        _containers("minio/mc:edge"),
    ),
    _set("release-chart-pinned", "no version", VELERO, "version", ...),
    _sets(
        "release-chart-pinned",
        "of a registry without a version",
        VELERO,
        (VELERO, "chart", "oci://registry.example/charts/velero"),
        (VELERO, "version", ...),
    ),
    _set("release-chart-pinned", "a range", VELERO, "version", "~12.1"),
    _set("release-chart-pinned", "a major", VELERO, "version", "12"),
    _set(
        "velero-no-csi-plugin",
        "second plugin",
        VELERO,
        PLUGINS,
        _plugins(f"{AWS}:v1.14.3", "velero/velero-plugin-for-csi:v0.7.0"),
    ),
    _set(
        "velero-no-csi-plugin",
        "in a template's text",
        VELERO,
        PLUGINS,
        "- name: csi\n  image: velero/velero-plugin-for-csi:v0.7.0\n",
    ),
    _set("velero-plugin-fits-server", "older line", VELERO, PLUGINS, _plugins(f"{AWS}:v1.13.1")),
    _set("velero-plugin-fits-server", "newer server", VELERO, "values/image/tag", "v1.19.0"),
    _set("velero-plugin-fits-store", "1.14.1", VELERO, PLUGINS, _plugins(f"{AWS}:v1.14.1")),
    _set(
        "velero-plugin-fits-store",
        "1.14.2 by digest",
        VELERO,
        PLUGINS,
        _plugins(f"registry.example:5000/{AWS}:v1.14.2@sha256:{'0' * 64}"),
    ),
    _sets(
        "velero-plugin-fits-store",
        "an address not known yet",
        VELERO,
        (VELERO, PLUGINS, _plugins(f"{AWS}:v1.14.2")),
        (BSL, "spec/config/s3Url", UNKNOWN),
    ),
    _set("velero-keeps-crds", "true", VELERO, "values/cleanUpCRDs", True),
    _set("velero-no-native-snapshots", "by default", VELERO, "values/snapshotsEnabled", ...),
    _set("velero-no-native-snapshots", "as text", VELERO, "values/snapshotsEnabled", "false"),
    _set("velero-objects-declared", "location", VELERO, "values/backupsEnabled", ...),
    _set("velero-objects-declared", "schedule", VELERO, "values/schedules", {"daily": {}}),
    _set("velero-objects-declared", "value files", VELERO, "valueYamlFiles", [UNKNOWN]),
    _set("velero-resources-set", "none", VELERO, "values/resources", {}),
    _set("velero-resources-set", "no limit", VELERO, "values/resources/limits", ...),
    _set("velero-resources-set", "node agent", VELERO, "values/nodeAgent", ...),
    _without("velero-repository-password", "none declared", REPOSITORY, VELERO),
    _set(
        "velero-repository-password",
        "in another namespace",
        REPOSITORY,
        "metadata/namespace",
        "default",
        VELERO,
    ),
    _set(
        "velero-repository-password",
        "the known one",
        REPOSITORY,
        "data/repository-password",
        in_base64("static-passw0rd"),
    ),
    _set("velero-repository-password", "no key", REPOSITORY, "data", {"password": "eA=="}),
    _sets(
        "velero-node-agent",
        "fs-backup by the schedule",
        VELERO,
        (VELERO, "values/deployNodeAgent", False),
        (HOURLY, f"{TEMPLATE}/defaultVolumesToFsBackup", True),
    ),
    _sets(
        "velero-node-agent",
        "fs-backup by default",
        VELERO,
        (VELERO, "values/deployNodeAgent", ...),
        (VELERO, "values/configuration/defaultVolumesToFsBackup", True),
    ),
    _set("location-tls", "http", BSL, "spec/config/s3Url", "http://10.77.3.10:9091"),
    _set("location-tls", "not verified", BSL, "spec/config/insecureSkipTLSVerify", "true"),
    _set("location-tls", "no CA", BSL, "spec/objectStorage/caCertRef", ...),
    _set("location-tls", "two CAs", BSL, "spec/objectStorage/caCert", "c2VudGluZWw="),
    _set("location-address", "a path", BSL, "spec/config/s3Url", f"{STORE}/dev-velero"),
    _set("location-address", "no region", BSL, "spec/config/region", ...),
    _set("location-address", "misplaced prefix", BSL, "spec/config/prefix", "dev"),
    Change(
        "location-one-default",
        "two",
        (LOCATION, "second"),
        _all(
            lambda stack: [*stack, _location("second", bucket="dev-second")],
            lambda stack: inner_changed(stack, (LOCATION, "second"), "spec/default", True),
        ),
    ),
    _added("location-alone", "one bucket", _location("second", bucket="dev-velero")),
    _added(
        "location-alone", "a prefix in it", _location("second", bucket="dev-velero", prefix="b")
    ),
    _added(
        "location-alone",
        "from another namespace",
        _location("second", "elsewhere", bucket="dev-velero"),
    ),
    _set(
        "location-alone",
        "with Longhorn",
        (TARGET, "default"),
        "spec/backupTargetURL",
        "s3://dev-velero@eu-west-1/longhorn/",
        BSL,
    ),
    *[
        _set("schedule-cron", what, DAILY, "spec/schedule", text)
        for what, text in CRON_FAULTS.items()
    ],
    *[
        _set("schedule-keeps-two", what, DAILY, f"{TEMPLATE}/ttl", text)
        for what, text in TTL_FAULTS.items()
    ],
    _sets(
        "schedule-keeps-two",
        "weekdays only",
        DAILY,
        (DAILY, "spec/schedule", "0 2 * * mon-fri"),
        (DAILY, f"{TEMPLATE}/ttl", "120h"),
    ),
    *[
        _sets(
            "schedule-excludes-velero",
            what,
            DAILY,
            *((DAILY, f"{TEMPLATE}/{key}", value) for key, value in filters.items()),
        )
        for what, filters in VELERO_SAVED.items()
    ],
    _set("schedule-filters-unmixed", "old", DAILY, f"{TEMPLATE}/excludedResources", ["pods"]),
    _set(
        "schedule-filters-unmixed", "old flag", DAILY, f"{TEMPLATE}/includeClusterResources", False
    ),
    _sets(
        "schedule-filters-unmixed",
        "two selectors",
        DAILY,
        (DAILY, f"{TEMPLATE}/labelSelector", {"matchLabels": {"a": "b"}}),
        (DAILY, f"{TEMPLATE}/orLabelSelectors", [{"matchLabels": {"a": "b"}}]),
    ),
    _set("schedule-owns-no-backup", "true", DAILY, "spec/useOwnerReferencesInBackup", True),
    _set(
        "schedule-to-declared-location",
        "another",
        DAILY,
        f"{TEMPLATE}/storageLocation",
        "elsewhere",
    ),
    _sets(
        "schedule-to-declared-location",
        "no default",
        HOURLY,
        (BSL, "metadata/name", "second"),
        (BSL, "spec/default", False),
        (DAILY, f"{TEMPLATE}/storageLocation", "second"),
    ),
    _set(
        "schedule-volume-policy",
        "two keys",
        (CONFIG_MAP, "volume-policy"),
        "data",
        {"a": "version: v1", "b": "version: v1"},
        DAILY,
    ),
    _set("schedule-volume-policy", "no key", (CONFIG_MAP, "volume-policy"), "data", {}, DAILY),
    _without("schedule-volume-policy", "not declared", (CONFIG_MAP, "volume-policy"), DAILY),
    _without("schedule-drilled", "no drill", DRILL, DAILY),
    _set("schedule-drilled", "of another layer", DRILL, "create", "run.sh drills run store", DAILY),
    _set(
        "schedule-drilled",
        "said and not run",
        DRILL,
        "create",
        "drills run store; echo kube-objects",
        DAILY,
    ),
    _sets(
        "schedule-drilled",
        "one runs and one does not",
        HOURLY,
        (DAILY, "spec/paused", True),
        (DRILL, "create", "true"),
    ),
    _set("snapshot-class-label", "no text", SNAPSHOTS, "metadata/labels", {LABEL: True}),
    _set("snapshot-class-label", "false", SNAPSHOTS, "metadata/labels", {LABEL: "false"}),
    _set("snapshot-class-one", "not labelled", SNAPSHOTS, "metadata/labels", ...),
    _added("snapshot-class-one", "two labelled", _class("second", {LABEL: "true"})),
    _set("snapshot-class-retain", "Delete", SNAPSHOTS, "deletionPolicy", "Delete"),
    _set("snapshot-class-retain", "absent", SNAPSHOTS, "deletionPolicy", ...),
    _set("snapshot-class-type", "absent", SNAPSHOTS, "parameters", ...),
    _set("snapshot-class-type", "a backing image", SNAPSHOTS, "parameters/type", "bi"),
    _set("snapshot-type-fits-schedule", "moved", DAILY, f"{TEMPLATE}/snapshotMoveData", True),
    _sets(
        "snapshot-type-fits-schedule",
        "left in the cluster",
        HOURLY,
        (SNAPSHOTS, "parameters/type", "snap"),
        (DAILY, f"{TEMPLATE}/snapshotMoveData", True),
    ),
    _sets(
        "snapshot-type-fits-schedule",
        "moved by default",
        HOURLY,
        (VELERO, "values/configuration/defaultSnapshotMoveData", True),
    ),
    *[
        _set("secret-not-in-command", what, (LOCAL, "plain"), "create", f"curl -d {text} a")
        for what, text in (
            ("of a Secret", "sentinel-repository-password"),
            ("of a credentials file", "sentinel-cloud-secret"),
            ("of the kubeconfig", "c2VudGluZWwtY2xpZW50LWtleQ=="),
        )
    ],
]

SOUND_CLUSTER_CHANGES = [
    _set("", "the server's image by digest", VELERO, "values/image/digest", "sha256:0"),
    _set("", "a later plugin of the line", VELERO, PLUGINS, _plugins(f"{AWS}:v1.14.9")),
    *[
        _sets(
            "",
            f"a chart on disk needs no version: {path}",
            VELERO,
            (VELERO, "chart", path),
            (VELERO, "version", ...),
        )
        for path in ("./charts/velero", "standins/charts/velero", "/srv/charts/velero-12.1.0.tgz")
    ],
    _sets(
        "",
        "a chart in a file",
        VELERO,
        (VELERO, "chart", "velero-12.1.0.tgz"),
        (VELERO, "version", ...),
    ),
    _sets(
        "",
        "Amazon's own store",
        BSL,
        (VELERO, PLUGINS, _plugins(f"{AWS}:v1.14.2")),
        (BSL, "spec/config/s3Url", ...),
    ),
    _sets(
        "",
        "snapshots moved from the cluster",
        DAILY,
        (SNAPSHOTS, "parameters/type", "snap"),
        (SNAPSHOTS, "deletionPolicy", "Delete"),
        (VELERO, "values/configuration/defaultSnapshotMoveData", True),
        (DAILY, f"{TEMPLATE}/snapshotMoveData", ...),
    ),
    _sets(
        "",
        "no agent where nothing moves",
        VELERO,
        (VELERO, "values/deployNodeAgent", False),
        (VELERO, "values/nodeAgent", ...),
    ),
    _added("", "a class of another driver", _class("nfs", {LABEL: "true"}, "nfs.csi.k8s.io")),
    _added("", "a second class without the label", _class("second", {})),
    _added("", "a bucket of its own", _location("second", bucket="dev-second")),
    _added(
        "",
        "a location that only reads",
        replace(
            (one := _location("second", bucket="dev-velero")),
            props=with_inner(one.props, ("spec", "accessMode"), "ReadOnly"),
        ),
    ),
    Change(
        "",
        "two prefixes of one bucket",
        BSL,
        _all(
            lambda stack: inner_changed(stack, BSL, "spec/objectStorage/prefix", "a"),
            lambda stack: [*stack, _location("second", bucket="dev-velero", prefix="ab")],
        ),
    ),
    _set("", "the known location by name", BSL, "spec/default", ...),
    _set("", "selector alone", DAILY, f"{TEMPLATE}/labelSelector", {"matchLabels": {"a": "b"}}),
    _set("", "retained by default", STORE_VOLUME, "spec/persistentVolumeReclaimPolicy", ...),
    _set("", "a shorthand", DAILY, "spec/schedule", "@daily"),
    _set("", "drilled with others", DRILL, "create", "run.sh drills run store kube-objects"),
    _set("", "a drill not known yet", DRILL, "create", UNKNOWN),
    _sets(
        "",
        "nothing runs that needs a drill",
        DRILL,
        (DAILY, "spec/paused", True),
        (HOURLY, "spec/paused", UNKNOWN),
        (DRILL, "create", "true"),
    ),
    _set("", "an interval", DAILY, "spec/schedule", "@every 6h"),
    _set("", "names in a cron", DAILY, "spec/schedule", "0 2 * jan-dec Mon,Thu"),
    _set("", "a public part of a credentials file", (LOCAL, "plain"), "create", "KVELERO7Q2M4X"),
    _set("", "the CA is no secret", (LOCAL, "plain"), "create", "echo c2VudGluZWwtYXV0aG9yaXR5"),
]

assert "aws_access_key_id = KVELERO7Q2M4X" in CLOUD  # or the sound change above tests nothing
