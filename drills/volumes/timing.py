"""Which part of a restore's time went to objects, and which to the data of volumes."""

from collections.abc import Iterable

from drills import rto
from kube.velero.restores import RestoreResult
from kube.velero.volumes import VolumeRestore

# Velero restores objects in these phases, and waits for data in every other one.
_OBJECTS = frozenset({"New", "InProgress"})


def spans(
    began: float, ended: float, result: RestoreResult, volumes: Iterable[VolumeRestore]
) -> list[rto.Span]:
    """The restore's own time, shared among `objects` and `volumes`; `began`, `ended` in seconds.

    Velero fills copies of files while the restore is InProgress, one pod after another; as long as
    the longest of them took, that phase counts for the volumes. Its own times are whole seconds, so
    a second may stand on the wrong side; the sum is exact.
    """
    waited = sum(seconds for phase, seconds in result.timings.items() if phase not in _OBJECTS)
    copied = max((one.seconds or 0.0 for one in volumes), default=0.0)
    of_objects = max(0.0, ended - began - max(waited, copied))
    middle = min(ended, began + of_objects)
    return [("objects", began, middle), ("volumes", middle, ended)]
