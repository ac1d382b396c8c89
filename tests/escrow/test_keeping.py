"""The escrow on a real MinIO: written once, found again, never replaced."""

import datetime
import io
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from escrow import __main__ as command
from escrow.keeping import LENGTH, keep, object_key
from escrow.request import parse
from s3.client import Credential, Session, StoreEndpoint, connect
from tests.support.minio_server import MinioServer, running_minio

pytestmark = pytest.mark.tools

EVIDENCE, VELERO = "dev-evidence", "dev-velero"
NAME = "velero-repository-password"
NOW = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with running_minio(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def store(server: MinioServer) -> Iterator[Session]:
    endpoint = StoreEndpoint(server.url, server.region, server.ca_pem)
    credential = Credential(server.root_user, server.root_password)
    client = connect(endpoint, credential)
    for bucket in (EVIDENCE, VELERO):
        client.make_bucket(bucket)
    yield Session.open(endpoint, credential)
    for bucket in (EVIDENCE, VELERO):
        for one in client.list_objects(bucket, recursive=True):
            client.remove_object(bucket, one.object_name or "")
        client.remove_bucket(bucket)


def request(server: MinioServer, **changes: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "site": "dev",
        "name": NAME,
        "endpoint": server.url,
        "region": server.region,
        "caPem": server.ca_pem,
        "accessKey": server.root_user,
        "secretKey": server.root_password,
        "bucket": EVIDENCE,
        "passphrase": "right",
        "guarded": {"bucket": VELERO, "prefix": "kopia/"},
        **changes,
    }


class Run:
    """One run of the command: exit code, output, message."""

    def __init__(
        self,
        verb: str,
        content: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(content)))
        self.code = command.main([verb])
        captured = capsys.readouterr()
        self.out, self.err = captured.out.strip(), captured.err.strip()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def once(content: dict[str, Any], verb: str = "keep") -> Run:
        return Run(verb, content, monkeypatch, capsys)

    return once


def test_a_secret_is_born_once_and_found_by_every_later_run(
    server: MinioServer, store: Session, run: Any
) -> None:
    first = run(request(server))
    assert (first.code, first.err) == (0, "")
    assert len(first.out) == LENGTH
    stored = store.get(EVIDENCE, object_key(NAME))
    assert first.out.encode() not in stored
    again = run(request(server))
    assert again.out == first.out
    assert run(request(server), "show").out == first.out
    assert store.get(EVIDENCE, object_key(NAME)) == stored


@pytest.mark.usefixtures("store")
def test_a_given_secret_is_kept_and_another_one_is_refused(server: MinioServer, run: Any) -> None:
    assert run(request(server, secret="SENTINEL-given")).out == "SENTINEL-given"
    assert run(request(server)).out == "SENTINEL-given"
    other = run(request(server, secret="SENTINEL-other"))
    assert (other.code, other.out) == (1, "")
    assert "another velero-repository-password is kept in dev-evidence" in other.err
    assert "SENTINEL" not in other.err


def test_the_faster_of_two_first_runs_decides(server: MinioServer, store: Session) -> None:
    def born_while_the_other_run_writes() -> str:
        assert keep(parse(json.dumps(request(server))), store, NOW, lambda: "winner") == "winner"
        return "loser"

    asked = parse(json.dumps(request(server)))
    assert keep(asked, store, NOW, born_while_the_other_run_writes) == "winner"


def test_a_wrong_passphrase_is_one_sentence_and_changes_nothing(
    server: MinioServer, store: Session, run: Any
) -> None:
    run(request(server))
    before = store.get(EVIDENCE, object_key(NAME))
    wrong = run(request(server, passphrase="SENTINEL-wrong"))
    assert (wrong.code, wrong.out) == (1, "")
    assert "backstop:escrowPassphrase" in wrong.err
    assert len(wrong.err.splitlines()) == 1
    assert "SENTINEL" not in wrong.err
    assert store.get(EVIDENCE, object_key(NAME)) == before


def test_repositories_without_an_escrow_are_not_given_a_new_password(
    server: MinioServer, store: Session, run: Any
) -> None:
    store.put(VELERO, "kopia/app/kopia.repository", b"{}")
    refused = run(request(server))
    assert refused.code == 1
    assert "dev-velero holds volume backups under kopia/" in refused.err
    assert "a new one would open none of them" in refused.err
    # With the old password it goes on.
    assert run(request(server, secret="old")).out == "old"
    assert run(request(server)).out == "old"


def test_objects_of_another_prefix_are_no_repositories(
    server: MinioServer, store: Session, run: Any
) -> None:
    store.put(VELERO, "backups/first/velero-backup.json", b"{}")
    assert run(request(server)).code == 0


def test_showing_what_is_not_there_writes_nothing(
    server: MinioServer, store: Session, run: Any
) -> None:
    missing = run(request(server), "show")
    assert missing.code == 1
    assert "dev-evidence has no escrow/velero-repository-password.json" in missing.err
    assert not list(
        connect(store.endpoint, Credential(server.root_user, server.root_password)).list_objects(
            EVIDENCE, recursive=True
        )
    )


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bucket": "dev-nowhere"}, "bucket does not exist"),
        ({"secretKey": "SENTINEL-wrong"}, "rejects the signature"),
        ({"region": "us-east-1"}, "refuses the region"),
    ],
)
def test_a_store_that_refuses_is_one_sentence(
    server: MinioServer, run: Any, changes: dict[str, Any], said: str
) -> None:
    refused = run(request(server, **changes))
    assert (refused.code, refused.out) == (1, "")
    assert said in refused.err
    assert "SENTINEL" not in refused.err


def test_an_object_locked_bucket_takes_the_envelope(server: MinioServer, run: Any) -> None:
    endpoint = StoreEndpoint(server.url, server.region, server.ca_pem)
    client = connect(endpoint, Credential(server.root_user, server.root_password))
    client.make_bucket("locked-evidence", object_lock=True)
    client.make_bucket("locked-velero")
    guarded = {"bucket": "locked-velero", "prefix": "kopia/"}
    content = request(server, bucket="locked-evidence", guarded=guarded)
    assert run(content).out == run(content).out
