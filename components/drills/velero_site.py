"""The Velero of a site, as whoever makes and drills its backups is told of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.drills.drill import PAYLOAD_SCHEMA, evidence_place
from components.object_store.access import ClientAccess
from components.object_store.endpoint import StoreEndpoint
from components.settings.velero import Velero as VeleroSettings
from kube.kubeconfig import Kubeconfig

# Who reads backups and what was recorded around them, and who keeps that and the receipts.
CLIENTS = ("drill", "evidence")


@dataclass(frozen=True)
class VeleroSite:
    """`clients`: by name, among them drill and evidence; `credentials`: theirs. `cluster_uid`: of
    the cluster that the preflight let through."""

    site: str
    endpoint: StoreEndpoint
    clients: Mapping[str, ClientAccess]
    credentials: Mapping[str, pulumi.Output[dict[str, str]]]
    kubeconfig: Kubeconfig
    cluster_uid: str
    velero: VeleroSettings

    def known(self) -> pulumi.Output[Any]:
        """The CA and the credentials by client name, as a pair, when both are known."""
        pairs = {name: self.credentials[name] for name in CLIENTS}
        return pulumi.Output.all(self.endpoint.ca_pem, pulumi.Output.all(**pairs))

    def told(self, ca_pem: str, credentials: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
        """What all of them are told on stdin. `credentials` by client name."""
        return {
            "schema": PAYLOAD_SCHEMA,
            "site": self.site,
            "endpoint": self.endpoint.url,
            "region": self.endpoint.region,
            "caPem": ca_pem,
            "clients": [{"name": name, **credentials[name]} for name in CLIENTS],
            "cluster": {
                "kubeconfig": self.kubeconfig.text,
                "context": self.kubeconfig.context,
                "uid": self.cluster_uid,
            },
            "evidence": evidence_place(self.clients["evidence"]),
            "receiptsDir": None,
        }
