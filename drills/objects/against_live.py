"""Backup and live cluster: the truth where nobody listed the cluster around the backup.

An object whose resourceVersion is still the one in the backup was not written since, so the live
one is what was there; one that is older than the backup and in its scope must be in it. What was
written, made or deleted since says nothing, and is counted as not compared. Objects that are gone
from the cluster and from the backup alike are seen by nobody: only a recorded truth has them.
"""

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from drills.objects import metadata
from drills.objects.canonical import Digests
from drills.objects.differences import FieldChange
from drills.objects.findings import (
    Comparison,
    Finding,
    FindingKind,
    Sides,
    Skipped,
    in_order,
    owned,
)
from drills.objects.keys import ObjectKey, printable
from drills.objects.makers import MADE_BY_THE_BACKUP
from drills.objects.normal_form import Stripper
from drills.objects.ownership import OWNED_FIELDS, Stage
from drills.objects.scope import Inclusion, Membership
from drills.objects.truth import digests_of

_WRITTEN_WHY = "it was written since the backup began"
_YOUNGER_WHY = "it is younger than the backup"
_ANEW_WHY = "it was deleted and made anew since the backup began"
_GONE_WHY = "it is gone from the cluster"
_RELATED_WHY = "only an object that refers to it brings it into the backup"


@dataclass(frozen=True)
class _Saved:
    uid: str
    version: str
    digests: Digests


class LiveComparison:
    """First takes the backup's objects (`saved`), then the cluster's (`live`), each one by one.

    `began`: when the backup began, by the cluster's clock. Memory holds digests of the backup.
    """

    def __init__(self, membership: Membership, began: datetime.datetime, salt: bytes) -> None:
        self._membership = membership
        # Creation times are whole seconds; what was made in the backup's first one may be in it.
        self._began = began.replace(microsecond=0)
        self._salt = salt
        self._stripper = Stripper(OWNED_FIELDS, Stage.BACKUP)
        self._left: dict[ObjectKey, _Saved] = {}
        self._findings: list[Finding] = []
        self._compared: Counter[str] = Counter()
        self._skipped = Skipped()

    def saved(self, key: ObjectKey, content: Mapping[str, object]) -> None:
        """One object of the backup. Raises NotJSONError for one that is no JSON value."""
        self._left[key] = _Saved(
            metadata.text(content, "uid"),
            metadata.text(content, "resourceVersion"),
            self._digests(key, content),
        )

    def live(self, key: ObjectKey, content: Mapping[str, object]) -> None:
        """One object of the cluster. Raises NotJSONError for one that is no JSON value."""
        saved = self._left.pop(key, None)
        if saved is None:
            self._not_saved(key, content)
        elif metadata.text(content, "uid") != saved.uid:
            self._skipped.add(key, _ANEW_WHY)
        elif metadata.text(content, "resourceVersion") != saved.version:
            self._skipped.add(key, _WRITTEN_WHY)
        else:
            self._unchanged(key, content, saved)

    def result(self) -> Comparison:
        """The outcome, when both sides were taken to their end."""
        for key in self._left:
            made = MADE_BY_THE_BACKUP.get(key.resource)
            self._skipped.add(key, made or _GONE_WHY)
        return Comparison(
            Sides.LIVE_BACKUP, in_order(self._findings), dict(sorted(self._compared.items())),
            self._skipped.listed(), owned(self._stripper.totals()),
        )  # fmt: skip

    def _not_saved(self, key: ObjectKey, content: Mapping[str, object]) -> None:
        decision = self._membership.decide(key, content)
        if decision.inclusion is Inclusion.OUT:
            self._skipped.add(key, f"out of the backup's scope: {decision.why}")
        elif decision.inclusion is Inclusion.RELATED:
            self._skipped.add(key, _RELATED_WHY)
        elif metadata.created(content) >= self._began:
            self._skipped.add(key, _YOUNGER_WHY)
        else:
            self._compared[key.resource] += 1
            self._findings.append(
                Finding(
                    FindingKind.LOST, Sides.LIVE_BACKUP, key,
                    why="it is older than the backup and in its scope",
                )
            )  # fmt: skip

    def _unchanged(self, key: ObjectKey, content: Mapping[str, object], saved: _Saved) -> None:
        self._compared[key.resource] += 1
        now = self._digests(key, content)
        if now.whole == saved.digests.whole:
            return
        fields = tuple(_different(now, saved.digests))
        self._findings.append(
            Finding(FindingKind.CHANGED, Sides.LIVE_BACKUP, key, fields, len(fields))
        )

    def _digests(self, key: ObjectKey, content: Mapping[str, object]) -> Digests:
        return digests_of(key, self._stripper.stripped(key.resource, content), self._salt)


Objects = Iterable[tuple[ObjectKey, Mapping[str, object]]]


def compare(
    backup: Objects,
    live: Objects,
    membership: Membership,
    began: datetime.datetime,
    salt: bytes,
) -> Comparison:
    """Backup against the live cluster. Raises what reading either side raises."""
    comparison = LiveComparison(membership, began, salt)
    for key, content in backup:
        comparison.saved(key, content)
    for key, content in live:
        comparison.live(key, content)
    return comparison.result()


def _different(live: Digests, saved: Digests) -> Iterator[FieldChange]:
    want, held = live.by_name(), saved.by_name()
    for name in sorted(want.keys() | held.keys()):
        if want.get(name) != held.get(name):
            yield FieldChange(printable(name), _told(want.get(name)), _told(held.get(name)))


def _told(digest: bytes | None) -> str:
    return "absent" if digest is None else f"content {digest.hex()[:12]}"
