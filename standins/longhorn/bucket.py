"""Objects below one prefix of a bucket, over TLS: the calls that Longhorn's driver makes."""

import contextlib
import email.utils
import http.client
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree

from standins.longhorn import moments
from standins.longhorn.moments import Clock
from standins.longhorn.signing import Keys, Request, query_text, signed_headers
from standins.longhorn.store import Listed
from standins.longhorn.store_errors import StoreError, refused, unreached, unreadable

SECONDS = 30.0
ATTEMPTS = 3
PAUSE_SECONDS = 0.5
HTTPS = 443
_SPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class Answer(NamedTuple):
    """What the store said."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Place:
    """Where the objects are. `prefix`: "" or ends with "/". `virtual`: the bucket in the host."""

    host: str
    port: int
    region: str
    bucket: str
    prefix: str
    virtual: bool = False

    @property
    def server(self) -> str:
        return f"{self.bucket}.{self.host}" if self.virtual else self.host

    @property
    def address(self) -> str:
        return self.server if self.port == HTTPS else f"{self.server}:{self.port}"

    def path(self, key: str | None) -> str:
        parts = [] if self.virtual else [self.bucket]
        if key is not None:
            parts.append(self.prefix + key)
        return "/" + quote("/".join(parts), safe="/-_.~")


@dataclass(frozen=True)
class Bucket:
    """The objects of a place, with one credential. Safe in threads, one connection for each."""

    place: Place
    keys: Keys
    context: ssl.SSLContext = field(repr=False)
    now: Clock = moments.now
    sleep: Callable[[float], None] = time.sleep
    _here: threading.local = field(default_factory=threading.local, repr=False)

    def clock(self) -> datetime:
        return self.now()

    def folders(self, folder: str) -> list[str]:
        return [one for page in self._pages(folder, "/") for one in _prefixes(page, self, folder)]

    def files(self, folder: str) -> list[str]:
        return [
            one.key.removeprefix(folder)
            for page in self._pages(folder, "/")
            for one in _contents(page, self)
        ]

    def every(self, folder: str) -> Iterator[Listed]:
        for page in self._pages(folder, ""):
            yield from _contents(page, self)

    def get(self, key: str) -> bytes:
        return self._ask("GetObject", "GET", key).body

    def put(self, key: str, content: bytes) -> None:
        self._ask("PutObject", "PUT", key, content)

    def delete(self, key: str) -> None:
        self._ask("DeleteObject", "DELETE", key)

    def exists(self, key: str) -> bool:
        try:
            self._ask("HeadObject", "HEAD", key)
        except StoreError:
            return False
        return True

    def modified(self, key: str) -> datetime:
        said = self._ask("HeadObject", "HEAD", key).headers.get("last-modified", "")
        try:
            return email.utils.parsedate_to_datetime(said)
        except ValueError as error:
            raise unreadable("HeadObject", self.place.address) from error

    def _pages(self, folder: str, delimiter: str) -> Iterator[ElementTree.Element]:
        query = {"list-type": "2", "prefix": self.place.prefix + folder}
        if delimiter:
            query["delimiter"] = delimiter
        token: str | None = ""
        while token is not None:
            more = {"continuation-token": token} if token else {}
            answer = self._ask("ListObjectsV2", "GET", None, query={**query, **more})
            try:
                page = ElementTree.fromstring(answer.body)  # noqa: S314  (see store_errors)
            except ElementTree.ParseError as error:
                raise unreadable("ListObjectsV2", self.place.address) from error
            yield page
            token = page.findtext(f"{_SPACE}NextContinuationToken") or None

    def _ask(
        self,
        operation: str,
        method: str,
        key: str | None,
        body: bytes = b"",
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Raises StoreError; MissingError when there is no such object."""
        request = Request(method, self.place.address, self.place.path(key), query or {}, body)
        for left in reversed(range(ATTEMPTS)):
            try:
                answer = self._once(request)
            except (OSError, http.client.HTTPException) as error:
                self._forget()
                if left == 0 or isinstance(error, ssl.SSLCertVerificationError):
                    raise unreached(operation, self.place.address, error) from error
            else:
                if answer.status < http.client.BAD_REQUEST:
                    return answer
                if answer.status < http.client.INTERNAL_SERVER_ERROR or left == 0:
                    raise refused(operation, answer.status, answer.body)
            self.sleep(PAUSE_SECONDS * (ATTEMPTS - left))
        raise AssertionError("the last attempt returns or raises")

    def _once(self, request: Request) -> Answer:
        headers = signed_headers(request, self.keys, self.place.region, self.now())
        query = query_text(request.query)
        connection = self._connection()
        connection.request(
            request.method,
            request.path + (f"?{query}" if query else ""),
            body=request.body or None,
            headers={**headers, "content-length": str(len(request.body))},
        )
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read())

    def _connection(self) -> http.client.HTTPSConnection:
        held: http.client.HTTPSConnection | None = getattr(self._here, "connection", None)
        if held is None:
            held = http.client.HTTPSConnection(
                self.place.server, self.place.port, timeout=SECONDS, context=self.context
            )
            self._here.connection = held
        return held

    def _forget(self) -> None:
        held = getattr(self._here, "connection", None)
        self._here.connection = None
        if held is not None:
            with contextlib.suppress(OSError):
                held.close()


def _contents(page: ElementTree.Element, bucket: Bucket) -> list[Listed]:
    return [
        Listed(
            one.findtext(f"{_SPACE}Key", "").removeprefix(bucket.place.prefix),
            int(one.findtext(f"{_SPACE}Size", "0")),
        )
        for one in page.iterfind(f"{_SPACE}Contents")
    ]


def _prefixes(page: ElementTree.Element, bucket: Bucket, folder: str) -> list[str]:
    return [
        one.findtext(f"{_SPACE}Prefix", "").removeprefix(bucket.place.prefix + folder).rstrip("/")
        for one in page.iterfind(f"{_SPACE}CommonPrefixes")
    ]
