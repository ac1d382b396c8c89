"""A backup's archive and what lies beside it, read straight from the store with the drill's key."""

import tempfile
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import IO, Any

from drills.backup.payload import VeleroPlace
from drills.objects import metadata, tarball
from drills.objects.keys import ObjectKey
from drills.objects.tarball import SavedObject
from drills.sandbox.kinds import CLAIMS, Present
from drills.sandbox.wish import Contents
from s3.client import Credential, StoreEndpoint, connect
from s3.errors import SDK_ERRORS, classify

PIECE_BYTES = 1024 * 1024
_NAMESPACES = "namespaces"
_PICKED = ("pods", "services", CLAIMS)
_IDENTITY = "kube-system"


@dataclass(frozen=True)
class Reader:
    """The drill's own way to a location's files. Raises StoreError at each reading."""

    endpoint: StoreEndpoint
    credential: Credential
    place: VeleroPlace

    def pieces(self, path: str) -> Iterator[bytes]:
        """A file of the location, piece by piece; complete, or StoreError."""
        return fetched(self.endpoint, self.credential, self.place.bucket, self.place.key(path))


def fetched(
    endpoint: StoreEndpoint, credential: Credential, bucket: str, key: str
) -> Iterator[bytes]:
    """An object of the store, piece by piece; complete, or StoreError."""
    about = f"reading {bucket}/{key}"
    try:
        answer = connect(endpoint, credential).get_object(bucket, key)
    except SDK_ERRORS as error:
        raise classify(error, endpoint.url, about) from error
    try:
        # Its length is enforced: a connection that breaks is no end of the file.
        yield from answer.stream(PIECE_BYTES)
    except SDK_ERRORS as error:
        raise classify(error, endpoint.url, about) from error
    finally:
        answer.close()
        answer.release_conn()


@dataclass(frozen=True)
class Overview:
    """`contents` for the plan; `cluster_uid`: of the archived kube-system, None without it."""

    contents: Contents
    cluster_uid: str | None


class Archive:
    """A backup's tarball on this machine's disk, without a name there, so that nothing
    is left of it when the drill is killed. It is read more than once."""

    def __init__(self, reader: Reader, backup: str) -> None:
        self.backup = backup
        self.size = 0
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (close)
        try:
            for piece in reader.pieces(f"backups/{backup}/{backup}.tar.gz"):
                self.size += self._file.write(piece)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        self._file.close()

    def objects(self, only: Collection[ObjectKey] | None = None) -> Iterator[SavedObject]:
        """Every object from the first on; one reading at a time. Raises TarballError."""
        self._file.seek(0)
        return tarball.objects(self._file, only=only)

    def look(self, wanted: Collection[str]) -> Overview:
        """What has to be known before a restore; `wanted`: namespaces and globs, none for all.

        Raises TarballError.
        """
        uid: str | None = None
        kinds: Counter[tuple[str, bool]] = Counter()
        namespaces: set[str] = set()
        picked: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _PICKED}
        for key, content in self.objects():
            kinds[key.resource, bool(key.namespace)] += 1
            if key.namespace:
                namespaces.add(key.namespace)
            elif key.resource == _NAMESPACES:
                namespaces.add(key.name)
                if key.name == _IDENTITY:
                    uid = metadata.text(content, "uid") or None
            if key.resource in picked and _asked(key.namespace, wanted):
                picked[key.resource].append(content)
        present = [Present(kind, inside, count) for (kind, inside), count in sorted(kinds.items())]
        contents = Contents(namespaces, present, picked["pods"], picked["services"], picked[CLAIMS])
        return Overview(contents, uid)


def _asked(namespace: str, wanted: Collection[str]) -> bool:
    return not wanted or any(fnmatchcase(namespace, one) for one in wanted)
