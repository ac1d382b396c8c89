"""Bucket settings that no Pulumi resource can hold, and the read-back of those that one does.

Sets the ownership tag, the quota and the default retention, then reads versioning, lifecycle, quota
and lock back from the server and compares them with what was asked for: the provider reports some
of them as set without looking.
"""

import json
from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from minio import Minio
from minio.commonconfig import Tags
from minio.minioadmin import MinioAdmin
from minio.objectlockconfig import DAYS, ObjectLockConfig
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from s3.bucket_state import default_retention, expiries, noncurrent_days, versioned
from s3.client import Credential, StoreEndpoint, connect, connect_admin
from s3.errors import SDK_ERRORS, classify
from s3.ownership import OWNERSHIP_TAG

_T = TypeVar("_T")


class BadRequestError(Exception):
    """The JSON on stdin is not a settings request; the text is one sentence naming the key."""


class SettingsDifferError(Exception):
    """The server does not hold what was asked for, or the bucket belongs to another site."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Lock(_Strict):
    """Default retention of a bucket made with object lock."""

    mode: Literal["GOVERNANCE", "COMPLIANCE"]
    days: Annotated[int, Field(ge=1)]


class Expiry(_Strict):
    """Objects below `prefix` cease to be current after so many days."""

    prefix: Annotated[str, Field(min_length=1)]
    days: Annotated[int, Field(ge=1)]


class Bucket(_Strict):
    """What one bucket should look like; `quota_bytes` null means no quota.

    Nothing but what `expires` names may expire while it is current.
    """

    name: Annotated[str, Field(min_length=3, max_length=63)]
    versioning: bool
    object_lock: Lock | None = Field(alias="objectLock")
    noncurrent_days: Annotated[int, Field(ge=1)] | None = Field(alias="noncurrentDays")
    quota_bytes: Annotated[int, Field(ge=1)] | None = Field(alias="quotaBytes")
    expires: tuple[Expiry, ...] = ()
    claim: bool = True

    def expiring(self) -> list[dict[str, object]]:
        """`expires` in the form and order in which the server's rules are read."""
        return sorted(
            ({"prefix": each.prefix, "days": each.days} for each in self.expires),
            key=lambda each: (str(each["prefix"]), str(each["days"])),
        )


class Request(_Strict):
    """The whole input of `python -m s3 settings`; the credential is an administrator's."""

    schema_version: Literal[1] = Field(alias="schema")
    endpoint: str
    region: Annotated[str, Field(min_length=1)]
    ca_pem: str = Field(alias="caPem")
    access_key: SecretStr = Field(alias="accessKey")
    secret_key: SecretStr = Field(alias="secretKey")
    site: Annotated[str, Field(min_length=1)]
    bucket: Bucket

    def store(self) -> StoreEndpoint:
        return StoreEndpoint(self.endpoint, self.region, self.ca_pem)

    def credential(self) -> Credential:
        return Credential(self.access_key.get_secret_value(), self.secret_key.get_secret_value())


def parse(text: str) -> Request:
    """The request in `text`. Raises BadRequestError; values are never repeated: some are secret."""
    try:
        request = Request.model_validate(json.loads(text))
        request.store()
    except json.JSONDecodeError as error:
        raise BadRequestError(
            f"stdin is no JSON (line {error.lineno}): give one JSON object"
        ) from error
    except ValidationError as error:
        raise BadRequestError(one_sentence(error)) from None  # its text would show the input
    except ValueError as error:
        raise BadRequestError(str(error)) from error
    return request


def one_sentence(error: ValidationError) -> str:
    """The first fault of a validation as `key: what is wrong`, without the offending value."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    key = ".".join(str(part) for part in first["loc"]) or "input"
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key; remove it or correct its spelling"
    if first["type"] == "value_error":
        return first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        return f"{key}: missing; add it"
    return f"{key}: {first['msg'][:1].lower()}{first['msg'][1:]}"


def apply(request: Request) -> dict[str, object]:
    """Claims the bucket, sets quota and default retention, returns what the server holds.

    Raises SettingsDifferError with one sentence for a foreign bucket or a difference, StoreError
    when the store refuses or cannot be reached.
    """
    store, bucket = request.store(), request.bucket
    client = connect(store, request.credential())

    def ask(call: Callable[[], _T]) -> _T:
        try:
            return call()
        except SDK_ERRORS as error:
            raise classify(error, store.url, f"bucket {bucket.name}") from error

    tags = ask(lambda: client.get_bucket_tags(bucket.name)) or Tags.new_bucket_tags()
    owner = tags.get(OWNERSHIP_TAG)
    if owner is not None and owner != request.site:
        raise SettingsDifferError(
            f"bucket {bucket.name} at {store.url} belongs to site {owner!r}, not to"
            f" {request.site!r}; choose another bucket name"
        )
    if bucket.claim and owner is None:
        tags[OWNERSHIP_TAG] = request.site
        ask(lambda: client.set_bucket_tags(bucket.name, tags))
    lock = bucket.object_lock
    if lock is not None and ask(lambda: default_retention(client, bucket.name)) != _wanted_lock(
        lock
    ):
        ask(
            lambda: client.set_object_lock_config(
                bucket.name, ObjectLockConfig(lock.mode, lock.days, DAYS)
            )
        )
    admin = connect_admin(store, request.credential())
    if ask(lambda: _quota(admin, bucket.name)) != bucket.quota_bytes:
        ask(lambda: _set_quota(admin, bucket))
    held = ask(lambda: _held(client, bucket.name))
    held["quotaBytes"] = ask(lambda: _quota(admin, bucket.name))
    _compare(held, bucket, store.url)
    return held


def _held(client: Minio, name: str) -> dict[str, object]:
    tags = client.get_bucket_tags(name)
    return {
        "name": name,
        "site": None if tags is None else tags.get(OWNERSHIP_TAG),
        "versioning": versioned(client, name),
        "objectLock": default_retention(client, name),
        "noncurrentDays": noncurrent_days(client, name),
        "expires": expiries(client, name),
    }


def _wanted_lock(lock: Lock | None) -> dict[str, object] | None:
    return None if lock is None else {"mode": lock.mode, "days": lock.days}


def _quota(admin: MinioAdmin, name: str) -> int | None:
    quota = json.loads(admin.bucket_quota_get(name))
    # Older servers answer `quota`, newer ones `size`; 0 means none.
    return int(quota.get("size") or quota.get("quota") or 0) or None


def _set_quota(admin: MinioAdmin, bucket: Bucket) -> None:
    # Here and not in the provider's bucket, which cannot take a quota away and never reads it.
    if bucket.quota_bytes is None:
        admin.bucket_quota_clear(bucket.name)
    else:
        admin.bucket_quota_set(bucket.name, bucket.quota_bytes)


def _compare(held: dict[str, object], bucket: Bucket, url: str) -> None:
    wanted: dict[str, object] = {
        "versioning": bucket.versioning,
        "objectLock": _wanted_lock(bucket.object_lock),
        "noncurrentDays": bucket.noncurrent_days,
        "expires": bucket.expiring(),
        "quotaBytes": bucket.quota_bytes,
    }
    differing = [
        f"{key} is {json.dumps(held[key])}, not {json.dumps(value)}"
        for key, value in wanted.items()
        if held[key] != value
    ]
    if differing:
        raise SettingsDifferError(f"bucket {bucket.name} at {url}: {'; '.join(differing)}")
