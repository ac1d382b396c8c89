"""Expectations about single requests, made concurrently and turned into checks."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from drills.store.capabilities import BUCKET_WIDE, LISTINGS, Action
from drills.store.probes import Target, attempt
from drills.verdict import Check, Reason, reason_of
from s3.client import Answer, Session
from s3.errors import Cause, StoreError, cause_of_code

WORKERS = 8

_SERVER_FAULT = 500
_NO_SUCH_API = frozenset({404, 405, 501})
_In = TypeVar("_In")
_Out = TypeVar("_Out")

# Answers that say nothing about permissions, whatever was expected.
_BEFORE_PERMISSIONS = frozenset(
    {
        Cause.KEY_UNKNOWN,
        Cause.SIGNATURE_MISMATCH,
        Cause.REGION_MISMATCH,
        Cause.CLOCK_SKEW,
        Cause.BUCKET_MISSING,
    }
)


@dataclass(frozen=True)
class Expectation:
    """`who` tries `action` on `target`; it must work, or must be refused."""

    who: str
    session: Session
    action: Action
    target: Target
    works: bool
    too_broad: Reason = Reason.POLICY_TOO_BROAD

    @property
    def label(self) -> str:
        """The check's name in the receipt: the action and what it was aimed at."""
        if not self.target.bucket:
            return str(self.action)
        if self.action in LISTINGS:
            return f"{self.action} {self.target.bucket}/{self.target.prefix}"
        if self.action in BUCKET_WIDE:
            return f"{self.action} {self.target.bucket}"
        return f"{self.action} {self.target.bucket}/{self.target.key}"


def together(call: Callable[[_In], _Out], items: Iterable[_In]) -> list[_Out]:
    """Calls for all items concurrently; results in their order, the first exception is raised."""
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        return list(pool.map(call, items))


def check_all(expectations: Iterable[Expectation]) -> list[Check]:
    """Tries all expectations concurrently; they must not depend on each other's order."""
    return together(_check, expectations)


def _check(expectation: Expectation) -> Check:
    try:
        answer = attempt(expectation.session, expectation.action, expectation.target)
    except StoreError as error:
        return Check(
            expectation.who,
            expectation.label,
            "works" if expectation.works else "refused",
            str(error),
            reason_of(error.cause),
        )
    if expectation.works:
        return worked(expectation.who, expectation.label, answer)
    return _refused(expectation, answer)


def worked(who: str, label: str, answer: Answer) -> Check:
    """The check of a request that must have worked."""
    if answer.ok:
        return Check(who, label, "works", "works")
    cause = cause_of_code(answer.code)
    return Check(who, label, "works", str(answer), reason_of(cause))


def _refused(expectation: Expectation, answer: Answer) -> Check:
    cause = cause_of_code(answer.code)
    reason: Reason | None = expectation.too_broad
    observed = f"allowed ({answer})" if answer.ok else f"not refused ({answer})"
    if answer.refused or _no_admin_api(expectation.action, answer):
        reason, observed = None, "refused"
    elif cause in _BEFORE_PERMISSIONS:
        reason, observed = reason_of(cause), str(answer)
    elif answer.status >= _SERVER_FAULT:
        reason, observed = Reason.STORE_UNHEALTHY, str(answer)
    return Check(expectation.who, expectation.label, "refused", observed, reason)


def _no_admin_api(action: Action, answer: Answer) -> bool:
    """A store that is not MinIO has no such API, which is as good as a refusal."""
    return action is Action.ADMIN and answer.status in _NO_SUCH_API
