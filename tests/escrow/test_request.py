"""What is not a request is refused in a sentence that names the key and repeats no value."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from escrow.__main__ import main
from escrow.request import RequestError, parse
from tests.support.authority import make_authority

BASE: dict[str, Any] = {
    "schema": 1,
    "site": "dev",
    "name": "velero-repository-password",
    "endpoint": "https://store1:9091",
    "region": "eu-west-1",
    "accessKey": "SENTINEL-access",
    "secretKey": "SENTINEL-secret",
    "bucket": "dev-evidence",
    "passphrase": "SENTINEL-passphrase",
}


@pytest.fixture
def ca_pem(tmp_path: Path) -> str:
    return make_authority(tmp_path).certificate_file.read_text()


def test_a_request_hides_its_secrets(ca_pem: str) -> None:
    found = parse(json.dumps({**BASE, "caPem": ca_pem, "secret": "SENTINEL-kept"}))
    assert "SENTINEL" not in repr(found)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"passphrase": ""}, "passphrase: is empty; set config backstop:escrowPassphrase"),
        ({"secret": ""}, "secret: is empty"),
        ({"name": "../receipts"}, "name: "),
        ({"endpoint": "http://store1:9091"}, "must be https"),
        ({"schema": 2}, "schema"),
        ({"extra": "SENTINEL"}, "extra: unknown key"),
        ({"guarded": {"prefix": "kopia/"}}, "guarded.bucket: missing"),
    ],
)
def test_a_fault_names_its_key(ca_pem: str, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(json.dumps({**BASE, "caPem": ca_pem, **changes}))
    assert said in str(caught.value)
    assert "SENTINEL" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [(["keep"], "no json", "no JSON"), ([], "", "usage:"), (["burn"], "", "usage:")],
)
def test_bad_input_exits_2(
    arguments: list[str],
    stdin: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
    assert main(arguments) == 2
    assert said in capsys.readouterr().err
