"""A volume that Longhorn fills from a backup: how far it is, and what keeps it.

Source: longhorn-manager controller/volume_controller.go and types.go (conditions `Restore` and
`Scheduled` of a Volume), engineapi (restoreStatus of an Engine).
"""

from dataclasses import dataclass

from kube.client import Client
from kube.errors import Cause, ClusterError, one_line
from kube.longhorn.api import Object, listed, name, number, part, spec, status, text
from kube.longhorn.volumes import ATTACHED, DETACHED, FAULTED

_RESTORE, _SCHEDULED = "Restore", "Scheduled"
_FAILED = "RestoreFailure"
_ENGINE_OF = "longhornvolume"
_LONGEST = 300


@dataclass(frozen=True)
class Restoring:
    """A Volume that is being filled. `source`: the URL of its backup, "" if it is made of none.

    `failure`: why it will not be filled, "" while nothing says so. `unplaced`: why no replica of it
    has a place, "" likewise; that may pass.
    """

    name: str
    source: str
    state: str
    robustness: str
    required: bool
    failure: str
    unplaced: str

    @property
    def done(self) -> bool:
        """All data is there.

        A volume that was just made has no state yet, and does not yet ask for its data either.
        """
        settled = self.state in (ATTACHED, DETACHED)
        return settled and not self.required and not self.failure

    @property
    def told(self) -> str:
        """In a few words."""
        if not self.state:
            return "new"
        waits = ", no replica has a place" if self.unplaced else ""
        needs = "still to be filled" if self.required else "filled"
        health = f", {self.robustness}" if self.robustness not in ("", "unknown") else ""
        return f"{self.state}{health}, {needs}{waits}"


def restoring(found: Object) -> Restoring:
    held = status(found)
    faulted = text(held, "robustness") == FAULTED
    return Restoring(
        name=name(found),
        source=text(spec(found), "fromBackup"),
        state=text(held, "state"),
        robustness=text(held, "robustness"),
        required=bool(held.get("restoreRequired")),
        failure=_failure(held) or ("no replica of it is usable" if faulted else ""),
        unplaced=_said(held, _SCHEDULED),
    )


def progress(client: Client, namespace: str, volume: str) -> int | None:
    """Per cent of a volume that are filled, by its slowest replica; None where nobody says.

    Raises ClusterError.
    """
    try:
        engines = listed(client, namespace, "engines", {_ENGINE_OF: volume})
    except ClusterError as error:
        if error.cause is Cause.MISSING:
            return None
        raise
    found = [
        number(replica, "progress")
        for engine in engines
        for replica in part(status(engine), "restoreStatus").values()
        if isinstance(replica, dict)
    ]
    return min(found, default=None)


def _failure(held: Object) -> str:
    """Longhorn sets this condition to False when it gives up, and also before it begins."""
    for one in held.get("conditions") or ():
        if one.get("type") == _RESTORE and one.get("reason") == _FAILED:
            return one_line(one.get("message") or _FAILED, _LONGEST)
    return ""


def _said(held: Object, kind: str) -> str:
    for one in held.get("conditions") or ():
        if one.get("type") == kind and one.get("status") == "False":
            return one_line(one.get("message") or one.get("reason") or kind, _LONGEST)
    return ""
