"""What all layers' payloads share: one sentence for bad input, secrets never repeated."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from drills.payload import Limits, Payload, PayloadError, parse
from tests.support.minio_server import issue_certificate
from tests.support.toy_drill import fields

ROOT = Path(__file__).resolve().parents[2]
KEY = {"name": "evidence", "accessKey": "SENTINEL-A", "secretKey": "SENTINEL-B"}


class ToyLimits(Limits):
    """A layer with a bound of its own."""

    rpo_seconds: Annotated[float, Field(gt=0, alias="rpoSeconds")]


class ToyPayload(Payload):
    """A layer's own form."""

    layer: Literal["toy"]
    limits: ToyLimits
    namespaces: tuple[str, ...]


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> str:
    return issue_certificate(tmp_path_factory.mktemp("ca")).read_text()


def text(ca: str, **changes: Any) -> str:
    own = {"limits": {"rtoSeconds": 60, "rpoSeconds": 90}, "namespaces": ["shop"], "caPem": ca}
    evidence = {"bucket": "dev-evidence", "prefix": "receipts/", "client": "evidence"}
    return json.dumps(fields(**{**own, "clients": [KEY], "evidence": evidence, **changes}))


def test_a_layer_reads_its_own_keys_beside_those_of_all(ca: str) -> None:
    payload = parse(ToyPayload, text(ca))
    assert (payload.namespaces, payload.limits.rpo_seconds) == (("shop",), 90.0)
    assert payload.client("evidence").credential().secret_key == "SENTINEL-B"
    assert payload.store().host == "store"
    assert "SENTINEL" not in repr(payload)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"namespace": ["shop"]}, "namespace: unknown key"),
        ({"layer": "store"}, "layer: "),
        ({"schema": 2}, "schema: "),
        ({"site": "Dev/1"}, "site: "),
        ({"limits": {"rtoSeconds": 60}}, "limits.rpoSeconds: missing"),
        ({"limits": {"rtoSeconds": 0, "rpoSeconds": 1}}, "limits.rtoSeconds: "),
        ({"onRed": "ignore"}, "onRed: "),
        ({"clients": [KEY, KEY]}, "clients: the name evidence is given twice"),
        ({"clients": []}, "evidence.client: evidence is none of the clients"),
        ({"clients": [{**KEY, "secretKey": ["SENTINEL-C"]}]}, "clients.0.secretKey: "),
        ({"endpoint": "http://store:1"}, "must be https"),
        ({"caPem": "SENTINEL"}, "no PEM certificate"),
    ],
)
def test_bad_input_is_one_sentence_that_names_the_key(
    ca: str, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(PayloadError) as raised:
        parse(ToyPayload, text(ca, **changes))
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "SENTINEL" not in str(raised.value)


@pytest.mark.parametrize("bad", ["", "{", "[]", "null", '"text"', "\ud800"])
def test_what_is_no_object_is_refused(bad: str) -> None:
    with pytest.raises(PayloadError):
        parse(ToyPayload, bad)


def test_a_client_that_is_not_given_is_named(ca: str) -> None:
    with pytest.raises(PayloadError, match="clients: drill is missing"):
        parse(ToyPayload, text(ca)).client("drill")


def test_the_frame_loads_no_client_of_the_cluster() -> None:
    """The store's drill runs on machines whose cluster is gone; it must not wait for a library."""
    code = "import sys, drills.__main__; sys.exit('kubernetes' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 0
