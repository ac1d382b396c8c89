"""Reader pods beside a running workload, in its own namespace: which claims get one, its form.

A pod can mount only claims of its own namespace. So that the workload is not disturbed, the pod
stands on the node where the volume is mounted already, only as long as it reads, and is placed
there without the scheduler, which could evict somebody for it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from drills.coverage.live import OPT_OUT, namespace_of
from drills.sandbox.hold import Idle
from drills.sandbox.marks import LAYER_LABEL, Run
from drills.volumes import reader_pod
from drills.volumes.reader_pod import VOLUME, ReaderPod
from kube.velero.api import EXCLUDE_LABEL, Object, labels, name, phase

LAYER = "volume-digests"
"""What the mark of these pods names, in place of a drill's layer."""

_ALONE = "ReadWriteOncePod"
_BLOCK = "Block"
# `sleep` ends only when it is killed; a pod without grace would be gone before its node let go.
GRACE_SECONDS = 1
_DEADLINE = "activeDeadlineSeconds"


def refusal(claim: Object, user: Object | None) -> str:
    """Why a claim is given no reader, in one sentence; "" if nothing speaks against it.

    `user`: the pod that `user_of` found.
    """
    spec, metadata = claim.get("spec") or {}, claim.get("metadata") or {}
    about = f"claim {namespace_of(claim)}/{name(claim)}"
    if metadata.get("deletionTimestamp"):
        return f"{about} is being deleted"
    if phase(claim) != "Bound":
        return f"{about} has no volume ({phase(claim) or 'Pending'})"
    if spec.get("volumeMode") == _BLOCK:
        return f"{about} is a raw block device (volumeMode Block), and has no files to read"
    if _ALONE in (spec.get("accessModes") or ()):
        return (
            f"{about} may be used by one pod alone ({_ALONE}), and a reader would stand in its "
            "workload's way"
        )
    if user is None:
        return (
            f"no running pod uses {about}, and to mount it elsewhere could stand in its workload's "
            "way"
        )
    return ""


def user_of(namespace: str, claim: str, pods: Iterable[Object]) -> Object | None:
    """The running pod that uses a claim, the first by name; readers of drills are none."""
    users = [
        one
        for one in pods
        if namespace_of(one) == namespace
        and claim in reader_pod.claims_of(one)
        and LAYER_LABEL not in labels(one)
        and phase(one) == "Running"
        and (one.get("spec") or {}).get("nodeName")
        and not (one.get("metadata") or {}).get("deletionTimestamp")
    ]
    return min(users, key=name, default=None)


def pod_for(claim: Object, user: Object) -> ReaderPod:
    """The reader of a claim, beside its user."""
    spec = user.get("spec") or {}
    placement = {"nodeName": spec["nodeName"], "tolerations": spec.get("tolerations") or []}
    level = _selinux(spec)
    return ReaderPod(
        namespace_of(claim),
        namespace_of(claim),
        name(claim),
        read_only=set((claim.get("spec") or {}).get("accessModes") or ()) == {"ReadOnlyMany"},
        placement={**placement, **({"securityContext": level} if level else {})},
    )


def manifest(run: Run, pod: ReaderPod, idle: Idle) -> dict[str, Any]:
    """The Pod object. It ends by itself with its run, in whatever state that was left.

    No backup takes it, and none takes it for a reason to copy the volume's files: Velero asks every
    pod that mounts a claim (pkg/util/podvolume/pod_volume.go, 1.18).
    """
    made = reader_pod.manifest(run, pod, idle)
    placed = {key: held for key, held in pod.placement.items() if held}
    lives = int((run.until - run.made).total_seconds())
    return {
        **made,
        "metadata": {
            **made["metadata"],
            "labels": {**run.labels(), EXCLUDE_LABEL: "true"},
            "annotations": {OPT_OUT: VOLUME},
        },
        "spec": {
            **made["spec"],
            **placed,
            _DEADLINE: lives,
            "terminationGracePeriodSeconds": GRACE_SECONDS,
        },
    }


def _selinux(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The user's own label: under another one the node would relabel its files for the reader."""
    containers = [one.get("securityContext") or {} for one in spec.get("containers") or ()]
    for held in (spec.get("securityContext") or {}, *containers):
        if held.get("seLinuxOptions"):
            return {"seLinuxOptions": held["seLinuxOptions"]}
    return {}
