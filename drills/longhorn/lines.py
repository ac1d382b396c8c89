"""Findings as lines of a receipt: the first by name, the others counted."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from drills.frame import NotCompared
from drills.verdict import Check

MOST_CHECKS = 20
MOST_NAMES = 5


def bounded(found: Sequence[Check], others: str) -> Iterator[Check]:
    """The first checks as they are, and how many more there are of each reason.

    No reason is left out, for the gravest decides the verdict.
    """
    yield from found[:MOST_CHECKS]
    rest = Counter(one.reason for one in found[MOST_CHECKS:])
    for reason, count in rest.items():
        yield Check(found[0].client, others, found[0].expected, f"and {count} more", reason)


def grouped(what: str, found: Iterable[tuple[str, str]]) -> Iterator[NotCompared]:
    """One line for each why, with the first names. `found`: name and why."""
    names: dict[str, list[str]] = defaultdict(list)
    for name, why in found:
        names[why].append(name)
    for why, ones in names.items():
        yield NotCompared(f"{what} {first_of(sorted(ones))}".strip(), len(ones), why)


def first_of(names: Sequence[str], most: int = MOST_NAMES) -> str:
    """The first of some names, as a clause."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def sized(count: int) -> str:
    """Bytes for people."""
    size = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:  # noqa: PLR2004 (the unit)
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
