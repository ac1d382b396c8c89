"""An object store that cannot be asked is an error, never a resource that is gone.

The official plugin forgets buckets and lifecycles in this case; the stand-in does not.
"""

import datetime
import json
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import grpc
import pytest

from tests.standins.minio.harness import (
    ATTACHMENT,
    BUCKET,
    BUCKET_POLICY,
    LIFECYCLE,
    OBJECT,
    POLICY,
    USER,
    VERSIONING,
    Plugin,
    Reply,
    refusal,
    running_plugin,
    secret,
    settings_of,
)
from tests.support.minio_server import MinioServer, issue_certificate, running_minio
from tests.support.ports import free_port

pytestmark = [pytest.mark.tools, pytest.mark.stand_in]

SECRETS = ("testrootsecret", "abcdefgh12345678", "wrong-password-1")
STATEMENT = {
    "Effect": "Allow",
    "Action": ["s3:GetObject"],
    "Resource": ["arn:aws:s3:::outage/*"],
}


def document(**added: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{**STATEMENT, **added}]})


PROGRAM = {
    BUCKET: {"bucket": "outage"},
    VERSIONING: {"bucket": "outage", "versioningConfiguration": {"status": "Enabled"}},
    BUCKET_POLICY: {"bucket": "outage", "policy": document(Principal={"AWS": ["*"]})},
    LIFECYCLE: {
        "bucket": "outage",
        "rules": [{"id": "noncurrent", "noncurrentVersionExpirationDays": 30}],
    },
    USER: {"name": "OUTAGE", "secret": secret("abcdefgh12345678")},
    POLICY: {"name": "outage", "policy": document()},
    ATTACHMENT: {"userName": "OUTAGE", "policyName": "outage"},
    OBJECT: {"bucketName": "outage", "objectName": "o", "content": "x"},
}

ALL = tuple(PROGRAM)
# A HEAD request's refusal has no body, so reading an object cannot tell why it was refused.
TELLING = tuple(kind for kind in ALL if kind != OBJECT)
# The server checks the region of S3 requests only, not of those for users and policies.
REGIONAL = (BUCKET, VERSIONING, BUCKET_POLICY, LIFECYCLE)


@dataclass
class Deployment:
    """A plugin, and everything it can make, made once."""

    plugin: Plugin
    server: MinioServer
    made: dict[str, Reply]

    def refusals(self, kinds: tuple[str, ...] = ALL) -> dict[str, str]:
        """The answers to refreshes at once; fails if one resource is called gone or is read."""

        def refuse(kind: str) -> str:
            with pytest.raises(grpc.RpcError) as error:
                self.plugin.read(kind, self.made[kind])
            return refusal(error)

        with ThreadPoolExecutor(len(kinds)) as pool:
            return dict(zip(kinds, pool.map(refuse, kinds), strict=True))


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with running_minio(tmp_path_factory.mktemp("outage")) as server, running_plugin() as plugin:
        plugin.configure(settings_of(server))
        made = {kind: plugin.create(kind, dict(inputs)) for kind, inputs in PROGRAM.items()}
        yield Deployment(plugin, server, made)


def assert_no_secret(texts: list[str]) -> None:
    assert [text for text in texts for word in SECRETS if word in text] == []


def test_a_stopped_store_is_an_error_and_works_again_when_it_is_back(
    deployment: Deployment,
) -> None:
    deployment.server.stop()
    try:
        answers = deployment.refusals()
    finally:
        deployment.server.start()
    for answer in answers.values():
        assert f"https://{deployment.server.endpoint} cannot be reached" in answer
        assert "check that it runs" in answer
    assert_no_secret(list(answers.values()))
    for kind, found in deployment.made.items():
        assert deployment.plugin.read(kind, found).id == found.id


@pytest.mark.parametrize(
    ("changed", "kinds", "cure"),
    [
        (
            {"minioPassword": "wrong-password-1"},
            TELLING,
            "refuses the secret key; check minioPassword",
        ),
        ({"minioUser": "nobody"}, TELLING, "does not know the access key; check minioUser"),
        ({"minioRegion": "us-west-2"}, REGIONAL, "check minioRegion"),
        ({"minioSsl": "false"}, TELLING, "set minioSsl to true"),
        ({"minioCacertFile": ""}, ALL, "an authority this provider does not know"),
    ],
    ids=["password", "user", "region", "plain-http", "no-authority"],
)
def test_a_wrong_setting_is_an_error_that_names_the_setting(
    deployment: Deployment, changed: dict[str, str], kinds: tuple[str, ...], cure: str
) -> None:
    with running_plugin() as plugin:
        plugin.configure(settings_of(deployment.server, **changed))
        answers = Deployment(plugin, deployment.server, deployment.made).refusals(kinds)
    assert {kind for kind, answer in answers.items() if cure not in answer} == set()
    assert all(deployment.server.endpoint in answer for answer in answers.values())
    assert_no_secret(list(answers.values()))


def test_a_foreign_authority_is_an_error(deployment: Deployment, tmp_path: Path) -> None:
    other = issue_certificate(tmp_path / "other")
    with running_plugin() as plugin:
        plugin.configure(settings_of(deployment.server, minioCacertFile=str(other)))
        with pytest.raises(grpc.RpcError) as error:
            plugin.read(BUCKET, deployment.made[BUCKET])
    assert "check minioCacertFile" in refusal(error)


def test_insecure_accepts_any_certificate(deployment: Deployment) -> None:
    insecure = settings_of(deployment.server, minioInsecure="true", minioCacertFile="")
    with running_plugin() as plugin:
        plugin.configure(insecure)
        assert plugin.read(BUCKET, deployment.made[BUCKET]).id == "outage"


def test_a_name_that_cannot_be_resolved_is_an_error(deployment: Deployment) -> None:
    nowhere = settings_of(deployment.server, minioServer="store.invalid:9000")
    with running_plugin() as plugin:
        plugin.configure(nowhere)
        with pytest.raises(grpc.RpcError) as error:
            plugin.read(USER, deployment.made[USER])
    assert "https://store.invalid:9000 cannot be resolved; check minioServer" in refusal(error)


def test_a_port_where_nobody_listens_is_an_error(deployment: Deployment) -> None:
    closed = settings_of(deployment.server, minioServer=f"127.0.0.1:{free_port()}")
    with running_plugin() as plugin:
        plugin.configure(closed)
        with pytest.raises(grpc.RpcError) as error:
            plugin.create(BUCKET, {"bucket": "never-made"})
    assert "unable to check bucket (never-made)" in refusal(error)
    assert "connection refused" in refusal(error)


@contextmanager
def _tls_listener(certificates: Path, port: int) -> Iterator[None]:
    """Something that shows the certificate in `certificates` to whoever connects."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "public.crt", certificates / "private.key")
    listener = HTTPServer(("127.0.0.1", port), BaseHTTPRequestHandler)
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


def test_an_expired_certificate_is_an_error_that_says_so(tmp_path: Path) -> None:
    port = free_port()
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    authority = issue_certificate(tmp_path, not_after=yesterday)
    with _tls_listener(tmp_path, port), running_plugin() as plugin:
        plugin.configure(
            {
                "minioServer": f"127.0.0.1:{port}",
                "minioUser": "u",
                "minioPassword": "wrong-password-1",
                "minioSsl": "true",
                "minioCacertFile": str(authority),
            }
        )
        with pytest.raises(grpc.RpcError) as error:
            plugin.create(USER, {"name": "U", "secret": secret("abcdefgh12345678")})
    assert f"the certificate of https://127.0.0.1:{port} has expired" in refusal(error)
    assert_no_secret([refusal(error)])


def test_the_stand_in_introduces_itself_once(deployment: Deployment) -> None:
    deployment.plugin.configure(settings_of(deployment.server))
    said = [text for text in deployment.plugin.engine.messages if "stand-in" in text]
    assert said == [
        "pulumi-resource-minio 0.17.1 (stand-in from this repository, not the official plugin)"
    ]
    assert_no_secret(deployment.plugin.engine.messages)
