"""Longhorn's own settings, which are objects with a value and no specification."""

from kube.client import Client
from kube.errors import Cause, ClusterError
from kube.longhorn.api import object_path, text

JOBS_WHILE_DETACHED = "allow-recurring-job-while-volume-detached"


def read_option(client: Client, namespace: str, name: str) -> str | None:
    """The value of a setting; None if this Longhorn has none of that name. Raises ClusterError."""
    try:
        found = client.get(object_path(namespace, "settings", name))
    except ClusterError as error:
        if error.cause is Cause.MISSING:
            return None
        raise
    return text(found, "value")


def jobs_take_detached(client: Client, namespace: str) -> bool:
    """Whether recurring jobs attach a volume that no pod uses. Raises ClusterError."""
    return read_option(client, namespace, JOBS_WHILE_DETACHED) == "true"
