"""Why a completed backup holds no data of a volume that its schedule takes in.

The order follows Velero 1.18: what it wrote down, then the policy, then the file-system copy that
wins over a snapshot, then the snapshot (internal/volumehelper, pkg/podvolume/backupper.go).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from drills.coverage import volume_policy
from drills.coverage.gaps import Gap
from drills.coverage.live import LastBackup, Live, Mount, namespace_of
from drills.coverage.scope import Scope
from drills.coverage.volume_info import VolumeRecord
from kube.errors import one_line
from kube.velero.api import Object, name

Why = tuple[Gap, str]


def why_no_data(
    live: Live, claim: Object, scope: Scope, backup: LastBackup, record: VolumeRecord | None
) -> Why:
    """The gap, and what was seen, as a clause."""
    if backup.records is None:
        return Gap.LIST_MISSING, f"backup {backup.name} has no list of its volumes"
    if record is not None and record.method is not None:
        return Gap.DATA_FAILED, f"its {record.method} failed in backup {backup.name}"
    said = f" ({one_line(record.why, 160)})" if record is not None and record.why else ""
    # Both wordings of Velero's reason hold this.
    if "resource polic" in said:
        return Gap.SKIPPED_BY_POLICY, f"the volume policy skips it{said}"
    gap, fact = why_not_taken(live, claim, scope) or (
        Gap.NO_DATA, f"backup {backup.name} is Completed and holds no data of it"
    )  # fmt: skip
    return gap, f"{fact}{said}"


def why_not_taken(live: Live, claim: Object, scope: Scope) -> Why | None:
    """What keeps the next backup of a schedule from a volume's data; None if nothing does."""
    volume = live.volume_by_name.get(str((claim.get("spec") or {}).get("volumeName") or ""))
    action = volume_policy.action(live.policies.get(scope.policy, ()), claim, volume)
    if action == volume_policy.SKIP:
        return Gap.SKIPPED_BY_POLICY, "the volume policy skips it"
    if _spec(volume).get("hostPath") is not None:
        return Gap.HOST_PATH, "its volume is a hostPath on the node"
    mounts = live.mounts.get((namespace_of(claim), name(claim)), ())
    if _copied(scope, mounts, action):
        return _why_no_copy(live, claim, mounts)
    if scope.to_file_system and mounts and all(mount.opted_out for mount in mounts):
        return Gap.OPTED_OUT, f"pod {mounts[0].pod} opts out of the copy"
    return _why_no_snapshot(live, volume, scope, action)


def _spec(found: Object | None) -> Mapping[str, Any]:
    held: Mapping[str, Any] = (found or {}).get("spec") or {}
    return held


def _copied(scope: Scope, mounts: Sequence[Mount], action: str | None) -> bool:
    """Whether the file-system copy is meant to take it."""
    if action is not None:
        return action == volume_policy.FILE_SYSTEM
    if scope.to_file_system:
        return not mounts or any(not mount.opted_out for mount in mounts)
    return any(mount.opted_in for mount in mounts)


def _why_no_copy(live: Live, claim: Object, mounts: Sequence[Mount]) -> Why | None:
    if _spec(claim).get("volumeMode") == "Block":
        return Gap.BLOCK_DEVICE, "it is a block device"
    running = [mount for mount in mounts if mount.running]
    if not running:
        return Gap.NOT_RUNNING, "no running pod mounts it"
    if live.node_agents is not None:
        without = [mount for mount in running if mount.node not in live.node_agents]
        if len(without) == len(running):
            return Gap.NODE_AGENT_ABSENT, f"no node agent runs on {without[0].node or 'its node'}"
    return None


def _why_no_snapshot(
    live: Live, volume: Object | None, scope: Scope, action: str | None
) -> Why | None:
    if volume is not None and _spec(volume).get("csi") is None:
        return Gap.OPT_IN_MISSING, "it is no CSI volume, and no pod asks for a copy"
    if scope.snapshots is False and action != volume_policy.SNAPSHOT:
        return Gap.SNAPSHOTS_OFF, f"schedule {scope.schedule} takes no snapshots"
    if scope.move and live.node_agents is not None and not live.node_agents:
        return Gap.NODE_AGENT_ABSENT, "no node agent runs that could move its snapshot"
    return None
