"""An envelope opens with its passphrase, for its site and name, and in no other way."""

import datetime
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.envelope import EnvelopeError, seal, unseal

NOW = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.UTC)
CHEAP = 2**4


def sealed(*both: str) -> bytes:
    secret, passphrase = both or ("s3cret", "right")
    return seal(secret, passphrase, site="dev", name="password", now=NOW, cost=CHEAP)


@given(secret=st.text(), passphrase=st.text(min_size=1))
@settings(deadline=None, max_examples=40)
def test_what_was_sealed_comes_back(secret: str, passphrase: str) -> None:
    envelope = seal(secret, passphrase, site="dev", name="password", now=NOW, cost=CHEAP)
    assert unseal(envelope, passphrase, site="dev", name="password") == secret


def test_neither_secret_nor_passphrase_stands_in_the_envelope() -> None:
    envelope = sealed("SENTINEL-secret", "SENTINEL-passphrase")
    assert b"SENTINEL" not in envelope
    assert json.loads(envelope)["sealedAt"] == "2026-11-21T12:00:00Z"


def test_two_envelopes_of_one_secret_share_no_salt_nonce_or_text() -> None:
    first, second = json.loads(sealed()), json.loads(sealed())
    assert first["sealed"] != second["sealed"]
    assert first["cipher"]["nonce"] != second["cipher"]["nonce"]
    assert first["keyDerivation"]["salt"] != second["keyDerivation"]["salt"]


def changed(**changes: object) -> bytes:
    return json.dumps({**json.loads(sealed()), **changes}).encode()


FLIPPED = json.loads(sealed())["sealed"]
FLIPPED = ("B" if FLIPPED[0] == "A" else "A") + FLIPPED[1:]


@pytest.mark.parametrize(
    ("envelope", "passphrase", "said"),
    [
        (sealed(), "wrong", "escrowPassphrase to the one it was sealed with (2026-11-21"),
        (changed(sealed=FLIPPED), "right", "does not open"),
        (changed(site="other"), "right", "site other"),
        (changed(name="other"), "right", "holds other of site dev"),
        (changed(schema=2), "right", "newer program"),
        (changed(cipher={"name": "ROT13", "nonce": "AAAA"}), "right", "newer program"),
        (changed(sealed="%%%"), "right", "is no envelope"),
        (changed(keyDerivation={"name": "scrypt", "n": 3, "r": 8, "p": 1, "salt": ""}), "right",
         "is no envelope"),
        (changed(keyDerivation={"name": "scrypt", "n": 2**40, "r": 8, "p": 1, "salt": ""}), "right",
         "newer program"),
        (b"", "right", "is no envelope"),
        (b"[]", "right", "is no envelope"),
    ],
)  # fmt: skip
def test_everything_else_ends_in_one_sentence(envelope: bytes, passphrase: str, said: str) -> None:
    with pytest.raises(EnvelopeError) as caught:
        unseal(envelope, passphrase, site="dev", name="password")
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)
