"""How a store's objects are registered: by the site's provider, below one component."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pulumi

from components.object_store.in_cluster.objects import Manifest
from components.settings import InClusterStore

_T = TypeVar("_T")


@dataclass
class ClusterStoreArgs:
    """`kubeconfig` and `context`: of the cluster, for what no Kubernetes resource can do.

    `uid`: the cluster's identity, checked again before a volume is touched. `after`: what must
    precede everything in the cluster.
    """

    site: str
    store: InClusterStore
    provider: pulumi.ProviderResource
    kubeconfig: pulumi.Input[str]
    context: str
    uid: pulumi.Input[str]
    today: datetime.date
    after: Sequence[pulumi.Resource] = ()


@dataclass
class Registrar:
    """Gives every resource its parent, its provider and what it waits for."""

    args: ClusterStoreArgs
    parent: pulumi.Resource

    def options(
        self, after: Sequence[pulumi.Resource] = (), *, wait_seconds: int | None = None
    ) -> pulumi.ResourceOptions:
        """For a Command; for an object too, which also needs the provider."""
        timeouts = None
        if wait_seconds is not None:
            timeouts = pulumi.CustomTimeouts(create=f"{wait_seconds}s", update=f"{wait_seconds}s")
        return pulumi.ResourceOptions(
            parent=self.parent, depends_on=[*self.args.after, *after], custom_timeouts=timeouts
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
        options = pulumi.ResourceOptions.merge(
            self.options(after, wait_seconds=wait_seconds),
            pulumi.ResourceOptions(
                provider=self.args.provider, protect=keep, retain_on_delete=keep
            ),
        )
        make: Any = kind
        made: _T = make(name, **given, opts=options)
        return made
