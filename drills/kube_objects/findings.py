"""Comparisons of objects as checks of a record, and what was compared as lines of a receipt."""

from collections.abc import Iterable, Iterator

from drills.frame import Compared, NotCompared, Record
from drills.objects.findings import Comparison, Finding, FindingKind, Sides
from drills.verdict import Check, Reason

MOST_CHECKS = 50
"""Findings told one by one; the others are counted. A lost namespace alone may be thousands."""

_REASONS = {
    FindingKind.LOST: Reason.OBJECT_LOST,
    FindingKind.ADDED: Reason.OBJECT_ADDED,
    FindingKind.CHANGED: Reason.OBJECT_DIFFERS,
}
_EXPECTED = {
    FindingKind.LOST: "there",
    FindingKind.ADDED: "not there",
    FindingKind.CHANGED: "equal",
}
_CLIENTS = {
    Sides.TRUTH_BACKUP: "backup",
    Sides.LIVE_BACKUP: "backup",
    Sides.BACKUP_COPY: "restored copy",
}
_HOW = {
    Sides.TRUTH_BACKUP: "backup against lists of the cluster from before and after it",
    Sides.LIVE_BACKUP: "backup against the live cluster, objects not written since",
    Sides.BACKUP_COPY: "restored copy against the backup, field by field",
}


def take(record: Record, found: Comparison) -> None:
    """Adds a comparison's checks, and what it compared and did not, to the record."""
    record.checks += checks(found)
    how = _HOW[found.sides]
    record.compared += [Compared(kind, count, None, how) for kind, count in found.compared.items()]
    record.not_compared += [
        NotCompared(f"{one.what} ({found.sides})", one.count, one.why) for one in found.not_compared
    ]
    record.not_compared += [
        NotCompared(f"field {one.path} of {one.resource} ({found.sides})", one.count,
                    f"{one.owner} owns it: {one.why}")
        for one in found.owned
    ]  # fmt: skip


def checks(found: Comparison) -> Iterator[Check]:
    """One check for all that was as it should be, and one for each finding, gravest first."""
    client, how = _CLIENTS[found.sides], _HOW[found.sides]
    if found.nothing:
        yield Check(client, how, "objects to compare", "none", Reason.NOTHING_TO_CHECK)
        return
    right = found.count - sum(1 for one in found.findings if one.kind is not FindingKind.ADDED)
    if right > 0:
        yield Check(client, how, "equal", f"{right} objects are")
    yield from _told(client, found.findings)


def _told(client: str, findings: Iterable[Finding]) -> Iterator[Check]:
    rest: dict[FindingKind, int] = {}
    for number, finding in enumerate(findings):
        if number >= MOST_CHECKS:
            rest[finding.kind] = rest.get(finding.kind, 0) + 1
            continue
        yield Check(
            client, str(finding.key), _EXPECTED[finding.kind], str(finding), _REASONS[finding.kind]
        )
    for kind, count in rest.items():
        yield Check(
            client, "further objects", _EXPECTED[kind], f"{count} more {kind}", _REASONS[kind]
        )
