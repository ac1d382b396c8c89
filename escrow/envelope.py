"""One secret, sealed with a passphrase: scrypt makes the key, AES-256-GCM seals and authenticates.

The envelope is JSON text and says how it was made, so that it can be opened with nothing but the
passphrase and a library that knows the two standards. Site and name are authenticated with it: an
envelope that was moved to another site's bucket does not open there.
"""

import base64
import binascii
import datetime
import json
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

SCHEMA = 1
KEY_DERIVATION = "scrypt"
CIPHER = "AES-256-GCM"
KEY_BYTES = 32
SALT_BYTES = 16
NONCE_BYTES = 12
# 64 MiB and some tenths of a second a guess; the parameters stand in the envelope.
COST = 2**16
BLOCK = 8
PARALLEL = 1
# An envelope that asks for more was not made here, and would only exhaust memory.
HIGHEST_COST = 2**20


class EnvelopeError(Exception):
    """The envelope cannot be opened; the text is one sentence with the cure."""


def seal(
    secret: str, passphrase: str, *, site: str, name: str, now: datetime.datetime, cost: int = COST
) -> bytes:
    """The envelope of `secret`, as it is stored."""
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    key = _key(passphrase, salt, cost, BLOCK, PARALLEL)
    sealed = AESGCM(key).encrypt(nonce, secret.encode(), _context(site, name))
    content = {
        "schema": SCHEMA,
        "site": site,
        "name": name,
        "sealedAt": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "keyDerivation": {
            "name": KEY_DERIVATION,
            "n": cost,
            "r": BLOCK,
            "p": PARALLEL,
            "salt": base64.b64encode(salt).decode(),
        },
        "cipher": {"name": CIPHER, "nonce": base64.b64encode(nonce).decode()},
        "sealed": base64.b64encode(sealed).decode(),
    }
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def unseal(envelope: bytes, passphrase: str, *, site: str, name: str) -> str:
    """The secret in `envelope`.

    Raises:
        EnvelopeError: it is no envelope, another site's, or sealed with another passphrase.
    """
    try:
        content: dict[str, Any] = json.loads(envelope)
        held = (content["site"], content["name"])
        derivation, cipher = content["keyDerivation"], content["cipher"]
        cost, block, parallel = (int(derivation[key]) for key in ("n", "r", "p"))
        salt, nonce, sealed = (
            base64.b64decode(text, validate=True)
            for text in (derivation["salt"], cipher["nonce"], content["sealed"])
        )
        known = (content["schema"], derivation["name"], cipher["name"])
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise EnvelopeError(
            f"the escrow of {name} is no envelope: restore an older version of the object"
        ) from None
    if known != (SCHEMA, KEY_DERIVATION, CIPHER) or cost > HIGHEST_COST:
        raise EnvelopeError(
            f"the escrow of {name} was made by a newer program; use that one to open it"
        )
    if held != (site, name):
        raise EnvelopeError(
            f"the escrow holds {held[1]} of site {held[0]}, not {name} of site {site}; use the "
            "evidence bucket of this site"
        )
    try:
        key = _key(passphrase, salt, cost, block, parallel)
        return AESGCM(key).decrypt(nonce, sealed, _context(site, name)).decode()
    except InvalidTag:
        raise EnvelopeError(
            f"the escrow of {name} does not open with this passphrase; set config "
            "backstop:escrowPassphrase to the one it was sealed with "
            f"({content.get('sealedAt', 'no date')})"
        ) from None
    except ValueError:
        raise EnvelopeError(
            f"the escrow of {name} is no envelope: restore an older version of the object"
        ) from None


def _key(passphrase: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return Scrypt(salt=salt, length=KEY_BYTES, n=cost, r=block, p=parallel).derive(
        passphrase.encode()
    )


def _context(site: str, name: str) -> bytes:
    return json.dumps([SCHEMA, site, name]).encode()
