"""The charts under test: ours, and the official one where somebody has it."""

import os
from pathlib import Path

import pytest

from tests.support.rendered_chart import ROOT, STAND_IN

OFFICIAL_VARIABLE = "BACKSTOP_OFFICIAL_VELERO_CHART"
UPSTREAM_VARIABLE = "BACKSTOP_UPSTREAM"


def upstream() -> Path:
    """The folder with the official chart's schema, values and definitions; may be absent."""
    named = os.environ.get(UPSTREAM_VARIABLE)
    return (Path(named) if named else ROOT.parent / "shared/upstream") / "velero-chart-12.1.0"


@pytest.fixture(params=["stand-in", "official"])
def chart(request: pytest.FixtureRequest) -> Path:
    if request.param == "stand-in":
        return STAND_IN
    named = os.environ.get(OFFICIAL_VARIABLE)
    if not named:
        pytest.skip(f"the official Velero chart is not here: set {OFFICIAL_VARIABLE} to its folder")
    return Path(named)
