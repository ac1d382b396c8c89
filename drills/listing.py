"""Receipts on this machine, one line each."""

import json
from collections.abc import Iterator
from pathlib import Path


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
