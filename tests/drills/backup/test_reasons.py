"""Every cause has a reason, and what says nothing of the data is a failed restore."""

import pytest

from drills.backup.reasons import reason_of_message
from drills.verdict import Reason


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("invalid repository password", Reason.REPOSITORY_KEY_WRONG),
        ("repository not initialized in the provided storage", Reason.REPOSITORY_VANISHED),
        ("error to check backup repo: invalid format blob", Reason.RESTORE_POINT_DAMAGED),
        ("Unable to load snapshot k1: snapshot not found", Reason.RESTORE_POINT_DAMAGED),
        ("BLOB not found", Reason.RESTORE_POINT_DAMAGED),
        ("cipher: message authentication failed", Reason.RESTORE_POINT_DAMAGED),
        ("timeout on preparing data download", Reason.RESTORE_FAILED),
        ("", Reason.RESTORE_FAILED),
    ],
)
def test_the_reason_of_a_message(message: str, reason: Reason) -> None:
    assert reason_of_message(message) is reason
