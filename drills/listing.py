"""Receipts on this machine: one line each, and what they say of restore points."""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from drills.rotation import Trial


def lines(directory: Path) -> Iterator[str]:
    """Time, site, layer, verdict, reason and run of every receipt below `directory`, oldest first.

    A file that is no receipt gets a line that says so: a lost receipt must not look like none.
    """
    found = sorted(directory.rglob("*.json"), key=lambda place: place.name)
    if not found:
        yield f"no receipts in {directory}"
    for place in found:
        try:
            receipt = json.loads(place.read_text())
            parts = (receipt["startedAt"], receipt["site"], receipt["layer"], receipt["verdict"])
            line = "  ".join((*parts, receipt["reason"] or "-", receipt["runId"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            line = f"{place}: no readable receipt ({type(error).__name__})"
        yield line


def trials(directory: Path, layer: str) -> list[Trial]:
    """The restore points that drills of a layer reached a verdict on, by receipts of this machine.

    A receipt that cannot be read, or names no restore point, is no trial.
    """
    found = []
    for place in sorted(directory.glob(f"*Z-{layer}-*.json")):
        try:
            receipt = json.loads(place.read_text())
            point = receipt["restorePoint"]
            if point is not None:
                found.append((str(point["name"]), _ended(receipt)))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _ended(receipt: dict[str, Any]) -> datetime.datetime:
    began = datetime.datetime.fromisoformat(str(receipt["startedAt"]))
    return began + datetime.timedelta(seconds=sum(one["seconds"] for one in receipt["phases"]))
