"""Time to usable, by phase, from the times a drill noted, and against its limit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PHASES = ("fetch", "objects", "volumes", "ready", "checks")
"""In their order: the restore point is chosen and read, objects are there, volumes are filled, the
workloads are ready, the user's checks have passed."""


@dataclass(frozen=True)
class Rto:
    """`seconds` of each phase that was gone through, in the order of PHASES."""

    seconds: Mapping[str, float]

    @property
    def total(self) -> float:
        return round(sum(self.seconds.values()), 3)

    def over(self, limit: float) -> str | None:
        """One clause if the restore took longer than `limit` seconds, else None."""
        if self.total <= limit:
            return None
        longest = max(self.seconds, key=lambda phase: self.seconds[phase])
        return (
            f"{self.total:.0f} s, more than the limit of {limit:.0f} s; longest was {longest} with "
            f"{self.seconds[longest]:.0f} s"
        )


Span = tuple[str, float, float]
"""A phase, and when it began and ended, in seconds of one clock."""


def measured(spans: Iterable[Span]) -> Rto:
    """The time of what a restore in need would do as well; comparing lies between the spans.

    A phase may have several. Raises ValueError if two overlap, for that time would count twice, if
    one ends before it begins, or if a phase is unknown.
    """
    seconds: dict[str, float] = {}
    last = float("-inf")
    for phase, began, ended in sorted(spans, key=lambda one: one[1:]):
        if phase not in PHASES:
            raise ValueError(f"{phase} is no phase of a restore; they are {', '.join(PHASES)}")
        if began < last or ended < began:
            raise ValueError(f"phase {phase} begins before what was measured last had ended")
        seconds[phase] = seconds.get(phase, 0.0) + ended - began
        last = ended
    return Rto({phase: round(seconds[phase], 3) for phase in PHASES if phase in seconds})
