"""Objects of a cluster as rules see them: their types, and how to read what all of them carry."""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence

from policies.plain import UNKNOWN, Resource, inside, items, mapping

RELEASE = "kubernetes:helm.sh/v3:Release"
LOCATION = "kubernetes:velero.io/v1:BackupStorageLocation"
SCHEDULE = "kubernetes:velero.io/v1:Schedule"
SNAPSHOT_CLASS = "kubernetes:snapshot.storage.k8s.io/v1:VolumeSnapshotClass"
STORAGE_CLASS = "kubernetes:storage.k8s.io/v1:StorageClass"
BACKUP_TARGET = "kubernetes:longhorn.io/v1beta2:BackupTarget"
BACKUP_TARGET_PATCH = f"{BACKUP_TARGET}Patch"
BACKUP_TARGETS = frozenset({BACKUP_TARGET, BACKUP_TARGET_PATCH})
RECURRING_JOB = "kubernetes:longhorn.io/v1beta2:RecurringJob"
SETTING_PATCH = "kubernetes:longhorn.io/v1beta2:SettingPatch"
CLAIMS = frozenset(f"kubernetes:core/v1:PersistentVolumeClaim{suffix}" for suffix in ("", "Patch"))
NAMESPACE = "kubernetes:core/v1:Namespace"
SECRET = "kubernetes:core/v1:Secret"  # noqa: S105  (a type)
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"

LONGHORN_DRIVER = "driver.longhorn.io"


def object_name(declared: Resource) -> object:
    """The object's name in the cluster; None if it has none, `UNKNOWN` if it comes later."""
    return inside(declared.props, "metadata", "name")


def namespace(declared: Resource) -> object:
    """The namespace of an object or of a release; None where none is given."""
    if declared.type == RELEASE:
        return declared.props.get("namespace")
    return inside(declared.props, "metadata", "namespace")


def neighbours(one: Resource, others: Sequence[Resource]) -> list[Resource]:
    """Those of the others that are, or may turn out to be, in the same namespace."""
    home = namespace(one)
    return [o for o in others if UNKNOWN in (home, namespace(o)) or namespace(o) == home]


def of_type(resources: Sequence[Resource], type_: str) -> list[Resource]:
    return [r for r in resources if r.type == type_]


def setting(release: Resource, *path: str) -> object:
    """What a release sets under the keys of its chart's values."""
    return inside(release.props, "values", *path)


def _installs(release: Resource, what: str) -> bool:
    """Whether its chart has that name, be it from a repository, a folder or a file."""
    chart = release.props.get("chart")
    if release.type != RELEASE or not isinstance(chart, str):
        return False
    name = chart.rstrip("/").rsplit("/", 1)[-1]
    return re.fullmatch(rf"{what}(-v?\d.*)?(\.tgz)?", name) is not None


def is_velero(release: Resource) -> bool:
    """Whether it installs Velero."""
    return _installs(release, "velero")


def is_longhorn(release: Resource) -> bool:
    """Whether it installs Longhorn."""
    return _installs(release, "longhorn")


def servers(resources: Sequence[Resource]) -> list[Resource]:
    """The releases that install Velero."""
    return [r for r in resources if is_velero(r)]


def plugin_images(release: Resource) -> list[str]:
    """The images of a Velero release's plugins, be they given as a list or as a template's text."""
    declared = setting(release, "initContainers")
    if isinstance(declared, str):
        return re.findall(r"image:\s*[\"']?([^\s\"'},]+)", declared)
    images = (mapping(container).get("image") for container in items(declared))
    return [image for image in images if isinstance(image, str)]


def image_parts(image: str) -> tuple[str, str, str]:
    """(last part of the repository, tag, digest) of an image's name; "" for what it leaves out."""
    name, _, digest = image.partition("@")
    repository, _, tag = name.rsplit("/", 1)[-1].partition(":")
    return repository, tag, digest


def secret_texts(secret: Resource) -> Iterator[tuple[str, object]]:
    """(key, value) of a Secret: text where it can be read, else `UNKNOWN`."""
    for key, value in mapping(secret.props.get("stringData")).items():
        yield key, value if isinstance(value, str) else UNKNOWN
    for key, value in mapping(secret.props.get("data")).items():
        yield key, _decoded(value)


def _decoded(value: object) -> object:
    if not isinstance(value, str):
        return UNKNOWN
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return UNKNOWN  # the API server refuses what is not base64; what is not text is no password
