"""The gate before a store is used: it says why, and it ends."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3.errors import StoreError
from s3.health import parse_health, wait
from s3.settings import BadRequestError
from tests.s3.test_certificates import ca, signed
from tests.support.minio_server import MinioServer, running_minio
from tests.support.ports import free_port


def request(url: str, ca_pem: str, certificate: str, seconds: int = 1) -> str:
    return json.dumps(
        {
            "schema": 1,
            "endpoint": url,
            "region": "eu-west-1",
            "caPem": ca_pem,
            "certificate": certificate,
            "seconds": seconds,
        }
    )


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def fault_of(text: str) -> str:
    clock = Clock()
    with pytest.raises(StoreError) as caught:
        wait(parse_health(text), clock.now, clock.sleep)
    return str(caught.value)


def test_a_store_that_is_not_there_is_waited_for_and_then_named() -> None:
    issuer = ca()
    url = f"https://127.0.0.1:{free_port()}"
    fault = fault_of(request(url, issuer["certificate"], signed(issuer)["certificate"], 7))
    assert fault == (
        f"the store at {url} cannot be reached; check that it runs and is open; waited 7 s"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"endpoint": "http://x:1"}, "must be https"),
        ({"caPem": "x"}, "no PEM certificate"),
        ({"certificate": "x"}, "PEM"),
        ({"seconds": 0}, "seconds"),
    ],
)
def test_bad_input_is_one_sentence(change: dict[str, object], said: str) -> None:
    issuer = ca()
    good = json.loads(request("https://x:1", issuer["certificate"], issuer["certificate"]))
    with pytest.raises(BadRequestError, match=re.escape(said)):
        parse_health(json.dumps({**good, **change}))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with running_minio(tmp_path_factory.mktemp("health")) as found:
        yield found


@pytest.mark.tools
def test_a_store_that_serves_the_wanted_certificate_is_let_through(server: MinioServer) -> None:
    own = next(iter(Path(server.ca_file).parent.rglob("public.crt"))).read_text()
    wait(parse_health(request(server.url, server.ca_pem, own)))


@pytest.mark.tools
def test_a_store_that_still_shows_its_old_certificate_is_not(server: MinioServer) -> None:
    fault = fault_of(request(server.url, server.ca_pem, signed(ca())["certificate"]))
    assert "still shows another certificate than the new one" in fault


@pytest.mark.tools
def test_a_store_of_another_ca_is_not(server: MinioServer) -> None:
    other = ca()
    fault = fault_of(request(server.url, other["certificate"], signed(other)["certificate"]))
    assert "was not signed by the given CA" in fault
