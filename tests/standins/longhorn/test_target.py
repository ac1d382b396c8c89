"""What is read out of a target's URL and Secret, and the words for what is wrong with them."""

import base64

import pytest

from standins.longhorn.store_errors import StoreError
from standins.longhorn.target import CredentialError, backup_url, credential, open_bucket

HELD = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
MINIO = {**HELD, "AWS_ENDPOINTS": "https://store1:9091"}


def test_an_url_and_an_endpoint_make_a_place() -> None:
    place = open_bucket("s3://longhorn@eu-west-1/dev/one/", MINIO).place
    assert (place.bucket, place.region, place.prefix) == ("longhorn", "eu-west-1", "dev/one/")
    assert place.address == "store1:9091"
    assert place.path("a b/c.cfg") == "/longhorn/dev/one/a%20b/c.cfg"
    assert place.path(None) == "/longhorn"


def test_without_an_endpoint_it_is_amazons() -> None:
    place = open_bucket("s3://longhorn@eu-west-1/", HELD).place
    assert (place.address, place.prefix) == ("s3.eu-west-1.amazonaws.com", "")


def test_the_bucket_may_be_in_the_host() -> None:
    held = {**MINIO, "VIRTUAL_HOSTED_STYLE": "true"}
    place = open_bucket("s3://longhorn@eu-west-1/x/", held).place
    assert (place.server, place.address) == ("longhorn.store1", "longhorn.store1:9091")
    assert place.path("key") == "/x/key"


@pytest.mark.parametrize(
    ("url", "held", "said"),
    [
        ("nfs://host/path", MINIO, "no driver for nfs"),
        ("s3://longhorn@eu-west-1", MINIO, "invalid URL. Must be either"),
        ("s3:///path/", MINIO, "invalid URL. Must be either"),
        ("s3://b@r/", {}, r"missing \[AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY\] in the secret"),
        ("s3://b@r/", {"AWS_ACCESS_KEY_ID": "key"}, r"missing \[AWS_SECRET_ACCESS_KEY\]"),
        ("s3://b@r/", {**MINIO, "AWS_ENDPOINTS": "http://store1:9000"}, "https endpoints only"),
        ("s3://b@r/", {**MINIO, "AWS_CERT": "no PEM"}, "failed to append custom certificates"),
        ("s3://b@r/", {**MINIO, "HTTPS_PROXY": "http://proxy"}, "knows no proxy"),
        ("s3://b@r/", {**MINIO, "AWS_SECRET_ACCESS_KEY": "secret\n"}, "what no header may hold"),
        ("s3://b@r/", {**MINIO, "AWS_ENDPOINTS": "https://store1:port"}, "invalid URL"),
        ("s3://[b@r/", MINIO, "invalid URL"),
    ],
    ids=[
        "nfs",
        "no-path",
        "no-bucket",
        "no-keys",
        "one-key",
        "http",
        "no-pem",
        "proxy",
        "newline",
        "port",
        "brackets",
    ],
)
def test_what_cannot_be_opened_is_told(url: str, held: dict[str, str], said: str) -> None:
    with pytest.raises(StoreError, match=said):
        open_bucket(url, held)


def test_a_secret_is_read_as_text() -> None:
    data = {"AWS_ACCESS_KEY_ID": base64.b64encode(b"key").decode()}
    assert credential("s3://b@r/", "s3", {"data": data}) == {"AWS_ACCESS_KEY_ID": "key"}
    for name, secret, said in (
        ("", None, "could not access s3 without credential secret"),
        ("s3", None, 'secrets "s3" not found'),
        ("s3", {"data": {"AWS_CERT": "//79"}}, "holds what is no text"),
    ):
        with pytest.raises(CredentialError, match=said):
            credential("s3://b@r/", name, secret)


def test_keys_are_never_printed() -> None:
    text = repr(open_bucket("s3://b@r/", {**MINIO, "AWS_SECRET_ACCESS_KEY": "hidden"}))
    assert "hidden" not in text
    assert "key" not in text.replace("keys=Keys(...)", "")


def test_a_backups_url_is_longhorns() -> None:
    url = "s3://longhorn@eu-west-1/dev/"
    assert backup_url(url, "pvc-a", "backup-1") == f"{url}?backup=backup-1&volume=pvc-a"
    assert backup_url(url, "pvc-a") == f"{url}?volume=pvc-a"
