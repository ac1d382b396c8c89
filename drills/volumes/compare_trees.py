"""Compares the digest tree of a restored volume with the tree that it should have.

A merge join of two streams in the order of their paths: memory holds one entry of each and the
first findings for each reason, however large the volume is.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from drills.frame import Compared, NotCompared
from drills.verdict import Check, Reason
from drills.volumes.allowances import Allowance, Attribute, Kind
from drills.volumes.differences import Difference, differences
from drills.volumes.entry import FILE, LISTING, Entry, shown

FINDINGS_PER_REASON = 20

_IN_THE_CONTENT = {Attribute.READABLE, Attribute.CONTENT, Attribute.TARGET}


@dataclass(frozen=True)
class Options:
    """`truth` says in the receipt what was compared with, as in "against <truth>".

    `xattrs`: both trees were read with extended attributes, and they are to be compared.
    """

    truth: str
    allowances: tuple[Allowance, ...] = ()
    xattrs: bool = False
    findings_per_reason: int = FINDINGS_PER_REASON


@dataclass(frozen=True)
class Finding:
    """One entry that is not as it should be; `path` is fit to be shown."""

    kind: Kind
    path: str
    type: str
    differences: tuple[Difference, ...] = ()

    @property
    def reason(self) -> Reason:
        return _reason(self.kind, {each.attribute for each in self.differences})

    def __str__(self) -> str:
        if self.kind is not Kind.CHANGED:
            return f"{self.type} {self.path}"
        parts = (
            f"{each.attribute} {each.expected} -> {each.observed}" for each in self.differences
        )
        return f"{self.type} {self.path}: {', '.join(parts)}"


@dataclass(frozen=True)
class Comparison:
    """What came out for one volume.

    `counts`, `attributes` and `reasons` count all findings, `findings` holds the first for each
    reason.
    `entries` is the number of paths on both sides, `files` and `bytes` of content compared.
    """

    volume: str
    counts: Mapping[Kind, int]
    attributes: Mapping[Attribute, int]
    reasons: Mapping[Reason, int]
    findings: tuple[Finding, ...]
    entries: int
    files: int
    bytes: int
    compared: tuple[Compared, ...]
    not_compared: tuple[NotCompared, ...]

    @property
    def differs(self) -> bool:
        return bool(self.reasons)


def compare(
    volume: str, expected: Iterable[Entry], observed: Iterable[Entry], options: Options
) -> Comparison:
    """Compares two trees; both are taken to their end, so that a `Tree` checks itself.

    Raises TreeError (see `drills.volumes.tree`) when a tree turns out not to be one: then there is
    no comparison at all.
    """
    ledger = _Ledger(options)
    for wanted, found in joined(expected, observed):
        ledger.enter(wanted, found)
    return ledger.close(volume)


def checks(comparison: Comparison) -> list[Check]:
    """The comparison as checks of a drill: one for each reason, or the one that went well."""
    name, what = comparison.volume, f"{comparison.files} files, {comparison.bytes} bytes as known"
    if not comparison.differs:
        nothing = comparison.entries <= 1 and not comparison.files  # the root alone
        return [
            Check(
                name,
                "content of the volume",
                "something to compare" if nothing else what,
                "nothing was compared" if nothing else what,
                Reason.NOTHING_TO_CHECK if nothing else None,
            )
        ]
    return [
        Check(name, "content of the volume", what, _observed(comparison, reason, count), reason)
        for reason, count in comparison.reasons.items()
    ]


def _observed(comparison: Comparison, reason: Reason, count: int) -> str:
    examples = [str(each) for each in comparison.findings if each.reason is reason][:3]
    more = f" and {count - len(examples)} more" if count > len(examples) else ""
    return f"{count} {reason}: {'; '.join(examples)}{more}"


def joined(
    expected: Iterable[Entry], observed: Iterable[Entry]
) -> Iterator[tuple[Entry | None, Entry | None]]:
    """Both streams, which rise by their paths, side by side; None where a path is in one alone."""
    left, right = iter(expected), iter(observed)
    wanted, found = next(left, None), next(right, None)
    while wanted is not None or found is not None:
        if found is None or (wanted is not None and wanted.path < found.path):
            yield wanted, None
            wanted = next(left, None)
        elif wanted is None or found.path < wanted.path:
            yield None, found
            found = next(right, None)
        else:
            yield wanted, found
            wanted, found = next(left, None), next(right, None)


@dataclass
class _Ledger:
    """What has been found so far."""

    options: Options
    counts: Counter[Kind] = field(default_factory=Counter)
    attributes: Counter[Attribute] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    # Below these nothing is known of one side.
    unread_truth: bytes | None = None
    unread_volume: bytes | None = None
    entries: int = 0
    files: int = 0
    sparse: int = 0
    bytes: int = 0

    def enter(self, wanted: Entry | None, found: Entry | None) -> None:
        if wanted is not None and found is not None:
            self._both(wanted, found)
        elif wanted is not None:
            self._lost(wanted)
        elif found is not None:
            self._added(found)

    def _both(self, wanted: Entry, found: Entry) -> None:
        self._notice_gaps(wanted, found)
        self.entries += wanted.type != LISTING
        if wanted.type == FILE and wanted.sha256 and found.sha256:
            self.files += 1
            self.bytes += wanted.size
            self.sparse += wanted.sparse or found.sparse
        if wanted.error or wanted.skipped:
            self._leave_out("content of entries", "it could not be read when the truth was taken")
        # `allocated` and `changed_at`, the last fields, say how a file lies on its disk and since
        # when, not what it is.
        if wanted[:-2] != found[:-2]:
            self._changed(found, differences(wanted, found, self.options.xattrs))

    def _lost(self, wanted: Entry) -> None:
        if wanted.type == LISTING:
            self._notice_gaps(wanted, None)
            self._leave_out("directories", "they could not be read when the truth was taken")
        elif _below(wanted, self.unread_volume):
            self._leave_out("entries", "they lie below a directory that could not be read")
        else:
            self._report(Kind.LOST, wanted, ())

    def _added(self, found: Entry) -> None:
        if found.type == LISTING:
            self._notice_gaps(None, found)
            self._changed(
                found, [Difference(Attribute.READABLE, "read", found.error or found.skipped)]
            )
        elif _below(found, self.unread_truth):
            self._leave_out("entries", "their directory could not be read when the truth was taken")
        else:
            self._report(Kind.ADDED, found, ())

    def _notice_gaps(self, wanted: Entry | None, found: Entry | None) -> None:
        if wanted is not None and wanted.type == LISTING:
            self.unread_truth = wanted.path
        if found is not None and found.type == LISTING:
            self.unread_volume = found.path

    def _changed(self, found: Entry, seen: list[Difference]) -> None:
        """Reports the differences that no allowance covers."""
        about = [each for each in self.options.allowances if each.covers(Kind.CHANGED, found)]
        remaining = []
        for difference in seen:
            allowed = next((one for one in about if difference.attribute in one.attributes), None)
            if allowed is None:
                remaining.append(difference)
            else:
                self._leave_out(allowed.what, allowed.why)
        if remaining:
            self._report(Kind.CHANGED, found, tuple(remaining))

    def _report(self, kind: Kind, entry: Entry, seen: tuple[Difference, ...]) -> None:
        if kind is not Kind.CHANGED:
            allowed = next((a for a in self.options.allowances if a.covers(kind, entry)), None)
            if allowed is not None:
                self._leave_out(allowed.what, allowed.why)
                return
        self.counts[kind] += 1
        attributes = {each.attribute for each in seen}
        self.attributes.update(attributes)
        reason = _reason(kind, attributes)
        self.reasons[reason] += 1
        if self.reasons[reason] <= self.options.findings_per_reason:
            self.findings.append(Finding(kind, shown(entry.path), entry.type, seen))

    def _leave_out(self, what: str, why: str) -> None:
        self.left_out[what, why] += 1

    def close(self, volume: str) -> Comparison:
        ranks = list(Reason)
        return Comparison(
            volume,
            dict(self.counts),
            dict(self.attributes),
            dict(sorted(self.reasons.items(), key=lambda pair: ranks.index(pair[0]))),
            tuple(self.findings),
            self.entries,
            self.files,
            self.bytes,
            self._compared(volume),
            self._not_compared(volume),
        )

    def _compared(self, volume: str) -> tuple[Compared, ...]:
        against = f"against {self.options.truth}"
        found = []
        if self.files:
            how = f"content, size, mode, owner, group and hard links {against}"
            found.append(Compared(f"files of {volume}", self.files, self.bytes, how))
        if self.entries > self.files:
            how = f"type, mode, owner, group and target {against}"
            others = self.entries - self.files
            found.append(Compared(f"other entries of {volume}", others, None, how))
        return tuple(found)

    def _not_compared(self, volume: str) -> tuple[NotCompared, ...]:
        never = [
            ("modification times", self.entries, "not every method keeps them"),
            ("holes of sparse files", self.sparse, "they say how a file lies on its disk"),
        ]
        if not self.options.xattrs:
            never.append(("extended attributes", self.entries, "they were not read"))
        left_out = [(what, count, why) for (what, why), count in sorted(self.left_out.items())]
        return tuple(
            NotCompared(f"{what} of {volume}", count, why)
            for what, count, why in [*left_out, *never]
            if count
        )


def _below(entry: Entry, folder: bytes | None) -> bool:
    """Whether the entry lies in the directory whose listing has this path (with its slash)."""
    return folder is not None and (folder == b"/" or entry.path.startswith(folder))


def _reason(kind: Kind, attributes: set[Attribute]) -> Reason:
    if kind is Kind.LOST:
        return Reason.FILE_LOST
    if kind is Kind.ADDED:
        return Reason.FILE_ADDED
    return Reason.CONTENT_DIFFERS if attributes & _IN_THE_CONTENT else Reason.METADATA_DIFFERS
