"""What the drills share that restore from Velero's backups: arguments, payload, triggers."""

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.drills.drill import digest, period_name
from components.drills.velero_site import VeleroSite
from components.settings import Drills
from components.settings.drills import BackupDrill, drilled_schedules, rpo_seconds
from components.settings.velero import Velero as VeleroSettings

# A control is a second drill; then come what dead runs left, and the receipt.
RUNS = 2
CLOSING_SECONDS = 600


@dataclass
class DrilledVelero:
    """What all drills of one Velero share. The client velero is among those of its site.

    `first_backup`: what Velero's component says of it. `proves`: plain data whose change makes an
    older proof worthless.
    """

    of: VeleroSite
    drills: Drills
    first_backup: pulumi.Output[str] | None
    proves: object
    today: datetime.date
    after: Sequence[pulumi.Resource]

    @property
    def velero(self) -> VeleroSettings:
        return self.of.velero


def backup_payload(
    drilled: DrilledVelero,
    settings: BackupDrill,
    layer: str,
    ca_pem: str,
    credentials: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    """What such a drill reads from stdin, whatever its layer. `credentials` by client name."""
    velero = drilled.velero
    return {
        **drilled.of.told(ca_pem, credentials),
        "layer": layer,
        "velero": {
            "namespace": velero.namespace,
            "location": velero.location.name,
            "bucket": drilled.of.clients["velero"].bucket,
            "prefix": velero.location.prefix,
        },
        "admin": None,
        "restorePoint": settings.restore_point,
        "schedules": list(drilled_schedules(settings, velero)),
        "namespaces": list(settings.namespaces),
        "limits": {
            "rtoSeconds": settings.rto_seconds,
            "rpoSeconds": rpo_seconds(settings, velero),
            "restoreSeconds": settings.restore_seconds,
            "drillSeconds": settings.drill_seconds,
        },
        "onRed": drilled.drills.on_red_of(settings),
        "control": settings.control,
    }


def triggers(
    drilled: DrilledVelero, settings: BackupDrill, *more: object
) -> list[pulumi.Input[str]]:
    """What runs the drill again: another thing to prove, another first backup, another period.

    The first backup's name changes only when its Command has run again, and so never between two
    previews of one state. `more`: what else the layer proves.
    """
    proven = digest([drilled.proves, settings.model_dump(mode="json"), *more])
    period = period_name(drilled.drills.period, drilled.today)
    if drilled.first_backup is None:
        return [proven, period]
    # The name of a backup is no secret, whatever the Command that found it was given.
    return [proven, pulumi.Output.unsecret(drilled.first_backup.apply(backup_name)), period]


def backup_name(summary: str) -> str:
    """The name in what `drills first-backup` prints."""
    return str(json.loads(summary)["backup"])


def timeout_seconds(settings: BackupDrill) -> int:
    """How long the Command may take: a drill that ends late must still tidy up and say so."""
    return RUNS * settings.drill_seconds + CLOSING_SECONDS
