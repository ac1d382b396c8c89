"""The CA in the operator's files: it signs the hosts' issuers, and no host ever holds its key."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.on_lab.site import Lab, Site
from tests.support.authority import Authority, make_authority

pytestmark = pytest.mark.lab

PLACES = "/etc /var /root /tmp /usr/local /opt /run /storage"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"), days=3650)


@pytest.fixture(scope="module")
def signed(deployed: Site, authority: Authority) -> Iterator[Site]:
    """The deployed site after its CA has moved from the host into the operator's files."""
    deployed.configure(objectStore={"certificate": {"names": ["store1"], **authority.config()}})
    deployed.up()
    yield deployed
    deployed.reset()
    deployed.up()


def key_lines(authority: Authority) -> list[str]:
    """The lines of the private key that are the key, not its frame."""
    lines = authority.key_file.read_text().splitlines()
    return [line for line in lines if "PRIVATE KEY" not in line]


def test_the_operators_ca_is_what_clients_trust_and_the_store_is_proven(
    lab: Lab, signed: Site, authority: Authority
) -> None:
    outputs = signed.outputs()
    assert outputs["storeCaPem"] == authority.certificate_file.read_text()
    assert outputs["escrow"] == ""
    assert outputs["drills"]["store"]["verdict"] == "proven"
    issuer = lab.on("store1", "openssl x509 -in /etc/minio/issuer/issuer.crt -noout -issuer")
    assert "the operator's CA" in issuer
    signed.quiet()


def test_no_file_of_the_host_holds_the_cas_key(
    lab: Lab, signed: Site, authority: Authority
) -> None:
    del signed
    search = f"grep --recursive --text --files-with-matches --fixed-strings {{}} {PLACES} || :"
    lines = key_lines(authority)
    assert len(lines) == 3
    for line in lines:
        assert lab.on("store1", search.format(f"-e {shlex.quote(line)}")) == ""
    # The same search does find what is there.
    there = authority.certificate_file.read_text().splitlines()[1]
    found = lab.on("store1", search.format(f"-e {shlex.quote(there)}"))
    assert "/etc/minio/ssl/CAs/ca.crt" in found.splitlines()


def test_the_state_holds_the_cas_key_nowhere_in_clear(signed: Site, authority: Authority) -> None:
    backend = Path(signed.environment["PULUMI_BACKEND_URL"].removeprefix("file://"))
    texts = [path.read_text() for path in backend.rglob("*.json*")]
    assert any("minio-issuer-store1" in text for text in texts)
    assert [line for line in key_lines(authority) for text in texts if line in text] == []
    exported = signed.pulumi("stack", "export").stdout
    assert "minio-issuer-store1" in exported
    assert [line for line in key_lines(authority) if line in exported] == []


def test_a_ca_that_does_not_fit_its_key_is_refused_before_anything_is_changed(
    signed: Site, authority: Authority, tmp_path: Path
) -> None:
    other = make_authority(tmp_path)
    pair = {**authority.config(), "caKeyFile": str(other.key_file)}
    signed.configure(objectStore={"certificate": pair})
    done = signed.driver("up")
    assert done.code != 0
    assert "does not belong to the key in caKeyFile" in done.text
    assert "nothing was changed" in done.text
