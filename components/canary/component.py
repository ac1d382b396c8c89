"""Registers the canary: its objects from `canary.manifests`, its credential, and what it says.

Nothing here is protected: its data is made to be lost. A claim of another class or size is another
claim, to which the pod moves before the former one goes (`canary.pod.claim_name`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pulumi

from canary import manifests
from canary.pod import claim_name
from canary.settings import Canary as Plan
from canary.settings import CanaryVolume
from components.canary.plan import planned, wire
from components.canary.reach import Reach
from components.cluster import Cluster
from components.kube_object import KubeObject
from components.object_store.access import ClientAccess
from components.object_store.endpoint import StoreEndpoint
from components.settings.canary import Canary as CanarySettings
from components.velero.credentials import GENERATION_LABEL, encoded
from components.velero.objects import unnamed_secret

Manifest = dict[str, Any]

# The same in every state, so that a new one can import them (docs/decisions/0007-adoption.md). The
# others hold a credential or its Secret's name, this version's script, or what the cluster gave.
_TAKEN_OVER = ("Namespace", "ServiceAccount", "NetworkPolicy")
# A claim may be bound only when a pod wants it; the Deployment is what is waited for.
_UNAWAITED = {"pulumi.com/skipAwait": "true"}


@dataclass
class CanaryArgs:
    """`client`: the store's client truth, `credential` its newest key pair; `way`: to the store.

    `after`: the client's rights, and the classes of volumes and snapshots.
    """

    site: str
    settings: CanarySettings
    cluster: Cluster
    endpoint: StoreEndpoint
    client: ClientAccess
    credential: pulumi.Output[dict[str, str]]
    way: Reach
    after: Sequence[pulumi.Resource] = field(default_factory=list)


class Canary(pulumi.ComponentResource):
    """Outputs: `ready`, what a first backup waits for: every volume holds a generation by then;
    `claims`, the names of its volumes' claims; `wire`, what the drill of volumes is told.
    """

    ready: list[pulumi.Resource]
    claims: list[str]
    wire: dict[str, Any]

    def __init__(
        self, name: str, args: CanaryArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("backstop:index:Canary", name, None, opts)
        self._args = args
        plan = planned(
            args.site,
            args.settings,
            url=args.endpoint.url_for_pods,
            region=args.endpoint.region,
            client=args.client,
            way=args.way,
        )
        home = self._object("canary-namespace", manifests.namespace(plan), args.after)
        secret = self._secret(plan, home)
        needed = [
            self._object("canary-account", manifests.service_account(plan), [home]),
            self._object("canary-config", self._config_map(plan), [home]),
            # There before the pod is: it never reaches more than it may.
            self._object("canary-network", manifests.network_policy(plan), [home]),
            *(self._claim(plan, volume, home) for volume in plan.volumes),
        ]
        pod = self._deployment(plan, secret)
        self.ready = [self._object("canary", pod, [*needed, secret])]
        self.claims = [claim_name(volume) for volume in plan.volumes]
        self.wire = wire(args.settings, args.client)
        self.register_outputs({"namespace": plan.namespace})

    def _object(
        self, name: str, manifest: Mapping[str, Any], after: Sequence[pulumi.Resource]
    ) -> KubeObject:
        taken_over = (name, manifest) if manifest["kind"] in _TAKEN_OVER else None
        held = self._args.cluster.options(self, taken_over, depends_on=list(after))
        return KubeObject(name, manifest, held)

    def _secret(self, plan: Plan, home: KubeObject) -> KubeObject:
        """The newest credential, under a name that no other one had, so that a rotation is another
        pod: one that has both halves of the new pair, or of the old one.
        """
        generation = self._args.client.generation
        data = self._args.credential.apply(
            lambda pair: encoded(
                {
                    manifests.ACCESS_KEY: pair["accessKey"],
                    manifests.SECRET_KEY: pair["secretKey"],
                }
            )
        )
        labels = {GENERATION_LABEL: str(generation)}
        manifest = unnamed_secret(plan.site, plan.namespace, labels, data)
        return self._object(f"canary-store-{generation}", manifest, [home])

    def _config_map(self, plan: Plan) -> Manifest:
        found = manifests.config_map(plan)
        found["data"][manifests.AUTHORITY] = self._args.endpoint.ca_pem
        return found

    def _claim(self, plan: Plan, volume: CanaryVolume, home: KubeObject) -> pulumi.Resource:
        unawaited = replace(volume, annotations=_UNAWAITED)
        name = claim_name(volume)
        return self._object(name, manifests.claim(plan, unawaited), [home])

    def _deployment(self, plan: Plan, secret: KubeObject) -> Manifest:
        """The manifest with two leaves that come late. All else is plain, so that a preview shows
        it and the policies judge it before anything is there.
        """
        found = manifests.deployment(plan)
        template = found["spec"]["template"]
        template["metadata"]["annotations"][manifests.DIGEST] = self._args.endpoint.ca_pem.apply(
            lambda pem: manifests.digest(with_authority(plan, pem))
        )
        for volume in template["spec"]["volumes"]:
            if "secret" in volume:
                volume["secret"]["secretName"] = secret.metadata.apply(lambda held: held["name"])
        return found


def with_authority(plan: Plan, ca_pem: str) -> Plan:
    """The plan with the store's CA."""
    store = plan.store
    return plan if store is None else replace(plan, store=replace(store, ca_pem=ca_pem))
