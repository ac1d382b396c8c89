"""The command line against a real server: read, verified, restored, and refused."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from drills.backupstore.url import Target
from s3.client import Session
from tests.drills.backupstore.by_hand.command_line import command
from tests.drills.backupstore.samples import chain
from tests.support.longhorn_store import VolumeWriter, into_bucket
from tests.support.ports import free_port

pytestmark = pytest.mark.tools

BUCKET = "by-hand"


@pytest.fixture(scope="module")
def written(store_session: Session) -> tuple[VolumeWriter, dict[str, str]]:
    assert store_session.send("PUT", BUCKET).ok
    return chain(into_bucket(store_session, BUCKET, "site/"))


@pytest.fixture
def target(store_session: Session) -> str:
    return Target(BUCKET, store_session.endpoint.region, "site/").url


@pytest.fixture
def environ(store_session: Session) -> dict[str, str]:
    credential = store_session.credential
    assert credential is not None
    return {
        "AWS_ENDPOINTS": store_session.endpoint.url,
        "AWS_CERT": store_session.endpoint.ca_pem,
        "AWS_ACCESS_KEY_ID": credential.access_key,
        "AWS_SECRET_ACCESS_KEY": credential.secret_key,
    }


def test_listed_verified_and_restored(
    tmp_path: Path,
    written: tuple[VolumeWriter, dict[str, str]],
    target: str,
    environ: Mapping[str, str],
) -> None:
    volume, truth = written
    assert command("ls", target, environ=environ).lines[1].startswith("pvc-data")
    ended = command("verify", target, environ=environ)
    assert ended.lines[0].startswith("pvc-data: sound: 6 blocks of 3 backups read")
    for name, sha256 in truth.items():
        image = tmp_path / name
        ended = command("restore", f"{target}?backup={name}&volume=pvc-data", "-o", image,
                        "--sha256", environ=environ)  # fmt: skip
        assert (ended.code, ended.err, ended.lines[2]) == (0, "", f"sha256 {sha256}")
        assert hashlib.sha256(image.read_bytes()).hexdigest() == sha256
    assert volume.size == image.stat().st_size


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, "rejects the signature"),
        ({"AWS_ACCESS_KEY_ID": "unknown-key"}, "does not know this access key"),
        ({"AWS_ENDPOINTS": "https://127.0.0.1:{port}"}, "cannot be reached"),
    ],
)
def test_a_store_that_refuses(
    target: str, environ: dict[str, str], change: dict[str, str], says: str
) -> None:
    changed = {name: value.format(port=free_port()) for name, value in change.items()}
    ended = command("ls", target, environ=environ | changed)
    assert (ended.code, ended.out) == (21, "")
    assert says in ended.err
    assert not any(secret in ended.err for secret in ("wrong-secret", "unknown-key"))
    assert environ["AWS_SECRET_ACCESS_KEY"] not in ended.err


@pytest.mark.usefixtures("written")
def test_a_wrong_prefix_is_not_green(target: str, environ: Mapping[str, str]) -> None:
    ended = command("ls", target.replace("site", "other"), environ=environ)
    assert ended.code == 21
    assert ended.lines[0].startswith("no volume with a backup in s3://by-hand@")
