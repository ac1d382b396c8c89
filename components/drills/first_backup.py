"""The first backup of a site: made by the update itself, with the truth to hold against it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.drills.velero_site import VeleroSite

COMMAND = "sh ./run.sh drills first-backup"


@dataclass(frozen=True)
class FirstBackup:
    """What the order needs beside its schedule.

    `digests`: which volumes are read around the backup (digests.py). `canary`: as the drills are
    told of it (components/canary/plan.py); a backup from before its claims is none for it.
    """

    of: VeleroSite
    digests: Mapping[str, Any] | None = None
    canary: Mapping[str, Any] | None = None

    @property
    def claims(self) -> list[str]:
        """The canary's, by name."""
        return [] if self.canary is None else [one["claim"] for one in self.canary["volumes"]]

    def order(self, schedule: str) -> pulumi.Output[str]:
        """What the command reads on stdin, a secret."""
        return pulumi.Output.secret(
            self.of.known().apply(
                lambda values: json.dumps(
                    order(self, schedule, values[0], values[1]), sort_keys=True
                )
            )
        )


def order(
    first: FirstBackup,
    schedule: str,
    ca_pem: str,
    credentials: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    """The order for a backup of this schedule. `credentials` by client name."""
    return {
        **first.of.told(ca_pem, credentials),
        "namespace": first.of.velero.namespace,
        "schedule": schedule,
        "seconds": first.of.velero.first_backup_seconds,
        "digests": None if first.digests is None else dict(first.digests),
        "canary": first.canary and {"namespace": first.canary["namespace"], "claims": first.claims},
    }
