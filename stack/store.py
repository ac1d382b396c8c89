"""The stack's object store as the state describes it, and what the driver asks of it.

The official minio plugin takes every error of its existence check for "the bucket is gone": a
refresh while the store is down, or with a wrong password, would drop all buckets from the state.
So the driver asks the same question first and refuses the refresh unless the store gives a clear
answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from s3.client import Credential, Session, StoreEndpoint, connect, connection_pool
from s3.errors import SDK_ERRORS, classify
from s3.ownership import BucketFacts, inspect
from stack.checkpoint import BUCKET, STORE_PROVIDER, Checkpoint, Resource, plain, provider_urn
from stack.errors import StackError

HEALTH_PATH = "/minio/health/cluster"
_GONE = 404


@dataclass(frozen=True)
class StoreAccess:
    """How one provider of the state reaches its store; the secrets stay out of every text form."""

    server: str
    region: str
    ca_pem: str = field(repr=False)
    user: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        return f"https://{self.server}"


class Store(Protocol):
    """What the driver asks of a store. Both raise StoreError when there is no clear answer."""

    def inspect(self, bucket: str) -> BucketFacts | None:
        """What the store holds under this name, None if nothing."""

    def check(self, buckets: Sequence[str]) -> None:
        """Returns if the store is healthy and answers for each bucket, there or not."""


OpenStore = Callable[[StoreAccess], Store]


@dataclass(frozen=True)
class S3Store:
    """The real store, over the S3 API and the server's health path."""

    endpoint: StoreEndpoint
    credential: Credential

    def inspect(self, bucket: str) -> BucketFacts | None:
        """Tags, emptiness over all versions, and object lock of a bucket."""
        client = connect(self.endpoint, self.credential)
        try:
            return inspect(client, bucket)
        except SDK_ERRORS as error:
            raise classify(error, self.endpoint.url, bucket) from error

    def check(self, buckets: Sequence[str]) -> None:
        """The health path without a credential, then the plugin's own question for each bucket."""
        pool = connection_pool(self.endpoint)
        health = Session(self.endpoint, None, pool).send("GET", raw_path=HEALTH_PATH)
        if not health.ok:
            raise StackError(f"the store at {self.endpoint.url} is not healthy ({health})")
        signed = Session(self.endpoint, self.credential, pool)
        for bucket in buckets:
            answer = signed.send("HEAD", bucket)
            if not answer.ok and answer.status != _GONE:
                raise signed.error(answer, bucket)


def open_store(access: StoreAccess) -> Store:
    """The real store behind an access; raises StackError if the access is no usable one."""
    try:
        endpoint = StoreEndpoint(access.url, access.region, access.ca_pem)
    except ValueError as error:
        raise StackError(f"the state's minio provider cannot be used: {error}") from error
    return S3Store(endpoint, Credential(access.user, access.password))


def access_of(checkpoint: Checkpoint, provider: Resource, directory: Path) -> StoreAccess:
    """The access a provider of the state has; needs an export with secrets shown.

    The provider's inputs are used, not the stack's outputs: outputs appear only at the end of a
    first run, but whoever made a bucket had a provider. Raises StackError if the CA is nowhere to
    be had.
    """
    inputs = provider.get("inputs") or {}
    return StoreAccess(
        server=str(plain(inputs.get("minioServer", ""))),
        region=str(plain(inputs.get("minioRegion", "us-east-1"))),
        ca_pem=_ca_pem(checkpoint, inputs, directory),
        user=str(plain(inputs.get("minioUser", ""))),
        password=str(plain(inputs.get("minioPassword", ""))),
    )


def used_providers(checkpoint: Checkpoint) -> dict[str, tuple[Resource, list[str]]]:
    """Per URN: each minio provider that the state's resources use, and its buckets."""
    used: dict[str, tuple[Resource, list[str]]] = {}
    for resource in checkpoint.resources:
        urn = provider_urn(resource)
        provider = checkpoint.find(urn) if urn else None
        if provider is None or provider.get("type") != STORE_PROVIDER:
            continue
        _, buckets = used.setdefault(urn, (provider, []))
        if resource.get("type") == BUCKET and resource.get("id"):
            buckets.append(str(resource["id"]))
    return used


def ca_in_state(checkpoint: Checkpoint) -> str:
    """The store's CA certificate as the state has it, "" if it has none.

    Stack output `storeCaPem`; after a first run that was cut short, the output `caPem` that the
    component of the store has registered.
    """
    for outputs, key in [(checkpoint.outputs, "storeCaPem"), *_component_outputs(checkpoint)]:
        value = plain(outputs.get(key))
        if isinstance(value, str) and value:
            return value
    return ""


def _component_outputs(checkpoint: Checkpoint) -> list[tuple[Any, str]]:
    return [(r["outputs"], "caPem") for r in checkpoint.resources if r.get("outputs")]


def _ca_pem(checkpoint: Checkpoint, inputs: Any, directory: Path) -> str:  # noqa: ANN401 (JSON)
    named = str(plain(inputs.get("minioCacertFile", "")))
    file = directory / named
    if named and file.is_file():
        return file.read_text()
    pem = ca_in_state(checkpoint)
    if not pem:
        raise StackError(
            f"the CA certificate of the store at {plain(inputs.get('minioServer', ''))} is neither "
            f"in the state nor in {named or 'a file'}: copy it there from the store's host"
        )
    return pem
