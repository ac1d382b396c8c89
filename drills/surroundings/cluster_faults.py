"""Faults in the cluster itself, each as a context: it stands while the context is open."""

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from drills.sandbox.marks import RUN_LABEL, Run
from drills.surroundings.planting import SETTLE_SECONDS, WEBHOOKS, Surroundings
from kube.errors import Cause, ClusterError
from kube.velero.api import Object, VeleroError, name, phase, status
from kube.velero.locations import wait_available
from kube.waiting import TimeoutPassedError, until

NOWHERE = "https://127.0.0.1:1"
"""As a pod sees it: a port of its own at which nothing listens."""
_NOBODYS_KEY = (
    "[default]\naws_access_key_id=BACKSTOPCONTROLNOKEY\naws_secret_access_key=of-nobody-at-all\n"
)
# What a restore of objects alone makes, and what one of volumes does; the drill's own parts and
# what the cluster puts into every namespace are not touched.
_REFUSED = ("configmaps", "persistentvolumeclaims")
_NO_ROOM = {"count/configmaps": "0", "persistentvolumeclaims": "0"}
_PROBE = "backstop-control-probe"

Sandboxes = tuple[str, ...]
InRestore = Callable[[Surroundings, Run, Sandboxes], AbstractContextManager[None]]
"""A fault that is planted once the sandboxes are there and taken away when the restore is over."""
AroundDrill = Callable[[Surroundings], AbstractContextManager[None]]


@contextmanager
def webhook_refuses(there: Surroundings, run: Run, sandboxes: Sandboxes) -> Iterator[None]:
    """An admission webhook of which nothing answers, for the sandboxes of this run alone."""
    called = f"backstop-control-{run.run_id}"
    service = {"namespace": there.velero.namespace, "name": "backstop-control-nobody", "port": 443}
    content = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": called},
        "webhooks": [
            {
                "name": "refuses.control.backstop.io",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "timeoutSeconds": 1,
                "clientConfig": {"service": service},
                "namespaceSelector": {"matchLabels": {RUN_LABEL: run.run_id}},
                "rules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                     "resources": list(_REFUSED), "scope": "Namespaced"}
                ],
            }
        ],
    }  # fmt: skip
    with there.made(WEBHOOKS, "webhook-refuses", content):
        for sandbox in sandboxes:
            _wait_refused(there, run, sandbox)
        yield


def _wait_refused(there: Surroundings, run: Run, sandbox: str) -> None:
    """Until the API server has heard of the webhook."""
    collection = f"/api/v1/namespaces/{sandbox}/configmaps"
    probe = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _PROBE, "namespace": sandbox, "labels": run.labels()},
    }

    def refused() -> bool | None:
        try:
            there.velero.writer.create(collection, probe)
        except ClusterError as error:
            if error.cause is Cause.WEBHOOK_FAILED:
                return True
            raise
        there.velero.writer.delete(f"{collection}/{_PROBE}")
        return None

    try:
        until(refused, there.velero.clock, SETTLE_SECONDS, interval=0.5)
    except TimeoutPassedError as error:
        raise error.last or ClusterError(
            Cause.OTHER, f"the webhook refuses nothing in {sandbox}; look at its configuration"
        ) from None


@contextmanager
def quota_too_small(there: Surroundings, run: Run, sandboxes: Sandboxes) -> Iterator[None]:
    """A quota beside the drill's own one; it goes with the sandbox at the latest."""
    called = f"backstop-control-{run.run_id}"
    content = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": called},
        "spec": {"hard": _NO_ROOM},
    }
    with ExitStack() as stack:
        for sandbox in sandboxes:
            collection = f"/api/v1/namespaces/{sandbox}/resourcequotas"
            stack.enter_context(there.made(collection, "quota-too-small", content))
            there.settled(
                f"{collection}/{called}",
                lambda found: status(found).get("hard") == _NO_ROOM,
                f"the quota of {sandbox} counts",
            )
        yield


@contextmanager
def node_agent_gone(there: Surroundings, _run: Run, _sandboxes: Sandboxes) -> Iterator[None]:
    """No node is one for Velero's agents."""
    selector = {"backstop.io/control": "no-such-node"}
    patch = {"spec": {"template": {"spec": {"nodeSelector": selector}}}}
    path = there.node_agent

    def gone(found: Object) -> bool:
        return _observed(found) and not status(found).get("currentNumberScheduled")

    with _put_right(there, path):  # noqa: SIM117
        with there.changed(path, "node-agent-gone", patch):
            there.settled(path, gone, "Velero's node agents are gone")
            _wait_no_pods(there, "node-agent")
            yield


@contextmanager
def velero_gone(there: Surroundings, _run: Run, _sandboxes: Sandboxes) -> Iterator[None]:
    """Velero's server runs nowhere."""
    path = there.server

    with _put_right(there, path):  # noqa: SIM117
        with there.changed(path, "velero-gone", {"spec": {"replicas": 0}}):
            _wait_no_pods(there, "velero")
            yield


@contextmanager
def location_unreachable(there: Surroundings) -> Iterator[None]:
    """The location says another address, at which nothing listens."""
    patch = {"spec": {"config": {"s3Url": NOWHERE}}}
    with _location(there, "location-unreachable", patch):
        yield


@contextmanager
def location_key_unknown(there: Surroundings) -> Iterator[None]:
    """The location names a credential that is nobody's."""
    called = "backstop-control-nobodys-key"
    content = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": called},
        "type": "Opaque",
        "data": {"cloud": base64.b64encode(_NOBODYS_KEY.encode()).decode()},
    }
    patch = {"spec": {"credential": {"name": called, "key": "cloud"}}}
    with (
        there.made(there.secrets, "location-key-unknown", content),
        _location(there, "location-key-unknown", patch),
    ):
        yield


@contextmanager
def _location(there: Surroundings, fault: str, patch: Mapping[str, Any]) -> Iterator[None]:
    path = there.storage_location
    with _put_right(there, path):  # noqa: SIM117
        with there.changed(path, fault, patch):
            there.settled(path, _is_unavailable, "Velero finds its location unavailable")
            yield


def _is_unavailable(found: Object) -> bool:
    return phase(found) == "Unavailable"


@contextmanager
def _put_right(there: Surroundings, path: str) -> Iterator[None]:
    try:
        yield
    finally:
        wait_sound(there, path)


def wait_sound(there: Surroundings, path: str) -> None:
    """Until the object at `path`, from which a fault was taken away, is as before.

    Raises ClusterError.
    """
    if path == there.server:
        there.settled(path, _server_ready, "Velero's server is ready")
    elif path == there.node_agent:
        there.settled(path, _agents_ready, "Velero's node agents are ready")
    elif path == there.storage_location:
        try:
            wait_available(there.velero, [there.location], [], SETTLE_SECONDS)
        except VeleroError as error:
            raise ClusterError(Cause.OTHER, str(error)) from None


def _server_ready(found: Object) -> bool:
    wanted = (found.get("spec") or {}).get("replicas") or 0
    return _observed(found) and wanted > 0 and status(found).get("readyReplicas") == wanted


def _agents_ready(found: Object) -> bool:
    held = status(found)
    wanted = int(held.get("desiredNumberScheduled") or 0)
    return _observed(found) and wanted > 0 and held.get("numberReady") == wanted


def _observed(found: Object) -> bool:
    generation = (found.get("metadata") or {}).get("generation")
    return bool(status(found).get("observedGeneration") == generation)


def _wait_no_pods(there: Surroundings, called: str) -> None:
    """A pod that ends goes on working for a while; names of Velero's pods begin with `called`."""
    collection = f"/api/v1/namespaces/{there.velero.namespace}/pods"

    def gone() -> bool | None:
        held = there.velero.client.list(collection, metadata_only=True, labels={"name": called})
        return None if any(name(one).startswith(called) for one in held) else True

    try:
        until(gone, there.velero.clock, SETTLE_SECONDS, interval=1.0)
    except TimeoutPassedError as error:
        raise error.last or ClusterError(
            Cause.OTHER, f"the pods of {called} do not end; look at them"
        ) from None
