"""The first backup of a site: made by the update itself, with the truth to hold against it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.drills.drill import PAYLOAD_SCHEMA, evidence_place
from components.object_store.access import ClientAccess
from components.object_store.endpoint import StoreEndpoint
from components.settings.velero import Velero as VeleroSettings
from kube.kubeconfig import Kubeconfig

COMMAND = "sh ./run.sh drills first-backup"
# Who asks whether a truth is there, and who keeps it.
CLIENTS = ("drill", "evidence")


@dataclass(frozen=True)
class FirstBackup:
    """What the order needs beside its schedule.

    `clients` and `credentials`: by name, of drill and evidence. `cluster_uid`: of the cluster that
    the preflight let through.
    """

    site: str
    endpoint: StoreEndpoint
    clients: Mapping[str, ClientAccess]
    credentials: Mapping[str, pulumi.Output[dict[str, str]]]
    kubeconfig: Kubeconfig
    cluster_uid: str
    velero: VeleroSettings

    def order(self, schedule: str) -> pulumi.Output[str]:
        """What the command reads on stdin, a secret."""
        pairs = {name: self.credentials[name] for name in CLIENTS}
        known = pulumi.Output.all(self.endpoint.ca_pem, pulumi.Output.all(**pairs))
        return pulumi.Output.secret(
            known.apply(
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
        "schema": PAYLOAD_SCHEMA,
        "site": first.site,
        "endpoint": first.endpoint.url,
        "region": first.endpoint.region,
        "caPem": ca_pem,
        "clients": [{"name": name, **credentials[name]} for name in CLIENTS],
        "evidence": evidence_place(first.clients["evidence"]),
        "receiptsDir": None,
        "cluster": {
            "kubeconfig": first.kubeconfig.text,
            "context": first.kubeconfig.context,
            "uid": first.cluster_uid,
        },
        "namespace": first.velero.namespace,
        "schedule": schedule,
        "seconds": first.velero.first_backup_seconds,
    }
