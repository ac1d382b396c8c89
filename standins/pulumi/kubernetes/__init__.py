"""Stand-in for the Pulumi provider plugin `kubernetes` 4.34.2, over the API server's HTTP.

Edges: `connection` (HTTP), `kubeconfig`, `provider` (Pulumi's protocol). Helm's releases are a
part of their own: `helm_*`. What differs from the official plugin: docs/stand-ins/kubernetes.md.
"""

PACKAGE = "kubernetes"
VERSION = "4.34.2"
DESCRIPTION = (
    "Backstop stand-in for the Pulumi provider kubernetes 4.34.2 (not the official plugin)"
)
