"""Longhorn's own settings as the config gives them (components/longhorn/tuning.py: the table)."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from components.settings.base import Model
from components.velero import cron

Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]
SnapshotCount = Annotated[int, Field(ge=2, le=250)]


class Tuning(Model):
    """Longhorn's own settings by the names of its chart; what is left out is not touched."""

    allow_recurring_job_while_volume_detached: bool | None = None
    auto_cleanup_recurring_job_backup_snapshot: bool | None = None
    auto_cleanup_snapshot_after_on_demand_backup_completed: bool | None = None
    auto_cleanup_snapshot_when_delete_backup: bool | None = None
    backup_compression_method: Literal["none", "lz4", "gzip"] | None = None
    backup_concurrent_limit: AtLeastOne | None = None
    backup_execution_timeout: AtLeastOne | None = None
    concurrent_volume_backup_restore_per_node_limit: Count | None = None
    default_backup_block_size: Literal[2, 16] | None = None
    failed_backup_ttl: Count | None = Field(default=None, alias="failedBackupTTL")
    freeze_filesystem_for_snapshot: bool | None = None
    recurring_failed_jobs_history_limit: Count | None = None
    recurring_job_max_retention: Annotated[int, Field(ge=1, le=250)] | None = None
    recurring_successful_jobs_history_limit: Count | None = None
    remove_snapshots_during_filesystem_trim: bool | None = None
    restore_concurrent_limit: AtLeastOne | None = None
    restore_volume_recurring_jobs: bool | None = None
    snapshot_count_warning_threshold: SnapshotCount | None = None
    snapshot_data_integrity: Literal["disabled", "enabled", "fast-check"] | None = None
    snapshot_data_integrity_cronjob: str | None = None
    snapshot_heavy_task_concurrent_limit: Count | None = None
    snapshot_max_count: SnapshotCount | None = None

    @field_validator("snapshot_data_integrity_cronjob")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        if value is not None:
            cron.parse_calendar(value)
        return value

    @property
    def given(self) -> dict[str, bool | int | str]:
        """What is set, by field."""
        found: dict[str, bool | int | str] = self.model_dump(exclude_none=True)
        return found
