"""A CA that cannot do its work is refused in a sentence before anything is changed."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from components.object_store.authority_file import findings
from components.settings import Certificate
from tests.support.authority import Authority, make_authority


def found(authority: Authority) -> list[str]:
    return findings(Certificate.model_validate(authority.config()), time.time())


def test_a_ca_that_may_sign_issuers_has_no_fault(tmp_path: Path) -> None:
    assert found(make_authority(tmp_path / "one")) == []
    assert found(make_authority(tmp_path / "unbounded", path_length=None)) == []
    assert findings(Certificate(), time.time()) == []


def mixed(folder: Path, **files: str) -> Authority:
    """A good CA with some of its files replaced: "other/ca.key" is the key of another one."""
    make_authority(folder / "other")
    good = make_authority(folder / "good")
    return dataclasses.replace(good, **{name: folder / file for name, file in files.items()})


MADE: dict[str, Callable[[Path], Authority]] = {
    "is encrypted": lambda folder: make_authority(folder, passphrase=b"a passphrase"),
    "holds no private key": lambda folder: mixed(folder, key_file="good/ca.crt"),
    "cannot be read (No such file or directory)": lambda folder: mixed(folder, key_file="gone"),
    "holds no certificate": lambda folder: mixed(folder, certificate_file="good/ca.key"),
    "does not belong to the key": lambda folder: mixed(folder, key_file="other/ca.key"),
    "may not sign an issuer": lambda folder: make_authority(folder, path_length=0),
    "which is not now": lambda folder: make_authority(folder, days=-1),
    "which is not now: renew the CA": lambda folder: make_authority(folder, age=-1),
}


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("caKeyFile", "is encrypted"),
        ("caKeyFile", "holds no private key"),
        ("caKeyFile", "cannot be read (No such file or directory)"),
        ("caCertificateFile", "holds no certificate"),
        ("caCertificateFile", "does not belong to the key"),
        ("caCertificateFile", "may not sign an issuer"),
        ("caCertificateFile", "which is not now"),
        ("caCertificateFile", "which is not now: renew the CA"),
    ],
)
def test_a_ca_that_cannot_is_one_sentence_with_its_key(
    tmp_path: Path, key: str, fault: str
) -> None:
    (sentence,) = found(MADE[fault](tmp_path))
    assert sentence.startswith(f"config backstop:objectStore.certificate.{key}: {tmp_path}")
    assert fault in sentence
