"""A scratch site on a real store, for controls that damage what they run on.

With an administrator's credential it makes two buckets and three users of its own, proves that the
drill is green on them, plants one fault at a time, and removes everything. It never changes
anything that does not carry its mark. What a killed predecessor left is removed when it is an hour
old; the age is in the names.
"""

import datetime
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from minio import Minio
from minio.minioadmin import MinioAdmin
from minio.versioningconfig import VersioningConfig
from pydantic import SecretStr

from drills.frame import Clock
from drills.store.capabilities import Role
from drills.store.payload import Client, StorePayload
from s3.client import Credential, connect, connect_admin
from s3.errors import SDK_ERRORS, classify
from s3.settings import Bucket

MARK = "backstop-control"
KEY_MARK = "BSCTL"
ABANDONED_AFTER = datetime.timedelta(hours=1)

_STAMP = 8  # hexadecimal digits of a time in seconds
_P = ParamSpec("_P")
_T = TypeVar("_T")

_OBJECT_WORK = (
    "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
)  # fmt: skip
_NEVER = (
    "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:PutBucketVersioning",
    "s3:PutLifecycleConfiguration", "s3:PutBucketObjectLockConfiguration",
    "s3:PutObjectLegalHold", "s3:PutBucketPolicy", "s3:DeleteBucket", "s3:ForceDeleteBucket",
)  # fmt: skip
_READING = (
    "s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketLocation", "s3:GetBucketVersioning",
    "s3:GetBucketObjectLockConfiguration", "s3:GetLifecycleConfiguration", "s3:GetObject",
    "s3:GetObjectVersion",
)  # fmt: skip


@dataclass
class ScratchSite:
    """Two writers with a bucket each and one reader; `payload` is what the drill is given."""

    payload: StorePayload
    name: str
    _client: Minio = field(repr=False)
    _admin: MinioAdmin = field(repr=False)

    @property
    def first(self) -> Client:
        return self.payload.clients[0]

    @contextmanager
    def over_broad_policy(self) -> Iterator[None]:
        """The first writer may do to the second one's bucket what it may do to its own."""
        both = [bucket.name for bucket in self.payload.buckets]
        self._allow("one", _writer(*both))
        try:
            yield
        finally:
            self._allow("one", _writer(self.first.bucket))

    @contextmanager
    def version_purging_policy(self) -> Iterator[None]:
        """The first writer may delete versions: nothing it deletes would come back."""
        self._allow("one", _writer(self.first.bucket, deny=()))
        try:
            yield
        finally:
            self._allow("one", _writer(self.first.bucket))

    @contextmanager
    def anonymous_bucket(self) -> Iterator[None]:
        """Everybody may read the first bucket."""
        bucket = self.first.bucket
        statement = _statement("Allow", ("s3:GetObject",), bucket) | {"Principal": {"AWS": ["*"]}}
        text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._ask(self._client.set_bucket_policy, bucket, text)
        try:
            yield
        finally:
            self._ask(self._client.delete_bucket_policy, bucket)

    @contextmanager
    def unversioned_bucket(self) -> Iterator[None]:
        """Versioning of the first bucket is suspended."""
        bucket = self.first.bucket
        suspended, enabled = VersioningConfig("Suspended"), VersioningConfig("Enabled")
        self._ask(self._client.set_bucket_versioning, bucket, suspended)
        try:
            yield
        finally:
            self._ask(self._client.set_bucket_versioning, bucket, enabled)

    def build(self) -> None:
        """Makes buckets, users and policies. Raises StoreError; the caller removes in any case."""
        buckets = [bucket.name for bucket in self.payload.buckets]
        for bucket in buckets:
            self._ask(self._client.make_bucket, bucket)
            self._ask(self._client.set_bucket_versioning, bucket, VersioningConfig("Enabled"))
        texts = {"one": _writer(buckets[0]), "two": _writer(buckets[1]), "reader": _reader(buckets)}
        for client, (who, text) in zip(self.payload.clients, texts.items(), strict=True):
            key = client.credential()
            self._ask(self._admin.user_add, key.access_key, key.secret_key)
            self._allow(who, text)
            policies = [f"{self.name}-{who}"]
            self._ask(self._admin.attach_policy, policies, user=key.access_key)

    def _allow(self, who: str, text: dict[str, object]) -> None:
        self._ask(self._admin.policy_add, f"{self.name}-{who}", policy=text)

    def remove(self) -> None:
        """Removes this site; what never came to be is no fault."""
        present = self._users()
        for client in self.payload.clients:
            key = client.credential().access_key
            if key in present:
                self._ask(self._admin.user_remove, key)
        self._remove_named(lambda name: name.startswith(self.name))

    def sweep(self, now: datetime.datetime) -> None:
        """Removes what dead predecessors left, by mark and age."""

        def abandoned(name: str, mark: str) -> bool:
            stamp = name.removeprefix(mark)[:_STAMP]
            if not name.startswith(mark) or not _is_stamp(stamp):
                return False
            made = datetime.datetime.fromtimestamp(int(stamp, 16), datetime.UTC)
            return now - made > ABANDONED_AFTER

        for key in self._users():
            if abandoned(key, KEY_MARK):
                self._ask(self._admin.user_remove, key)
        self._remove_named(lambda name: abandoned(name, f"{MARK}-"))

    def _users(self) -> set[str]:
        return set(json.loads(self._ask(self._admin.user_list)))

    def _remove_named(self, ours: Callable[[str], bool]) -> None:
        for policy in json.loads(self._ask(self._admin.policy_list)):
            if ours(policy):
                self._ask(self._admin.policy_remove, policy)
        for bucket in self._ask(self._client.list_buckets):
            if ours(bucket.name):
                self._ask(self._empty_and_remove, bucket.name)

    def _empty_and_remove(self, bucket: str) -> None:
        # A null version, as suspended versioning writes it, cannot be removed while versioning is
        # enabled: the server answers 204 and keeps it.
        self._client.set_bucket_versioning(bucket, VersioningConfig("Suspended"))
        for entry in list(self._client.list_objects(bucket, recursive=True, include_version=True)):
            if entry.object_name is not None:
                self._client.remove_object(bucket, entry.object_name, version_id=entry.version_id)
        self._client.remove_bucket(bucket)

    def _ask(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return call(*args, **kwargs)
        except SDK_ERRORS as error:
            raise classify(error, self.payload.endpoint, f"scratch site {self.name}") from error


@contextmanager
def scratch_site(payload: StorePayload, admin: Credential, clock: Clock) -> Iterator[ScratchSite]:
    """A healthy scratch site beside the real one, gone when left. Raises StoreError."""
    stamp = f"{int(clock.now().timestamp()):0{_STAMP}x}"
    name = f"{MARK}-{stamp}-{secrets.token_hex(3)}"
    buckets = tuple(
        Bucket(
            name=f"{name}-{letter}", versioning=True, objectLock=None, noncurrentDays=None,
            quotaBytes=None,
        )
        for letter in "ab"
    )  # fmt: skip
    roles = (("one", Role.VELERO), ("two", Role.LONGHORN), ("reader", Role.DRILL))
    clients = tuple(
        Client(
            name=who, role=role, bucket=bucket,
            accessKey=SecretStr(f"{KEY_MARK}{stamp}{secrets.token_hex(3)}"),
            secretKey=SecretStr(secrets.token_hex(20)),
        )
        for (who, role), bucket in zip(roles, [*(b.name for b in buckets), ""], strict=True)
    )  # fmt: skip
    scratch = payload.model_copy(
        update={"clients": clients, "buckets": buckets, "evidence": None, "admin": None}
    )
    store = payload.store()
    site = ScratchSite(scratch, name, connect(store, admin), connect_admin(store, admin))
    site.sweep(clock.now())
    try:
        site.build()
        yield site
    finally:
        site.remove()


def _is_stamp(text: str) -> bool:
    return len(text) == _STAMP and all(digit in "0123456789abcdef" for digit in text)


def _statement(effect: str, actions: tuple[str, ...], *buckets: str) -> dict[str, object]:
    resources = [f"arn:aws:s3:::{name}{part}" for name in buckets for part in ("", "/*")]
    return {"Effect": effect, "Action": list(actions), "Resource": resources}


def _writer(*buckets: str, deny: tuple[str, ...] = _NEVER) -> dict[str, object]:
    bucket_work = ("s3:ListBucket", "s3:GetBucketLocation")
    statements = [_statement("Allow", (*_OBJECT_WORK, *bucket_work), *buckets)]
    if deny:
        statements.append(_statement("Deny", deny, *buckets))
    return {"Version": "2012-10-17", "Statement": statements}


def _reader(buckets: list[str]) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": [_statement("Allow", _READING, *buckets)]}
