"""What the canary does not write, so that nothing can be known of it, for the receipt."""

from canary.contents import Method
from drills.frame import NotCompared


def not_written(volume: str, method: Method, as_root: bool) -> tuple[NotCompared, ...]:
    """What the canary does not write on a volume, so that nothing is known of it there."""
    found = []
    if method is not Method.SNAPSHOT:
        # https://github.com/kopia/kopia/issues/1764
        found.append((f"names that are not UTF-8 on {volume}", "kopia replaces their odd bytes"))
        found.append((f"hard links on {volume}", "kopia restores each name as a file of its own"))
    if not as_root:
        found.append((f"files of several owners on {volume}", "the canary does not run as root"))
    return tuple(NotCompared(what, 0, why) for what, why in found)
