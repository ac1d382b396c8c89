"""CA and server certificate as clients judge them: by a handshake, and by what they refuse."""

import datetime
import json
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography import x509

from s3.certificates import AuthorityRequest, CertificateRequest, authority, certificate
from s3.requests import parse
from s3.settings import BadRequestError

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime.datetime.now(datetime.UTC)
NAMES = ("minio.object-store.svc", "10.77.0.20", "127.0.0.1")


def ca(names: tuple[str, ...] = NAMES, days: int = 400) -> dict[str, str]:
    return authority(AuthorityRequest(schema=1, site="dev", names=names, days=days), NOW)


def signed(
    issuer: dict[str, str], names: tuple[str, ...] = NAMES, days: int = 90
) -> dict[str, str]:
    request = CertificateRequest(
        schema=1, caPem=issuer["certificate"], caKeyPem=issuer["key"], names=names, days=days
    )
    return certificate(request, NOW)


def shown(folder: Path, pair: dict[str, str], trusted: str, name: str) -> str:
    """What a client that trusts `trusted` says of a server with `pair`: "" or the fault."""
    (folder / "pair.pem").write_text(pair["key"] + pair["certificate"])
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "pair.pem")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=trusted)
    here, there = socket.socketpair()

    def serve() -> None:
        try:
            serving.wrap_socket(there, server_side=True).close()
        except OSError:
            there.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client.wrap_socket(here, server_hostname=name).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    finally:
        here.close()
        thread.join()
    return ""


@pytest.mark.parametrize("name", NAMES)
def test_a_client_that_trusts_the_ca_accepts_every_name(tmp_path: Path, name: str) -> None:
    issuer = ca()
    assert shown(tmp_path, signed(issuer), issuer["certificate"], name) == ""


def test_another_name_and_another_ca_are_refused(tmp_path: Path) -> None:
    issuer = ca()
    pair = signed(issuer)
    assert "mismatch" in shown(tmp_path, pair, issuer["certificate"], "other.lan")
    assert shown(tmp_path, pair, ca()["certificate"], NAMES[0]) != ""


@pytest.mark.parametrize("name", ["api.bank.example", "10.77.0.21"])
def test_what_the_ca_was_not_made_for_is_refused_by_clients(tmp_path: Path, name: str) -> None:
    issuer = ca()
    pair = signed(issuer, (name,))
    assert "permitted subtree" in shown(tmp_path, pair, issuer["certificate"], name)


def test_the_ca_signs_no_other_ca() -> None:
    found = x509.load_pem_x509_certificate(ca()["certificate"].encode())
    basic = found.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical
    assert (basic.value.ca, basic.value.path_length) == (True, 0)


def test_a_ca_that_ends_too_soon_or_is_no_pair_signs_nothing() -> None:
    with pytest.raises(BadRequestError, match="before a certificate of 90 days would; renew"):
        signed(ca(days=30))
    with pytest.raises(BadRequestError, match="does not belong to caPem"):
        signed({**ca(), "key": ca()["key"]})
    with pytest.raises(BadRequestError, match="no certificate and key in PEM form"):
        signed({"certificate": "x", "key": "SENTINEL"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "stdin is no JSON"),
        ("{}", "missing"),
        (json.dumps({"schema": 1, "site": "dev", "names": [], "days": 1}), "names"),
        (json.dumps({"schema": 1, "site": "d", "names": ["a"], "days": 1, "x": 1}), "unknown key"),
    ],
)
def test_bad_input_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        parse(text, AuthorityRequest)


def command(name: str, request: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "s3", name], cwd=ROOT, input=json.dumps(request),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_the_commands_make_a_pair_and_never_repeat_a_key() -> None:
    made = command("authority", {"schema": 1, "site": "dev", "names": NAMES, "days": 400})
    assert made.returncode == 0, made.stderr
    issuer = json.loads(made.stdout)
    request = {
        "schema": 1,
        "caPem": issuer["certificate"],
        "caKeyPem": issuer["key"],
        "names": NAMES,
        "days": 90,
    }
    assert "BEGIN PRIVATE KEY" in json.loads(command("certificate", request).stdout)["key"]
    wrong = command("certificate", {**request, "days": "SENTINEL", "caKeyPem": "SENTINEL"})
    assert wrong.returncode == 2
    assert "days" in wrong.stderr
    assert "SENTINEL" not in wrong.stderr + wrong.stdout
