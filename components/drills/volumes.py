"""The drill of layer `volumes`: a backup's volumes, restored aside and read file by file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.drills import velero_backups
from components.drills.digests import reader
from components.drills.drill import Drill
from components.settings.drills import Volumes

LAYER = "volumes"


@dataclass
class VolumesDrillArgs:
    """`velero`: whose backups are drilled. `canary`: where the site's canary is and where its
    truths lie, as its component says it. `after`: further drills, which must have ended.
    """

    velero: velero_backups.DrilledVelero
    settings: Volumes
    canary: Mapping[str, Any] | None = None
    after: Sequence[pulumi.Resource] = ()


def volumes_payload(
    args: VolumesDrillArgs, ca_pem: str, credentials: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """What the drill `volumes` reads from stdin. `credentials` by client name."""
    settings = args.settings
    shared = velero_backups.backup_payload(args.velero, settings, LAYER, ca_pem, credentials)
    return {
        **shared,
        "limits": {**shared["limits"], "readSeconds": settings.read_seconds},
        "reader": reader(args.velero.drills),
        "classes": dict(settings.classes),
        "canary": None if args.canary is None else dict(args.canary),
        "exceptions": [one.model_dump(mode="json", by_alias=True) for one in settings.exceptions],
        "checks": [one.model_dump(mode="json", by_alias=True) for one in settings.checks],
        "checksNeedClosedNetwork": settings.checks_need_closed_network,
        "dnsNetworks": list(settings.dns_networks),
    }


class VolumesDrill(Drill):
    """The drill of layer `volumes`."""

    def __init__(
        self, name: str, args: VolumesDrillArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        known = args.velero.of.known()
        image = args.velero.drills.reader_image.reference
        super().__init__(
            "VolumesDrill",
            name,
            layer=LAYER,
            payload=known.apply(lambda values: volumes_payload(args, values[0], values[1])),
            triggers=velero_backups.triggers(args.velero, args.settings, image, args.canary),
            after=[*args.velero.after, *args.after],
            seconds=velero_backups.timeout_seconds(args.settings),
            opts=opts,
        )
