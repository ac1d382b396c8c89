"""Verdicts, and the closed set of reasons behind every one that is not `proven`."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from kube.errors import Cause as ClusterCause
from kube.errors import ClusterError
from s3.errors import Cause, StoreError


class Verdict(StrEnum):
    """The outcome of a drill. Only `proven` is green."""

    PROVEN = "proven"
    BROKEN = "broken"
    UNPROVEN = "unproven"


EXIT_CODES = {Verdict.PROVEN: 0, Verdict.BROKEN: 20, Verdict.UNPROVEN: 21}
EXIT_BAD_INPUT = 2


class Reason(StrEnum):
    """Why a verdict is red, gravest first: of several, the receipt's reason is the first here.

    What hides other findings stands before what it hides. Nothing can be judged on a store or a
    cluster that is not reached, nor on another cluster than the one meant; an unknown key fails
    every later check in its own way; without a repository every volume looks damaged, and from a
    damaged restore point every restore fails. Only then comes what is missing or wrong in what was
    restored, then what was restored well but late, and last what speaks against the drill alone.
    """

    DRILL_FAILED = "drill-failed"
    STORE_UNREACHABLE = "store-unreachable"
    CLUSTER_UNREACHABLE = "cluster-unreachable"
    TLS_UNKNOWN_AUTHORITY = "tls-unknown-authority"
    TLS_EXPIRED = "tls-expired"
    TLS_NAME = "tls-name"
    REGION_MISMATCH = "region-mismatch"
    STORE_UNHEALTHY = "store-unhealthy"
    CLOCK_SKEW = "clock-skew"
    CLUSTER_MISMATCH = "cluster-mismatch"
    TARGET_REFUSED = "target-refused"
    NOTHING_TO_CHECK = "nothing-to-check"
    SCOPE_LOST = "scope-lost"
    BUCKET_MISSING = "bucket-missing"
    KEY_UNKNOWN = "key-unknown"
    KEY_WRONG = "key-wrong"
    STORAGE_FULL = "storage-full"
    RESTORE_POINT_MISSING = "restore-point-missing"
    RESTORE_POINT_UNFINISHED = "restore-point-unfinished"
    REPOSITORY_VANISHED = "repository-vanished"
    REPOSITORY_KEY_WRONG = "repository-key-wrong"
    RESTORE_POINT_DAMAGED = "restore-point-damaged"
    BLOCK_LOST = "block-lost"
    RESTORE_FAILED = "restore-failed"
    RESTORE_TIMEOUT = "restore-timeout"
    ANONYMOUS_ACCESS = "anonymous-access"
    POLICY_TOO_BROAD = "policy-too-broad"
    VERSIONING_OFF = "versioning-off"
    OBJECT_LOST = "object-lost"
    OBJECT_ADDED = "object-added"
    OBJECT_DIFFERS = "object-differs"
    VOLUME_LOST = "volume-lost"
    FILE_LOST = "file-lost"
    FILE_ADDED = "file-added"
    CONTENT_DIFFERS = "content-differs"
    METADATA_DIFFERS = "metadata-differs"
    VERSION_LOST = "version-lost"
    LOCK_DIFFERS = "lock-differs"
    LIFECYCLE_DIFFERS = "lifecycle-differs"
    UNPROTECTED = "unprotected"
    CHECK_FAILED = "check-failed"
    POLICY_TOO_NARROW = "policy-too-narrow"
    OVER_RPO = "over-rpo"
    OVER_RTO = "over-rto"
    TLS_EXPIRING = "tls-expiring"
    DEBRIS_LEFT = "debris-left"
    CONTROL_SURVIVED = "control-survived"
    TRUTH_UNUSABLE = "truth-unusable"
    EVIDENCE_UNWRITABLE = "evidence-unwritable"


_UNPROVEN = frozenset(
    {
        Reason.DRILL_FAILED,
        Reason.STORE_UNREACHABLE,
        Reason.CLUSTER_UNREACHABLE,
        Reason.STORE_UNHEALTHY,
        Reason.TARGET_REFUSED,
        Reason.NOTHING_TO_CHECK,
        Reason.RESTORE_POINT_MISSING,
        Reason.RESTORE_POINT_UNFINISHED,
        Reason.TRUTH_UNUSABLE,
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

# A phase knows which of its objects may be missing, there already or changed by somebody, and what
# that means. Only what no phase foresaw is judged here.
_BY_CLUSTER_CAUSE = {
    ClusterCause.KUBECONFIG: Reason.CLUSTER_UNREACHABLE,
    ClusterCause.UNREACHABLE: Reason.CLUSTER_UNREACHABLE,
    ClusterCause.TLS_UNKNOWN_AUTHORITY: Reason.TLS_UNKNOWN_AUTHORITY,
    ClusterCause.TLS_EXPIRED: Reason.TLS_EXPIRED,
    ClusterCause.TLS_NAME: Reason.TLS_NAME,
    # The kubeconfig's own certificate: the cure is the same as for any other that has ended.
    ClusterCause.CREDENTIAL_EXPIRED: Reason.TLS_EXPIRED,
    ClusterCause.CREDENTIAL_REFUSED: Reason.KEY_UNKNOWN,
    ClusterCause.FORBIDDEN: Reason.POLICY_TOO_NARROW,
    ClusterCause.MISSING: Reason.DRILL_FAILED,
    ClusterCause.EXISTS: Reason.TARGET_REFUSED,
    ClusterCause.TERMINATING: Reason.TARGET_REFUSED,
    ClusterCause.CONFLICT: Reason.DRILL_FAILED,
    ClusterCause.GONE: Reason.DRILL_FAILED,
    ClusterCause.INVALID: Reason.DRILL_FAILED,
    # What refuses a drill's objects would refuse those of a restore in need.
    ClusterCause.QUOTA: Reason.RESTORE_FAILED,
    ClusterCause.WEBHOOK_REFUSED: Reason.RESTORE_FAILED,
    ClusterCause.WEBHOOK_FAILED: Reason.RESTORE_FAILED,
    ClusterCause.ADMISSION: Reason.RESTORE_FAILED,
    ClusterCause.BUSY: Reason.CLUSTER_UNREACHABLE,
    ClusterCause.NO_API: Reason.CLUSTER_UNREACHABLE,
    ClusterCause.OTHER: Reason.CLUSTER_UNREACHABLE,
}


def verdict_of(reason: Reason) -> Verdict:
    """`unproven` when the drill could not run or found nothing, else `broken`; both are red."""
    return Verdict.UNPROVEN if reason in _UNPROVEN else Verdict.BROKEN


def reason_of(cause: Cause) -> Reason:
    """The reason for a request to the store that should have worked and failed with `cause`."""
    return _BY_CAUSE[cause]


def reason_of_error(error: StoreError | ClusterError) -> Reason:
    """The reason for a failed request, to the store or to the API server."""
    # Two tables: some causes of both are equal as texts, and so as keys of one.
    if isinstance(error, ClusterError):
        return _BY_CLUSTER_CAUSE[error.cause]
    return reason_of(error.cause)


@dataclass(frozen=True)
class Check:
    """One comparison. `client` says who acted or what was looked at: a client's name, `anonymous`,
    `store`, `cluster`, or `drill` for the drill itself."""

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
