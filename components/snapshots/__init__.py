"""CSI snapshots: what Velero needs for them and neither Kubernetes nor a storage driver brings."""

from components.snapshots.component import SnapshotSupport, SnapshotSupportArgs
from components.snapshots.plan import SnapshotPlan, decide, warnings

__all__ = ["SnapshotPlan", "SnapshotSupport", "SnapshotSupportArgs", "decide", "warnings"]
