"""The backup targets as Longhorn sees them."""

import datetime
from dataclasses import dataclass

from kube.client import Client
from kube.longhorn.api import Object, listed, moment, name, spec, status, text

UNAVAILABLE = "Unavailable"


@dataclass(frozen=True)
class BackupTarget:
    """A BackupTarget. `message`: why it is not available, "" while Longhorn says nothing.

    `available` proves that Longhorn could list it, once; what it holds is known in the cluster from
    `last_synced` on.
    """

    name: str
    url: str
    credential_secret: str
    poll_interval: str
    available: bool
    message: str
    last_synced: datetime.datetime | None

    @property
    def usable(self) -> bool:
        return self.available and self.last_synced is not None


def read_targets(client: Client, namespace: str) -> tuple[BackupTarget, ...]:
    """All backup targets by name. Raises ClusterError (see `listed`)."""
    return tuple(backup_target(one) for one in listed(client, namespace, "backuptargets"))


def backup_target(found: Object) -> BackupTarget:
    wanted, held = spec(found), status(found)
    said = [
        text(one, "message")
        for one in held.get("conditions") or ()
        if one.get("type") == UNAVAILABLE and one.get("status") == "True"
    ]
    return BackupTarget(
        name=name(found),
        url=text(wanted, "backupTargetURL"),
        credential_secret=text(wanted, "credentialSecret"),
        poll_interval=text(wanted, "pollInterval"),
        available=bool(held.get("available")),
        message=said[0] if said else "",
        last_synced=moment(held.get("lastSyncedAt")),
    )
