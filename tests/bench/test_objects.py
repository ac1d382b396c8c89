"""Objects compared three ways: rate, growth to 50,000 objects, and memory."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench import object_comparison
from tests.bench.clock import Row, report

pytestmark = pytest.mark.bench

ROOT = Path(__file__).resolve().parents[2]
SIZES = (5_000, 50_000)
MEBIBYTES = 300
# Ten times the objects in ten times the time; what is above 1 is the machine's caches.
GROWTH = 2.0


def measured(folder: Path, count: int) -> dict[str, Any]:
    object_comparison.write(folder, count)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.object_comparison", str(folder)],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_objects_compared_by_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = {size: measured(tmp_path / str(size), size) for size in SIZES}
    rows = [
        Row(f"{size} objects, {what}", held[what]["seconds"],
            held[what]["seconds"] / held["bare"]["seconds"])
        for size, held in found.items()
        for what in ("bare", "recorded", "compared")
    ]  # fmt: skip
    rates = {size: size / held["compared"]["seconds"] for size, held in found.items()}
    growth = rates[SIZES[0]] / rates[SIZES[-1]]
    memory = found[SIZES[-1]]["mebibytes"]
    with capsys.disabled():
        print(report("processor time", "reading the same bytes with the standard library", rows))  # noqa: T201
        told = ", ".join(f"{size}: {rate:,.0f} a second" for size, rate in rates.items())
        print(f"compared {told}; growth {growth:.2f} (1 is linear); {memory:.0f} MiB")  # noqa: T201
    for size, held in found.items():
        assert held["compared"]["count"] == held["recorded"]["count"] == size
    assert growth < GROWTH
    assert memory < MEBIBYTES
