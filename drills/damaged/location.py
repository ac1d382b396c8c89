"""The location through which Velero reads a copy: the site's, but for place and credential."""

import base64
from collections.abc import Mapping
from typing import Any

from drills.sandbox.marks import Run
from kube.velero.api import GROUP, Object
from s3.client import Credential

CREDENTIAL_KEY = "cloud"
# A copy is read once: later a backup that is being removed would be made anew. Velero looks for
# locations that were never read every minute (backupSyncReconcilePeriod).
SYNC_PERIOD = "24h0m0s"
VALIDATION_FREQUENCY = "10s"
# They name a credential of another file, or a key of another bucket.
_OF_THE_SITE = frozenset(
    {"profile", "credentialsFile", "enableSharedConfig", "kmsKeyId", "tagging",
     "serverSideEncryption", "customerKeyEncryptionFile", "customerKeyEncryptionSecret"}
)  # fmt: skip


def secret(run: Run, namespace: str, called: str, credential: Credential) -> dict[str, Any]:
    """The Secret with a credentials file as Velero's plugin reads it."""
    text = (
        "[default]\n"
        f"aws_access_key_id={credential.access_key}\n"
        f"aws_secret_access_key={credential.secret_key}\n"
    )
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": called, "namespace": namespace, "labels": run.labels()},
        "type": "Opaque",
        "data": {CREDENTIAL_KEY: base64.b64encode(text.encode()).decode()},
    }


def location(
    run: Run, namespace: str, called: str, *, like: Object, bucket: str, secret: str
) -> dict[str, Any]:
    """A read-only location of the whole bucket. `like`: the site's own, as the cluster holds it.

    Read-only means to Velero that nothing is expired or tidied up in it, and that no repository is
    made where there is none.
    """
    spec: Mapping[str, Any] = like.get("spec") or {}
    store: Mapping[str, Any] = spec.get("objectStorage") or {}
    trust = {key: store[key] for key in ("caCert", "caCertRef") if store.get(key)}
    config = {
        key: value for key, value in (spec.get("config") or {}).items() if key not in _OF_THE_SITE
    }
    return {
        "apiVersion": GROUP,
        "kind": "BackupStorageLocation",
        "metadata": {"name": called, "namespace": namespace, "labels": run.labels()},
        "spec": {
            "provider": spec.get("provider"),
            "default": False,
            "accessMode": "ReadOnly",
            "objectStorage": {"bucket": bucket, **trust},
            "config": config,
            "credential": {"name": secret, "key": CREDENTIAL_KEY},
            "validationFrequency": VALIDATION_FREQUENCY,
            "backupSyncPeriod": SYNC_PERIOD,
        },
    }
