"""Keeps a secret in escrow: written once, read back at once, found again by every later run."""

import datetime
import secrets
import string
from collections.abc import Callable

from escrow.envelope import seal, unseal
from escrow.request import Guarded, Request
from s3.client import Session
from s3.errors import Cause, StoreError

FOLDER = "escrow/"
# 40 letters and digits are 238 bits; neither a shell nor a URL has to quote them.
LENGTH = 40
_ALPHABET = string.ascii_letters + string.digits
_PRECONDITION_FAILED = 412


class EscrowError(Exception):
    """The secret is not kept, or not the expected one; the text is one sentence with the cure."""


def born() -> str:
    """A new random secret."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))


def object_key(name: str) -> str:
    """Where the envelope of the secret `name` is in the evidence bucket."""
    return f"{FOLDER}{name}.json"


def keep(
    request: Request,
    session: Session,
    now: datetime.datetime,
    new: Callable[[], str] = born,
) -> str:
    """The secret in escrow; if there is none yet, the given or a new one, which then is kept.

    Raises:
        EscrowError: data exists that only a lost secret opens, or another secret is kept already.
        EnvelopeError: what is kept cannot be opened.
        StoreError: the store refuses or cannot be reached.
    """
    held = _read(request, session)
    if held is None:
        _refuse_orphans(request, session)
        given = request.secret.get_secret_value() if request.secret else new()
        held = _write(request, session, given, now)
    if request.secret is not None and request.secret.get_secret_value() != held:
        raise EscrowError(
            f"another {request.name} is kept in {request.bucket} already; leave the given one out, "
            "for what is stored opens only with the kept one"
        )
    return held


def find(request: Request, session: Session) -> str:
    """The secret in escrow; nothing is written. Raises as `keep`, EscrowError if there is none."""
    held = _read(request, session)
    if held is None:
        raise EscrowError(
            f"{request.bucket} has no {object_key(request.name)}; use the evidence bucket of this "
            "site"
        )
    return held


def _read(request: Request, session: Session) -> str | None:
    try:
        envelope = session.get(request.bucket, object_key(request.name))
    except StoreError as error:
        if error.cause is Cause.OBJECT_MISSING:
            return None
        raise
    return unseal(
        envelope, request.passphrase.get_secret_value(), site=request.site, name=request.name
    )


def _write(request: Request, session: Session, secret: str, now: datetime.datetime) -> str:
    """Writes the envelope unless another run was faster; returns what the store then holds."""
    envelope = seal(
        secret, request.passphrase.get_secret_value(), site=request.site, name=request.name, now=now
    )
    key = object_key(request.name)
    answer = session.send("PUT", request.bucket, key, headers={"If-None-Match": "*"}, body=envelope)
    if not answer.ok and answer.status != _PRECONDITION_FAILED:
        raise session.error(answer, f"{request.bucket}/{key}")
    held = _read(request, session)
    if held is None:
        raise EscrowError(
            f"{request.bucket}/{key} was written and cannot be read back; look at the store's log"
        )
    return held


def _refuse_orphans(request: Request, session: Session) -> None:
    guarded = request.guarded
    if guarded is None or request.secret is not None or not _holds_objects(session, guarded):
        return
    raise EscrowError(
        f"bucket {guarded.bucket} holds volume backups under {guarded.prefix}, but "
        f"{request.bucket} has no {request.name}: a new one would open none of them; restore "
        f"{object_key(request.name)} in {request.bucket}, or use an empty prefix"
    )


def _holds_objects(session: Session, guarded: Guarded) -> bool:
    query = {"list-type": "2", "max-keys": "1", "prefix": guarded.prefix}
    answer = session.send("GET", guarded.bucket, query=query)
    if not answer.ok:
        raise session.error(answer, f"bucket {guarded.bucket}")
    return b"<Contents>" in answer.body
