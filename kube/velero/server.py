"""Asks the server itself: a status request proves that it works and which plugins it has."""

import contextlib
from collections.abc import Sequence

from kube.errors import ClusterError
from kube.velero.api import Object, Velero, VeleroError, name, phase, status
from kube.waiting import TimeoutPassedError, until

_KIND = "serverstatusrequests"


def check_plugins(velero: Velero, wanted: Sequence[str], seconds: float) -> str:
    """The server's version, if it has every plugin named in `wanted`.

    Raises:
        VeleroError: it does not answer, or lacks one.
        ClusterError: the cluster refuses.
    """
    content = {
        "apiVersion": "velero.io/v1",
        "kind": "ServerStatusRequest",
        "metadata": {"generateName": "backstop-", "namespace": velero.namespace},
        "spec": {},
    }
    try:
        made = until(
            lambda: velero.writer.create(velero.collection(_KIND), content), velero.clock, seconds
        )
        path = velero.path(_KIND, name(made))

        def answered() -> Object | None:
            found = velero.client.get(path)
            return found if phase(found) == "Processed" else None

        answer = until(answered, velero.clock, seconds)
    except TimeoutPassedError as error:
        said = f": {error.last}" if error.last else ""
        raise VeleroError(
            f"Velero's server did not answer within {seconds:.0f} s{said}; look at the pods of "
            f"namespace {velero.namespace}"
        ) from None
    with contextlib.suppress(ClusterError):
        velero.writer.delete(path)  # the server would remove it a minute later
    there = {str(plugin.get("name")) for plugin in status(answer).get("plugins") or []}
    missing = [plugin for plugin in wanted if plugin not in there]
    if missing:
        raise VeleroError(
            f"Velero's server has no plugin {missing[0]}; look at velero.pluginImage and "
            "velero.csi, and at the pods' init containers"
        )
    return str(status(answer).get("serverVersion") or "")
