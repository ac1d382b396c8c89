"""The provider's configuration."""

from pathlib import Path

import pytest

from standins.pulumi.minio import settings
from standins.pulumi.minio.values import UNKNOWN, Value

GOOD: dict[str, Value] = {
    "minioServer": "store1:9091",
    "minioUser": "root",
    "minioPassword": "abcdefgh12345678",
    "version": "0.17.1",
}


def test_settings_have_the_official_defaults() -> None:
    loaded = settings.load(GOOD)
    assert (loaded.url, loaded.region, loaded.ssl, loaded.insecure) == (
        "http://store1:9091",
        "us-east-1",
        False,
        False,
    )


def test_the_old_names_of_the_credential_are_understood() -> None:
    loaded = settings.load({"minioServer": "s", "minioAccessKey": "a", "minioSecretKey": "b"})
    assert (loaded.user, loaded.password) == ("a", "b")


def test_the_authority_is_read_only_with_tls(tmp_path: Path) -> None:
    pem = tmp_path / "ca.crt"
    pem.write_text("-----BEGIN CERTIFICATE-----\n")
    config = {**GOOD, "minioCacertFile": str(pem)}
    assert settings.load(config).ca_pem == ""
    assert settings.load({**config, "minioSsl": "true"}).ca_pem == pem.read_text()
    assert settings.load({**config, "minioSsl": True}).url == "https://store1:9091"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "cannot be read"), (b"\xff\x00", "not a PEM text"), (b"hello", "no PEM certificate")],
)
def test_a_bad_authority_file_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "ca.crt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=reason) as error:
        settings.load({**GOOD, "minioSsl": "true", "minioCacertFile": str(path)})
    assert str(path) in str(error.value)


def test_a_missing_client_certificate_is_named() -> None:
    with pytest.raises(ValueError, match="minioCertFile '/nowhere' is not a file"):
        settings.load({**GOOD, "minioSsl": "true", "minioCertFile": "/nowhere"})


BAD: list[tuple[dict[str, Value], str, str]] = [
    ({"minioServer": None}, "minioServer", "not set"),
    ({"minioServer": "https://store1:9091"}, "minioServer", "without a scheme"),
    ({"minioServer": "store1:9091/x"}, "minioServer", "without a scheme"),
    ({"minioAccessKey": "a"}, "minioUser", "exclude each other"),
    ({"minioSecretKey": "a"}, "minioPassword", "exclude each other"),
    ({"minioSsl": "maybe"}, "minioSsl", "true or false"),
    ({"minioApiVersion": "v2"}, "minioApiVersion", "v4 only"),
    ({"minioSever": "x"}, "minioSever", "not one of its settings"),
]


@pytest.mark.parametrize(("changed", "key", "reason"), BAD)
def test_a_bad_setting_is_named(changed: dict[str, Value], key: str, reason: str) -> None:
    (failure,) = settings.check({**GOOD, **changed})
    assert failure.property == key
    assert reason in failure.reason
    assert "abcdefgh12345678" not in failure.reason


def test_unknown_settings_are_not_judged() -> None:
    unknown: dict[str, Value] = dict.fromkeys(
        ("minioServer", "minioUser", "minioPassword", "minioSsl", "minioApiVersion"), UNKNOWN
    )
    assert settings.check(unknown) == []


def test_no_secret_is_in_the_settings_text() -> None:
    assert "abcdefgh12345678" not in repr(settings.load(GOOD))
