"""Judges a restored volume of the canary: which generations came back, and whether they are whole.

The volume is read twice: `survey` says which generations it holds, so that their truths can be
fetched, and `judge_volume` compares every file of them. What no truth can say anything about is
named as not compared; what should have a truth and has none is a flaw of its own.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from canary import writer
from drills.canary.truth import GENERATIONS, Truth, TruthError, expected_tree
from drills.frame import NotCompared
from drills.verdict import Check, Reason
from drills.volumes.compare_trees import Comparison, Options, checks, compare
from drills.volumes.entry import DIRECTORY, LISTING, Entry

_ASIDE = tuple(name.encode() for name in (writer.MAKING, writer.DROPPING))
_MARKER = writer.UNWITNESSED.encode()


NONE_DAMAGED: Mapping[int, str] = {}
MOST_GENERATIONS = 1000
"""The canary keeps a few; so many truths at most are asked for, the newest."""


class Flaw(StrEnum):
    """What may be wrong with the generations of a volume, apart from the content of their files.

    `torn`: it is there and lacks entries. `lost`: the newest one's truth says that it was on the
    volume too. `unwitnessed`: it says itself that the store was away when it was made.
    `truth-lost`: it does not say so, and there is no truth. `truth-damaged`: there is one, and it
    must not be used.
    """

    NOTHING_RESTORED = "nothing-restored"
    LOST = "lost"
    TORN = "torn"
    TRUTH_LOST = "truth-lost"
    TRUTH_DAMAGED = "truth-damaged"
    UNWITNESSED = "unwitnessed"


_REASONS = {
    Flaw.NOTHING_RESTORED: Reason.VOLUME_LOST,
    Flaw.LOST: Reason.FILE_LOST,
    Flaw.TORN: Reason.FILE_LOST,
    # It is never passed over: whoever damages a truth would be left with one witness less.
    Flaw.TRUTH_DAMAGED: Reason.TRUTH_UNUSABLE,
}
_WANTED = {Flaw.TRUTH_DAMAGED: "truths as their writer told them"}


@dataclass(frozen=True)
class FlawFound:
    """A flaw, of a generation or (0) of the volume; `detail` in a few words."""

    flaw: Flaw
    generation: int
    detail: str

    @property
    def reason(self) -> Reason | None:
        """None for what leaves less to compare and is no fault of the restore."""
        return _REASONS.get(self.flaw)

    def __str__(self) -> str:
        about = f"generation {self.generation} " if self.generation else ""
        return f"{about}{self.flaw}: {self.detail}"


@dataclass(frozen=True)
class Held:
    """A generation on a volume: how many entries, and whether it says that it has no witness."""

    entries: int
    unwitnessed: bool


Survey = Mapping[int, Held]
"""Which generations a volume holds, by number."""


@dataclass(frozen=True)
class Judged:
    """What came out for one volume. `newest` is the newest generation that came back and has a
    truth: None if there is none, and then nothing was compared."""

    comparison: Comparison
    flaws: tuple[FlawFound, ...]
    newest: Truth | None

    def checks(self) -> list[Check]:
        """The comparison and the flaws as checks of a drill."""
        volume = self.comparison.volume
        found = [
            Check(volume, "generations of the canary", _WANTED.get(flaw.flaw, "whole generations"),
                  str(flaw), flaw.reason)
            for flaw in self.flaws
            if flaw.reason is not None
        ]  # fmt: skip
        if self.newest is not None or self.comparison.differs:
            found += checks(self.comparison)
        if self.newest is None and not any(
            flaw.flaw is Flaw.NOTHING_RESTORED for flaw in self.flaws
        ):
            seen = "; ".join(map(str, self.flaws[:3]))
            found.append(
                Check(volume, "generations of the canary", "one with a truth", seen,
                      Reason.NOTHING_TO_CHECK)
            )  # fmt: skip
        return found


def survey(observed: Iterable[Entry]) -> Survey:
    """The generations of a volume, from its digest tree, which is taken to its end."""
    counts: dict[int, int] = {}
    unwitnessed: set[int] = set()
    for entry in observed:
        number, inside = _generation(entry.path)
        if number is None or entry.type == LISTING:
            continue
        if inside == _MARKER:
            unwitnessed.add(number)
        elif number in counts or entry.type == DIRECTORY:
            counts[number] = counts.get(number, 0) + 1
    return {number: Held(count, number in unwitnessed) for number, count in counts.items()}


def fetch_truths(held: Survey, fetch: Callable[[int], Truth | None]) -> dict[int, Truth]:
    """The truths of what a volume holds, and of what it should hold beside the newest of these.

    `fetch` gives the truth of a generation or None, and may raise.
    """
    truths = {number: fetch(number) for number in sorted(held)[-MOST_GENERATIONS:]}
    found = {number: truth for number, truth in truths.items() if truth is not None}
    if found:
        for number in found[max(found)].held:
            truth = fetch(number) if number not in truths else None
            if truth is not None:
                found[number] = truth
    return found


def fetch_usable(
    held: Survey, fetch: Callable[[int], Truth | None]
) -> tuple[dict[int, Truth], dict[int, str]]:
    """The same, and of those that must not be used why not, in one sentence each."""
    damaged: dict[int, str] = {}

    def usable(number: int) -> Truth | None:
        try:
            return fetch(number)
        except TruthError as error:
            damaged[number] = str(error)
            return None

    return fetch_truths(held, usable), damaged


def judge_volume(
    volume: str,
    observed: Iterable[Entry],
    held: Survey,
    truths: Mapping[int, Truth],
    options: Options,
    *,
    damaged: Mapping[int, str] = NONE_DAMAGED,
) -> Judged:
    """Compares every generation that has a truth. `damaged`: see `fetch_usable`.

    Raises TreeError where `observed` does.
    """
    newest = truths[max(held.keys() & truths.keys())] if held.keys() & truths.keys() else None
    wanted = [
        truth
        for number, truth in truths.items()
        if number in held or (newest is not None and number in newest.held)
    ]
    set_aside = _SetAside({truth.generation for truth in wanted}, held, damaged)
    comparison = compare(volume, expected_tree(wanted), set_aside.passing(observed), options)
    not_compared = (*set_aside.named(volume), *comparison.not_compared)
    return Judged(
        replace(comparison, not_compared=not_compared),
        (*_damaged(damaged), *_flaws(held, truths, newest, damaged)),
        newest,
    )


def _damaged(damaged: Mapping[int, str]) -> Iterator[FlawFound]:
    for number, why in sorted(damaged.items()):
        yield FlawFound(Flaw.TRUTH_DAMAGED, number, why)


def _flaws(
    held: Survey,
    truths: Mapping[int, Truth],
    newest: Truth | None,
    damaged: Mapping[int, str],
) -> Iterator[FlawFound]:
    if not held:
        yield FlawFound(Flaw.NOTHING_RESTORED, 0, "the volume holds no generation")
    for number in sorted(set(newest.held) - held.keys()) if newest is not None else ():
        yield FlawFound(Flaw.LOST, number, f"it was there beside {number_of(newest)}")
    for number, found in sorted(held.items()):
        truth = truths.get(number)
        if number in damaged:
            continue
        if truth is None and found.unwitnessed:
            yield FlawFound(Flaw.UNWITNESSED, number, "the store was away when it was made")
        elif truth is None:
            yield FlawFound(Flaw.TRUTH_LOST, number, "the store has no truth of it")
        elif found.entries < len(truth.entries):
            said = f"{found.entries} of {len(truth.entries)} entries"
            yield FlawFound(Flaw.TORN, number, said)


def number_of(truth: Truth | None) -> str:
    return "none" if truth is None else str(truth.generation)


class _SetAside:
    """Takes out of a tree what no truth is about, and counts it."""

    def __init__(self, known: set[int], held: Survey, damaged: Collection[int]) -> None:
        self._known = known
        self._held = held
        self._damaged = damaged
        self._counts: dict[tuple[str, str], int] = {}

    def passing(self, observed: Iterable[Entry]) -> Iterator[Entry]:
        for entry in observed:
            if self._passes(entry):
                yield entry

    def _passes(self, entry: Entry) -> bool:
        path = entry.path
        number, inside = _generation(path)
        if number in self._known:
            # Its truth came through after all: only the answer was lost.
            return inside != _MARKER
        if number in self._damaged:
            return self._count("entries of generations", "their truth must not be used")
        if number in self._held:
            return self._count("entries of generations", "they have no truth")
        if path in (b"", GENERATIONS) and entry.type == DIRECTORY:
            return self._count("directories", "they hold the generations, and are in no truth")
        if path in _ASIDE or path.startswith(tuple(name + b"/" for name in _ASIDE)):
            return self._count("entries", "they were being made or dropped")
        return True

    def _count(self, what: str, why: str) -> bool:
        self._counts[what, why] = self._counts.get((what, why), 0) + 1
        return False

    def named(self, volume: str) -> list[NotCompared]:
        return [
            NotCompared(f"{what} of {volume}", count, why)
            for (what, why), count in self._counts.items()
        ]


def _generation(path: bytes) -> tuple[int | None, bytes | None]:
    """The generation that a path belongs to, and the path in it; None for its own directory."""
    above, _, rest = path.partition(b"/")
    name, slash, inside = rest.partition(b"/")
    if above != GENERATIONS or len(name) != writer.DIGITS or not name.isdigit():
        return None, None
    return int(name), inside if slash else None
