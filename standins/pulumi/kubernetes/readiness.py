"""When an object counts as ready, kind by kind, and what it still waits for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from standins.pulumi.kubernetes.conditions import Condition
from standins.pulumi.kubernetes.kinds import Kind
from standins.pulumi.kubernetes.values import Props, at, mapping, objects, text, whole

_REVISION = ("metadata", "annotations", "deployment.kubernetes.io/revision")
_TOKEN_SECRET = "kubernetes.io/service-account-token"  # noqa: S105  (a type's name)


@dataclass(frozen=True)
class Verdict:
    """`failed`: it will never become ready. `settles`: ready only if it still is a moment later."""

    ready: bool
    reason: str = ""
    failed: bool = False
    settles: bool = False


READY = Verdict(ready=True)


class Ask(Protocol):
    """What a rule may want to know of other objects in the object's namespace."""

    def replica_sets(self, live: Props) -> list[Props]: ...

    def endpoints(self, live: Props) -> Props | None: ...

    def binding_mode(self, storage_class: str) -> str: ...


Rule = Callable[[Props, Ask], Verdict]


def rule_of(kind: Kind) -> Rule | None:
    """The rule for a kind, None for what is ready as soon as it exists."""
    return _RULES.get((kind.group, kind.name))


def is_judged_on_read(kind: Kind) -> bool:
    """Whether a refresh says, too, that an object of this kind is not ready."""
    return (kind.group, kind.name) in _READ


def judge_all(conditions: list[Condition], live: Props) -> Verdict:
    """The conditions of `pulumi.com/waitFor`: all must hold."""
    for condition in conditions:
        answer = condition.check(live)
        if not answer.holds:
            return Verdict(ready=False, reason=f"waits for {condition}: {answer.seen}")
    return READY


def _waiting(reason: str) -> Verdict:
    return Verdict(ready=False, reason=reason)


def _condition(live: Props, name: str) -> Props:
    found = (one for one in objects(live, "status", "conditions") if text(one, "type") == name)
    return next(found, {})


def _is_observed(live: Props) -> bool:
    seen = whole(live, "status", "observedGeneration") or 0
    return seen >= (whole(live, "metadata", "generation") or 0)


def _number(live: Props, *path: str) -> int:
    return whole(live, *path) or 0


def _deployment(live: Props, ask: Ask) -> Verdict:
    if not _is_observed(live):
        return _waiting("the controller has not seen it yet")
    revision = at(live, *_REVISION)
    sets = [one for one in ask.replica_sets(live) if at(one, *_REVISION) == revision]
    if not sets or revision is None:
        return _waiting("its ReplicaSet is not made yet")
    wanted = whole(sets[0], "spec", "replicas")
    wanted = 1 if wanted is None else wanted
    ready = _number(sets[0], "status", "readyReplicas")
    stuck = _condition(live, "Progressing")
    why = f": {text(stuck, 'message')}" if text(stuck, "status") == "False" else ""
    if ready < wanted:
        return _waiting(f"{ready} of {wanted} pods of its new revision are ready{why}")
    rolled_out = text(stuck, "reason") == "NewReplicaSetAvailable"
    if stuck and not rolled_out:
        return _waiting(f"its rollout goes on{why}")
    available = _condition(live, "Available")
    if text(available, "status") != "True":
        return _waiting(f"it is not available: {text(available, 'message') or 'not known yet'}")
    return READY


def _stateful_set(live: Props, ask: Ask) -> Verdict:  # noqa: ARG001  (every rule has both)
    if not _is_observed(live):
        return _waiting("the controller has not seen it yet")
    wanted = whole(live, "spec", "replicas")
    wanted = 1 if wanted is None else wanted
    ready = _number(live, "status", "readyReplicas")
    if ready != wanted or _number(live, "status", "replicas") != wanted:
        return _waiting(f"{ready} of {wanted} pods are ready")
    on_delete = text(live, "spec", "updateStrategy", "type") == "OnDelete"
    if on_delete and _number(live, "metadata", "generation") > 1:
        return READY
    current, update = (
        text(live, "status", "currentRevision"),
        text(live, "status", "updateRevision"),
    )
    if not current or current != update or _number(live, "status", "currentReplicas") != wanted:
        return _waiting(f"its update goes on, {ready} of {wanted} pods are ready")
    return READY


def _daemon_set(live: Props, ask: Ask) -> Verdict:  # noqa: ARG001  (every rule has both)
    if not _is_observed(live) or whole(live, "status", "desiredNumberScheduled") is None:
        return _waiting("the controller has not seen it yet")
    wanted = _number(live, "status", "desiredNumberScheduled")
    for name, word in (
        ("currentNumberScheduled", "scheduled"),
        ("updatedNumberScheduled", "updated"),
        ("numberAvailable", "available"),
        ("numberReady", "ready"),
    ):
        seen = _number(live, "status", name)
        if seen < wanted:
            return _waiting(f"{seen} of {wanted} pods are {word}")
    return READY


def _pod(live: Props, ask: Ask) -> Verdict:  # noqa: ARG001  (every rule has both)
    if text(live, "status", "phase") == "Succeeded":
        return READY
    ready = _condition(live, "Ready")
    if text(ready, "status") == "True":
        return READY
    said = text(ready, "message") or text(_condition(live, "PodScheduled"), "message")
    return _waiting(f"it is {text(live, 'status', 'phase') or 'Pending'}" + (said and f": {said}"))


def _job(live: Props, ask: Ask) -> Verdict:  # noqa: ARG001  (every rule has both)
    failed = _condition(live, "Failed")
    if text(failed, "status") == "True":
        words = f"it failed: {text(failed, 'reason')}: {text(failed, 'message')}"
        return Verdict(ready=False, reason=words, failed=True)
    if text(_condition(live, "Complete"), "status") == "True":
        return READY
    active = _number(live, "status", "active")
    return _waiting(f"it is not complete, {active} pods are active")


def _service(live: Props, ask: Ask) -> Verdict:
    kind = text(live, "spec", "type")
    if kind == "LoadBalancer" and not objects(live, "status", "loadBalancer", "ingress"):
        return _waiting("no address was given to it; does the cluster have load balancers?")
    headless = text(live, "spec", "clusterIP") == "None"
    if kind == "ExternalName" or headless or not mapping(live, "spec", "selector"):
        return READY
    endpoints = ask.endpoints(live)
    if endpoints is None:
        return _waiting("its endpoints are not made yet")
    if any(objects(subset, "notReadyAddresses") for subset in objects(endpoints, "subsets")):
        return _waiting("some pods that it selects are not ready")
    return Verdict(ready=True, settles=True)


def _claim(live: Props, ask: Ask) -> Verdict:
    phase = text(live, "status", "phase")
    if phase == "Bound":
        return READY
    name = text(live, "spec", "storageClassName")
    if phase == "Pending" and name and ask.binding_mode(name) == "WaitForFirstConsumer":
        return READY
    return _waiting(f"it is {phase or 'not seen yet'}, not bound (storage class {name or 'none'})")


def _volume(live: Props, ask: Ask) -> Verdict:  # noqa: ARG001  (every rule has both)
    phase = text(live, "status", "phase")
    return READY if phase in ("Available", "Bound") else _waiting(f"it is {phase or 'Pending'}")


def _secret(live: Props, ask: Ask) -> Verdict:  # noqa: ARG001  (every rule has both)
    if text(live, "type") == _TOKEN_SECRET and not mapping(live, "data"):
        return _waiting("its token is not made yet")
    return READY


def _quota(live: Props, ask: Ask) -> Verdict:  # noqa: ARG001  (every rule has both)
    if mapping(live, "spec", "hard") == mapping(live, "status", "hard"):
        return READY
    return _waiting("the controller has not seen it yet")


def _ingress(live: Props, ask: Ask) -> Verdict:  # noqa: ARG001  (every rule has both)
    if objects(live, "status", "loadBalancer", "ingress"):
        return READY
    return _waiting("no ingress controller has given it an address")


def _definition(live: Props, ask: Ask) -> Verdict:  # noqa: ARG001  (every rule has both)
    names = _condition(live, "NamesAccepted")
    if text(names, "status") == "False":
        return _waiting(f"its names are taken: {text(names, 'message')}")
    if text(_condition(live, "Established"), "status") == "True":
        return READY
    return _waiting("it is not established yet")


_RULES: dict[tuple[str, str], Rule] = {
    ("", "PersistentVolume"): _volume,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Pod"): _pod,
    ("", "ResourceQuota"): _quota,
    ("", "Secret"): _secret,
    ("", "Service"): _service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "Job"): _job,
    ("networking.k8s.io", "Ingress"): _ingress,
}
_READ = frozenset(
    {
        ("", "Pod"),
        ("", "Service"),
        ("apps", "DaemonSet"),
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("batch", "Job"),
        ("networking.k8s.io", "Ingress"),
    }
)


def pod_troubles(pods: list[Props]) -> list[str]:
    """What holds up pods, one sentence each, for the message about their owner."""
    found = []
    for pod in pods:
        name = text(pod, "metadata", "name")
        scheduled = _condition(pod, "PodScheduled")
        if text(scheduled, "status") == "False":
            found.append(f"pod {name} is not scheduled: {text(scheduled, 'message')}")
        for key in ("initContainerStatuses", "containerStatuses"):
            for status in objects(pod, "status", key):
                trouble = _container_trouble(status)
                if trouble:
                    found.append(f"pod {name}, container {text(status, 'name')}: {trouble}")
    return found


def _container_trouble(status: Props) -> str:
    waiting = mapping(status, "state", "waiting")
    if text(waiting, "reason") in ("", "ContainerCreating", "PodInitializing"):
        ended = mapping(status, "state", "terminated")
        code = whole(ended, "exitCode")
        return f"ended with exit code {code}" if code else ""
    said = text(waiting, "message")
    return text(waiting, "reason") + (f": {said}" if said else "")
