"""The drill of layer `kube-objects`: a backup's objects, restored aside and compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.drills import velero_backups
from components.drills.drill import Drill
from components.settings.drills import KubeObjects

LAYER = "kube-objects"


@dataclass
class KubeObjectsDrillArgs:
    """`velero`: whose backups are drilled. `digests`: the volumes that are read around a backup
    made by hand, for it is made by this drill's payload.
    """

    velero: velero_backups.DrilledVelero
    settings: KubeObjects
    digests: Mapping[str, Any] | None = None


def kube_objects_payload(
    args: KubeObjectsDrillArgs, ca_pem: str, credentials: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """What the drill `kube-objects` reads from stdin. `credentials` by client name."""
    shared = velero_backups.backup_payload(args.velero, args.settings, LAYER, ca_pem, credentials)
    limits = {**shared["limits"], "backupSeconds": args.velero.velero.first_backup_seconds}
    return {
        **shared,
        "limits": limits,
        "custom": list(args.settings.kinds),
        "digests": None if args.digests is None else dict(args.digests),
    }


class KubeObjectsDrill(Drill):
    """The drill of layer `kube-objects`."""

    def __init__(
        self, name: str, args: KubeObjectsDrillArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        known = args.velero.of.known()
        super().__init__(
            "KubeObjectsDrill",
            name,
            layer=LAYER,
            payload=known.apply(lambda values: kube_objects_payload(args, values[0], values[1])),
            triggers=velero_backups.triggers(args.velero, args.settings),
            after=args.velero.after,
            seconds=velero_backups.timeout_seconds(args.settings),
            opts=opts,
        )
