"""What the program sees of a cluster before it changes anything: read once, then plain data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kube import marks
from kube.client import Client
from kube.collections import COLLECTIONS
from kube.errors import Cause, ClusterError, cluster_error
from kube.longhorn.seen import SeenLonghorn, look

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
DEFAULT_SNAPSHOT_CLASS = "snapshot.storage.kubernetes.io/is-default-class"
VELERO_CLASS_LABEL = "velero.io/csi-volumesnapshot-class"
SNAPSHOT_GROUP = "snapshot.storage.k8s.io"
SNAPSHOT_CRDS = tuple(
    f"{kind}.{SNAPSHOT_GROUP}"
    for kind in ("volumesnapshotclasses", "volumesnapshotcontents", "volumesnapshots")
)


@dataclass(frozen=True)
class StorageClass:
    """`waits`: whether volumes are bound only when a pod needs them."""

    name: str
    provisioner: str
    default: bool
    waits: bool


@dataclass(frozen=True)
class VolumeSnapshotClass:
    """`labelled`: bears Velero's label, whose value Velero ignores. `site`: whose mark it bears."""

    name: str
    driver: str
    labelled: bool
    default: bool
    site: str | None
    deletion_policy: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Crd:
    """`site`: whose mark it bears. `versions` are those that the API server serves of its group."""

    name: str
    site: str | None
    versions: frozenset[str]


@dataclass(frozen=True)
class Controller:
    """A Deployment that runs a snapshot controller."""

    namespace: str
    name: str
    image: str
    site: str | None


@dataclass(frozen=True)
class Node:
    """`architecture`: amd64, arm64."""

    name: str
    ready: bool
    architecture: str


@dataclass(frozen=True)
class Location:
    """A BackupStorageLocation of Velero. `phase` is "" until Velero has looked at it."""

    namespace: str
    name: str
    default: bool
    phase: str
    site: str | None
    bucket: str = ""
    prefix: str = ""


@dataclass(frozen=True)
class ClusterFacts:
    """A cluster as it was seen. `uid`: that of kube-system. `served`: "group/version" strings.

    `ours`: (kind, namespace or "", name) of every object that bears the site's mark.
    `longhorn`: looked at only for a site that has it; None where the cluster has none.
    """

    uid: str
    server: str
    version: str
    served: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    nodes: tuple[Node, ...] = ()
    drivers: frozenset[str] = frozenset()
    storage_classes: tuple[StorageClass, ...] = ()
    crds: Mapping[str, Crd] = field(default_factory=dict)
    snapshot_classes: tuple[VolumeSnapshotClass, ...] = ()
    snapshot_controllers: tuple[Controller, ...] = ()
    locations: tuple[Location, ...] = ()
    ours: frozenset[tuple[str, str, str]] = frozenset()
    longhorn: SeenLonghorn | None = None


def cluster_uid(client: Client) -> str:
    """The UID of kube-system, which is the cluster's identity.

    Raises:
        ClusterError: the cluster is not reached, or refuses.
    """
    try:
        found = client.get("/api/v1/namespaces/kube-system")
    except ClusterError as error:
        if error.cause is Cause.MISSING:
            raise cluster_error(Cause.NO_API, client.server, "no namespace kube-system") from None
        raise
    return str(_metadata(found)["uid"])


def gather(client: Client, site: str = "", longhorn: str = "") -> ClusterFacts:
    """One pass over the cluster: the same reads for a small and a large one.

    `site` "": nothing is looked for by its mark. `longhorn`: its namespace; "": it is left out.

    Raises:
        ClusterError: the cluster is not reached, or refuses one of the reads.
    """
    uid = cluster_uid(client)
    served = frozenset(
        str(version["groupVersion"])
        for group in client.get("/apis").get("groups", [])
        for version in group.get("versions", [])
    )
    snapshots = f"{SNAPSHOT_GROUP}/v1" in served
    velero = "velero.io/v1" in served
    storage = "/apis/storage.k8s.io/v1"
    return ClusterFacts(
        uid=uid,
        server=client.server,
        version=str(client.get("/version").get("gitVersion", "")),
        served=served,
        namespaces=frozenset(_names(client.list("/api/v1/namespaces", metadata_only=True))),
        nodes=tuple(map(_node, client.list("/api/v1/nodes"))),
        drivers=frozenset(_names(client.list(f"{storage}/csidrivers", metadata_only=True))),
        storage_classes=tuple(map(_storage_class, client.list(f"{storage}/storageclasses"))),
        crds=_crds(client, served),
        snapshot_classes=tuple(
            map(
                _snapshot_class,
                client.list(f"/apis/{SNAPSHOT_GROUP}/v1/volumesnapshotclasses")
                if snapshots
                else [],
            )
        ),
        snapshot_controllers=tuple(_controllers(client.list("/apis/apps/v1/deployments"))),
        locations=tuple(
            map(
                _location,
                client.list("/apis/velero.io/v1/backupstoragelocations") if velero else [],
            )
        ),
        ours=frozenset(_marked(client, site)) if site else frozenset(),
        longhorn=look(client, longhorn, served) if longhorn else None,
    )


def _marked(client: Client, site: str) -> Iterable[tuple[str, str, str]]:
    for kind, path in COLLECTIONS.items():
        for one in client.list(path, metadata_only=True, labels={marks.SITE_LABEL: site}):
            yield kind, str(_metadata(one).get("namespace", "")), _name(one)


def _metadata(found: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata: Mapping[str, Any] = found.get("metadata") or {}
    return metadata


def _name(found: Mapping[str, Any]) -> str:
    return str(_metadata(found).get("name", ""))


def _names(found: Iterable[Mapping[str, Any]]) -> list[str]:
    return [_name(one) for one in found]


def _annotated(found: Mapping[str, Any], key: str) -> bool:
    return (_metadata(found).get("annotations") or {}).get(key) == "true"


def _node(found: Mapping[str, Any]) -> Node:
    status = found.get("status") or {}
    ready = any(
        one.get("type") == "Ready" and one.get("status") == "True"
        for one in status.get("conditions") or []
    )
    return Node(_name(found), ready, str((status.get("nodeInfo") or {}).get("architecture", "")))


def _storage_class(found: Mapping[str, Any]) -> StorageClass:
    return StorageClass(
        _name(found),
        str(found.get("provisioner", "")),
        _annotated(found, DEFAULT_CLASS),
        found.get("volumeBindingMode") == "WaitForFirstConsumer",
    )


def _crds(client: Client, served: frozenset[str]) -> dict[str, Crd]:
    found = client.list(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", metadata_only=True
    )
    crds = {}
    for one in found:
        name = _name(one)
        prefix = name.partition(".")[2] + "/"
        versions = frozenset(entry[len(prefix) :] for entry in served if entry.startswith(prefix))
        crds[name] = Crd(name, marks.owner(one), versions)
    return crds


def _snapshot_class(found: Mapping[str, Any]) -> VolumeSnapshotClass:
    return VolumeSnapshotClass(
        name=_name(found),
        driver=str(found.get("driver", "")),
        labelled=VELERO_CLASS_LABEL in (_metadata(found).get("labels") or {}),
        default=_annotated(found, DEFAULT_SNAPSHOT_CLASS),
        site=marks.owner(found),
        deletion_policy=str(found.get("deletionPolicy", "")),
        parameters=found.get("parameters") or {},
    )


def _controllers(deployments: Iterable[Mapping[str, Any]]) -> Iterable[Controller]:
    """Deployments with an image that is a snapshot controller, whoever built it."""
    for one in deployments:
        pod = ((one.get("spec") or {}).get("template") or {}).get("spec") or {}
        for container in pod.get("containers") or []:
            image = str(container.get("image", ""))
            if _runs_snapshot_controller(image):
                namespace = str(_metadata(one).get("namespace", ""))
                yield Controller(namespace, _name(one), image, marks.owner(one))


def _runs_snapshot_controller(image: str) -> bool:
    repository = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return repository.endswith("snapshot-controller")


def _location(found: Mapping[str, Any]) -> Location:
    held = (found.get("spec") or {}).get("objectStorage") or {}
    return Location(
        str(_metadata(found).get("namespace", "")),
        _name(found),
        bool((found.get("spec") or {}).get("default")),
        str((found.get("status") or {}).get("phase", "")),
        marks.owner(found),
        str(held.get("bucket", "")),
        str(held.get("prefix", "")),
    )
