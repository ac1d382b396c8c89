"""A bucket for one copy, on the site's own store, with two users who may use nothing else.

Bucket, users and policies bear the mark of the store drill's controls, whose sweep knows them too.
The stamp in their names is chosen so that they count as abandoned when the run is dead.
"""

import datetime
import io
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from minio.commonconfig import CopySource

from drills.damaged.copy import repository
from drills.damaged.renaming import Renaming
from drills.store.attempts import together
from drills.store.scratch_removal import ABANDONED_AFTER, KEY_MARK, MARK, Administration, stamp
from s3.client import Credential, StoreEndpoint
from s3.errors import Cause, StoreError

_ROUNDS = 3
# kopia's own log is no part of its data, and comes and goes.
_NO_DATA = "_log_"
_READING = ("s3:ListBucket", "s3:GetBucketLocation", "s3:GetObject")
# Velero writes the log and results of every restore beside the backup.
_WRITING = (*_READING, "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload",
            "s3:ListMultipartUploadParts", "s3:ListBucketMultipartUploads")  # fmt: skip

_P = ParamSpec("_P")
_T = TypeVar("_T")


class TooLargeError(Exception):
    """A copy would go beyond its bounds; the text is one sentence."""


@dataclass(frozen=True)
class Bounds:
    """How much may be copied: the store holds it twice while a control runs."""

    objects: int = 20_000
    bytes: int = 4 * 1024**3


@dataclass(frozen=True)
class Source:
    """A backup in the store. `prefix`: of its location, as Velero has it, "" for none."""

    bucket: str
    prefix: str
    backup: str

    def key(self, path: str) -> str:
        return f"{self.prefix.strip('/')}/{path}" if self.prefix.strip("/") else path


@dataclass(frozen=True)
class _Listed:
    key: str
    size: int


@dataclass
class ScratchBucket:
    """`velero`: the key pair that Velero gets. `reader`: the one that a drill reads with."""

    name: str
    velero: Credential
    reader: Credential
    _store: Administration

    def build(self, also_read: Sequence[tuple[str, str]] = ()) -> None:
        """Makes bucket, users and policies. `also_read`: (bucket, prefix) that the reader may read.

        Raises StoreError; the caller removes in any case.
        """
        self._ask(self._store.client.make_bucket, self.name)
        own = _statements(_WRITING, self.name)
        reads = [
            one for bucket, prefix in also_read for one in _statements(_READING, bucket, prefix)
        ]
        users = (
            ("velero", self.velero, own),
            ("reader", self.reader, [*_statements(_READING, self.name), *reads]),
        )
        for who, key, statements in users:
            policy = {"Version": "2012-10-17", "Statement": statements}
            self._ask(self._store.admin.policy_add, f"{self.name}-{who}", policy=policy)
            self._ask(self._store.admin.user_add, key.access_key, key.secret_key)
            self._ask(self._store.admin.attach_policy, [f"{self.name}-{who}"], user=key.access_key)

    def copy(
        self, source: Source, renaming: Renaming, namespaces: Iterable[str], bounds: Bounds
    ) -> int:
        """Copies the backup and the repositories of these namespaces; how many bytes.

        The store copies by itself, but for the few files that name the backup. What disappears
        meanwhile (a repository is tidied up every hour) is looked for anew.

        Raises TooLargeError, RenamingError, StoreError.
        """
        folders = [f"backups/{source.backup}/", *(repository(each) for each in namespaces)]
        for left in reversed(range(_ROUNDS)):
            listed = [one for folder in folders for one in self._data(source, folder)]
            size = self._check(listed, bounds)
            lost = together(lambda one: self._copy(source, renaming, one.key), listed)
            if not any(lost) or not left:
                break
            self._store.empty(self.name)
        if any(lost):
            raise StoreError(
                Cause.OBJECT_MISSING,
                f"objects of {source.bucket}/{source.prefix} disappear while they are copied; is "
                "the backup being deleted",
            )
        return size

    def _data(self, source: Source, folder: str) -> list[_Listed]:
        full = source.key(folder)
        cut = len(full) - len(folder)
        return [
            _Listed(entry.key[cut:], entry.size)
            for entry in self._ask(self._listed, source.bucket, full)
            if not entry.key.removeprefix(full).startswith(_NO_DATA)
        ]

    def _check(self, listed: Sequence[_Listed], bounds: Bounds) -> int:
        size = sum(one.size for one in listed)
        if len(listed) > bounds.objects or size > bounds.bytes:
            raise TooLargeError(
                f"a copy would take {len(listed)} objects and {size} bytes, more than "
                f"{bounds.objects} and {bounds.bytes}; name a smaller backup or fewer namespaces"
            )
        return size

    def _copy(self, source: Source, renaming: Renaming, path: str) -> bool:
        """Copies one object; True if it is not there any more."""
        target = renaming.key(path) if path.startswith("backups/") else path
        rewrite = renaming.rewrite(path)
        origin = source.key(path)
        try:
            if rewrite is None:
                self._ask(
                    self._store.client.copy_object,
                    self.name,
                    target,
                    CopySource(source.bucket, origin),
                )
            else:
                content = self._ask(self._read, source.bucket, origin)
                self.objects().put(target, rewrite(content))
        except StoreError as error:
            if error.cause is not Cause.OBJECT_MISSING:
                raise
            return True
        return False

    def objects(self) -> "BucketObjects":
        """What a fault may change: the objects of this bucket, as the administrator."""
        return BucketObjects(self)

    def remove(self) -> None:
        """Removes users, policies and the bucket; what never came to be is no fault."""
        self._store.remove_users((self.velero.access_key, self.reader.access_key).__contains__)
        self._store.remove_named(self._is_own)

    def _is_own(self, name: str) -> bool:
        return name == self.name or name.startswith(f"{self.name}-")

    def _listed(self, bucket: str, prefix: str) -> list[_Listed]:
        return [
            _Listed(entry.object_name, entry.size or 0)
            for entry in self._store.client.list_objects(bucket, prefix=prefix, recursive=True)
            if entry.object_name is not None
        ]

    def _read(self, bucket: str, key: str) -> bytes:
        answer = self._store.client.get_object(bucket, key)
        try:
            return answer.read()
        finally:
            answer.close()
            answer.release_conn()

    def _ask(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return self._store.ask(self.name, call, *args, **kwargs)


@dataclass(frozen=True)
class BucketObjects:
    """`Objects` in a scratch bucket. Raises StoreError."""

    bucket: ScratchBucket

    def keys(self, prefix: str) -> list[str]:
        held = self.bucket
        return sorted(one.key for one in held._ask(held._listed, held.name, prefix))

    def get(self, key: str) -> bytes:
        held = self.bucket
        return held._ask(held._read, held.name, key)

    def put(self, key: str, content: bytes) -> None:
        held = self.bucket
        held._ask(held._store.client.put_object, held.name, key, io.BytesIO(content), len(content))

    def delete(self, key: str) -> None:
        held = self.bucket
        held._ask(held._store.client.remove_object, held.name, key)


def scratch_bucket(
    endpoint: StoreEndpoint, admin: Credential, until: datetime.datetime
) -> ScratchBucket:
    """A bucket that is not made yet. `until`: when the run that uses it is dead."""
    made = stamp(until - ABANDONED_AFTER)

    def key_pair() -> Credential:
        return Credential(f"{KEY_MARK}{made}{secrets.token_hex(3)}", secrets.token_hex(20))

    return ScratchBucket(
        f"{MARK}-{made}-{secrets.token_hex(3)}", key_pair(), key_pair(),
        Administration.open(endpoint, admin),
    )  # fmt: skip


def _statements(actions: Sequence[str], bucket: str, prefix: str = "") -> list[dict[str, object]]:
    """On the bucket, and on its objects below the prefix."""
    whole = {"s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"}
    return [
        {"Effect": "Allow", "Action": sorted(set(actions) & whole),
         "Resource": [f"arn:aws:s3:::{bucket}"]},
        {"Effect": "Allow", "Action": sorted(set(actions) - whole),
         "Resource": [f"arn:aws:s3:::{bucket}/{prefix}*"]},
    ]  # fmt: skip
