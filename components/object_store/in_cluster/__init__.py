"""The object store as one pod of the cluster that it serves."""

from components.object_store.in_cluster.registrar import ClusterStoreArgs
from components.object_store.in_cluster.store import ClusterStore

__all__ = ["ClusterStore", "ClusterStoreArgs"]
