"""What has to be started for the user's checks, from the backup's own objects: plain data.

All is started at once, as a restore in need would do it; workloads that wait for each other find
each other by themselves. What would reach out of the sandbox in a way that no NetworkPolicy closes
is not started at all.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from drills.coverage.live import Key
from drills.objects.keys import ObjectKey
from drills.sandbox.kinds import CLAIMS
from drills.usable.settings import (
    STARTED_KINDS,
    STATEFUL_SETS,
    CommandCheck,
    HttpCheck,
    JobCheck,
    UserCheck,
)
from drills.verdict import Reason
from kube.velero.api import Object, labels

SERVICES = "services"
KINDS = frozenset({*STARTED_KINDS, SERVICES, CLAIMS})
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
# Whatever else a pod mounts is the live one: a node mounts a network share for it, past the fence.
_OWN_VOLUMES = frozenset(
    {
        "configMap",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_PRIORITY = ("priorityClassName", "priority", "preemptionPolicy")

Objects = Mapping[ObjectKey, Object]
"""Objects of the backup's archive as they are there, of KINDS and of the checks' namespaces."""


@dataclass(frozen=True)
class Started:
    """One workload to start. `labels`: those of its pods. `seconds`: until it has to be ready."""

    key: ObjectKey
    sandbox: str
    replicas: int
    seconds: int
    labels: Mapping[str, str]
    patch: Mapping[str, Any]

    @property
    def path(self) -> str:
        """Of the copy in the sandbox."""
        return f"/apis/apps/v1/namespaces/{self.sandbox}/{self.key.plural}/{self.key.name}"

    def owns(self, pod: Object) -> bool:
        """Whether it made the pod, directly or through a ReplicaSet of its own."""
        owners = (pod.get("metadata") or {}).get("ownerReferences") or ()
        if self.key.resource == STATEFUL_SETS:
            wanted = ("StatefulSet", self.key.name)
        else:
            digest = labels(pod).get("pod-template-hash", "")
            wanted = ("ReplicaSet", f"{self.key.name}-{digest}")
        return any((one.get("kind"), one.get("name")) == wanted for one in owners)


@dataclass(frozen=True)
class Target:
    """A check that can be run. `needs`: what has to be ready for it. `container`: for a command."""

    check: UserCheck
    sandbox: str
    needs: tuple[ObjectKey, ...]
    container: str = ""


@dataclass(frozen=True)
class Unfit:
    """A check that cannot be run, and why, as a sentence."""

    check: UserCheck
    reason: Reason
    why: str


@dataclass(frozen=True)
class StartPlan:
    """`pods`: how many the quota of each sandbox must allow while the checks run: started ones,
    Jobs, and the drill's own checker."""

    started: tuple[Started, ...]
    targets: tuple[Target, ...]
    unfit: tuple[Unfit, ...]
    pods: Mapping[str, int]


class _UnfitError(Exception):
    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


def relevant(
    pairs: Iterable[tuple[ObjectKey, Mapping[str, Any]]], checks: Collection[UserCheck]
) -> dict[ObjectKey, Object]:
    """Of an archive's objects those that `plan` needs."""
    namespaces = {one.namespace for one in checks}
    return {
        key: content
        for key, content in pairs
        if key.resource in KINDS and key.namespace in namespaces
    }


def plan(
    checks: Sequence[UserCheck],
    objects: Objects,
    mapping: Mapping[str, str],
    *,
    unfilled: Collection[Key] = (),
) -> StartPlan:
    """`mapping`: source namespaces and their sandboxes. `unfilled`: claims restored without data,
    on which a workload would start as if it were new."""
    started: dict[ObjectKey, Started] = {}
    targets: list[Target] = []
    unfit: list[Unfit] = []
    for check in checks:
        try:
            wanted = [
                _started(check, key, objects, mapping[check.namespace], unfilled)
                for key in _needs(check, objects, mapping)
            ]
            container = _container(check, objects)
        except _UnfitError as error:
            unfit.append(Unfit(check, error.reason, str(error)))
            continue
        for one in wanted:
            started[one.key] = _joined(started.get(one.key), one)
        needs = tuple(one.key for one in wanted)
        targets.append(Target(check, mapping[check.namespace], needs, container))
    return StartPlan(
        tuple(started.values()),
        tuple(targets),
        tuple(unfit),
        _pods(tuple(started.values()), targets),
    )


def _joined(before: Started | None, one: Started) -> Started:
    if before is None:
        return one
    larger = max(before, one, key=lambda each: each.replicas)
    return replace(larger, seconds=max(before.seconds, one.seconds))


def _pods(started: Collection[Started], targets: Collection[Target]) -> dict[str, int]:
    counted = {one.sandbox: 1 for one in targets}
    for target in targets:
        counted[target.sandbox] += isinstance(target.check, JobCheck)
    for workload in started:
        counted[workload.sandbox] += workload.replicas
    return dict(sorted(counted.items()))


def _needs(check: UserCheck, objects: Objects, mapping: Mapping[str, str]) -> list[ObjectKey]:
    """Raises _UnfitError."""
    if check.namespace not in mapping:
        raise _UnfitError(
            Reason.SCOPE_LOST,
            f"namespace {check.namespace} was not restored; take it into the drill's namespaces",
        )
    named = (*(check.start or ()), *check.named)
    if isinstance(check, HttpCheck):
        service = _service(check, objects)
        if check.start is None:
            return _behind(check, service, objects)
    return [_key(check, one) for one in dict.fromkeys(named)]


def _key(check: UserCheck, workload: str) -> ObjectKey:
    resource, _, called = workload.partition("/")
    return ObjectKey(resource, check.namespace, called)


def _service(check: HttpCheck, objects: Objects) -> Object:
    key = ObjectKey(SERVICES, check.namespace, check.service)
    spec = _found(key, objects).get("spec") or {}
    if spec.get("type") == "ExternalName":
        raise _UnfitError(
            Reason.TARGET_REFUSED, f"{key} leads out of the cluster; check a Service with pods"
        )
    ports = [one.get("port") for one in spec.get("ports") or ()]
    if check.port not in ports:
        known = ", ".join(map(str, ports)) or "none"
        raise _UnfitError(
            Reason.CHECK_FAILED, f"{key} has no port {check.port} (it has {known}); correct it"
        )
    return spec


def _behind(check: HttpCheck, service: Object, objects: Objects) -> list[ObjectKey]:
    """The workloads whose pods the Service selects, without those that were off."""
    selector: Mapping[str, str] = service.get("selector") or {}
    found = [
        key
        for key, content in objects.items()
        if key.resource in STARTED_KINDS and key.namespace == check.namespace
        and selector and selector.items() <= _labels(content).items()
    ]  # fmt: skip
    running = sorted(key for key in found if _replicas(objects[key]))
    if not running:
        why = "selects no" if not found else "selects only workloads that were at zero, so no"
        raise _UnfitError(
            Reason.CHECK_FAILED,
            f"{SERVICES}/{check.namespace}/{check.service} {why} Deployment or StatefulSet to "
            "start; name what it needs in the check's start",
        )
    return running


def _found(key: ObjectKey, objects: Objects) -> Object:
    if key not in objects:
        raise _UnfitError(
            Reason.SCOPE_LOST, f"{key} is not in the backup; correct the check or the schedule"
        )
    return objects[key]


def _started(
    check: UserCheck, key: ObjectKey, objects: Objects, sandbox: str, unfilled: Collection[Key]
) -> Started:
    """Raises _UnfitError."""
    content = _found(key, objects)
    pod = _template(content).get("spec") or {}
    _check_reach(key, pod)
    # One that was at zero and is asked for by name is wanted once.
    count = min(check.replicas, max(1, _replicas(content)))
    _check_claims(key, content, count, objects, unfilled)
    patch: dict[str, Any] = {"spec": {"replicas": count}}
    if any(pod.get(one) is not None for one in _PRIORITY):
        # With the priority of the live pods, the copies could drive live ones out.
        patch["spec"]["template"] = {"spec": dict.fromkeys(_PRIORITY)}
    return Started(key, sandbox, count, check.seconds, _labels(content), patch)


def _check_reach(key: ObjectKey, pod: Mapping[str, Any]) -> None:
    if pod.get("hostNetwork"):
        raise _UnfitError(
            Reason.TARGET_REFUSED,
            f"{key} runs in its node's network, which no fence closes; leave it out of the checks",
        )
    for volume in pod.get("volumes") or ():
        foreign = sorted(set(volume) - _OWN_VOLUMES - {"name"})
        if foreign:
            raise _UnfitError(
                Reason.TARGET_REFUSED,
                f"{key} mounts {foreign[0]} as its volume {volume.get('name')}, which is the live "
                "one; leave it out of the checks, or put a claim in its place",
            )


def _check_claims(
    key: ObjectKey,
    content: Object,
    count: int,
    objects: Objects,
    unfilled: Collection[Key],
) -> None:
    for claim in _claims(key, content, count):
        place = (key.namespace, claim)
        if place in unfilled:
            raise _UnfitError(
                Reason.VOLUME_LOST, f"{key} mounts claim {claim}, which came back without data"
            )
        # A StatefulSet makes what it misses, and would start on an empty volume.
        if ObjectKey(CLAIMS, *place) not in objects:
            raise _UnfitError(
                Reason.VOLUME_LOST, f"{key} mounts claim {claim}, which is not in the backup"
            )


def _claims(key: ObjectKey, content: Object, count: int) -> Iterator[str]:
    for volume in (_template(content).get("spec") or {}).get("volumes") or ():
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim:
            yield str(claim)
    spec = content.get("spec") or {}
    first = int((spec.get("ordinals") or {}).get("start") or 0)
    for template in spec.get("volumeClaimTemplates") or ():
        called = (template.get("metadata") or {}).get("name")
        yield from (f"{called}-{key.name}-{first + number}" for number in range(count))


def _container(check: UserCheck, objects: Objects) -> str:
    """Which container a command runs in, "" for other checks. Raises _UnfitError."""
    if not isinstance(check, CommandCheck):
        return ""
    key = _key(check, check.workload)
    template = _template(_found(key, objects))
    names = [str(one.get("name")) for one in (template.get("spec") or {}).get("containers") or ()]
    held = (template.get("metadata") or {}).get("annotations") or {}
    wanted = check.container or str(held.get(DEFAULT_CONTAINER) or "") or next(iter(names), "")
    if wanted not in names:
        raise _UnfitError(
            Reason.CHECK_FAILED,
            f"{key} has no container {wanted or '(any)'} (it has {', '.join(names) or 'none'}); "
            "correct the check's container",
        )
    return wanted


def _template(content: Object) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (content.get("spec") or {}).get("template") or {}
    return found


def _labels(content: Object) -> Mapping[str, str]:
    return labels(_template(content))


def _replicas(content: Object) -> int:
    count = (content.get("spec") or {}).get("replicas")
    return 1 if count is None else int(count)
