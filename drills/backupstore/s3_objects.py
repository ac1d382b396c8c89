"""A backup store in a bucket, read with a credential that may list and get."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from xml.etree.ElementTree import ParseError

from minio.datatypes import Object

from drills.backupstore.errors import BackupStoreError, Fault, KeyMissing
from drills.backupstore.objects import Found
from drills.backupstore.url import Target
from s3.client import Credential, Session, StoreEndpoint, connect, connection_pool
from s3.errors import SDK_ERRORS, Cause, StoreError, classify, store_error

_NOT_FOUND = 404
# What an answer that is no listing makes the SDK raise.
_NO_LISTING = (ParseError, ValueError, KeyError, TypeError)


@dataclass(frozen=True)
class Recipe:
    """What S3Objects are made of, so that another process can make the same."""

    endpoint: StoreEndpoint
    credential: Credential
    target: Target

    def open(self, connections: int) -> "S3Objects":
        """connections: how many threads read at once. No request is made yet."""
        return S3Objects(self.endpoint, self.credential, self.target, connections)


class S3Objects:
    """The objects below a target's prefix."""

    def __init__(
        self, endpoint: StoreEndpoint, credential: Credential, target: Target, connections: int = 16
    ) -> None:
        """connections: how many threads read at once. No request is made yet."""
        pool = connection_pool(endpoint, connections)
        self._session = Session(endpoint, credential, pool)
        self._sdk = connect(endpoint, credential, pool)
        self._target = target
        self.recipe = Recipe(endpoint, credential, target)

    def list(self, folder: str) -> Iterator[Found]:
        for listed in self._listed(folder, deep=True):
            if not listed.is_dir:
                yield self._found(listed)

    def folders(self, folder: str) -> Iterator[str]:
        above = self._target.prefix + folder
        for listed in self._listed(folder, deep=False):
            name = (listed.object_name or "").removeprefix(above).rstrip("/")
            if listed.is_dir and name:
                yield name

    def get(self, key: str, limit: int) -> bytes:
        try:
            content = self._session.get_up_to(self._target.bucket, self._target.prefix + key, limit)
        except StoreError as error:
            if error.cause is Cause.OBJECT_MISSING:
                raise KeyMissing(key) from None
            raise
        if content is None:
            raise BackupStoreError(Fault.TOO_LARGE, key, f"it has more than {limit} bytes")
        return content

    def head(self, key: str) -> Found | None:
        bucket, whole = self._target.bucket, self._target.prefix + key
        answer = self._session.send("HEAD", bucket, whole)
        if answer.status == _NOT_FOUND:
            return None
        if not answer.ok:
            raise self._session.error(answer, f"{bucket}/{whole}")
        try:
            size = int(answer.headers["Content-Length"])
            modified = parsedate_to_datetime(answer.headers["Last-Modified"]).astimezone(UTC)
        except (KeyError, ValueError, OverflowError):
            raise self._unexpected("a HEAD without size or time") from None
        return Found(key, size, modified)

    def _listed(self, folder: str, *, deep: bool) -> Iterator[Object]:
        """The SDK's listing, page by page; refused unless below the folder and ascending."""
        above = self._target.prefix + folder
        previous = {True: "", False: ""}
        try:
            for listed in self._sdk.list_objects(self._target.bucket, above, recursive=deep):
                name = listed.object_name or ""
                if not name.startswith(above) or name <= previous[listed.is_dir]:
                    raise self._unexpected("a listing out of order")
                previous[listed.is_dir] = name
                yield listed
        except SDK_ERRORS as error:
            raise classify(
                error, self._session.endpoint.url, f"{self._target.bucket}/{above}"
            ) from error
        except _NO_LISTING as error:
            raise self._unexpected("no listing") from error

    def _found(self, listed: Object) -> Found:
        if listed.size is None or listed.last_modified is None:
            raise self._unexpected("a listing without size or time")
        key = (listed.object_name or "").removeprefix(self._target.prefix)
        return Found(key, listed.size, listed.last_modified)

    def _unexpected(self, what: str) -> StoreError:
        return store_error(Cause.OTHER, self._session.endpoint.url, self._target.bucket, what)
