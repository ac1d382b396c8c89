"""SystemBackups, which the stand-in does not make and says so."""

from standins.longhorn.cluster import Cluster
from standins.longhorn.kinds import SYSTEM_BACKUP, name, status
from standins.longhorn.moments import stamp

MESSAGE = "the stand-in for Longhorn makes no system backups"


def turn(cluster: Cluster) -> None:
    for found in cluster.all(SYSTEM_BACKUP):
        if not status(found).get("state"):
            condition = {
                "type": "Error",
                "status": "True",
                "reason": "NotPerformed",
                "message": MESSAGE,
                "lastProbeTime": "",
                "lastTransitionTime": stamp(cluster.clock()),
            }
            changes = {"ownerID": cluster.node, "state": "Error", "conditions": [condition]}
            cluster.change_status(SYSTEM_BACKUP, name(found), changes)
