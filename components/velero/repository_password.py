"""The password of the repositories that hold the contents of volumes.

Velero's server would make the Secret itself, with a password that everybody knows, and would never
change it again. So the program has one of its own there first. It is random, born once for the
store, and kept encrypted in the evidence bucket: whoever loses it loses every volume backup.
"""

import json
from dataclasses import dataclass
from typing import Any

from components.velero.credentials import encoded

SECRET = "velero-repo-credentials"  # noqa: S105  (the name of a Secret)
KEY = "repository-password"
# The name under which the password is kept in escrow.
ESCROW_NAME = "velero-repository-password"
ESCROW_SCHEMA = 1


@dataclass(frozen=True)
class Escrow:
    """Where the password is kept: the evidence bucket. `guarded`: what it must have opened so far,
    the velero bucket and the folder of its repositories."""

    endpoint: str
    region: str
    bucket: str
    site: str
    guarded_bucket: str
    guarded_prefix: str


def payload(
    escrow: Escrow, *, ca_pem: str, root_user: str, root_password: str, passphrase: str
) -> str:
    """What `python -m escrow keep` reads on stdin."""
    request: dict[str, Any] = {
        "schema": ESCROW_SCHEMA,
        "site": escrow.site,
        "name": ESCROW_NAME,
        "endpoint": escrow.endpoint,
        "region": escrow.region,
        "caPem": ca_pem,
        "accessKey": root_user,
        "secretKey": root_password,
        "bucket": escrow.bucket,
        "passphrase": passphrase,
        "guarded": {"bucket": escrow.guarded_bucket, "prefix": escrow.guarded_prefix},
    }
    return json.dumps(request, sort_keys=True)


def kopia_prefix(prefix: str) -> str:
    """The folder of the bucket below which a location keeps its repositories."""
    return f"{prefix}/kopia/" if prefix else "kopia/"


def secret_data(password: str) -> dict[str, str]:
    """`data` of the Secret that Velero's server and node agent read."""
    return encoded({KEY: password.strip()})
