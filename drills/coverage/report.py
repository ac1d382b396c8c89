"""A survey as checks of a record, and as lines of a receipt: what is protected, and what is not."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from drills.coverage.gaps import DATA_LOST, Gap
from drills.coverage.live import Live, Remark
from drills.coverage.survey import Survey, Unprotected, subject
from drills.frame import Compared, NotCompared, Record
from drills.verdict import Check, Reason

MOST_CHECKS = 20
"""Gaps told one by one, and remarks; the others are counted. A lost scope alone may be hundreds."""
MOST_NAMES = 5
MOST_IDLE = 20

_PROTECTION = "protection of namespaces and volumes"
_EXPECTED = "in a completed backup"
_BY_LISTS = "the live cluster against the lists in the last completed backup of each schedule"


def take(record: Record, live: Live, found: Survey) -> str:
    """Adds a survey of `live` to the record; returns a few words for people."""
    record.checks += checks(live, found)
    record.compared += compared(found)
    record.not_compared += not_compared(live, found)
    volumes = sum(1 for one in found.protected if one.claim)
    return (
        f"{len(found.protected) - volumes} namespaces and {volumes} volumes protected, "
        f"{len(found.unprotected)} not, {len(found.excused)} excused"
    )


def reason_of(gap: Gap) -> Reason:
    """What a gap comes to: data lost from a backup, or nothing that saves it."""
    return Reason.VOLUME_LOST if gap in DATA_LOST else Reason.UNPROTECTED


def checks(live: Live, found: Survey) -> Iterator[Check]:
    """One check for all that is protected, one for each gap by name, and what backups lack."""
    volumes = sum(1 for one in found.protected if one.claim)
    if found.protected:
        whole = f"{len(found.protected) - volumes} namespaces and {volumes} volumes are"
        yield Check("cluster", _PROTECTION, _EXPECTED, whole)
    elif not found.unprotected:
        yield Check(
            "cluster", _PROTECTION, "something to protect", "nothing", Reason.NOTHING_TO_CHECK
        )
    gaps = sorted(found.unprotected, key=lambda one: (one.namespace, one.claim))
    yield from _bounded([_of_gap(one) for one in gaps], "further namespaces and volumes")
    red = [_of_remark(one, one.reason) for one in live.remarks if one.reason is not None]
    yield from _bounded(red, "further backups")


def _of_gap(found: Unprotected) -> Check:
    fact = found.detail.removeprefix(f"{found.subject}: ")
    return Check("cluster", found.subject, _EXPECTED, fact, reason_of(found.gap))


def _of_remark(remark: Remark, reason: Reason) -> Check:
    return Check("velero", remark.what, "whole and readable", remark.why, reason)


def _bounded(found: Sequence[Check], others: str) -> Iterator[Check]:
    yield from found[:MOST_CHECKS]
    # The gravest reason decides the verdict, so that none may be lost among those not told.
    rest = Counter(one.reason for one in found[MOST_CHECKS:])
    for reason, count in rest.items():
        yield Check(found[0].client, others, found[0].expected, f"and {count} more", reason)


def compared(found: Survey) -> list[Compared]:
    """What is protected, volumes by the way their data was taken."""
    ways = Counter(str(one.method) for one in found.protected if one.claim)
    count = sum(1 for one in found.protected if not one.claim)
    lines = [Compared("coverage of namespaces", count, None, _BY_LISTS)] if count else []
    return lines + [
        Compared(f"coverage of volumes ({way})", number, None, _BY_LISTS)
        for way, number in sorted(ways.items())
    ]


def not_compared(live: Live, found: Survey) -> list[NotCompared]:
    """What waits and what is excused, with why; exceptions that excuse nothing; bare remarks."""
    waiting = ((one.why, subject(one.namespace, one.claim)) for one in found.waiting)
    excused = ((f"excused: {one.why}", one.found.subject) for one in found.excused)
    return [
        *_grouped(chain(waiting, excused)),
        *(
            NotCompared(f"exception {one.shown}", 1, "it excuses nothing; remove it")
            for one in found.idle[:MOST_IDLE]
        ),
        *_more(len(found.idle) - MOST_IDLE),
        *(
            NotCompared(one.what, one.count, one.why)
            for one in live.remarks
            if one.reason is None
        ),
    ]  # fmt: skip


def _grouped(found: Iterable[tuple[str, str]]) -> Iterator[NotCompared]:
    """One line for each reason, with the first names."""
    subjects: dict[str, list[str]] = defaultdict(list)
    for why, one in found:
        subjects[why].append(one)
    for why, ones in subjects.items():
        shown = ", ".join(sorted(ones)[:MOST_NAMES])
        more = f" and {len(ones) - MOST_NAMES} more" if len(ones) > MOST_NAMES else ""
        yield NotCompared(f"coverage of {shown}{more}", len(ones), why)


def _more(count: int) -> list[NotCompared]:
    if count <= 0:
        return []
    return [NotCompared("further exceptions", count, "they excuse nothing; remove them")]
