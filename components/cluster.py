"""The cluster: what was seen of it, the guard of its identity, and the one provider behind it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components import command
from components.kube_object import token
from components.recorded import IDENTITY, Recorded
from components.settings import ClusterSettings, Settings
from kube import client
from kube.errors import ClusterError
from kube.facts import ClusterFacts, gather
from kube.identity import mismatch
from kube.kubeconfig import Kubeconfig, parse

KEY = "config backstop:cluster"


@dataclass(frozen=True)
class SeenCluster:
    """The cluster as this run found it, after the guard let it through."""

    kubeconfig: Kubeconfig
    facts: ClusterFacts
    recorded: Recorded


def identity_fault(
    settings: ClusterSettings, recorded: str | None, facts: ClusterFacts
) -> str | None:
    """Why this cluster is not the site's, one sentence, or None.

    What the state remembers counts even where the config names the cluster that is there: the
    objects in the state are in the other one.
    """
    for key, expected in ((f"{KEY}.uid", settings.uid), ("the state of this stack", recorded)):
        fault = mismatch(expected, facts.uid, facts.server) if expected else None
        if fault:
            return f"{key}: {fault}"
    return None


def findings(settings: ClusterSettings, facts: ClusterFacts) -> list[str]:
    """Every other reason not to begin on this cluster, each with key and cure."""
    there = ", ".join(sorted(facts.namespaces))
    return [
        f"{KEY}.namespaces: the cluster has no namespace {name} (there: {there}); correct the name"
        for name in settings.namespaces
        if name not in facts.namespaces
    ]


def warnings(facts: ClusterFacts) -> list[str]:
    """What may pass by itself: nodes that have restarted, on which nothing starts until then."""
    return [
        f"node {node.name} of the cluster is not ready: what has to run there is waited for "
        f"(kubectl describe node {node.name})"
        for node in facts.nodes
        if not node.ready
    ]


def look(
    settings: Settings, cluster: ClusterSettings, recorded: Recorded
) -> tuple[SeenCluster | None, list[str]]:
    """Looks at the cluster once; only reads. Without faults there is a SeenCluster."""
    try:
        kubeconfig = parse(settings.kubeconfig.get_secret_value(), cluster.context)
        longhorn = settings.longhorn.namespace if settings.longhorn else ""
        facts = gather(client.connect(kubeconfig), settings.site, longhorn)
    except ClusterError as error:
        return None, [f"{KEY}: {error}"]
    other = identity_fault(cluster, recorded.cluster_uid, facts)
    if other:
        # Whatever else is wrong there is another cluster's business.
        return None, [other]
    return SeenCluster(kubeconfig, facts, recorded), findings(cluster, facts)


@dataclass
class ClusterArgs:
    """`seen`: the cluster that the preflight let through."""

    site: str
    seen: SeenCluster


class Cluster(pulumi.ComponentResource):
    """The provider of the cluster, behind the guard of its identity.

    Whatever uses `provider` or `options` waits until the guard has passed. `uid`: output of it.
    """

    provider: kubernetes.Provider
    uid: pulumi.Output[str]

    def __init__(
        self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("backstop:index:Cluster", name, None, opts)
        self._ours = args.seen.facts.ours
        self._recorded = args.seen.recorded.resources
        kubeconfig, expected = args.seen.kubeconfig, args.seen.facts.uid
        # A changed kubeconfig runs it again, before the provider is given that kubeconfig.
        guard = command.on_operator(
            IDENTITY[1],
            "sh ./run.sh kube identity",
            stdin=identity_request(kubeconfig, expected),
            triggers=[expected],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.uid = guard.stdout
        self.provider = kubernetes.Provider(
            "cluster",
            kubeconfig=pulumi.Output.secret(kubeconfig.text),
            context=kubeconfig.context,
            # Without it another address of the same API server would replace every object.
            cluster_identifier=args.site,
            enable_secret_mutable=True,
            enable_config_map_mutable=True,
            # What somebody set by hand becomes his field, and taking it back would be a conflict.
            # Fields that a controller is to have are left out, or under ignore_changes.
            enable_patch_force=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[guard]),
        )
        self.register_outputs({"uid": self.uid})

    def options(
        self,
        parent: pulumi.Resource | None = None,
        taken_over: tuple[str, Mapping[str, Any]] | None = None,
        **others: Any,  # noqa: ANN401  (whatever ResourceOptions takes)
    ) -> pulumi.ResourceOptions:
        """Options of an object in the cluster.

        `taken_over`: the resource's name and its manifest. If the object is there with the site's
        mark and this state does not have it, it is imported.
        """
        existing = self._left_by_another_state(*taken_over) if taken_over else None
        return pulumi.ResourceOptions(
            parent=parent, provider=self.provider, import_=existing, **others
        )

    def _left_by_another_state(self, name: str, manifest: Mapping[str, Any]) -> str | None:
        """The object's id for an import. One that this state has must not be given again, for the
        engine replaces no resource that is to be imported.
        """
        metadata = manifest["metadata"]
        if "name" not in metadata or (token(manifest), name) in self._recorded:
            return None
        namespace = str(metadata.get("namespace", ""))
        if (str(manifest["kind"]), namespace, metadata["name"]) not in self._ours:
            return None
        return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])


def identity_request(kubeconfig: Kubeconfig, uid: str) -> str:
    """What `kube identity` reads on stdin (secret: it holds the kubeconfig)."""
    request = {
        "schema": 1,
        "kubeconfig": kubeconfig.text,
        "context": kubeconfig.context,
        "uid": uid,
    }
    return json.dumps(request, sort_keys=True)
