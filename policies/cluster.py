"""The cluster: how it is reached, what runs in it, and what must not be a resource at all."""

import re
from collections.abc import Iterator, Mapping

from policies.objects import RELEASE, image_parts, is_velero, plugin_images
from policies.plain import (
    UNKNOWN,
    Resource,
    ResourceRule,
    Rule,
    always,
    inside,
    is_set,
    is_true,
    items,
    mapping,
)

CLUSTER_PROVIDER = "pulumi:providers:kubernetes"
VOLUME = "kubernetes:core/v1:PersistentVolume"
CHARTS = frozenset({"kubernetes:helm.sh/v3:Chart", "kubernetes:helm.sh/v4:Chart"})
WORKLOADS = frozenset(
    {
        "kubernetes:core/v1:Pod",
        "kubernetes:batch/v1:Job",
        "kubernetes:batch/v1:CronJob",
        *(f"kubernetes:apps/v1:{k}" for k in ("Deployment", "StatefulSet", "DaemonSet")),
    }
)
EVENTS = frozenset(
    {
        *(
            f"kubernetes:velero.io/v1:{kind}"
            for kind in (
                "Backup",
                "Restore",
                "DeleteBackupRequest",
                "DownloadRequest",
                "ServerStatusRequest",
                "BackupRepository",
                "PodVolumeBackup",
                "PodVolumeRestore",
            )
        ),
        "kubernetes:velero.io/v2alpha1:DataUpload",
        "kubernetes:velero.io/v2alpha1:DataDownload",
        *(
            f"kubernetes:longhorn.io/v1beta2:{kind}"
            for kind in ("Backup", "BackupVolume", "SystemBackup", "SystemRestore")
        ),
    }
)


def _explicit(provider: Resource) -> Iterator[str]:
    kubeconfig = provider.props.get("kubeconfig")
    if not is_set(kubeconfig):
        yield "has no kubeconfig, so it writes to whatever cluster the shell points at"
    elif isinstance(kubeconfig, str) and "\n" not in kubeconfig.strip() and "{" not in kubeconfig:
        yield "has the path of a kubeconfig, which is another cluster on another machine"
    if not is_set(provider.props.get("clusterIdentifier")):
        yield "has no clusterIdentifier, so a renewed kubeconfig may replace every object"


def _verified(provider: Resource) -> Iterator[str]:
    kubeconfig = provider.props.get("kubeconfig")
    if isinstance(kubeconfig, str) and re.search(
        r"""insecure-skip-tls-verify["']?\s*:\s*["']?true""", kubeconfig, re.IGNORECASE
    ):
        yield "does not verify the API server's certificate"
    if isinstance(kubeconfig, str) and re.search(r"""server["']?\s*:\s*["']?http:""", kubeconfig):
        yield "speaks to the API server without TLS"


def _forgets_nothing(provider: Resource) -> Iterator[str]:
    for name, effect in (
        ("deleteUnreachable", "forgets every object when the API server does not answer"),
        ("skipUpdateUnreachable", "reports success when the API server does not answer"),
        ("upsertExistingObjects", "overwrites objects that somebody else made"),
    ):
        if is_true(provider.props.get(name)):
            yield f"sets {name}, with which it {effect}"


def _volume_retained(volume: Resource) -> Iterator[str]:
    policy = inside(volume.props, "spec", "persistentVolumeReclaimPolicy")
    # A volume declared by hand is retained unless it says otherwise.
    if is_set(policy) and policy not in ("Retain", UNKNOWN):
        yield "loses its data when its claim is removed"


def _container_images(value: object, depth: int = 12) -> Iterator[str]:
    """The images of all containers under the value, however deep a workload nests its pod."""
    if not isinstance(value, Mapping) or not depth:
        return
    for key, inner in value.items():
        if key in ("containers", "initContainers"):
            images = (mapping(container).get("image") for container in items(inner))
            yield from (image for image in images if isinstance(image, str))
        else:
            yield from _container_images(inner, depth - 1)


def _chart_images(value: object, depth: int = 12) -> Iterator[str]:
    """The images that values name: repository and tag side by side. No tag is the chart's own."""
    if not isinstance(value, Mapping) or not depth:
        return
    repository, tag = value.get("repository"), value.get("tag")
    if isinstance(repository, str) and is_set(tag) and tag is not UNKNOWN:
        digest = value.get("digest")
        yield f"{repository}:{tag}" + (f"@{digest}" if is_set(digest) else "")
    elif repository is None and isinstance(tag, str):
        yield f"image:{tag}"
    for inner in value.values():
        yield from _chart_images(inner, depth - 1)


def _pinned(image: str) -> bool:
    _, tag, digest = image_parts(image)
    return bool(digest) or any(c.isdigit() for c in tag)


def _images_pinned(resource: Resource) -> Iterator[str]:
    if resource.type == RELEASE:
        images = list(_chart_images(resource.props.get("values")))
        images += plugin_images(resource) if is_velero(resource) else []
    else:
        images = list(_container_images(resource.props.get("spec")))
    if not all(map(_pinned, images)):
        yield "runs an image without a version, which is another one tomorrow"


RULES: tuple[Rule, ...] = (
    ResourceRule(
        name="cluster-explicit",
        title="The cluster is named by the stack, not by the shell",
        why="The provider falls back to the shell's kubeconfig, and one stack is one cluster.",
        remedy="set kubeconfig to the text from the stack's secrets and cluster_identifier to the "
        "site's name",
        severity="critical",
        types=frozenset({CLUSTER_PROVIDER}),
        check=_explicit,
    ),
    ResourceRule(
        name="cluster-tls",
        title="The cluster is reached over verified TLS only",
        why="Whoever answers in its place gets every Secret the stack writes.",
        remedy="use an https server and certificate-authority-data in the kubeconfig",
        severity="critical",
        types=frozenset({CLUSTER_PROVIDER}),
        check=_verified,
    ),
    ResourceRule(
        name="cluster-not-forgotten",
        title="An unreachable cluster is an error",
        why="These switches turn an outage or a foreign object into silent loss.",
        remedy="remove delete_unreachable, skip_update_unreachable and upsert_existing_objects",
        severity="critical",
        types=frozenset({CLUSTER_PROVIDER}),
        check=_forgets_nothing,
    ),
    ResourceRule(
        name="chart-as-release",
        title="Charts are installed by Helm",
        why="A chart that the engine renders itself loses its hooks and what it asks the cluster.",
        remedy="use kubernetes.helm.v3.Release",
        severity="high",
        types=CHARTS,
        check=always("renders its chart without hooks, so nothing installs or upgrades its CRDs"),
    ),
    ResourceRule(
        name="image-pinned",
        title="Every image has a version",
        why="A tag such as latest moves, and a restore in a year needs what ran today.",
        remedy="give a tag with a version, or a digest",
        severity="high",
        types=WORKLOADS | {RELEASE},
        check=_images_pinned,
    ),
    ResourceRule(
        name="volume-retained",
        title="A declared volume keeps its data",
        why="With Delete or Recycle, a claim or namespace that goes takes the data with it; a "
        "store's volume holds every backup.",
        remedy="set persistentVolumeReclaimPolicy to Retain",
        severity="critical",
        types=frozenset({VOLUME}),
        check=_volume_retained,
    ),
    ResourceRule(
        name="no-backup-as-resource",
        title="No backup or restore is a resource",
        why="Controllers rewrite and remove such objects; as a resource, a backup's record goes "
        "with a destroy and a restore runs again with a replacement.",
        remedy="start it from a drill or by hand with the velero client",
        severity="critical",
        types=EVENTS,
        check=always("happens once, and would be deleted or done again by an update"),
    ),
)
