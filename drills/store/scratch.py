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
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from minio.versioningconfig import VersioningConfig
from pydantic import SecretStr

from drills.frame import Clock
from drills.store.capabilities import Role
from drills.store.payload import Client, StorePayload
from drills.store.scratch_removal import KEY_MARK, MARK, Administration, stamp
from s3.client import Credential
from s3.settings import Bucket

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
    _store: Administration

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
        self._ask(self._store.client.set_bucket_policy, bucket, text)
        try:
            yield
        finally:
            self._ask(self._store.client.delete_bucket_policy, bucket)

    @contextmanager
    def unversioned_bucket(self) -> Iterator[None]:
        """Versioning of the first bucket is suspended."""
        bucket = self.first.bucket
        suspended, enabled = VersioningConfig("Suspended"), VersioningConfig("Enabled")
        self._ask(self._store.client.set_bucket_versioning, bucket, suspended)
        try:
            yield
        finally:
            self._ask(self._store.client.set_bucket_versioning, bucket, enabled)

    def build(self) -> None:
        """Makes buckets, users and policies. Raises StoreError; the caller removes in any case."""
        buckets = [bucket.name for bucket in self.payload.buckets]
        for bucket in buckets:
            self._ask(self._store.client.make_bucket, bucket)
            self._ask(self._store.client.set_bucket_versioning, bucket, VersioningConfig("Enabled"))
        texts = {"one": _writer(buckets[0]), "two": _writer(buckets[1]), "reader": _reader(buckets)}
        for client, (who, text) in zip(self.payload.clients, texts.items(), strict=True):
            key = client.credential()
            self._ask(self._store.admin.user_add, key.access_key, key.secret_key)
            self._allow(who, text)
            policies = [f"{self.name}-{who}"]
            self._ask(self._store.admin.attach_policy, policies, user=key.access_key)

    def _allow(self, who: str, text: dict[str, object]) -> None:
        self._ask(self._store.admin.policy_add, f"{self.name}-{who}", policy=text)

    def remove(self) -> None:
        """Removes this site; what never came to be is no fault."""
        own = {client.credential().access_key for client in self.payload.clients}
        self._store.remove_users(own.__contains__)
        self._store.remove_named(lambda name: name.startswith(self.name))

    def sweep(self, now: datetime.datetime) -> None:
        """Removes what dead predecessors left, by mark and age."""
        self._store.sweep(now)

    def _ask(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return self._store.ask(f"scratch site {self.name}", call, *args, **kwargs)


@contextmanager
def scratch_site(payload: StorePayload, admin: Credential, clock: Clock) -> Iterator[ScratchSite]:
    """A healthy scratch site beside the real one, gone when left. Raises StoreError."""
    made = stamp(clock.now())
    name = f"{MARK}-{made}-{secrets.token_hex(3)}"
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
            accessKey=SecretStr(f"{KEY_MARK}{made}{secrets.token_hex(3)}"),
            secretKey=SecretStr(secrets.token_hex(20)),
        )
        for (who, role), bucket in zip(roles, [*(b.name for b in buckets), ""], strict=True)
    )  # fmt: skip
    scratch = payload.model_copy(
        update={"clients": clients, "buckets": buckets, "evidence": None, "admin": None}
    )
    site = ScratchSite(scratch, name, Administration.open(payload.store(), admin))
    site.sweep(clock.now())
    try:
        site.build()
        yield site
    finally:
        site.remove()


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
