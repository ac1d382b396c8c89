"""Values of the official chart out of the settings. Plain data, no secret in it.

The default target and Longhorn's settings go through the chart where this program installs it: the
manager puts back what the chart said at each of its starts, so a second owner would lose.
"""

from typing import Any

from components.longhorn import credentials, tuning
from components.settings.longhorn import Longhorn
from components.settings.longhorn_targets import DEFAULT_TARGET
from components.velero import durations
from components.velero.profiles import merge

RELEASE = "longhorn"


def chart_values(longhorn: Longhorn, url: str) -> dict[str, Any]:
    """Everything the Release is given. `url`: of the target `default`."""
    given = longhorn.install.values if longhorn.install else {}
    ours: dict[str, Any] = {
        "defaultBackupStore": {
            "backupTarget": url,
            "backupTargetCredentialSecret": credentials.secret_name(DEFAULT_TARGET),
            "pollInterval": durations.seconds(longhorn.target.poll_interval),
        },
        "defaultSettings": tuning.by_chart(longhorn.settings.given),
        # Longhorn deletes that class and makes it anew when its text changes; ours are resources.
        # Charts before 1.12 make it all the same, and then it is not to be the default.
        "persistence": {"createStorageClass": False, "defaultClass": False},
        "preUpgradeChecker": {"jobEnabled": True, "upgradeVersionCheck": True},
    }
    return merge(ours, given)
