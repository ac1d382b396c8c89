"""The object store as one pod of the cluster."""
