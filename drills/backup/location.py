"""Whether Velero gets to the backups, in its own words: the phase of its location."""

from drills.verdict import Check, Reason
from kube.velero import cures
from kube.velero.api import Object, phase, status

_BY_CAUSE = {
    cures.Cause.UNREACHABLE: Reason.STORE_UNREACHABLE,
    cures.Cause.TLS_UNKNOWN_AUTHORITY: Reason.TLS_UNKNOWN_AUTHORITY,
    cures.Cause.TLS_NAME: Reason.TLS_NAME,
    cures.Cause.TLS_EXPIRED: Reason.TLS_EXPIRED,
    cures.Cause.KEY_UNKNOWN: Reason.KEY_UNKNOWN,
    cures.Cause.KEY_WRONG: Reason.KEY_WRONG,
    cures.Cause.CLOCK_SKEW: Reason.CLOCK_SKEW,
    cures.Cause.REGION: Reason.REGION_MISMATCH,
    cures.Cause.BUCKET_MISSING: Reason.BUCKET_MISSING,
    cures.Cause.DENIED: Reason.POLICY_TOO_NARROW,
    # Velero's own fault, such as a Secret that is gone: for the drill the store is out of reach.
    cures.Cause.OTHER: Reason.STORE_UNREACHABLE,
}


def check(found: Object, called: str) -> Check:
    """`found`: the location `called`, as the cluster holds it."""
    label, wanted = f"location {called}", "Available"
    if phase(found) == wanted:
        return Check("velero", label, wanted, wanted)
    message = cures.tidy(str(status(found).get("message") or ""))
    cure = cures.find(message)
    reason = Reason.STORE_UNREACHABLE if cure is None else _BY_CAUSE[cure.cause]
    said = message or "no reason given"
    cured = f"{cure.text} (Velero says: {said})" if cure is not None else said
    return Check("velero", label, wanted, f"{phase(found) or 'not checked yet'}: {cured}", reason)
