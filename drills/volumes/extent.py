"""What can be said of a restored volume when nobody knows what it should hold.

Size and number are much less than content: the same number of bytes may be the wrong ones. So the
receipt says of such a volume that the proof is weaker, and names its content as not compared.
"""

from dataclasses import dataclass

from drills.frame import Compared, NotCompared
from drills.verdict import Check, Reason
from drills.volumes.tree import Trailer

WEAKER = "weaker: number and size only"
NOT_TAKEN = "no digest tree was taken at backup time"


@dataclass(frozen=True)
class Claim:
    """What is said of the volume, and by whom (`source`, for the receipt); None is not said.

    `tolerance` is the part of each number by which it may be wrong: 0 for what a backup counted,
    more for what a running volume was measured to hold.
    """

    source: str
    files: int | None = None
    bytes: int | None = None
    tolerance: float = 0.0


@dataclass(frozen=True)
class Extent:
    """The weaker proof of one volume, in the terms of a drill's record."""

    checks: tuple[Check, ...]
    compared: tuple[Compared, ...]
    not_compared: tuple[NotCompared, ...]


def extent(volume: str, observed: Trailer, claim: Claim | None, why: str = NOT_TAKEN) -> Extent:
    """Files and bytes of a restored volume against what is said of it.

    Without a claim it is only known that everything could be read, which proves nothing about what
    is missing. A volume without a file is nothing to check, whoever says that it should be empty.
    `why`: why the content is not compared.
    """
    checks = [*_readable(volume, observed), *_amounts(volume, observed, claim)]
    if not checks:
        size = f"{observed.files} files, {observed.bytes} bytes"
        checks = [Check(volume, f"extent of the volume ({WEAKER})", size, size)]
    source = claim.source if claim else "nothing: all of it could be read"
    return Extent(
        tuple(checks),
        (Compared(f"extent of {volume}", observed.files, observed.bytes,
                  f"{WEAKER}, against {source}"),),
        (NotCompared(f"content of {volume}", observed.files, why),),
    )  # fmt: skip


def _readable(volume: str, observed: Trailer) -> list[Check]:
    if not observed.unreadable:
        return []
    seen = f"{observed.unreadable} entries cannot be read"
    return [Check(volume, "reading the volume", "no error", seen, Reason.CONTENT_DIFFERS)]


def _amounts(volume: str, observed: Trailer, claim: Claim | None) -> list[Check]:
    def check(expected: str, seen: str, reason: Reason) -> Check:
        return Check(volume, f"extent of the volume ({WEAKER})", expected, seen, reason)

    if not observed.files:
        if claim is not None and (claim.files or claim.bytes):
            said = f"{claim.files} files" if claim.files else f"{claim.bytes} bytes"
            return [check(said, "an empty volume", Reason.VOLUME_LOST)]
        return [check("files", "an empty volume", Reason.NOTHING_TO_CHECK)]
    if claim is None:
        return []
    found = []
    if claim.files is not None and _apart(claim.files, observed.files, claim.tolerance):
        lost = observed.files < claim.files
        reason = Reason.FILE_LOST if lost else Reason.FILE_ADDED
        found.append(check(f"{claim.files} files", f"{observed.files} files", reason))
    if claim.bytes is not None and _apart(claim.bytes, observed.bytes, claim.tolerance):
        reason = Reason.CONTENT_DIFFERS
        found.append(check(f"{claim.bytes} bytes", f"{observed.bytes} bytes", reason))
    return found


def _apart(said: int, seen: int, tolerance: float) -> bool:
    return abs(said - seen) > said * tolerance
