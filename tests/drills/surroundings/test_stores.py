"""Stores that are none answer as the real faults do."""

import datetime

import pytest

from drills.surroundings import stores
from s3.client import StoreEndpoint
from s3.errors import Cause, StoreError
from s3.handshake import handshake


def refusal(url: str, ca: str) -> Cause:
    endpoint = StoreEndpoint(url, "r", ca)
    with pytest.raises(StoreError) as caught:
        handshake(endpoint, endpoint.host)
    return caught.value.cause


def test_an_expired_certificate_is_told_as_one() -> None:
    with stores.expired(datetime.datetime.now(datetime.UTC)) as face:
        for _ in range(2):
            assert refusal(face.url, face.ca_pem) is Cause.TLS_EXPIRED
    assert refusal(face.url, face.ca_pem) is Cause.UNREACHABLE, "it is gone with its context"


def test_the_date_alone_is_what_is_wrong_with_it() -> None:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=2)
    with stores.expired(later) as face:
        endpoint = StoreEndpoint(face.url, "r", face.ca_pem)
        assert handshake(endpoint, endpoint.host)


def test_at_a_closed_port_nobody_answers() -> None:
    with stores.nobody() as face, stores.nobody() as other:
        assert face.url != other.url
        assert face.ca_pem == ""
        with stores.expired(datetime.datetime.now(datetime.UTC)) as some:
            assert refusal(face.url, some.ca_pem) is Cause.UNREACHABLE
