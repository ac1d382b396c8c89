"""A lab that is up, as the benchmarks of whole drills use it: its payloads, its cluster, a drill.

Nothing is brought up here. Without a lab, or without a stack that has drills on it, there is a
sentence that says so.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from drills.backup.course import PATIENCE_SECONDS
from drills.backup.payload import BackupPayload
from drills.frame import Clock, Record, run_phases
from drills.kube_objects import run as kube_objects
from drills.kube_objects.payload import KubeObjectsPayload
from drills.payload import PayloadError, parse
from drills.volumes import run as volumes
from drills.volumes.drill import VolumesDrill
from drills.volumes.payload import VolumesPayload
from kube.client import Clock as KubeClock
from kube.client import connect
from kube.velero.api import Velero
from kube.writer import open_writer

ROOT = Path(__file__).resolve().parents[2]
STACK = os.environ.get("BACKSTOP_BENCH_STACK", "dev")
ANSWER_SECONDS = 60
_NEEDED = ("BACKSTOP_INVENTORY", "KUBECONFIG", "PULUMI_BACKEND_URL")
_START = 'start it with `make up` and its environment with `eval "$(python3 -m lab env)"`'

AnyPayload = TypeVar("AnyPayload", bound=BackupPayload)


class NoLabError(Exception):
    """There is none to run on; the text is one sentence."""


@dataclass(frozen=True)
class DrillLab:
    """`payloads`: what the stack gives its drills, by layer. They hold secrets."""

    # Not in a failed test's text: the keys of the store and of the cluster are in it.
    payloads: Mapping[str, Mapping[str, Any]] = field(repr=False)
    velero: Velero

    def volumes(self, **changes: object) -> VolumesPayload:
        """The payload of the drill `volumes`, with `changes` in the JSON's own words."""
        return _parsed(VolumesPayload, {**self.payloads["volumes"], **changes})

    def kube_objects(self, **changes: object) -> KubeObjectsPayload:
        return _parsed(KubeObjectsPayload, {**self.payloads["kube-objects"], **changes})

    def another_velero(self) -> Velero:
        """With connections of its own, for another thread."""
        return _velero(self.volumes())


def open_lab() -> DrillLab:
    """Raises NoLabError."""
    missing = [key for key in _NEEDED if not os.environ.get(key)]
    if missing:
        raise NoLabError(f"no lab's environment ({missing[0]} is not set); {_START}")
    asked = ("pulumi", "stack", "output", "drillPayloads", "--show-secrets", "--json", "-s", STACK)
    try:
        done = subprocess.run(
            asked, cwd=ROOT, capture_output=True, text=True, check=False, timeout=ANSWER_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoLabError(f"pulumi does not answer ({type(error).__name__}); {_START}") from None
    if done.returncode:
        raise NoLabError(f"stack {STACK} has no output drillPayloads; {_START}")
    payloads = {key: _content(held) for key, held in json.loads(done.stdout).items()}
    absent = [layer for layer in ("volumes", "kube-objects") if layer not in payloads]
    if absent:
        raise NoLabError(f"stack {STACK} has no drill {absent[0]}; configure it, and run `make up`")
    answer = subprocess.run(
        ("kubectl", "get", "--raw", "/readyz", "--request-timeout=10s"),
        capture_output=True, check=False,
    )  # fmt: skip
    if answer.returncode:
        raise NoLabError(f"the lab's cluster does not answer; {_START}")
    return DrillLab(payloads, _velero(_parsed(VolumesPayload, payloads["volumes"])))


def kubectl(*arguments: str, stdin: str = "") -> str:
    """Its output; what went wrong is told with its last words."""
    done = subprocess.run(
        ("kubectl", *arguments), input=stdin, capture_output=True, text=True, check=False
    )
    said = done.stderr.strip()[-500:]
    assert done.returncode == 0, f"kubectl {arguments[0]} ended with {done.returncode}: {said}"
    return done.stdout


@dataclass(frozen=True)
class DrillRun:
    """One whole run. `phases`: seconds by name, in order."""

    record: Record
    phases: Mapping[str, float]

    @property
    def proven(self) -> bool:
        return self.record.judgement().verdict == "proven"

    @property
    def seconds(self) -> float:
        """All of it but for what is taken away at the end."""
        return sum(took for name, took in self.phases.items() if name != "clean up")

    @property
    def clean_up(self) -> float:
        return self.phases.get("clean up", 0.0)

    def why(self) -> str:
        """What made it red."""
        judged = self.record.judgement()
        return f"{judged.verdict} ({judged.reason}): {judged.detail}"


def run_volumes(drill: VolumesDrill) -> DrillRun:
    """The drill alone: no control, no receipt."""
    return _ran(run_phases(drill.layer, drill.phases(), drill.closing(), Clock(), _silent))


def open_volumes(payload: VolumesPayload) -> VolumesDrill:
    return volumes.opened(payload, Clock(), _silent, _no_receipts())


def quiet_runs(lab: DrillLab) -> Mapping[str, Callable[[], DrillRun]]:
    """One run of each drill as the stack has it, by layer."""

    def of_objects() -> DrillRun:
        drill = kube_objects.opened(lab.kube_objects(), Clock(), _silent, _no_receipts())
        return _ran(run_phases(drill.layer, drill.phases(), drill.closing(), Clock(), _silent))

    return {
        "kube-objects": of_objects,
        "volumes": lambda: run_volumes(open_volumes(lab.volumes())),
    }


def _ran(record: Record) -> DrillRun:
    return DrillRun(record, {one.name: one.seconds for one in record.phases})


def _no_receipts() -> Path:
    """No receipts: which restore point a run takes does not depend on what was drilled before."""
    return Path(tempfile.gettempdir()) / "no-receipts-here"


def _silent(_line: str) -> None:
    """Phases are told at the end."""


def _content(held: object) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(held) if isinstance(held, str) else held  # type: ignore[assignment]
    return found


def _parsed(kind: type[AnyPayload], content: Mapping[str, Any]) -> AnyPayload:
    __tracebackhide__ = True  # a failed test's text shows arguments, and these hold secrets
    try:
        payload = parse(kind, json.dumps(content))
        payload.check()
    except PayloadError as error:
        raise NoLabError(f"the stack's payload is none for this checkout: {error}") from None
    return payload


def _velero(payload: BackupPayload) -> Velero:
    kubeconfig = payload.cluster.parsed()
    writer = open_writer(kubeconfig, patience=PATIENCE_SECONDS)
    return Velero(connect(kubeconfig), writer, payload.velero.namespace, KubeClock())
