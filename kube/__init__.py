"""How the cluster is spoken to: a thin client, the marks of ownership, the commands of -m kube."""
