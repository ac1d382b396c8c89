"""A layer with nothing behind it: a drill whose phases a test writes itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drills.frame import Phase, Record
from drills.payload import Payload
from drills.verdict import Check, Reason

LAYER = "toy"


def check(reason: Reason | None = None) -> Check:
    return Check("cluster", "restore", "comes back", "came back", reason)


def finds(*checks: Check) -> Phase:
    def body(record: Record) -> str:
        record.checks += checks
        return f"{len(checks)} checks"

    return Phase("find", body)


def raises(error: BaseException) -> Phase:
    def body(_record: Record) -> str:
        raise error

    return Phase("find", body)


@dataclass
class ToyDrill:
    """`tidied` counts how often the closing phase ran."""

    steps: Sequence[Phase]
    layer: str = LAYER
    run_id: str = "r1"
    tidied: int = field(default=0, init=False)

    def phases(self) -> Sequence[Phase]:
        return self.steps

    def closing(self) -> Sequence[Phase]:
        return (Phase("clean up", self._tidy),)

    def versions(self) -> Mapping[str, str]:
        return {"toy": "1.2"}

    def _tidy(self, _record: Record) -> str:
        self.tidied += 1
        return "tidied"


def fields(**changes: Any) -> dict[str, Any]:
    """The payload as JSON would hold it."""
    return {
        "schema": 1, "layer": LAYER, "site": "dev", "endpoint": "https://store:1", "region": "r",
        "caPem": "", "clients": [], "limits": {"rtoSeconds": 60}, "evidence": None,
        "receiptsDir": None, "onRed": "fail", "control": "rotate", **changes,
    }  # fmt: skip


def payload(**changes: Any) -> Payload:
    return Payload.model_validate(fields(**changes))
