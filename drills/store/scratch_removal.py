"""What controls make in a store beside the site's own things: known by its name, and taken away.

Names of buckets, policies and users bear a mark and a time. Once that is an hour past, whoever made
them is dead, and the next control removes them.
"""

import datetime
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from minio import Minio
from minio.minioadmin import MinioAdmin
from minio.versioningconfig import VersioningConfig

from s3.client import Credential, StoreEndpoint, connect, connect_admin
from s3.errors import SDK_ERRORS, classify

MARK = "backstop-control"
KEY_MARK = "BSCTL"
ABANDONED_AFTER = datetime.timedelta(hours=1)

_STAMP = 8  # hexadecimal digits of a time in seconds
_P = ParamSpec("_P")
_T = TypeVar("_T")


def stamp(time: datetime.datetime) -> str:
    """A time as names have it."""
    return f"{int(time.timestamp()):0{_STAMP}x}"


def abandoned(name: str, mark: str, now: datetime.datetime) -> bool:
    """Whether a name bears the mark and a stamp that is old enough."""
    found = name.removeprefix(mark)[:_STAMP]
    if not name.startswith(mark) or len(found) != _STAMP or set(found) - set("0123456789abcdef"):
        return False
    return now - datetime.datetime.fromtimestamp(int(found, 16), datetime.UTC) > ABANDONED_AFTER


@dataclass(frozen=True)
class Administration:
    """A store as its administrator has it. What it does raises StoreError."""

    endpoint: StoreEndpoint
    client: Minio = field(repr=False)
    admin: MinioAdmin = field(repr=False)

    @classmethod
    def open(cls, endpoint: StoreEndpoint, credential: Credential) -> "Administration":
        """No request is made yet."""
        return cls(endpoint, connect(endpoint, credential), connect_admin(endpoint, credential))

    def ask(self, about: str, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """`about`: what an error names."""
        try:
            return call(*args, **kwargs)
        except SDK_ERRORS as error:
            raise classify(error, self.endpoint.url, about) from error

    def sweep(self, now: datetime.datetime) -> None:
        """Removes what dead controls left, by mark and age."""
        self.remove_users(lambda key: abandoned(key, KEY_MARK, now))
        self.remove_named(lambda name: abandoned(name, f"{MARK}-", now))

    def remove_users(self, ours: Callable[[str], bool]) -> None:
        """Removes the users whose access keys are `ours`; what never came to be is no fault."""
        for key in json.loads(self.ask("users", self.admin.user_list)):
            if ours(key):
                self.ask("users", self.admin.user_remove, key)

    def remove_named(self, ours: Callable[[str], bool]) -> None:
        """Removes the policies and buckets whose names are `ours`."""
        for policy in json.loads(self.ask("policies", self.admin.policy_list)):
            if ours(policy):
                self.ask(policy, self.admin.policy_remove, policy)
        for bucket in self.ask("buckets", self.client.list_buckets):
            if ours(bucket.name):
                self.empty(bucket.name)
                self.ask(bucket.name, self.client.remove_bucket, bucket.name)

    def empty(self, bucket: str) -> None:
        """Removes every version of every object."""
        self.ask(bucket, self._empty, bucket)

    def _empty(self, bucket: str) -> None:
        if self.client.get_bucket_versioning(bucket).status == VersioningConfig("Enabled").status:
            # A null version, as suspended versioning writes it, cannot be removed while versioning
            # is enabled: the server answers 204 and keeps it.
            self.client.set_bucket_versioning(bucket, VersioningConfig("Suspended"))
        entries = self.client.list_objects(bucket, recursive=True, include_version=True)
        for entry in list(entries):
            if entry.object_name is not None:
                self.client.remove_object(bucket, entry.object_name, version_id=entry.version_id)
