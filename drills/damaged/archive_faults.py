"""Faults in the archive of a copy, which is unpacked, changed in one place and packed again.

An archive holds every object twice, below `resources/<kind>/` and below
`resources/<kind>/<version>-preferredversion/` (see drills/objects/tarball.py). Both are changed
alike, unless the fault is that they differ.
"""

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from drills.coverage import volume_info
from drills.damaged.copy import Copy, NothingToPlantError
from drills.objects import tarball
from drills.objects.keys import ObjectKey

_ARCHIVE = ".tar.gz"
_VOLUME_INFO = "-volumeinfo.json.gz"
_COPIES = "-podvolumebackups.json.gz"
_IDENTITY = ObjectKey("namespaces", "", "kube-system")
_LABEL = "backstop.io/planted"
_UNSERVED = "v99"
# In the order of preference: what nothing but a person or a deployment writes. Others are changed
# by controllers, and a difference in them may rightly be no finding.
_VICTIMS = ("configmaps", "secrets", "persistentvolumeclaims", "services", "serviceaccounts")
# These come with every namespace, and the cluster makes them itself.
_MADE_BY_THE_CLUSTER = frozenset({"kube-root-ca.crt", "default"})

Files = dict[str, bytes]
"""An archive unpacked: path to content, in its order."""
Picked = Callable[[ObjectKey, Mapping[str, Any]], bool]
"""Whether a fault may be planted in this object, because the drill would compare it."""


def drop_object(copy: Copy, picked: Picked | None = None) -> None:
    """One object is not in the archive."""

    def drop(files: Files) -> None:
        for path in _paths(files, _victim(copy, files, picked)):
            del files[path]

    _change(copy, drop)


def change_field(copy: Copy, picked: Picked | None = None) -> None:
    """One object has a label more than it had."""

    def change(files: Files) -> None:
        for path in _paths(files, _victim(copy, files, picked)):
            held = json.loads(files[path])
            metadata = held["metadata"]
            labels = {**(metadata.get("labels") or {}), _LABEL: "true"}
            files[path] = _text({**held, "metadata": {**metadata, "labels": labels}})

    _change(copy, change)


def change_version(copy: Copy, picked: Picked | None = None) -> None:
    """One object says another API version than the folder it lies in."""

    def change(files: Files) -> None:
        for path in _paths(files, _victim(copy, files, picked)):
            files[path] = _text(_of_version(json.loads(files[path])))

    _change(copy, change)


def take_from_other_cluster(copy: Copy) -> None:
    """The archive's namespace kube-system has another uid, by which clusters are told apart.

    Where the backup does not hold that namespace, one is added.
    """

    def change(files: Files) -> None:
        paths = _paths(files, _IDENTITY)
        for path in paths or [_path(_IDENTITY)]:
            held = json.loads(files[path]) if path in files else _IDENTITY_OBJECT
            uid = _other(str(held["metadata"].get("uid") or ""))
            files[path] = _text({**held, "metadata": {**held["metadata"], "uid": uid}})

    _change(copy, change)


def empty_volume_info(copy: Copy) -> None:
    """The backup says of no volume that its data was taken, in neither of its two lists.

    What was taken lies in the store, and Velero would even bring moved data back; but nobody who
    asks the backup is told so.
    """
    lists = {suffix: _list(copy, suffix) for suffix in (_VOLUME_INFO, _COPIES)}
    records = volume_info.parse(lists[_VOLUME_INFO] or [], copy.backup)
    copies = volume_info.from_copies(lists[_COPIES] or [])
    if not any(one.has_data for one in (*records, *copies)):
        raise NothingToPlantError(
            f"backup {copy.backup} holds data of no volume; name one that has"
        )
    for suffix, held in lists.items():
        if held is not None:
            copy.objects.put(copy.file(suffix), gzip.compress(b"[]", mtime=0))


def _list(copy: Copy, suffix: str) -> list[Any] | None:
    key = copy.file(suffix)
    if key not in copy.objects.keys(key):
        return None
    try:
        # Go writes an empty list that was never filled as null.
        held = json.loads(gzip.decompress(copy.objects.get(key))) or []
    except (OSError, EOFError, ValueError):
        held = {}
    if not isinstance(held, list):
        raise NothingToPlantError(f"{key} is no list of volumes; it is damaged already")
    return held


_IDENTITY_OBJECT: Mapping[str, Any] = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": _IDENTITY.name},
}


def _other(uid: str) -> str:
    """Another uid of the same form."""
    known = uid or "00000000-0000-4000-8000-000000000000"
    return known[:-1] + ("0" if known[-1] != "0" else "1")


def _of_version(held: Mapping[str, Any]) -> dict[str, Any]:
    group, slash, _ = str(held["apiVersion"]).rpartition("/")
    return {**held, "apiVersion": f"{group}{slash}{_UNSERVED}"}


def _victim(copy: Copy, files: Files, picked: Picked | None) -> ObjectKey:
    """The object to plant in. Raises NothingToPlantError, TarballError."""
    candidates = [
        key
        for key, content in tarball.objects(io.BytesIO(pack(files)))
        if _is_candidate(key, copy.objects_of or copy.namespaces)
        and (picked is None or picked(key, content))
    ]  # fmt: skip
    if not candidates:
        among = ", ".join(copy.objects_of or copy.namespaces) or "any namespace"
        raise NothingToPlantError(
            f"backup {copy.backup} holds no object of {among} that a fault could be planted in; "
            "make one of a namespace with a ConfigMap"
        )
    return min(candidates, key=lambda key: (_VICTIMS.index(key.resource), key))


def _is_candidate(key: ObjectKey, namespaces: Collection[str]) -> bool:
    return (
        key.resource in _VICTIMS
        and key.namespace in namespaces
        and key.name not in _MADE_BY_THE_CLUSTER
    )


def _path(key: ObjectKey) -> str:
    inside = f"namespaces/{key.namespace}" if key.namespace else "cluster"
    return f"resources/{key.resource}/{inside}/{key.name}.json"


def _paths(files: Collection[str], key: ObjectKey) -> list[str]:
    """Every path that holds this object."""
    first = _path(key)
    tail = first.removeprefix(f"resources/{key.resource}")
    return [
        path for path in files
        if path == first
        or (path.startswith(f"resources/{key.resource}/") and path.endswith(tail))
    ]  # fmt: skip


def _text(content: Mapping[str, Any]) -> bytes:
    # As Go writes it: compact.
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def _change(copy: Copy, deed: Callable[[Files], None]) -> None:
    key = copy.file(_ARCHIVE)
    files = dict(unpacked(copy.objects.get(key)))
    deed(files)
    copy.objects.put(key, pack(files))


def unpacked(packed: bytes) -> Iterator[tuple[str, bytes]]:
    """The files of a tar.gz, in their order."""
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                yield member.name, content.read()


def pack(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz of these files, in their order."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()
