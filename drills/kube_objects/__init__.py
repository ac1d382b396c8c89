"""The drill of layer `kube-objects`: objects of a backup restored aside, compared by field."""
