"""All controls of the store drill, on a scratch site: what `drills control store` runs.

A control counts as killed only if the drill is green on the same site without the fault.
"""

import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from drills.controls import Score
from drills.frame import Clock, Progress
from drills.receipt import ControlResult
from drills.store.controls import CONTROLS, Control, Rigged, run_control
from drills.store.payload import StorePayload
from drills.store.scratch import ScratchSite, scratch_site
from drills.verdict import Reason, Verdict
from s3.client import Credential


@dataclass(frozen=True)
class Plant:
    """A fault planted in the scratch site itself."""

    name: str
    planted: str
    expected: Reason
    damage: Callable[[ScratchSite], AbstractContextManager[None]]


PLANTS = (
    Plant(
        "over-broad-policy",
        "a client may use another client's bucket",
        Reason.POLICY_TOO_BROAD,
        ScratchSite.over_broad_policy,
    ),
    Plant(
        "version-purging-policy",
        "a client may delete versions",
        Reason.POLICY_TOO_BROAD,
        ScratchSite.version_purging_policy,
    ),
    Plant(
        "anonymous-bucket",
        "everybody may read a bucket",
        Reason.ANONYMOUS_ACCESS,
        ScratchSite.anonymous_bucket,
    ),
    Plant(
        "unversioned-bucket",
        "versioning of a bucket is suspended",
        Reason.VERSIONING_OFF,
        ScratchSite.unversioned_bucket,
    ),
)

HEALTHY = "healthy"


def run_all(payload: StorePayload, admin: Credential, clock: Clock, progress: Progress) -> Score:
    """Plants every fault in turn. Raises StoreError if no scratch site can be made or removed."""
    run_id = secrets.token_hex(6)
    with scratch_site(payload, admin, clock) as site:
        progress(f"control: scratch site {site.name} stands")
        twin = _twin(site, clock, run_id)
        progress(f"control: {HEALTHY:<22} {twin.verdict} {twin.reason}".rstrip())
        if not twin.killed:
            return Score(twin, [])
        results = []
        for index, plant in enumerate(PLANTS):
            with plant.damage(site):
                control = Control(plant.name, plant.planted, plant.expected, _as_it_is)
                results.append(
                    run_control(control, Rigged(site.payload, clock), f"{run_id}-{index}")
                )
            _tell(results[-1], progress)
        for control in CONTROLS:
            rigged = control.rig(site.payload, clock)
            if rigged is not None:
                results.append(run_control(control, rigged, f"{run_id}-{control.name}"))
                _tell(results[-1], progress)
    return Score(twin, results)


def _twin(site: ScratchSite, clock: Clock, run_id: str) -> ControlResult:
    """The same drill with nothing planted; `killed` here means that it was green, as it must be."""
    twin = Control(HEALTHY, "nothing", Reason.DRILL_FAILED, _as_it_is)
    result = run_control(twin, Rigged(site.payload, clock), f"{run_id}-twin")
    return ControlResult(
        name=HEALTHY,
        planted="nothing",
        expected=str(Verdict.PROVEN),
        verdict=result.verdict,
        reason=result.reason,
        killed=result.verdict == Verdict.PROVEN,
    )


def _as_it_is(payload: StorePayload, clock: Clock) -> Rigged:
    return Rigged(payload, clock)


def _tell(result: ControlResult, progress: Progress) -> None:
    word = "killed" if result.killed else "SURVIVED"
    progress(f"control: {result.name:<22} {word}: {result.verdict} {result.reason}".rstrip())
