"""What a client meets before any permission: address, certificate, health, clock, region, login."""

import datetime
import email.utils
import re

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from drills.frame import Clock
from drills.store.capabilities import Action
from drills.store.payload import StoreLimits
from drills.store.probes import Target, attempt
from drills.verdict import Check, Reason, reason_of
from s3.client import Session, StoreEndpoint
from s3.errors import Cause, StoreError, cause_of_code
from s3.handshake import Certificate, handshake

STORE = "store"
HEALTH_PATH = "/minio/health/cluster"

# A region no store has. Its refusal shows that the store compares regions at all.
FOREIGN_REGION = "backstop-nowhere-1"

# What an answer to a login says when the key itself is good; other causes are the login's own.
_LOGIN_CAUSES = frozenset(
    {
        Cause.KEY_UNKNOWN,
        Cause.SIGNATURE_MISMATCH,
        Cause.REGION_MISMATCH,
        Cause.CLOCK_SKEW,
        Cause.BUCKET_MISSING,
    }
)
_SERVER = re.compile(r"[\w.()/ -]{1,60}")


def certificate_checks(
    endpoint: StoreEndpoint, name: str, limits: StoreLimits, clock: Clock
) -> list[Check]:
    """One full handshake as `name`; name, chain and the dates of every certificate in the chain."""
    label = f"handshake as {name}"
    try:
        chain = handshake(endpoint, name)
    except StoreError as error:
        return [Check(STORE, label, "verified", str(error), reason_of(error.cause))]
    dates = [_date_check(certificate, name, limits, clock) for certificate in chain]
    return [Check(STORE, label, "verified", "verified"), *dates]


def _date_check(certificate: Certificate, name: str, limits: StoreLimits, clock: Clock) -> Check:
    margin = certificate.not_after - clock.now()
    reason = None
    if margin <= datetime.timedelta():
        reason = Reason.TLS_EXPIRED
    elif margin < datetime.timedelta(days=limits.certificate_min_days):
        reason = Reason.TLS_EXPIRING
    return Check(
        STORE,
        f"certificate {certificate.subject} (as {name})",
        f"valid for at least {limits.certificate_min_days} days",
        f"until {certificate.not_after:%Y-%m-%d}, {margin.days} days",
        reason,
    )


def stranger_check(endpoint: StoreEndpoint) -> Check:
    """A client that trusts another CA must not talk to this store.

    It shows that the handshakes above verify anything at all: a client that accepts every
    certificate would pass them too.
    """
    label, expected = "handshake trusting another CA", "refused"
    stranger = StoreEndpoint(endpoint.url, endpoint.region, _stranger_ca())
    try:
        handshake(stranger, endpoint.host)
    except StoreError as error:
        if error.cause is Cause.TLS_UNKNOWN_AUTHORITY:
            return Check(STORE, label, expected, "refused")
        return Check(STORE, label, expected, str(error), reason_of(error.cause))
    return Check(STORE, label, expected, "accepted", Reason.TLS_UNKNOWN_AUTHORITY)


def _stranger_ca() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a CA of nobody")])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=5)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def health_checks(
    endpoint: StoreEndpoint, limits: StoreLimits, clock: Clock
) -> tuple[list[Check], datetime.datetime, str]:
    """Health of the cluster and skew of its clock; also the server's time and its name.

    Only `cluster` knows whether the store can write; `live` and `ready` answer 200 without it.
    Raises StoreError when there is no answer.
    """
    anonymous = Session.open(endpoint, None)
    before = clock.now()
    answer = anonymous.send("GET", raw_path=HEALTH_PATH)
    between = before + (clock.now() - before) / 2
    healthy = Check(
        STORE,
        "health of the cluster",
        "200",
        str(answer),
        None if answer.ok else Reason.STORE_UNHEALTHY,
    )
    there = _server_time(answer.headers.get("date", ""))
    server = (_SERVER.match(answer.headers.get("server", "")) or [""])[0]
    if there is None:
        missing = Check(STORE, "clock", "a date", "no date in the answer", Reason.STORE_UNHEALTHY)
        return [healthy, missing], between, server
    skew = abs((there - between).total_seconds())
    allowed = limits.clock_skew_seconds
    skewed = Check(
        STORE,
        "clock",
        f"at most {allowed:g} s apart",
        f"{skew:.0f} s apart",
        # The header counts whole seconds only.
        Reason.CLOCK_SKEW if skew > allowed + 1 else None,
    )
    return [healthy, skewed], there, server


def _server_time(header: str) -> datetime.datetime | None:
    try:
        return email.utils.parsedate_to_datetime(header)
    except ValueError:
        return None


def region_checks(session: Session, bucket: str) -> list[Check]:
    """The right region is accepted and a foreign one refused, with the same credential."""
    return [
        _region_check(session, bucket, refused=False),
        _region_check(
            Session(
                StoreEndpoint(session.endpoint.url, FOREIGN_REGION, session.endpoint.ca_pem),
                session.credential,
                session.pool,
            ),
            bucket,
            refused=True,
        ),
    ]


def _region_check(session: Session, bucket: str, *, refused: bool) -> Check:
    answer = attempt(session, Action.LIST, Target(bucket))
    mismatch = cause_of_code(answer.code) is Cause.REGION_MISMATCH
    return Check(
        STORE,
        f"signature for region {session.endpoint.region}",
        "refused" if refused else "accepted",
        f"refused ({answer})" if mismatch else "accepted",
        None if mismatch == refused else Reason.REGION_MISMATCH,
    )


def login_check(name: str, session: Session, target: Target) -> Check:
    """Whether the store knows this key and its secret; being denied the listing counts as known."""
    answer = attempt(session, Action.LIST, target)
    cause = cause_of_code(answer.code)
    if cause in _LOGIN_CAUSES:
        return Check(name, "login", "key known", str(answer), reason_of(cause))
    return Check(name, "login", "key known", "key known")
