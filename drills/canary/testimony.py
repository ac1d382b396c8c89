"""Reads truths from their bucket, as the client that may read everything."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from minio import Minio

from canary.writer import DIGITS, number_name
from drills.canary.truth import Truth, key, parse_truth
from s3.client import Credential, Session, StoreEndpoint, connect, connection_pool
from s3.errors import SDK_ERRORS, Cause, StoreError, classify

SUFFIX = ".json"


class Testimony(Protocol):
    """Where the truths of one site are kept."""

    def truth(self, volume: str, generation: int) -> Truth | None:
        """None if there is none. Raises StoreError, TruthError."""

    def numbers(self, volume: str, after: int = 0) -> Iterator[int]:
        """Generations of a volume with a truth, rising, above `after`. Raises StoreError."""


@dataclass(frozen=True)
class BucketTestimony:
    """The truths of `site` below `prefix` of a bucket."""

    session: Session = field(repr=False)
    lister: Minio = field(repr=False)
    bucket: str
    prefix: str
    site: str

    @classmethod
    def open(
        cls, endpoint: StoreEndpoint, credential: Credential, bucket: str, prefix: str, site: str
    ) -> "BucketTestimony":
        """No request is made yet."""
        pool = connection_pool(endpoint)
        session = Session(endpoint, credential, pool)
        return cls(session, connect(endpoint, credential, pool), bucket, prefix, site)

    def truth(self, volume: str, generation: int) -> Truth | None:
        try:
            content = self.session.get(self.bucket, key(self.prefix, self.site, volume, generation))
        except StoreError as error:
            if error.cause is Cause.OBJECT_MISSING:
                return None
            raise
        return parse_truth(content, self.site, volume, generation)

    def numbers(self, volume: str, after: int = 0) -> Iterator[int]:
        folder = f"{self.prefix}{self.site}/{volume}/"
        try:
            for listed in self.lister.list_objects(
                self.bucket, prefix=folder, start_after=f"{folder}{number_name(after)}{SUFFIX}"
            ):
                name = (listed.object_name or "").removeprefix(folder)
                digits = name.removesuffix(SUFFIX)
                if name.endswith(SUFFIX) and len(digits) == DIGITS and digits.isdigit():
                    yield int(digits)
        except SDK_ERRORS as error:
            raise classify(
                error, self.session.endpoint.url, f"listing {self.bucket}/{folder}"
            ) from error
