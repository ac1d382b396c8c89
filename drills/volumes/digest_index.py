"""Which volumes' digests were read around a backup, which were not and why, and where they lie.

The index is kept last, when every file it names is there; it holds the sum of each, so that one
that was lost or exchanged is noticed.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from drills.backup.kept_files import KeptFiles
from drills.volumes.digest_file import DigestFile, DigestsError

SCHEMA = 1
KIND = "volume-digests-index"
MOST_BYTES = 64 << 20
_TEXTS = ("namespace", "claim", "sha256", "why")


@dataclass(frozen=True, order=True)
class Chosen:
    """Claims whose digests are wanted. `claim` may be a glob, the namespace may not."""

    namespace: str
    claim: str

    def covers(self, namespace: str, claim: str) -> bool:
        return namespace == self.namespace and fnmatchcase(claim, self.claim)


@dataclass(frozen=True)
class Volume:
    """One volume that was chosen. `why`: why it was not read, in one sentence; else "".

    `sha256`: of its file; `counts`: what that says of its lines.
    """

    namespace: str
    claim: str
    sha256: str = ""
    why: str = ""
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Namespace and claim."""
        return f"{self.namespace}/{self.claim}"


@dataclass(frozen=True)
class Index:
    """Of one backup; `asked`: what was to be read, whether or not the cluster had it."""

    cluster_uid: str
    backup: str
    asked: Sequence[Chosen]
    volumes: Sequence[Volume]


def index_name(backup: str) -> str:
    return f"{backup}.volumes.json"


def file_name(backup: str, namespace: str, claim: str) -> str:
    """The names of namespaces and claims are those of Kubernetes, and so fit for a path."""
    return f"{backup}.volumes/{namespace}/{claim}.json.gz"


def render(index: Index) -> bytes:
    return json.dumps(
        {
            "schema": SCHEMA,
            "kind": KIND,
            "clusterUid": index.cluster_uid,
            "backup": index.backup,
            "asked": [asdict(one) for one in sorted(index.asked)],
            "volumes": [asdict(one) for one in sorted(index.volumes, key=lambda one: one.place)],
        },
        indent=1,
        sort_keys=True,
    ).encode()


def parse(content: bytes) -> Index:
    """Raises DigestsError."""
    try:
        raw = json.loads(content)
        if (raw["kind"], raw["schema"]) != (KIND, SCHEMA):
            raise DigestsError(
                f"the list of digests is none of schema {SCHEMA}: it was written by another "
                "release, or is something else"
            )
        asked = [Chosen(str(one["namespace"]), str(one["claim"])) for one in raw["asked"]]
        volumes = [_volume(one) for one in raw["volumes"]]
        return Index(str(raw["clusterUid"]), str(raw["backup"]), asked, volumes)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise DigestsError("the list of digests cannot be read") from None


def _volume(raw: dict[str, Any]) -> Volume:
    counts = {str(key): int(value) for key, value in raw["counts"].items()}
    namespace, claim, digest, why = (str(raw[one]) for one in _TEXTS)
    if bool(digest) is bool(why):
        raise ValueError
    return Volume(namespace, claim, digest, why, counts)


def sha256_of(place: Path) -> str:
    """Raises OSError."""
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass
class KeptDigests:
    """The digests of one site's backups, for who compares. `cluster_uid`: of the site's cluster.

    `folder`: a temporary one, of the caller.
    """

    files: KeptFiles
    cluster_uid: str
    folder: Path

    def index(self, backup: str) -> Index | None:
        """None if no digests were read around this backup.

        Raises:
            DigestsError: the list is damaged, or of another cluster or backup.
            StoreError: the bucket cannot be read.
        """
        pieces = self.files.pieces(index_name(backup))
        if pieces is None:
            return None
        content = b""
        for piece in pieces:
            content += piece
            if len(content) > MOST_BYTES:
                raise DigestsError("the list of digests is too long")
        found = parse(content)
        if found.cluster_uid != self.cluster_uid:
            raise DigestsError(f"the list of digests is of the cluster {found.cluster_uid}")
        if found.backup != backup:
            raise DigestsError(f"the list of digests is of backup {found.backup}")
        return found

    def file(self, backup: str, volume: Volume) -> DigestFile:
        """The digests of a volume that was read, brought here.

        Raises:
            DigestsError: they are gone, or are not those that the index names.
            StoreError: the bucket cannot be read.
        """
        about = f"the digests of {volume.place}"
        pieces = self.files.pieces(file_name(backup, volume.namespace, volume.claim))
        if pieces is None:
            raise DigestsError(f"{about} are listed and are not kept any more")
        place = self.folder / f"{hashlib.sha256(volume.place.encode()).hexdigest()}.digests"
        try:
            seen = _written(pieces, place)
        except OSError as error:
            raise DigestsError(
                f"{about} cannot be kept in {self.folder} ({error.strerror}); make room there, or "
                "set TMPDIR to a folder that has some"
            ) from None
        if seen != volume.sha256:
            raise DigestsError(f"{about} are not those that were kept")
        found = DigestFile(place)
        head = found.head()
        if (head.cluster_uid, head.backup, head.place) != (self.cluster_uid, backup, volume.place):
            raise DigestsError(f"{about} are of another volume, backup or cluster")
        return found


def _written(pieces: Iterator[bytes], place: Path) -> str:
    digest = hashlib.sha256()
    with place.open("wb") as file:
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()
