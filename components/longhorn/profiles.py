"""Ready-made recurring jobs and settings by name. A profile is data: the stack's config wins.

`standard`, and why, is in docs/longhorn.md; `none` starts from nothing.
"""

from collections.abc import Mapping
from typing import Any

from components.velero.profiles import merge

PROFILES: dict[str, dict[str, Any]] = {
    "none": {},
    "standard": {
        "jobs": {
            "backup-daily": {
                "task": "backup",
                "cron": "0 2 * * *",
                "groups": ["default"],
                "retain": 14,
                "concurrency": 2,
                "fullBackupInterval": 7,
            },
            "snapshot-cleanup-daily": {
                "task": "snapshot-cleanup",
                "cron": "30 1 * * *",
                "groups": ["default"],
                "concurrency": 2,
            },
            "filesystem-trim-weekly": {
                "task": "filesystem-trim",
                "cron": "0 5 * * 0",
                "groups": ["default"],
                "concurrency": 1,
            },
            "system-backup-daily": {
                "task": "system-backup",
                "cron": "0 4 * * *",
                "retain": 14,
                "concurrency": 1,
                "volumeBackupPolicy": "if-not-present",
            },
        },
        "settings": {
            "allowRecurringJobWhileVolumeDetached": True,
            "autoCleanupSnapshotWhenDeleteBackup": True,
            "backupExecutionTimeout": 5,
            "restoreVolumeRecurringJobs": False,
        },
    },
}


def merged(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The profile `name` under the config `given`: objects merge, everything else is replaced.

    A null in the config takes a profile's key away.

    Raises:
        ValueError: there is no such profile.
    """
    if name not in PROFILES:
        raise ValueError(f"profile: {name} is no profile; there are {', '.join(PROFILES)}")
    return merge(PROFILES[name], given)
