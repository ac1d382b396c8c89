"""Settings of the cluster: where its API is, and which cluster it must be."""

from typing import Annotated

from pydantic import StringConstraints

from components.settings.base import KubeName, Model

Uid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class ClusterSettings(Model):
    """The cluster that the site protects.

    `context` empty: the kubeconfig's current one. `uid`: that of the namespace kube-system; without
    it the first `up` records what it found. `namespaces`: those that must exist before anything is
    done, so that a misspelt one is no backup of nothing.
    """

    context: str = ""
    uid: Uid | None = None
    namespaces: tuple[KubeName, ...] = ()
