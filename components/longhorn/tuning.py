"""Longhorn's own settings, as far as backups depend on them: one table, two ways of setting them.

A chart that this program installs takes them as `defaultSettings` and puts them back whenever they
differ; where Longhorn is there already, each one is a field of its Setting object. Values stand as
Longhorn writes them, so that nothing ever differs by spelling alone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

Value = bool | int | str
ENGINES = ("v1", "v2")


@dataclass(frozen=True)
class Setting:
    """`name`: of the Setting object; `chart`: its key under defaultSettings, and in the config.

    `engines`: those whose values it holds one by one; () for one value. `since`: the first minor
    version that has it.
    """

    name: str
    chart: str
    engines: tuple[str, ...] = ()
    since: tuple[int, int] = (1, 10)


# By the field of the config's model (components/settings/longhorn.py).
SETTINGS: Mapping[str, Setting] = {
    "allow_recurring_job_while_volume_detached": Setting(
        "allow-recurring-job-while-volume-detached", "allowRecurringJobWhileVolumeDetached"
    ),
    "auto_cleanup_recurring_job_backup_snapshot": Setting(
        "auto-cleanup-recurring-job-backup-snapshot", "autoCleanupRecurringJobBackupSnapshot"
    ),
    "auto_cleanup_snapshot_after_on_demand_backup_completed": Setting(
        "auto-cleanup-snapshot-after-on-demand-backup-completed",
        "autoCleanupSnapshotAfterOnDemandBackupCompleted",
    ),
    "auto_cleanup_snapshot_when_delete_backup": Setting(
        "auto-cleanup-when-delete-backup", "autoCleanupSnapshotWhenDeleteBackup"
    ),
    "backup_compression_method": Setting("backup-compression-method", "backupCompressionMethod"),
    "backup_concurrent_limit": Setting("backup-concurrent-limit", "backupConcurrentLimit"),
    "backup_execution_timeout": Setting("backup-execution-timeout", "backupExecutionTimeout"),
    "concurrent_volume_backup_restore_per_node_limit": Setting(
        "concurrent-volume-backup-restore-per-node-limit",
        "concurrentVolumeBackupRestorePerNodeLimit",
    ),
    "default_backup_block_size": Setting("default-backup-block-size", "defaultBackupBlockSize"),
    "failed_backup_ttl": Setting("failed-backup-ttl", "failedBackupTTL"),
    "freeze_filesystem_for_snapshot": Setting(
        "freeze-filesystem-for-snapshot", "freezeFilesystemForSnapshot", engines=("v1",)
    ),
    "recurring_failed_jobs_history_limit": Setting(
        "recurring-failed-jobs-history-limit", "recurringFailedJobsHistoryLimit"
    ),
    "recurring_job_max_retention": Setting(
        "recurring-job-max-retention", "recurringJobMaxRetention"
    ),
    "recurring_successful_jobs_history_limit": Setting(
        "recurring-successful-jobs-history-limit", "recurringSuccessfulJobsHistoryLimit"
    ),
    "remove_snapshots_during_filesystem_trim": Setting(
        "remove-snapshots-during-filesystem-trim", "removeSnapshotsDuringFilesystemTrim"
    ),
    "restore_concurrent_limit": Setting("restore-concurrent-limit", "restoreConcurrentLimit"),
    "restore_volume_recurring_jobs": Setting(
        "restore-volume-recurring-jobs", "restoreVolumeRecurringJobs"
    ),
    "snapshot_count_warning_threshold": Setting(
        "snapshot-count-warning-threshold", "snapshotCountWarningThreshold", since=(1, 12)
    ),
    "snapshot_data_integrity": Setting(
        "snapshot-data-integrity", "snapshotDataIntegrity", engines=ENGINES
    ),
    "snapshot_data_integrity_cronjob": Setting(
        "snapshot-data-integrity-cronjob", "snapshotDataIntegrityCronjob", engines=ENGINES
    ),
    "snapshot_heavy_task_concurrent_limit": Setting(
        "snapshot-heavy-task-concurrent-limit", "snapshotHeavyTaskConcurrentLimit", since=(1, 11)
    ),
    "snapshot_max_count": Setting("snapshot-max-count", "snapshotMaxCount"),
}
# The former keys of the default target. Helm takes them without a word, and the target is empty.
OBSOLETE = ("backupTarget", "backupTargetCredentialSecret", "backupstorePollInterval")


def text(setting: Setting, value: Value) -> str:
    """A value as Longhorn keeps it: text; for settings by engine, JSON without spaces."""
    plain = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    if not setting.engines:
        return plain
    return json.dumps(dict.fromkeys(setting.engines, plain), separators=(",", ":"), sort_keys=True)


def by_object(given: Mapping[str, Value]) -> dict[str, str]:
    """The value of each Setting object by its name. `given`: by the model's field."""
    return {SETTINGS[key].name: text(SETTINGS[key], value) for key, value in given.items()}


def by_chart(given: Mapping[str, Value]) -> dict[str, Value]:
    """`defaultSettings` of the chart. One value by engine is text there, too."""
    return {
        SETTINGS[key].chart: text(SETTINGS[key], value) if SETTINGS[key].engines else value
        for key, value in given.items()
    }


def too_new(given: Mapping[str, Value], minor: tuple[int, int]) -> list[str]:
    """Keys of the config that a Longhorn of this minor version does not have."""
    return [SETTINGS[key].chart for key in given if SETTINGS[key].since > minor]
