"""What Longhorn's manager makes when it starts: settings, the node, the default backup target."""

from collections.abc import Iterable

from standins.longhorn.cluster import Cluster
from standins.longhorn.kinds import DEFAULT_TARGET, NODE, SETTING, TARGET, Object, text
from standins.longhorn.moments import stamp

VERSION = "v1.12.1"
RUNNING = "current-longhorn-version"
STAND_IN = "stand-in: nothing was looked at"
# longhorn-manager types/setting.go at v1.12.1; those that have to do with backups.
SETTINGS = {
    # What reads the version, and a receipt that quotes it, is told whose it is.
    RUNNING: f"{VERSION}+stand-in",
    "allow-recurring-job-while-volume-detached": "false",
    "auto-cleanup-recurring-job-backup-snapshot": "true",
    "auto-cleanup-snapshot-after-on-demand-backup-completed": "false",
    "auto-cleanup-when-delete-backup": "false",
    "backup-compression-method": "lz4",
    "backup-concurrent-limit": "2",
    "backup-execution-timeout": "1",
    "concurrent-volume-backup-restore-per-node-limit": "5",
    "default-backup-block-size": "2",
    "deleting-confirmation-flag": "false",
    "failed-backup-ttl": "1440",
    "freeze-filesystem-for-snapshot": '{"v1":"false"}',
    "recurring-failed-jobs-history-limit": "1",
    "recurring-job-max-retention": "100",
    "recurring-successful-jobs-history-limit": "1",
    "restore-concurrent-limit": "2",
    "restore-volume-recurring-jobs": "false",
    "snapshot-count-warning-threshold": "100",
    "snapshot-data-integrity": '{"v1":"fast-check","v2":"fast-check"}',
    "snapshot-data-integrity-cronjob": '{"v1":"0 0 */7 * *","v2":"0 0 */7 * *"}',
    "snapshot-heavy-task-concurrent-limit": "5",
    "snapshot-max-count": "250",
}
POLL_INTERVAL = "5m0s"
CONDITIONS = (
    *("Ready", "MountPropagation", "Multipathd", "KernelModulesLoaded", "RequiredPackages"),
    *("NFSClientInstalled", "Schedulable"),
)


def turn(cluster: Cluster) -> None:
    """Makes what is missing of them; what is there stays as somebody set it."""
    _missing(cluster)
    if cluster.find(TARGET, DEFAULT_TARGET) is None:
        wanted = {"backupTargetURL": "", "credentialSecret": "", "pollInterval": POLL_INTERVAL}
        cluster.create(TARGET, {"metadata": {"name": DEFAULT_TARGET}, "spec": wanted})
    if cluster.find(NODE, cluster.node) is None:
        cluster.create(NODE, _node(cluster.node))
    found = cluster.find(NODE, cluster.node)
    if found is not None and not (found.get("status") or {}).get("conditions"):
        now = stamp(cluster.clock())
        cluster.change_status(NODE, cluster.node, _node_status(now))


def setting(cluster: Cluster, name: str) -> str:
    """The value of a setting, Longhorn's default where it has none."""
    found = cluster.find(SETTING, name)
    return (text(found, "value") if found else "") or SETTINGS[name]


def number(cluster: Cluster, name: str) -> int:
    """The value of a setting that is a number; the default for what is none."""
    value = setting(cluster, name)
    return int(value) if value.isdigit() else int(SETTINGS[name])


def _missing(cluster: Cluster) -> None:
    for name in _absent(cluster, SETTINGS):
        if cluster.create(SETTING, {"metadata": {"name": name}, "value": SETTINGS[name]}):
            cluster.change_status(SETTING, name, {"applied": True})
    # The one that is nobody's to set.
    cluster.change(SETTING, RUNNING, {"value": SETTINGS[RUNNING]})


def _absent(cluster: Cluster, names: Iterable[str]) -> list[str]:
    return [name for name in names if cluster.find(SETTING, name) is None]


def _node(name: str) -> Object:
    disk = {"allowScheduling": True, "diskType": "filesystem", "path": "/var/lib/longhorn/"}
    return {
        "metadata": {"name": name},
        "spec": {"name": name, "allowScheduling": True, "disks": {"default-disk": disk}},
    }


def _node_status(now: str) -> Object:
    return {
        "conditions": [
            {
                "type": kind,
                "status": "True",
                "reason": "",
                "message": STAND_IN,
                "lastProbeTime": "",
                "lastTransitionTime": now,
            }
            for kind in CONDITIONS
        ]
    }
