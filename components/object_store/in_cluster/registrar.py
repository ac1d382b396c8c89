"""How a store's objects are registered: by the site's provider, below one component."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pulumi

from components.cluster import Cluster
from components.object_store.in_cluster.objects import Manifest
from components.settings import InClusterStore
from kube.kubeconfig import Kubeconfig

_T = TypeVar("_T")


@dataclass
class ClusterStoreArgs:
    """`kubeconfig`: the cluster's, for what no Kubernetes resource can do.

    `today` decides which certificates are due.
    """

    site: str
    store: InClusterStore
    cluster: Cluster
    kubeconfig: Kubeconfig
    today: datetime.date


def uid_of(made: Any) -> pulumi.Output[str]:  # noqa: ANN401  (any object of the untyped SDK)
    """Changes when somebody deleted the object and it was made again, and then only."""
    found: pulumi.Output[str] = made.metadata.apply(lambda metadata: str(metadata.uid or ""))
    return found


# A new state has a new credential, so neither what holds it nor what was started with it is as the
# program would make it, and cannot be taken over. Nor can a Service: its address, which the cluster
# gave, would look like one that is to be taken away.
_MADE_ANEW = ("Secret", "StatefulSet", "Service")


@dataclass
class Registrar:
    """Gives every resource its parent, its provider and what it waits for."""

    args: ClusterStoreArgs
    parent: pulumi.Resource

    def options(self, after: Sequence[pulumi.Resource] = ()) -> pulumi.ResourceOptions:
        """For a Command."""
        # The provider waits for the guard of the cluster's identity, and so does this.
        return pulumi.ResourceOptions(
            parent=self.parent, depends_on=[self.args.cluster.provider, *after]
        )

    def object(
        self,
        kind: type[_T],
        name: str,
        manifest: Manifest,
        after: Sequence[pulumi.Resource] = (),
        *,
        keep: bool = False,
        wait_seconds: int | None = None,
    ) -> _T:
        """One object. `keep`: no run of the program deletes it."""
        given = {key: part for key, part in manifest.items() if key not in ("apiVersion", "kind")}
        timeouts = None
        if wait_seconds is not None:
            timeouts = pulumi.CustomTimeouts(create=f"{wait_seconds}s", update=f"{wait_seconds}s")
        options = self.args.cluster.options(
            self.parent,
            None if manifest["kind"] in _MADE_ANEW else (name, manifest),
            depends_on=list(after),
            protect=keep,
            retain_on_delete=keep,
            custom_timeouts=timeouts,
        )
        make: Any = kind
        made: _T = make(name, **given, opts=options)
        return made
