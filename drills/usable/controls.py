"""Controls of the user's checks: a drill whose checks cannot fail proves nothing with them."""

from collections.abc import Sequence
from dataclasses import dataclass

from drills.usable.run import Lens
from drills.usable.settings import UserCheck
from drills.verdict import Reason

IMPOSSIBLE = -1
"""No status of HTTP, no exit code, and no other end of a check."""


@dataclass(frozen=True)
class CheckControl:
    """A named fault: what is planted, the reason it must lead to, and the lens that plants it."""

    name: str
    planted: str
    expected: Reason
    lens: Lens


CONTROLS: tuple[CheckControl, ...] = (
    CheckControl(
        "check-that-must-fail",
        "each user check expects a status or exit code that cannot be",
        Reason.CHECK_FAILED,
        Lens(expected=lambda _check: IMPOSSIBLE),
    ),
)


def applicable(checks: Sequence[UserCheck]) -> tuple[CheckControl, ...]:
    """None without checks: there would be nothing to notice the fault with."""
    return CONTROLS if checks else ()
