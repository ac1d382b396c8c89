"""The objects in a Velero backup's tarball, read once from front to back.

A tarball holds every object twice: below `resources/<kind>/`, which is what a restore reads
(velero pkg/archive/parser.go Parse, pkg/archive/filesystem.go GetItemFilePath), and below
`resources/<kind>/<version>-preferredversion/`, which is read only with the feature
EnableAPIGroupVersions. This reader yields the first, and holds the second against it.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from drills.objects.canonical import NotJSONError, loads
from drills.objects.gunzip import Source
from drills.objects.keys import KeyFormatError, ObjectKey, group_of, key_of, shortened
from drills.objects.tar_stream import Cause, Limits, TarballError, members

__all__ = ["Cause", "Limits", "SavedObject", "TarballError", "objects"]

_RESOURCES, _METADATA, _VERSION_FILE = "resources", "metadata", "metadata/version"
_NAMESPACES, _CLUSTER, _SUFFIX = "namespaces", "cluster", ".json"
_PREFERRED = "-preferredversion"
# velero pkg/backup/backup.go BackupFormatVersion is 1.1.0; releases before 1.4 wrote 1.
_FORMAT_MAJOR = "1"
_NO_NAMES = frozenset({"", ".", ".."})
_SHORTEST = 4  # resources/<kind>/cluster/<name>.json
# velero pkg/backup/actions/remap_crd_version_action.go saves some as v1beta1 in the folder of v1.
_VERSION_MAY_DIFFER = frozenset({"customresourcedefinitions.apiextensions.k8s.io"})


class SavedObject(NamedTuple):
    """One object of the backup, as Velero would read it."""

    key: ObjectKey
    content: dict[str, object]


class _Place(NamedTuple):
    """Where a file lies. version: of the folder that repeats objects by API version, or empty."""

    key: ObjectKey
    version: str


class _Pending(NamedTuple):
    """An object read and not yet yielded. version: what the folder of its copy says, or empty."""

    key: ObjectKey
    text: bytes
    version: str


def objects(
    source: Source,
    *,
    only: Collection[ObjectKey] | None = None,
    limits: Limits | None = None,
) -> Iterator[SavedObject]:
    """Every object that a restore would read, in the order of the archive.

    source: a file object or pieces of it, as they come from the store.
    only: yield these alone; the archive's structure is checked all the same.

    Raises:
        TarballError: the archive is cut off, damaged, hostile or not of a known format, or an
            object in it is no JSON, not the one its path names, or of another API version than its
            folder. What was yielded before is then worth nothing.
    """
    seen: set[int] = set()
    recognised = False
    pending: _Pending | None = None
    for member in members(source, limits):
        if member.path == _VERSION_FILE:
            _check_format(member.content)
            recognised = True
            continue
        place = _place(member.path)
        if place is None:
            continue
        if place.version:
            preferred = place.version.endswith(_PREFERRED)
            if preferred and pending is not None and place.key == pending.key:
                pending = _with_twin(pending, place.version, member.content)
            continue
        if pending is not None and (only is None or pending.key in only):
            yield _opened(pending)
        _check_new(member.path, seen)
        pending = _Pending(place.key, member.content, "")
    if pending is not None and (only is None or pending.key in only):
        yield _opened(pending)
    if not recognised:
        raise TarballError(
            Cause.UNKNOWN_FORMAT, f"the archive has no {_VERSION_FILE}; it is no backup of Velero's"
        )


def _with_twin(pending: _Pending, version: str, copy: bytes) -> _Pending:
    """The copy by API version follows its object, as Velero writes them."""
    if copy != pending.text:
        raise TarballError(
            Cause.DAMAGED, f"the two copies that the backup keeps of {_named(pending.key)} differ"
        )
    return pending._replace(version=version.removesuffix(_PREFERRED))


def _opened(pending: _Pending) -> SavedObject:
    key, text, version = pending
    content, api_version = _content(key, text)
    if group_of(api_version) != key.group:
        raise _wrong_version(key, api_version, f"group {key.group or 'core'}")
    told = api_version.rpartition("/")[2]
    if version and told != version and key.resource not in _VERSION_MAY_DIFFER:
        raise _wrong_version(key, api_version, version)
    return SavedObject(key, content)


def _content(key: ObjectKey, text: bytes) -> tuple[dict[str, object], str]:
    """An object and its apiVersion."""
    try:
        content = loads(text)
    except NotJSONError as error:
        raise TarballError(
            Cause.NOT_JSON, f"the backup's {_named(key)} cannot be read: {error}"
        ) from None
    if not isinstance(content, dict):
        raise TarballError(Cause.NOT_JSON, f"the backup's {_named(key)} is no JSON object")
    metadata, version = content.get("metadata"), content.get("apiVersion")
    if not isinstance(metadata, dict) or not isinstance(version, str) or not content.get("kind"):
        raise TarballError(
            Cause.WRONG_OBJECT, f"the backup's {_named(key)} has no kind, apiVersion or metadata"
        )
    if (metadata.get("namespace") or "", metadata.get("name")) != (key.namespace, key.name):
        raise TarballError(
            Cause.WRONG_OBJECT,
            f"the backup's {_named(key)} holds another object: its path and its metadata name two",
        )
    return content, version


def _wrong_version(key: ObjectKey, held: str, wanted: str) -> TarballError:
    return TarballError(
        Cause.WRONG_API_VERSION,
        f"the backup's {_named(key)} says apiVersion {shortened(held)!a}, its folder says {wanted}",
    )


def _place(path: str) -> _Place | None:
    """What a path stands for, None for what is no object's. Raises TarballError."""
    parts = path.split("/")
    if not path.isprintable() or "\\" in path or not _NO_NAMES.isdisjoint(parts):
        raise TarballError(Cause.HOSTILE, f"the archive's path {shortened(path)!a} leads elsewhere")
    if parts[0] == _METADATA:
        return None
    version = ""
    if len(parts) > _SHORTEST and parts[2] not in (_NAMESPACES, _CLUSTER):
        version = parts.pop(2)
    namespace = ""
    if len(parts) == _SHORTEST + 1 and parts[2] == _NAMESPACES:
        namespace = parts.pop(3)
        parts[2] = _CLUSTER
    if (
        len(parts) != _SHORTEST
        or parts[0] != _RESOURCES
        or parts[2] != _CLUSTER
        or (not parts[3].endswith(_SUFFIX))
    ):
        raise TarballError(
            Cause.UNKNOWN_FORMAT,
            f"the archive's file {shortened(path)!a} lies where Velero puts nothing",
        )
    try:
        return _Place(key_of(parts[1], namespace, parts[3].removesuffix(_SUFFIX)), version)
    except KeyFormatError as error:
        raise TarballError(
            Cause.HOSTILE, f"the archive names an impossible object: {error}"
        ) from None


def _check_new(path: str, seen: set[int]) -> None:
    number = hash(path)
    if number in seen:
        raise TarballError(
            Cause.HOSTILE, f"the archive holds {shortened(path)!a} twice; only one is restored"
        )
    seen.add(number)


def _check_format(content: bytes) -> None:
    text = content.decode("ascii", "replace").strip()
    if text.partition(".")[0] != _FORMAT_MAJOR:
        raise TarballError(
            Cause.UNKNOWN_FORMAT,
            f"the backup has format version {shortened(text)!a}; known are those of"
            f" {_FORMAT_MAJOR}.x",
        )


def _named(key: ObjectKey) -> str:
    return ascii(str(key))[1:-1]
