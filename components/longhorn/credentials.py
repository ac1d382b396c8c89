"""The Secret with which Longhorn reaches a store, held to what its webhook demands of one.

The webhook looks once, when a target is pointed at the Secret; what is wrong later shows as a
signature that the store refuses. A line's end behind a value is enough, and PEM files have one.
"""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

ACCESS_KEY = "AWS_ACCESS_KEY_ID"
SECRET_KEY = "AWS_SECRET_ACCESS_KEY"  # noqa: S105  (a name)
ENDPOINT = "AWS_ENDPOINTS"
AUTHORITY = "AWS_CERT"
HOST_STYLE = "VIRTUAL_HOSTED_STYLE"
# What this program writes. Longhorn knows more: proxies, which up to 1.10.1 took the traffic
# between its own parts with them, and roles of a cloud.
KEYS = frozenset({ACCESS_KEY, SECRET_KEY, ENDPOINT, AUTHORITY, HOST_STYLE})
_NEEDED = (ACCESS_KEY, SECRET_KEY)
_CERTIFICATE = r"-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----"
# A PEM file may say in words what each certificate is; what is no certificate at all is a mistake.
_PEM = re.compile(rf"([^-]*{_CERTIFICATE})+[^-]*")


def secret_name(target: str) -> str:
    """The Secret of a target. Always the same one: Longhorn reads its content at every use, so that
    a rotation restarts nothing, and a name that changed could not be given while a standby volume
    exists, nor be found by a system backup that is restored.
    """
    return f"backstop-target-{target}"


def data(
    pair: Mapping[str, str], *, endpoint: str = "", ca_pem: str = "", host_style: bool = False
) -> dict[str, str]:
    """What the Secret holds. `pair`: {accessKey, secretKey}; `endpoint` "": Amazon's own.

    Raises:
        ValueError: one sentence, without any value.
    """
    found = {ACCESS_KEY: pair["accessKey"], SECRET_KEY: pair["secretKey"]}
    if endpoint:
        found[ENDPOINT] = endpoint
    if ca_pem.strip():
        found[AUTHORITY] = ca_pem
    if host_style:
        found[HOST_STYLE] = "true"
    stripped = {key: value.strip() for key, value in found.items()}
    for fault in faults(stripped):
        raise ValueError(fault)
    return stripped


def faults(held: Mapping[str, str]) -> Iterator[str]:
    """What Longhorn would refuse, or fail with later; each one sentence, without any value."""
    for key in _NEEDED:
        if not held.get(key):
            yield f"{key} is empty; give both keys of the credential"
    for key, value in held.items():
        if key not in KEYS:
            yield f"{key} is no key that a target needs; take it out"
        elif value != value.strip():
            yield f"{key} begins or ends with white space, which Longhorn refuses; strip it"
        elif key in _NEEDED and not value.isprintable():
            yield f"{key} holds a line's end or another sign that no key has; set it again"
    yield from _endpoint_fault(held.get(ENDPOINT, ""))
    yield from _authority_fault(held.get(AUTHORITY, ""))
    if held.get(HOST_STYLE, "true") not in ("true", "false"):
        yield f"{HOST_STYLE} must be true or false"


def _endpoint_fault(url: str) -> Iterator[str]:
    if not url:
        return
    try:
        parts = urlsplit(url)
        sound = parts.scheme == "https" and bool(parts.hostname) and parts.path in ("", "/")
        sound = sound and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound:
        yield f"{ENDPOINT} is no https://host:port; correct the endpoint"


def _authority_fault(pem: str) -> Iterator[str]:
    if pem and not _PEM.fullmatch(pem):
        yield f"{AUTHORITY} is no certificate in PEM form; give the CA that signed the store's"
