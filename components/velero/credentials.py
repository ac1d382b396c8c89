"""The Secret with which Velero reaches the store, one per generation of the client's credential.

A new generation is a Secret of a new name. The location is pointed at it before the old Secret and
the old user go, and Velero reads the credential at every use, so a rotation restarts nothing.
"""

import base64
from collections.abc import Mapping

from components.velero.location import CREDENTIAL_KEY

# By which the gate tells the Secrets of former credentials from the one in use.
GENERATION_LABEL = "backstop-credential-generation"


def secret_name(generation: int) -> str:
    return f"velero-store-{generation}"


def secret_data(pair: Mapping[str, str]) -> dict[str, str]:
    """`data` of the Secret out of {accessKey, secretKey}: a credentials file for the SDK."""
    text = (
        "[default]\n"
        f"aws_access_key_id={pair['accessKey']}\n"
        f"aws_secret_access_key={pair['secretKey']}\n"
    )
    return encoded({CREDENTIAL_KEY: text})


def encoded(texts: Mapping[str, str]) -> dict[str, str]:
    """`data` of a Secret: each text in base64."""
    return {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
