"""A bench for each test."""

from pathlib import Path

import pytest

from tests.standins.longhorn.sites import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
