"""Controls that lie to the store drill about its inputs.

They need no right beyond those of the payload, so one of them runs with every drill. Those that
damage a store are in drills/store/scratch_controls.py.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from drills.controls import ROTATE, Planted, judgement_of, next_in_turn
from drills.frame import Clock
from drills.receipt import ControlResult
from drills.store.capabilities import TABLE, Action, Role
from drills.store.drill import Digest, StoreDrill, sha256
from drills.store.payload import Client, StorePayload
from drills.verdict import Reason

# No certificate of a store is valid for so long.
_FAR_AHEAD = datetime.timedelta(days=200 * 365)


@dataclass(frozen=True)
class Rigged:
    """What a drill is given instead of the truth."""

    payload: StorePayload
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
    rig: Callable[[StorePayload, Clock], Rigged | None]


def _wrong_region(payload: StorePayload, clock: Clock) -> Rigged | None:
    wrong = payload.model_copy(update={"region": f"not-{payload.region}"})
    return Rigged(_few(wrong), clock)


def _expired_certificate(payload: StorePayload, clock: Clock) -> Rigged | None:
    later = Clock(clock.monotonic, lambda: clock.now() + _FAR_AHEAD)
    return Rigged(_few(payload), later)


def _swapped_credential(payload: StorePayload, clock: Clock) -> Rigged | None:
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


def _flipped_truth(payload: StorePayload, clock: Clock) -> Rigged | None:
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


def _writers(payload: StorePayload) -> list[Client]:
    return [c for c in payload.clients if Action.PUT in TABLE[c.role].may and c.bucket]


def _few(payload: StorePayload) -> StorePayload:
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


def choose(
    name: str, payload: StorePayload, clock: Clock, earlier_receipts: int
) -> tuple[Control, Rigged] | None:
    """The control to run: the named one, or the next in rotation among those that apply."""
    applicable = [
        (control, rigged)
        for control in CONTROLS
        if name in (ROTATE, control.name)
        for rigged in [control.rig(payload, clock)]
        if rigged is not None
    ]
    return next_in_turn(applicable, earlier_receipts, clock.now().date())


def planted(control: Control, rigged: Rigged, run_id: str) -> Planted:
    """The drill on the rigged input, ready to run."""
    drill = StoreDrill(rigged.payload, rigged.clock, run_id, rigged.truth)
    return Planted(
        control.name, control.planted, control.expected, lambda: judgement_of(drill, rigged.clock)
    )


def run_control(control: Control, rigged: Rigged, run_id: str) -> ControlResult:
    """Runs the drill on the rigged input; nothing of it is written to evidence."""
    ready = planted(control, rigged, run_id)
    return ready.result(ready.run())
