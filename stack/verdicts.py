"""The table of verdicts that ends an `up`.

After a complete run it comes from the stack output `drills`, which maps a layer to its receipt, as
JSON text or as an object. A red drill fails the run and leaves the outputs as they were, so after a
failed run the table comes from the receipts that drills have written to disk since it began. Only
named fields are printed, so a receipt can carry whatever it likes.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

HEADER = (
    "layer", "verdict", "reason", "seconds", "rpo", "rto", "control", "point", "receipt",
)  # fmt: skip
# As data flows; what is not named here comes after them.
ORDER = ("store", "kube-objects", "volumes", "longhorn")

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@dataclass(frozen=True)
class Verdict:
    """One line of the table; texts are "-" where the receipt does not say.

    `rpo`: age of the newest data that came back, or of the restore point where only that is known.
    `rto`: time to usable, all steps together; of several ways ("way: step") the slowest one.
    """

    layer: str
    verdict: str
    reason: str
    seconds: str
    rpo: str
    rto: str
    control: str
    point: str
    receipt: str

    @property
    def cells(self) -> tuple[str, ...]:
        return astuple(self)


def directory(env: Mapping[str, str], home: Path, site: str) -> Path:
    """Where the drills of a site keep receipts on this machine."""
    if env.get("BACKSTOP_RECEIPTS"):
        return Path(env["BACKSTOP_RECEIPTS"])
    return home / ".local" / "state" / "backstop" / site / "receipts"


def kept(receipts: Path) -> frozenset[Path]:
    """The receipts in a folder; none if there is no folder yet."""
    return frozenset(receipts.glob("*.json"))


def read(outputs: Mapping[str, Any], receipts: Path) -> list[Verdict]:
    """The verdicts in a stack's outputs, as data flows; none if the stack has no drills.

    A receipt that does not name its file is looked for in the folder `receipts` by its run ID.
    """
    drills = outputs.get("drills")
    if not isinstance(drills, Mapping):
        return []
    return [_verdict(name, _object(drills[name]), receipts) for name in in_order(drills)]


def of_files(files: Iterable[Path]) -> list[Verdict]:
    """The verdicts of receipts on disk, oldest first: their names begin with the time."""
    return [_verdict("-", _object(file.read_text()), file.parent) for file in sorted(files)]


def of_receipts(receipts: Iterable[object], folder: Path) -> list[Verdict]:
    """The verdicts of receipts as the drills print them, in their order."""
    return [_verdict("-", _object(each), folder) for each in receipts]


def in_order(layers: Iterable[str]) -> list[str]:
    """Layers as data flows."""
    return sorted(
        layers, key=lambda one: (one not in ORDER, one in ORDER and ORDER.index(one), one)
    )


def table(verdicts: Sequence[Verdict]) -> str:
    """Aligned columns with a header, one line a drill."""
    return aligned([HEADER, *(verdict.cells for verdict in verdicts)])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of the same length as lines, every column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _verdict(layer: str, receipt: Mapping[str, Any], receipts: Path) -> Verdict:
    point = _object(receipt.get("restorePoint"))
    return Verdict(
        layer=_text(receipt.get("layer") or layer),
        verdict=_text(receipt.get("verdict")),
        reason=_text(receipt.get("reason")),
        seconds=_seconds(receipt),
        rpo=_spoken(_first_number(receipt.get("rpoSeconds"), point.get("age"))),
        rto=_spoken(_slowest(_object(receipt.get("rto")))),
        control=_control(_object(receipt.get("control"))),
        point=_text(point.get("name")),
        receipt=_text(receipt.get("receipt") or _file(receipt.get("runId"), receipts)),
    )


def _file(run: object, receipts: Path) -> Path | None:
    # Receipts are named by time, layer and run ID.
    return next((f for f in kept(receipts) if run and f.stem.endswith(f"-{run}")), None)


def _object(value: Any) -> Mapping[str, Any]:  # noqa: ANN401 (JSON)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:  # noqa: ANN401 (JSON)
    return str(value) if value not in (None, "") else "-"


def _seconds(receipt: Mapping[str, Any]) -> str:
    phases = [phase for phase in receipt.get("phases") or [] if isinstance(phase, Mapping)]
    timed = _sum(phase.get("seconds") for phase in phases)
    given = _first_number(receipt.get("seconds"), timed)
    return "-" if given is None else f"{given:.1f}"


def _control(control: Mapping[str, Any]) -> str:
    name = control.get("name")
    if not name or name == "none":
        return "-"
    return f"{name} {'killed' if control.get('killed') else 'SURVIVED'}"


def _first_number(*values: object) -> float | None:
    return next((float(v) for v in values if isinstance(v, int | float)), None)


def _sum(values: Iterable[object]) -> float | None:
    numbers = [value for value in values if isinstance(value, int | float)]
    return sum(numbers) if numbers else None


def _slowest(steps: Mapping[str, Any]) -> float | None:
    """Steps of one way come one after the other, ways stand for each other."""
    ways: dict[str, list[Any]] = {}
    for step, seconds in steps.items():
        way, colon, _ = step.partition(": ")
        ways.setdefault(way if colon else "", []).append(seconds)
    sums = [found for held in ways.values() if (found := _sum(held)) is not None]
    return max(sums, default=None)


def _spoken(seconds: float | None) -> str:
    """In the two largest units that say something: "42s", "3m20s", "25h", "3d4h"."""
    if seconds is None:
        return "-"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return _units(whole, _MINUTE, 1, "ms")
    if whole < 2 * _DAY:
        return _units(whole, _HOUR, _MINUTE, "hm")
    return _units(whole, _DAY, _HOUR, "dh")


def _units(whole: int, large: int, small: int, letters: str) -> str:
    count, rest = whole // large, whole % large // small
    return f"{count}{letters[0]}{rest}{letters[1]}" if rest else f"{count}{letters[0]}"
