"""What a store that already runs in the cluster holds of the site."""

import base64
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from components.cluster import SeenCluster
from components.object_store.buckets import Bucket
from components.object_store.in_cluster import objects
from components.object_store.sighting import Sighting, folder_of_velero, look
from components.settings import InClusterStore, Settings
from kube.client import connect
from kube.errors import ClusterError
from s3.client import Credential, StoreEndpoint
from s3.errors import Cause, store_error


def sight(
    settings: Settings,
    store: InClusterStore,
    seen: SeenCluster,
    buckets: Sequence[Bucket],
    policies: Collection[str],
) -> Sighting:
    """What the running server holds; nothing if none of this site runs.

    A new state does not know the administrator, so the server's Secrets are asked. Raises
    StoreError if the server does not answer.
    """
    url = objects.outside_url(store)
    parts = (objects.ROOT_SECRET, objects.TLS_SECRET)
    names = [objects.secret_name(store, part) for part in parts]
    server = ("StatefulSet", store.namespace, store.name)
    wanted = {server, *(("Secret", store.namespace, name) for name in names)}
    if not wanted <= seen.facts.ours:
        return Sighting()
    client = connect(seen.kubeconfig)
    try:
        root, tls = (
            _decoded(client.get(f"/api/v1/namespaces/{store.namespace}/secrets/{name}"))
            for name in names
        )
        reached = StoreEndpoint(url, store.region, tls["ca.crt"])
        administrator = Credential(root["accessKey"], root["secretKey"])
    except (ClusterError, ValueError, KeyError) as error:
        # None of them repeats a value: the text of a KeyError is a key of the Secret.
        detail = f"the Secrets {' and '.join(names)} cannot be used ({type(error).__name__})"
        raise store_error(Cause.OTHER, url, detail=detail) from None
    return look(
        reached,
        administrator,
        settings.site,
        buckets,
        policies,
        velero_folder=folder_of_velero(settings),
    )


def _decoded(secret: Mapping[str, Any]) -> dict[str, str]:
    data = secret.get("data") or {}
    return {key: base64.b64decode(value).decode() for key, value in data.items()}
