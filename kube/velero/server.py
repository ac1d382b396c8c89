"""The server itself: whether it works, which plugins it has, and how it ended when it did."""

import contextlib
from collections.abc import Sequence

from kube.errors import ClusterError, one_line
from kube.velero.api import Object, Velero, VeleroError, name, phase, status
from kube.waiting import TimeoutPassedError, until

_KIND = "serverstatusrequests"
# What Velero writes to a backup or restore that it finds under way as it starts
# (pkg/cmd/server/server.go), the only sign there that its server had ended.
_RESTARTED = "during the server starting"
_OUT_OF_MEMORY = "OOMKilled"
_END_SECONDS = 20.0


def has_restarted(found: Object) -> bool:
    """Whether the reason why this backup or restore failed is that the server had ended."""
    return _RESTARTED in str(status(found).get("failureReason"))


def end_behind(velero: Velero, found: Object) -> str:
    """As `last_end`, of the server that worked on it; "" where something else failed it."""
    if not has_restarted(found):
        return ""
    return last_end(velero, str(status(found).get("startTimestamp") or ""))


def last_end(velero: Velero, began: str) -> str:
    """A clause on how the server's container ended and what to do; "" where nobody knows.

    began: an end before that is another one's (RFC 3339, "" for any). Kubernetes keeps the last end
    as long as the pod lives (v1.ContainerStatus, lastState); the kubelet tells it a moment after
    the next server has begun, and is waited for.
    """

    def told() -> str | None:
        ends = [one for one in _ends(velero) if str(one.get("finishedAt")) >= began]
        return (
            _clause(velero, max(ends, key=lambda one: str(one.get("finishedAt")))) if ends else None
        )

    try:
        return until(told, velero.clock, _END_SECONDS)
    except (TimeoutPassedError, ClusterError):
        return ""


def _ends(velero: Velero) -> list[Object]:
    pods = velero.client.list(
        f"/api/v1/namespaces/{velero.namespace}/pods", labels={"name": "velero"}
    )
    return [
        ended
        for pod in pods
        for container in status(pod).get("containerStatuses") or []
        if (ended := (container.get("lastState") or {}).get("terminated"))
    ]


def _clause(velero: Velero, ended: Object) -> str:
    reason = one_line(str(ended.get("reason") or "no reason"))
    told = f"its server ended as {reason} (exit code {ended.get('exitCode')})"
    if reason == _OUT_OF_MEMORY:
        return f"{told}: give it more memory by velero.resources"
    return f"{told}: see `kubectl -n {velero.namespace} logs deploy/velero --previous`"


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
