"""The table of verdicts that ends an `up`.

After a complete run it comes from the stack output `drills`, which maps a drill's name to its
receipt, as JSON text or as an object. A red drill fails the run and leaves the outputs as they
were, so after a failed run the table comes from the receipts that drills have written to disk
since it began. Only named fields are printed, so a receipt can carry whatever it likes.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HEADER = ("drill", "layer", "verdict", "reason", "seconds", "receipt")


@dataclass(frozen=True)
class Verdict:
    """One line of the table; texts are "-" where the receipt does not say."""

    drill: str
    layer: str
    verdict: str
    reason: str
    seconds: str
    receipt: str

    @property
    def cells(self) -> tuple[str, ...]:
        return (self.drill, self.layer, self.verdict, self.reason, self.seconds, self.receipt)


def directory(env: Mapping[str, str], home: Path, site: str) -> Path:
    """Where the drills of a site keep receipts on this machine."""
    if env.get("BACKSTOP_RECEIPTS"):
        return Path(env["BACKSTOP_RECEIPTS"])
    return home / ".local" / "state" / "backstop" / site / "receipts"


def kept(receipts: Path) -> frozenset[Path]:
    """The receipts in a folder; none if there is no folder yet."""
    return frozenset(receipts.glob("*.json"))


def read(outputs: Mapping[str, Any], receipts: Path) -> list[Verdict]:
    """The verdicts in a stack's outputs, by drill name; none if the stack has no drills.

    A receipt that does not name its file is looked for in the folder `receipts` by its run ID.
    """
    drills = outputs.get("drills")
    if not isinstance(drills, Mapping):
        return []
    return [_verdict(name, _object(drills[name]), receipts) for name in sorted(drills)]


def of_files(files: Iterable[Path]) -> list[Verdict]:
    """The verdicts of receipts on disk, oldest first: their names begin with the time."""
    found = [(file, _object(file.read_text())) for file in sorted(files)]
    return [_verdict(_text(each.get("layer")), each, file.parent) for file, each in found]


def table(verdicts: list[Verdict]) -> str:
    """Aligned columns with a header, one line a drill."""
    rows = [HEADER, *(verdict.cells for verdict in verdicts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _verdict(name: str, receipt: Mapping[str, Any], receipts: Path) -> Verdict:
    return Verdict(
        drill=name,
        layer=_text(receipt.get("layer")),
        verdict=_text(receipt.get("verdict")),
        reason=_text(receipt.get("reason")),
        seconds=_seconds(receipt),
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
    given = receipt.get("seconds")
    if not isinstance(given, int | float):
        phases = [phase for phase in receipt.get("phases") or [] if isinstance(phase, Mapping)]
        timed = [p["seconds"] for p in phases if isinstance(p.get("seconds"), int | float)]
        if not timed:
            return "-"
        given = sum(timed)
    return f"{given:.1f}"
