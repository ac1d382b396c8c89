"""The marks and names of everything a drill makes in a cluster.

A mark says whose it is, of which run, and until when that run may be alive. Only what bears a mark
is ever removed, and nothing that a living run made is removed by another one.
"""

import datetime
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kube import marks
from kube.velero.api import Object, labels, name

LAYER_LABEL = "backstop.io/drill"
RUN_LABEL = "backstop.io/drill-run"
MADE_LABEL = "backstop.io/drill-made"
UNTIL_LABEL = "backstop.io/drill-until"
PREFIX = "backstop-drill-"

_TIME = "%Y%m%dT%H%M%SZ"
_RUN = re.compile(r"[a-z0-9]{1,16}")
# Namespaces and label values end here (RFC 1123 label). Velero shortens longer names of restores
# in its labels, so they keep to it as well.
_LONGEST = 63
_SHORTENED = re.compile(r".*-x[0-9a-f]{16}", re.DOTALL)
_DIGEST_LENGTH = 16


class MarkError(Exception):
    """An object bears a drill's mark that cannot be read; the text is one sentence."""


@dataclass(frozen=True)
class Run:
    """One run of a drill in one site; `until`: when it is dead, whatever became of it.

    Times are aware, and kept in UTC and by the second. Raises ValueError on a run that cannot be
    a label.
    """

    site: str
    layer: str
    run_id: str
    made: datetime.datetime
    until: datetime.datetime

    def __post_init__(self) -> None:
        if not _RUN.fullmatch(self.run_id):
            raise ValueError(f"{self.run_id!r} is no run id; take 1 to 16 of a-z and 0-9")
        if self.until <= self.made:
            raise ValueError("a run's deadline comes after its beginning")
        for key in ("made", "until"):
            moment: datetime.datetime = getattr(self, key)
            whole = moment.astimezone(datetime.UTC).replace(microsecond=0)
            # What is read back from labels is then equal to what was set.
            object.__setattr__(self, key, whole)

    def labels(self) -> dict[str, str]:
        """What every object of the run carries in `metadata.labels`."""
        return {
            **marks.labels(self.site),
            LAYER_LABEL: self.layer,
            RUN_LABEL: self.run_id,
            MADE_LABEL: self.made.strftime(_TIME),
            UNTIL_LABEL: self.until.strftime(_TIME),
        }

    def name(self, part: str = "") -> str:
        """The name of an object of the run; two parts never get the same one (`shortened`)."""
        head = f"{PREFIX}{self.run_id}"
        return f"{head}-{shortened(part, _LONGEST - len(head) - 1)}" if part else head

    def namespaces(self, sources: Iterable[str]) -> dict[str, str]:
        """The sandbox of each source namespace. Raises ValueError if two would share one."""
        mapping = {source: self.name(source) for source in sorted(set(sources))}
        if len(set(mapping.values())) != len(mapping):
            raise ValueError("two namespaces would be restored into the same one; restore fewer")
        return mapping


def shortened(text: str, limit: int) -> str:
    """`text` itself if it fits, else its head and a digest of all of it.

    A text that already looks shortened is shortened too, so that it cannot be taken for another
    one. Two texts then get the same name only if 64 bits of SHA-256 collide.
    """
    if len(text) <= limit and not _SHORTENED.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]
    # No part of a name between dots may end or begin with a dash.
    head = text[: limit - _DIGEST_LENGTH - 2].rstrip(".-")
    return f"{head}-x{digest}"


def read(found: Object) -> Run | None:
    """The run that made an object; None if no drill's mark is on it.

    Raises MarkError if there is one but it is not whole: then nobody knows whose it is.
    """
    held: Mapping[str, str] = labels(found)
    if LAYER_LABEL not in held:
        return None
    site = marks.owner(found)
    try:
        if site is None:
            raise KeyError(marks.SITE_LABEL)
        return Run(
            site=site,
            layer=held[LAYER_LABEL],
            run_id=held[RUN_LABEL],
            made=_moment(held[MADE_LABEL]),
            until=_moment(held[UNTIL_LABEL]),
        )
    except (KeyError, ValueError):
        raise MarkError(
            f"{found.get('kind', 'object')} {name(found)} bears the label {LAYER_LABEL}, but its "
            "other marks are missing or unreadable; look at it, and delete it by hand"
        ) from None


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, _TIME).replace(tzinfo=datetime.UTC)


def run_id_of(named: str) -> str | None:
    """The run id in a name that `Run.name` made; None for any other name."""
    if not named.startswith(PREFIX):
        return None
    run_id = named.removeprefix(PREFIX).split("-", 1)[0]
    return run_id if _RUN.fullmatch(run_id) else None
