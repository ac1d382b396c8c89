"""Stand-in for the Pulumi provider plugin `minio` 0.17.1, over the PyPI package `minio`.

Pure parts: `values`, `schema`, `check`, `diff`, `documents`, `lifecycle`. Edges: `connection` and
`errors` (the server), `resources/` (one module a resource), `provider` (Pulumi's protocol).
What differs from the official plugin: docs/stand-ins/minio.md.
"""

PACKAGE = "minio"
VERSION = "0.17.1"
DESCRIPTION = "Backstop stand-in for the Pulumi provider minio 0.17.1 (not the official plugin)"
