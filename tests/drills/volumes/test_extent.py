"""The weaker proof: numbers and sizes, said as weaker, red where they are apart or nothing came."""

import pytest

from drills.verdict import Reason, Verdict, judge
from drills.volumes.extent import WEAKER, Claim, extent
from drills.volumes.tree import Trailer


def volume(files: int = 10, size: int = 1000, unreadable: int = 0) -> Trailer:
    return Trailer(files + 1, files, size, unreadable, 0, "", 0.1)


def backup(files: int | None = None, size: int | None = None, tolerance: float = 0.0) -> Claim:
    return Claim("the backup's own record", files, size, tolerance)


@pytest.mark.parametrize(
    ("observed", "claim", "reason"),
    [
        (volume(), None, None),
        (volume(), backup(10, 1000), None),
        (volume(), backup(None, 1000), None),
        (volume(), backup(11, 1050, 0.1), None),
        (volume(), backup(11, 1000), Reason.FILE_LOST),
        (volume(), backup(9, 1000), Reason.FILE_ADDED),
        (volume(), backup(10, 1001), Reason.CONTENT_DIFFERS),
        (volume(), backup(20, 1000, 0.1), Reason.FILE_LOST),
        (volume(unreadable=1), backup(10, 1000), Reason.CONTENT_DIFFERS),
        (volume(0, 0), backup(None, 1000), Reason.VOLUME_LOST),
        (volume(0, 0), backup(10), Reason.VOLUME_LOST),
        (volume(0, 0), None, Reason.NOTHING_TO_CHECK),
        (volume(0, 0), backup(0, 0), Reason.NOTHING_TO_CHECK),
    ],
)
def test_amounts_are_compared(
    observed: Trailer, claim: Claim | None, reason: Reason | None
) -> None:
    found = extent("data", observed, claim)
    judgement = judge(found.checks)
    assert judgement.reason is reason
    assert (judgement.verdict is Verdict.PROVEN) is (reason is None)


def test_the_receipt_says_that_the_proof_is_weaker_and_what_was_not_compared() -> None:
    found = extent("data", volume(), backup(10, 1000))
    assert all(WEAKER in check.check for check in found.checks)
    assert WEAKER in found.compared[0].how
    assert "the backup's own record" in found.compared[0].how
    assert (found.compared[0].count, found.compared[0].bytes) == (10, 1000)
    assert found.not_compared[0].what == "content of data"
    assert found.not_compared[0].count == 10
