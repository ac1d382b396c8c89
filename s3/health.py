"""Waits until a store serves: reached from here, by its name, with the right certificate."""

import hashlib
import ssl
import time
from collections.abc import Callable
from typing import Annotated, Literal

import urllib3
from pydantic import Field

from s3.client import StoreEndpoint
from s3.errors import Cause, StoreError, classify
from s3.requests import Strict, parse
from s3.settings import BadRequestError

PAUSE_SECONDS = 2.0
ATTEMPT_SECONDS = 5.0
_OK = 200


class HealthRequest(Strict):
    """Input of `s3 health`. `certificate`: the one (PEM) that the server has to show."""

    schema_version: Literal[1] = Field(alias="schema")
    endpoint: str
    region: Annotated[str, Field(min_length=1)]
    ca_pem: str = Field(alias="caPem")
    certificate: str
    seconds: Annotated[int, Field(ge=1)]

    def store(self) -> StoreEndpoint:
        return StoreEndpoint(self.endpoint, self.region, self.ca_pem)


def parse_health(text: str) -> HealthRequest:
    """Raises BadRequestError with one sentence that names the key."""
    request = parse(text, HealthRequest)
    try:
        request.store()
        ssl.PEM_cert_to_DER_cert(request.certificate)
    except ValueError as error:
        raise BadRequestError(str(error)) from error
    return request


def _fault(request: HealthRequest) -> StoreError | None:
    """Why the store does not serve as asked, or None."""
    store = request.store()
    wanted = hashlib.sha256(ssl.PEM_cert_to_DER_cert(request.certificate)).hexdigest()
    pool = urllib3.PoolManager(
        ssl_context=store.tls_context(),
        timeout=urllib3.Timeout(connect=ATTEMPT_SECONDS, read=ATTEMPT_SECONDS),
        retries=False,
    )
    try:
        status = pool.request("GET", f"{store.url}/minio/health/cluster", redirect=False).status
    except (urllib3.exceptions.HTTPError, OSError) as error:
        return classify(error, store.url)
    finally:
        pool.clear()
    if status != _OK:
        return StoreError(
            Cause.OTHER, f"the store at {store.url} runs and cannot write (health {status})"
        )
    try:
        shown = ssl.get_server_certificate((store.host, store.port), timeout=ATTEMPT_SECONDS)
    except OSError as error:
        return classify(error, store.url)
    if hashlib.sha256(ssl.PEM_cert_to_DER_cert(shown)).hexdigest() != wanted:
        return StoreError(
            Cause.OTHER,
            f"the store at {store.url} still shows another certificate than the new one",
        )
    return None


def wait(
    request: HealthRequest,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Returns when the store serves. Raises StoreError with the last fault after the deadline."""
    end = now() + request.seconds
    while True:
        fault = _fault(request)
        if fault is None:
            return
        if now() >= end:
            raise StoreError(fault.cause, f"{fault}; waited {request.seconds} s")
        sleep(PAUSE_SECONDS)
