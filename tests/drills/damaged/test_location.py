"""The copy's location is the site's but for place, credential and that nothing is written there."""

import base64
import datetime
from typing import Any

import pytest

from drills.damaged.location import location, secret
from drills.sandbox.marks import Run, read
from s3.client import Credential

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
RUN = Run("dev", "volumes", "r1", NOW, NOW + datetime.timedelta(hours=1))
SITE: dict[str, Any] = {
    "metadata": {"name": "default", "labels": {"backstop-site": "dev"}},
    "spec": {
        "provider": "aws", "default": True, "accessMode": "ReadWrite",
        "backupSyncPeriod": "1m0s", "validationFrequency": "30s",
        "credential": {"name": "velero-store-1", "key": "cloud"},
        "config": {"region": "eu-west-1", "s3ForcePathStyle": "true", "checksumAlgorithm": "CRC32",
                   "s3Url": "https://10.0.0.2:9091", "publicUrl": "https://store:9091"},
        "objectStorage": {"bucket": "dev-velero", "prefix": "here",
                          "caCertRef": {"name": "velero-store-ca", "key": "ca.crt"}},
    },
}  # fmt: skip


def made(**spec: Any) -> dict[str, Any]:
    like = {**SITE, "spec": {**SITE["spec"], **spec}}
    return location(RUN, "velero", "copy", like=like, bucket="scratch", secret="keys")


def test_the_store_is_reached_as_the_site_reaches_it() -> None:
    spec = made()["spec"]
    assert spec["config"] == SITE["spec"]["config"]
    assert spec["provider"] == "aws"


def test_the_place_is_another_one() -> None:
    spec = made()["spec"]
    assert spec["objectStorage"] == {
        "bucket": "scratch", "caCertRef": {"name": "velero-store-ca", "key": "ca.crt"},
    }  # fmt: skip
    assert spec["credential"] == {"name": "keys", "key": "cloud"}


@pytest.mark.parametrize(
    ("trust", "kept"), [({"caCert": "QUJD"}, {"caCert": "QUJD"}), ({"caCert": None}, {}), ({}, {})]
)
def test_an_inline_ca_is_taken_along(trust: dict[str, Any], kept: dict[str, Any]) -> None:
    found = made(objectStorage={"bucket": "b", **trust})["spec"]["objectStorage"]
    assert found == {"bucket": "scratch", **kept}


def test_no_new_backup_ever_goes_there_and_velero_changes_nothing_in_it() -> None:
    spec = made()["spec"]
    assert spec["default"] is False
    assert spec["accessMode"] == "ReadOnly"


def test_what_names_the_site_s_own_credential_or_key_is_left_out() -> None:
    config = {"region": "r", "profile": "p", "credentialsFile": "/x", "kmsKeyId": "k"}
    assert made(config=config)["spec"]["config"] == {"region": "r"}


def test_both_objects_bear_the_marks_of_the_run() -> None:
    keys = secret(RUN, "velero", "keys", Credential("ID", "SECRET"))
    assert read(made()) == read(keys) == RUN


def test_the_secret_is_a_credentials_file_and_never_shown() -> None:
    keys = secret(RUN, "velero", "keys", Credential("ID", "SENTINEL"))
    text = base64.b64decode(keys["data"]["cloud"]).decode()
    assert text == "[default]\naws_access_key_id=ID\naws_secret_access_key=SENTINEL\n"
    assert "stringData" not in keys
