"""Truth and backup: does the backup hold what was there, and nothing else.

Every object that did not change around the backup must be in it with the same uid, the same
resourceVersion and the same content. Of what was written meanwhile only that is demanded which
holds whenever Velero looked.
"""

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping

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
from drills.objects.truth import Entry, Seen, Truth, digests_of

_CHANGED_WHY = "it was changed while the backup ran, and the backup holds neither of its two states"
_CREATED_WHY = "it was created while the backup ran"
_DELETED_WHY = "it was deleted while the backup ran"
_REPLACED_WHY = "it was deleted and created anew while the backup ran"
_YOUNGER_WHY = "it is younger than the first list, and gone or out of scope in the second"
_RELATED_WHY = "only an object that refers to it brings it into the backup"
_STATE = "as recorded"
_OTHER_STATE = "another"
_ABSENT = "absent"


class TruthComparison:
    """Takes the backup's objects one by one; `result` says what came of it.

    Each side is seen once; memory holds the truth and nothing of the backup.
    """

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._left = dict(truth.entries)
        self._stripper = Stripper(OWNED_FIELDS, Stage.BACKUP)
        self._findings: list[Finding] = []
        self._compared: Counter[str] = Counter()
        self._skipped = Skipped()

    def take(self, key: ObjectKey, content: Mapping[str, object]) -> None:
        """One object of the backup. Raises NotJSONError for one that is no JSON value."""
        entry = self._left.pop(key, None)
        if entry is None:
            self._added(key, content)
        elif entry.seen is Seen.CREATED:
            self._skipped.add(key, _CREATED_WHY)
        elif entry.seen is Seen.DELETED:
            self._skipped.add(key, _DELETED_WHY)
        elif entry.seen is Seen.STRICT:
            self._strict(key, content, entry)
        else:
            self._changed_meanwhile(key, content, entry)

    def result(self) -> Comparison:
        """The outcome, when the backup was taken to its end."""
        findings = list(self._findings)
        skipped = self._skipped
        for key, entry in self._left.items():
            if entry.required and entry.seen in (Seen.STRICT, Seen.CHANGED):
                findings.append(Finding(FindingKind.LOST, Sides.TRUTH_BACKUP, key))
                self._compared[key.resource] += 1
            else:
                skipped.add(key, _why_absent(entry))
        for one in self._truth.left_out:
            why = f"out of the backup's scope: {one.why}" if one.count else one.why
            skipped.add_count(one.what, why, one.count)
        self._left = {}
        return Comparison(
            Sides.TRUTH_BACKUP, in_order(findings), dict(sorted(self._compared.items())),
            skipped.listed(), owned(self._stripper.totals()),
        )  # fmt: skip

    def _added(self, key: ObjectKey, content: Mapping[str, object]) -> None:
        made = MADE_BY_THE_BACKUP.get(key.resource)
        if made is not None:
            self._skipped.add(key, made)
        elif metadata.created(content) >= _whole_second(self._truth.head.before_began):
            self._skipped.add(key, _YOUNGER_WHY)
        else:
            self._compared[key.resource] += 1
            self._findings.append(
                Finding(
                    FindingKind.ADDED, Sides.TRUTH_BACKUP, key,
                    why="neither list around the backup has it in the backup's scope",
                )
            )  # fmt: skip

    def _strict(self, key: ObjectKey, content: Mapping[str, object], entry: Entry) -> None:
        self._compared[key.resource] += 1
        fields = [*_identity_changes(content, entry), *self._section_changes(key, content, entry)]
        if fields:
            self._findings.append(
                Finding(FindingKind.CHANGED, Sides.TRUTH_BACKUP, key, tuple(fields), len(fields))
            )

    def _section_changes(
        self, key: ObjectKey, content: Mapping[str, object], entry: Entry
    ) -> list[FieldChange]:
        recorded, held = entry.digests, self._digests(key, content)
        if recorded is None or recorded.whole == held.whole:
            return []
        before, now = recorded.by_name(), held.by_name()
        return [
            FieldChange(printable(name), _told(before.get(name)), _told(now.get(name), other=True))
            for name in sorted(before.keys() | now.keys())
            if before.get(name) != now.get(name)
        ]

    def _changed_meanwhile(
        self, key: ObjectKey, content: Mapping[str, object], entry: Entry
    ) -> None:
        """Green if each section is as in one of the two lists; never red, for there may be more."""
        if not entry.required and _uid(content) != entry.uid:
            self._skipped.add(key, _REPLACED_WHY)
            return
        held = self._digests(key, content).by_name()
        states = [one.by_name() for one in (entry.digests, entry.digests_after) if one is not None]
        names = set(held).union(*states)
        if all(held.get(name) in [state.get(name) for state in states] for name in names):
            self._compared[key.resource] += 1
        else:
            self._skipped.add(key, _CHANGED_WHY)

    def _digests(self, key: ObjectKey, content: Mapping[str, object]) -> Digests:
        stripped = self._stripper.stripped(key.resource, content)
        return digests_of(key, stripped, self._truth.head.salt)


def compare(truth: Truth, backup: Iterable[tuple[ObjectKey, Mapping[str, object]]]) -> Comparison:
    """Truth against all objects of a backup. Raises what reading the backup raises."""
    comparison = TruthComparison(truth)
    for key, content in backup:
        comparison.take(key, content)
    return comparison.result()


def _identity_changes(content: Mapping[str, object], entry: Entry) -> list[FieldChange]:
    version = metadata.text(content, "resourceVersion", _ABSENT)
    pairs = (
        ("metadata.uid", entry.uid, _uid(content)),
        ("metadata.resourceVersion", entry.before, version),
    )
    return [FieldChange(path, want, held) for path, want, held in pairs if want != held]


def _why_absent(entry: Entry) -> str:
    if entry.seen is Seen.CREATED:
        return _CREATED_WHY
    if entry.seen is Seen.DELETED:
        return _DELETED_WHY
    # What only others bring in may have changed as well: a node reports its health all the time.
    return _REPLACED_WHY if entry.replaced else _RELATED_WHY


def _told(digest: bytes | None, *, other: bool = False) -> str:
    if digest is None:
        return _ABSENT
    return f"{_OTHER_STATE if other else _STATE} ({digest.hex()[:12]})"


def _uid(content: Mapping[str, object]) -> str:
    return metadata.text(content, "uid", _ABSENT)


def _whole_second(time: datetime.datetime) -> datetime.datetime:
    return time.replace(microsecond=0)
