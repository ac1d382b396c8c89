"""Backup and restored copy: did every object come back, and is each field what it should be.

The backup is read once for an index of digests, 16 bytes an object; the restored objects stream
past it; for those that differ a second reading of the backup gives the fields. Cluster-scoped
objects are never restored over the live ones: they are compared with the truth only.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from drills.objects.canonical import canonical, digest
from drills.objects.differences import differences
from drills.objects.findings import (
    Comparison,
    Finding,
    FindingKind,
    Sides,
    Skipped,
    in_order,
    owned,
)
from drills.objects.gate import Gate
from drills.objects.keys import ObjectKey
from drills.objects.normal_form import NormalForm, Restoration

Objects = Iterable[tuple[ObjectKey, Mapping[str, object]]]
Fetch = Callable[[Collection[ObjectKey]], Objects]
"""The backup's objects for some keys: a second reading of its tarball."""

DETAILED_OBJECTS = 1_000
DETAILED_BYTES = 32 * 1024 * 1024
_NOT_UNPACKABLE = (
    "its name is too long for a file: Velero cannot unpack the backup, and restores nothing of it"
)
_TOO_MANY = "too many differ for all to be described"
_OUTSIDE = "it lies in no namespace of the sandbox"


@dataclass(frozen=True)
class _Copy:
    """A restored object that differs; the text is its normal form."""

    key: ObjectKey
    text: bytes


class CopyIndex:
    """What the backup says should come back: digests by key, and reasons for what should not."""

    def __init__(self, restoration: Restoration, salt: bytes) -> None:
        self.restoration = restoration
        self.form = NormalForm(restoration)
        self.gate = Gate(restoration)
        self.salt = salt
        self.skipped = Skipped()
        self.expected: dict[ObjectKey, bytes] = {}
        self.may_stand: set[ObjectKey] = set()

    def take(self, key: ObjectKey, content: Mapping[str, object]) -> None:
        """One object of the backup. Raises NotJSONError for one that is no JSON value."""
        held_back = self.gate.held_back(key, content)
        if held_back is not None:
            self.skipped.add(key, held_back.why)
            if held_back.may_stand:
                self.may_stand.add(key)
            return
        self.expected[key] = digest(self.form.saved(key, content), self.salt)


class CopyComparison:
    """Takes the restored objects one by one, by the keys they have in the sandbox."""

    def __init__(self, index: CopyIndex) -> None:
        self._index = index
        self._left = dict(index.expected)
        self._findings: list[Finding] = []
        self._compared: Counter[str] = Counter()
        self._different: list[_Copy] = []
        self._different_bytes = 0
        self._undescribed: list[ObjectKey] = []
        self._met: set[ObjectKey] = set()

    def take(self, key: ObjectKey, content: Mapping[str, object]) -> None:
        """One restored object. Raises NotJSONError for one that is no JSON value."""
        index = self._index
        source = index.form.mapping.source_of(key)
        if source is None:
            index.skipped.add(key, _OUTSIDE)
            return
        expected = self._left.pop(source, None)
        if expected is None:
            self._unexpected(key, source, content)
            return
        self._compared[source.resource] += 1
        restored = index.form.restored(source, content)
        if digest(restored, index.salt) != expected:
            self._keep(source, restored)

    def result(self, fetch: Fetch) -> Comparison:
        """The outcome, when all restored objects were taken.

        Raises:
            what `fetch` raises.
        """
        index = self._index
        findings = [*self._findings, *self._described(fetch)]
        for key in self._left:
            self._compared[key.resource] += 1
            why = "" if key.unpackable else _NOT_UNPACKABLE
            findings.append(Finding(FindingKind.LOST, Sides.BACKUP_COPY, key, why=why))
        return Comparison(
            Sides.BACKUP_COPY, in_order(findings), dict(sorted(self._compared.items())),
            index.skipped.listed(), owned(index.form.totals()),
            dict(sorted(index.form.changed.items())),
        )  # fmt: skip

    def _unexpected(self, key: ObjectKey, source: ObjectKey, content: Mapping[str, object]) -> None:
        """What came without being awaited: a second page's repetition, a controller's, or added."""
        index = self._index
        if source in index.expected or source in index.may_stand or source in self._met:
            return
        self._met.add(source)
        why = index.gate.made_there(source, content)
        if why:
            index.skipped.add(key, why)
            return
        self._compared[source.resource] += 1
        self._findings.append(
            Finding(
                FindingKind.ADDED, Sides.BACKUP_COPY, source,
                why=f"it is in the sandbox as {key} and not in the backup",
            )
        )  # fmt: skip

    def _keep(self, key: ObjectKey, restored: Mapping[str, object]) -> None:
        text = canonical(restored)
        full = len(self._different) >= DETAILED_OBJECTS
        if full or self._different_bytes + len(text) > DETAILED_BYTES:
            self._undescribed.append(key)
            return
        self._different.append(_Copy(key, text))
        self._different_bytes += len(text)

    def _described(self, fetch: Fetch) -> Iterator[Finding]:
        index = self._index
        copies = {copy.key: copy.text for copy in self._different}
        # One of its own: owned fields and changes were counted when the index was made.
        form = NormalForm(index.restoration)
        for key, content in fetch(copies.keys()) if copies else ():
            text = copies.pop(key, None)
            if text is None:
                continue
            saved = form.saved(key, content)
            found = differences(key.resource, saved, json.loads(text), index.salt)
            yield Finding(FindingKind.CHANGED, Sides.BACKUP_COPY, key, found.fields, found.count)
        for key in copies:
            yield Finding(
                FindingKind.CHANGED, Sides.BACKUP_COPY, key,
                why="the backup no longer holds it, read a second time",
            )  # fmt: skip
        for key in self._undescribed:
            yield Finding(FindingKind.CHANGED, Sides.BACKUP_COPY, key, why=_TOO_MANY)


def compare(
    backup: Objects, restored: Objects, restoration: Restoration, salt: bytes, fetch: Fetch
) -> Comparison:
    """Backup against restored copy. Raises what reading either raises."""
    index = CopyIndex(restoration, salt)
    for key, content in backup:
        index.take(key, content)
    comparison = CopyComparison(index)
    for key, content in restored:
        comparison.take(key, content)
    return comparison.result(fetch)
