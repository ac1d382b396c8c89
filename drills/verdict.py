"""Verdicts, and the closed set of reasons behind every one that is not `proven`."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from s3.errors import Cause


class Verdict(StrEnum):
    """The outcome of a drill. Only `proven` is green."""

    PROVEN = "proven"
    BROKEN = "broken"
    UNPROVEN = "unproven"


EXIT_CODES = {Verdict.PROVEN: 0, Verdict.BROKEN: 20, Verdict.UNPROVEN: 21}
EXIT_BAD_INPUT = 2


class Reason(StrEnum):
    """Why a verdict is red, gravest first: of several, the receipt's reason is the first here.

    What hides other findings stands before what it hides: nothing can be judged on a store that is
    not reached, and an unknown key fails every later check in its own way.
    """

    DRILL_FAILED = "drill-failed"
    STORE_UNREACHABLE = "store-unreachable"
    TLS_UNKNOWN_AUTHORITY = "tls-unknown-authority"
    TLS_EXPIRED = "tls-expired"
    TLS_NAME = "tls-name"
    REGION_MISMATCH = "region-mismatch"
    STORE_UNHEALTHY = "store-unhealthy"
    CLOCK_SKEW = "clock-skew"
    NOTHING_TO_CHECK = "nothing-to-check"
    SCOPE_LOST = "scope-lost"
    BUCKET_MISSING = "bucket-missing"
    KEY_UNKNOWN = "key-unknown"
    KEY_WRONG = "key-wrong"
    STORAGE_FULL = "storage-full"
    ANONYMOUS_ACCESS = "anonymous-access"
    POLICY_TOO_BROAD = "policy-too-broad"
    VERSIONING_OFF = "versioning-off"
    CONTENT_DIFFERS = "content-differs"
    VERSION_LOST = "version-lost"
    LOCK_DIFFERS = "lock-differs"
    LIFECYCLE_DIFFERS = "lifecycle-differs"
    POLICY_TOO_NARROW = "policy-too-narrow"
    OVER_RTO = "over-rto"
    TLS_EXPIRING = "tls-expiring"
    CONTROL_SURVIVED = "control-survived"
    EVIDENCE_UNWRITABLE = "evidence-unwritable"


_UNPROVEN = frozenset(
    {
        Reason.DRILL_FAILED,
        Reason.STORE_UNREACHABLE,
        Reason.STORE_UNHEALTHY,
        Reason.NOTHING_TO_CHECK,
        Reason.EVIDENCE_UNWRITABLE,
    }
)

_BY_CAUSE = {
    Cause.UNREACHABLE: Reason.STORE_UNREACHABLE,
    Cause.TLS_UNKNOWN_AUTHORITY: Reason.TLS_UNKNOWN_AUTHORITY,
    Cause.TLS_EXPIRED: Reason.TLS_EXPIRED,
    Cause.TLS_NAME: Reason.TLS_NAME,
    Cause.REGION_MISMATCH: Reason.REGION_MISMATCH,
    Cause.ACCESS_DENIED: Reason.POLICY_TOO_NARROW,
    Cause.KEY_UNKNOWN: Reason.KEY_UNKNOWN,
    Cause.SIGNATURE_MISMATCH: Reason.KEY_WRONG,
    Cause.CLOCK_SKEW: Reason.CLOCK_SKEW,
    Cause.BUCKET_MISSING: Reason.BUCKET_MISSING,
    Cause.OBJECT_MISSING: Reason.VERSION_LOST,
    Cause.STORAGE_FULL: Reason.STORAGE_FULL,
    Cause.OTHER: Reason.STORE_UNHEALTHY,
}


def verdict_of(reason: Reason) -> Verdict:
    """`unproven` when the drill could not run or found nothing, else `broken`; both are red."""
    return Verdict.UNPROVEN if reason in _UNPROVEN else Verdict.BROKEN


def reason_of(cause: Cause) -> Reason:
    """The reason for a request that should have worked and failed with `cause`."""
    return _BY_CAUSE[cause]


@dataclass(frozen=True)
class Check:
    """One comparison. `client` says who acted: a client's name, `anonymous`, or `store`."""

    client: str
    check: str
    expected: str
    observed: str
    reason: Reason | None = None

    @property
    def ok(self) -> bool:
        return self.reason is None


@dataclass(frozen=True)
class Judgement:
    """Verdict, reason ("" when proven) and one sentence."""

    verdict: Verdict
    reason: Reason | None
    detail: str


def judge(checks: Iterable[Check]) -> Judgement:
    """The verdict over all checks: no check at all is `unproven`, one failed check is red."""
    checks = list(checks)
    if not checks:
        return Judgement(
            Verdict.UNPROVEN, Reason.NOTHING_TO_CHECK, "no check ran, so nothing is proven"
        )
    gravity = list(Reason).index
    failed = sorted(
        ((check.reason, check) for check in checks if check.reason is not None),
        key=lambda pair: gravity(pair[0]),
    )
    if not failed:
        return Judgement(Verdict.PROVEN, None, f"all {len(checks)} checks came out as expected")
    reason, first = failed[0]
    others = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return Judgement(
        verdict_of(reason),
        reason,
        f"{first.client}: {first.check}: expected {first.expected},"
        f" observed {first.observed}{others}",
    )
