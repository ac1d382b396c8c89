"""What a target on a command line opens, and what is said of one that cannot be opened."""

from pathlib import Path

import pytest

from drills.backupstore.environment import SettingError, open_target
from drills.backupstore.errors import Fault
from drills.backupstore.folder_objects import FolderObjects
from drills.backupstore.s3_objects import S3Objects
from tests.drills.backupstore.samples import FIXTURE, fault_of
from tests.support.minio_server import issue_certificate

TARGET = "s3://longhorn@eu-west-1/site/"
KEYS = {"AWS_ACCESS_KEY_ID": "an-access-key", "AWS_SECRET_ACCESS_KEY": "a-secret"}


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return issue_certificate(tmp_path_factory.mktemp("ca"))


def environment(**more: str) -> dict[str, str]:
    return KEYS | {"AWS_ENDPOINTS": "https://store:9000"} | more


def refusal(target: str, environ: dict[str, str]) -> str:
    with pytest.raises(SettingError) as caught:
        open_target(target, environ, 4)
    text = str(caught.value)
    assert not any(secret in text for secret in KEYS.values())
    return text


@pytest.mark.parametrize("form", ["{}", "file://{}", "{}/"])
def test_a_folder_needs_no_credential(form: str) -> None:
    objects = open_target(form.format(FIXTURE / "bucket"), {}, 4)
    assert isinstance(objects, FolderObjects)
    assert list(objects.folders("")) == ["backupstore"]


def test_a_folder_with_a_space_in_its_url(tmp_path: Path) -> None:
    (tmp_path / "a share" / "backupstore").mkdir(parents=True)
    assert isinstance(open_target(f"file://{tmp_path}/a%20share", {}, 4), FolderObjects)


def test_a_folder_that_is_none_or_holds_no_store(tmp_path: Path) -> None:
    assert refusal(str(tmp_path / "none"), {}).startswith(f"{tmp_path}/none is no folder; give one")
    said = refusal(str(FIXTURE / "bucket" / "backupstore"), {})
    assert "has no folder backupstore/ in it" in said


def test_the_certificate_is_text_or_a_file(ca: Path) -> None:
    for given in (ca.read_text(), str(ca), f"  {ca}\n"):
        objects = open_target(TARGET, environment(AWS_CERT=given), 4)
        assert isinstance(objects, S3Objects)


@pytest.mark.parametrize("name", sorted(KEYS))
@pytest.mark.parametrize("value", [None, "", " \n"])
def test_a_credential_that_is_not_there(name: str, value: str | None) -> None:
    environ = environment() | {name: value or ""}
    if value is None:
        del environ[name]
    assert refusal(TARGET, environ).startswith(f"{name} is not set; take it from the credential")


def test_a_certificate_that_is_none(tmp_path: Path, ca: Path) -> None:
    for given in (str(tmp_path / "none.pem"), "AAAA", str(ca.with_name("private.key") / "x")):
        said = refusal(TARGET, environment(AWS_CERT=given))
        assert said.startswith("AWS_CERT is neither PEM text nor a file that can be read")
        assert given not in said
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert "no text" in refusal(TARGET, environment(AWS_CERT=str(tmp_path / "binary")))
    (tmp_path / "empty").write_bytes(b"")
    said = refusal(TARGET, environment(AWS_CERT=str(tmp_path / "empty")))
    assert "look at AWS_ENDPOINTS and AWS_CERT" in said


@pytest.mark.parametrize("url", ["http://store:9000", "store:9000", "https://store/path"])
def test_an_endpoint_that_is_none(ca: Path, url: str) -> None:
    said = refusal(TARGET, environment(AWS_ENDPOINTS=url, AWS_CERT=str(ca)))
    assert "must be https://host:port without a path; look at AWS_ENDPOINTS" in said


def test_without_an_endpoint_it_is_amazons(ca: Path) -> None:
    objects = open_target(TARGET, KEYS | {"AWS_CERT": str(ca)}, 4)
    assert isinstance(objects, S3Objects)


def test_urls_of_other_kinds() -> None:
    assert fault_of(lambda: open_target("nfs://host/share", {}, 4)) is Fault.UNSUPPORTED
    assert fault_of(lambda: open_target("https://host/", {}, 4)) is Fault.URL
