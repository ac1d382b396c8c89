"""What the drills share that restore a Velero backup: whose run it is, and when it goes how far."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic

from drills.backup.course import AnyPayload, Course, Found
from drills.frame import Clock, Phase


class BackupDrill(ABC, Generic[AnyPayload]):
    """One run. `restores`: without, it only looks, and nothing is made in the cluster."""

    layer: ClassVar[str]

    def __init__(self, course: Course[AnyPayload], *, restores: bool = True) -> None:
        self.course = course
        self._restores = restores

    # A phase that fails ends the drill, so what an earlier one sets is there for every later one.
    _found: Found

    @property
    def run_id(self) -> str:
        return self.course.run.run_id

    @property
    def point(self) -> str:
        """The name of the restore point that was found."""
        return self._found.point.name

    @property
    def clock(self) -> Clock:
        return self.course.clock

    def phases(self) -> Sequence[Phase]:
        return (*self._looking(), *(self._working() if self._restores else ()))

    def closing(self) -> Sequence[Phase]:
        return (Phase("clean up", self.course.clean_up),)

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """What took part, by name."""

    @abstractmethod
    def _looking(self) -> Sequence[Phase]:
        """The phases that only read."""

    @abstractmethod
    def _working(self) -> Sequence[Phase]:
        """Those that need a restored copy."""
