"""The store in the cluster, registered: volume, credential, certificate, server, gate."""

import hashlib
import json
from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.core.v1 import Namespace, Secret, Service
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components import command
from components.object_store.endpoint import StoreEndpoint, generated_credential
from components.object_store.in_cluster import objects, tls, volume
from components.object_store.in_cluster.registrar import ClusterStoreArgs, Registrar, uid_of


def root_digest(pair: Mapping[str, str]) -> str:
    """Tells one credential from another and says nothing of either: both halves are random."""
    text = f"root credential {pair['accessKey']} {pair['secretKey']}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def server_digest(manifest: objects.Manifest) -> str:
    """The gate looks again when this changes."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]


class ClusterStore(pulumi.ComponentResource):
    """MinIO as one pod of the cluster, on a volume that outlives it.

    Inputs: ClusterStoreArgs. Output: `endpoint` (StoreEndpoint). Fails when the volume does not
    bind, the pod does not become ready, or this machine does not reach it with its certificate.
    Namespace, volume and claim are protected and kept; the rest is made again by any `up`.
    """

    endpoint: StoreEndpoint

    def __init__(
        self, name: str, args: ClusterStoreArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("backstop:index:ClusterStore", name, None, opts)
        self._registrar = Registrar(args, self)
        site, store = args.site, args.store
        namespace = self._registrar.object(
            Namespace, "store-namespace", objects.namespace(site, store), keep=True
        )
        root = generated_credential(
            "store-root",
            generation=store.root_credential_generation,
            opts=self._registrar.options(),
        )
        certified = tls.certify(self._registrar, namespace)
        claimed = volume.claim(self._registrar, namespace)
        # The digest is no secret: marked as one, it would hide every change of the server.
        digest: pulumi.Output[str] = pulumi.Output.unsecret(root.apply(root_digest))
        before = [
            *claimed.ready,
            certified.secret,
            self._root_secret(root, namespace),
            *self._fences(namespace),
        ]
        manifest = digest.apply(lambda known: objects.server(site, store, known))
        server = self._registrar.object(
            StatefulSet,
            "store-server",
            {**objects.server(site, store, ""), "spec": manifest.apply(lambda one: one["spec"])},
            before,
            wait_seconds=store.health_seconds,
        )
        reachable = [server, self._service(namespace)]
        if store.storage.volume is None:
            # A class may make the volume only when a pod needs it.
            reachable.append(volume.settle(self._registrar, claimed.claim, [server]))
        health = command.on_operator(
            "store-health",
            "sh ./run.sh s3 health",
            stdin=self._health_request(certified),
            triggers=[manifest.apply(server_digest), uid_of(server)],
            opts=self._registrar.options(reachable),
        )
        self.endpoint = StoreEndpoint(
            url=objects.outside_url(store),
            region=store.region,
            ca_pem=certified.ca_pem,
            root_user=root.apply(lambda pair: pair["accessKey"]),
            root_password=root.apply(lambda pair: pair["secretKey"]),
            names=objects.client_names(store),
            ready=[health],
            inside_url=objects.inside_url(store),
        )
        self.register_outputs({"url": self.endpoint.url, "caPem": self.endpoint.ca_pem})

    def _root_secret(
        self, root: pulumi.Output[dict[str, str]], namespace: Namespace
    ) -> pulumi.Resource:
        args = self._registrar.args
        manifest = objects.secret(args.site, args.store, objects.ROOT_SECRET)
        return self._registrar.object(
            Secret, "store-root", {**manifest, "data": root.apply(tls.encoded)}, [namespace]
        )

    def _fences(self, namespace: Namespace) -> list[pulumi.Resource]:
        """What stands before the first pod does: nobody reaches it or evicts it unasked."""
        args = self._registrar.args
        fences: list[pulumi.Resource] = [
            self._registrar.object(
                PodDisruptionBudget,
                "store-disruption-budget",
                objects.disruption_budget(args.site, args.store),
                [namespace],
            )
        ]
        policy = objects.network_policy(args.site, args.store)
        if policy is not None:
            fences.append(
                self._registrar.object(NetworkPolicy, "store-network", policy, [namespace])
            )
        return fences

    def _service(self, namespace: Namespace) -> pulumi.Resource:
        args = self._registrar.args
        return self._registrar.object(
            Service, "store-service", objects.service(args.site, args.store), [namespace]
        )

    def _health_request(self, certified: tls.Certified) -> pulumi.Output[str]:
        store = self._registrar.args.store
        return pulumi.Output.all(certified.ca_pem, certified.certificate).apply(
            lambda pems: json.dumps(
                {
                    "schema": 1,
                    "endpoint": objects.outside_url(store),
                    "region": store.region,
                    "caPem": pems[0],
                    "certificate": pems[1],
                    "seconds": store.health_seconds,
                },
                sort_keys=True,
            )
        )
