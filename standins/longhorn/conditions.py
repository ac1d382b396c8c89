"""Conditions as Longhorn writes them."""

from collections.abc import Sequence

from standins.longhorn.kinds import Object


def changed(
    held: Sequence[Object], kind: str, state: str, now: str, *, reason: str = "", message: str = ""
) -> list[Object]:
    """The conditions with one of them set; its time is that of its last change of `state`."""
    before: Object = next((one for one in held if one["type"] == kind), {})
    since = before.get("lastTransitionTime") if before.get("status") == state else now
    made = {
        "type": kind,
        "status": state,
        "reason": reason,
        "message": message,
        "lastProbeTime": "",
        "lastTransitionTime": since,
    }
    return [*(one for one in held if one["type"] != kind), made]
