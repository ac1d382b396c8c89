"""One run, as most tests need it."""

import datetime

from drills.sandbox.marks import Run

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
RUN_ID = "0123456789ab"


def run(run_id: str = RUN_ID, *, site: str = "dev", age: float = 0.0, lives: float = 2.0) -> Run:
    """A run that began `age` hours ago and may live for `lives` hours."""
    made = NOW - age * HOUR
    return Run(site, "kube-objects", run_id, made, made + lives * HOUR)
