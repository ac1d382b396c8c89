"""Controls: the same drill with a planted fault, which it must notice.

The ones here lie to the drill about its inputs and need no right beyond those of the payload, so
one of them runs with every drill. Those that damage a store are in drills/scratch_controls.py.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from drills.capabilities import TABLE, Action, Role
from drills.frame import Clock, run_phases
from drills.payload import Client, Payload, PayloadError
from drills.receipt import ControlResult
from drills.store import Digest, StoreDrill, sha256
from drills.verdict import Reason, Verdict

NONE = "none"
ROTATE = "rotate"

# No certificate of a store is valid for so long.
_FAR_AHEAD = datetime.timedelta(days=200 * 365)


@dataclass(frozen=True)
class Rigged:
    """What a drill is given instead of the truth."""

    payload: Payload
    clock: Clock
    truth: Digest = sha256


@dataclass(frozen=True)
class Control:
    """A named fault: what is planted, the reason it must lead to, how to plant it.

    `rig` returns None where the site has nothing to plant it in.
    """

    name: str
    planted: str
    expected: Reason
    rig: Callable[[Payload, Clock], Rigged | None]


def _wrong_region(payload: Payload, clock: Clock) -> Rigged | None:
    wrong = payload.model_copy(update={"region": f"not-{payload.region}"})
    return Rigged(_few(wrong), clock)


def _expired_certificate(payload: Payload, clock: Clock) -> Rigged | None:
    later = Clock(clock.monotonic, lambda: clock.now() + _FAR_AHEAD)
    return Rigged(_few(payload), later)


def _swapped_credential(payload: Payload, clock: Clock) -> Rigged | None:
    """One client gets the key of another: it cannot work at home, and gets in where it must not."""
    few = _few(payload)
    writers = _writers(few)
    if len(writers) < 2:  # noqa: PLR2004 (a swap takes two)
        return None
    victim, donor = writers
    keys = {"access_key": donor.access_key, "secret_key": donor.secret_key}
    clients = tuple(
        client.model_copy(update=keys) if client is victim else client for client in few.clients
    )
    return Rigged(few.model_copy(update={"clients": clients}), clock)


def _flipped_truth(payload: Payload, clock: Clock) -> Rigged | None:
    few = _few(payload)
    if not any(bucket.versioning for bucket in few.buckets):
        return None
    return Rigged(few, clock, lambda content: sha256(content + b"\0"))


CONTROLS: tuple[Control, ...] = (
    Control(
        "wrong-region", "requests are signed for another region", Reason.REGION_MISMATCH,
        _wrong_region,
    ),
    Control(
        "expired-certificate", "the drill's clock is set far beyond every certificate",
        Reason.TLS_EXPIRED, _expired_certificate,
    ),
    Control(
        "swapped-credential", "one client is given the key of another", Reason.POLICY_TOO_BROAD,
        _swapped_credential,
    ),
    Control(
        "flipped-truth", "the recorded digests are those of other content",
        Reason.CONTENT_DIFFERS, _flipped_truth,
    ),
)  # fmt: skip


def _writers(payload: Payload) -> list[Client]:
    return [c for c in payload.clients if Action.PUT in TABLE[c.role].may and c.bucket]


def _few(payload: Payload) -> Payload:
    """The site reduced to two writers in two buckets and the reader, so that a control costs the
    same however large the site is."""
    chosen: list[Client] = []
    for client in _writers(payload):
        if client.bucket not in [other.bucket for other in chosen] and len(chosen) < 2:  # noqa: PLR2004
            chosen.append(client)
    readers = [client for client in payload.clients if client.role is Role.DRILL][:1]
    used = [client.bucket for client in chosen]
    return payload.model_copy(
        update={
            "clients": (*chosen, *readers),
            "buckets": tuple(bucket for bucket in payload.buckets if bucket.name in used),
            "evidence": None,
        }
    )


def check_name(name: str) -> None:
    """Raises PayloadError if `name` is neither a control nor `rotate` or `none`."""
    known = [ROTATE, NONE, *(control.name for control in CONTROLS)]
    if name not in known:
        raise PayloadError(f"control: {name!r} is unknown; give one of {', '.join(known)}")


def choose(
    name: str, payload: Payload, clock: Clock, earlier_receipts: int
) -> tuple[Control, Rigged] | None:
    """The control to run: the named one, or the next in rotation among those that apply.

    The rotation moves on with every receipt kept and with every day, so that it also moves where
    receipts are not kept on this machine.
    """
    applicable = [
        (control, rigged)
        for control in CONTROLS
        if name in (ROTATE, control.name)
        for rigged in [control.rig(payload, clock)]
        if rigged is not None
    ]
    if not applicable:
        return None
    turn = earlier_receipts + clock.now().toordinal()
    return applicable[turn % len(applicable)]


def run_control(control: Control, rigged: Rigged, run_id: str) -> ControlResult:
    """Runs the drill on the rigged input; nothing of it is written to evidence."""
    drill = StoreDrill(rigged.payload, rigged.clock, run_id, rigged.truth)
    record = run_phases("store", drill.phases(), drill.closing(), rigged.clock, _silent)
    judgement = record.judgement()
    return ControlResult(
        name=control.name,
        planted=control.planted,
        expected=str(control.expected),
        verdict=str(judgement.verdict),
        reason=str(judgement.reason or ""),
        killed=judgement.verdict is not Verdict.PROVEN and judgement.reason is control.expected,
    )


def _silent(_line: str) -> None:
    """A control's phases are not the drill's; only its outcome is told."""
