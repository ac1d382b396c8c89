"""Ready-made Velero settings by name. A profile is data: what a stack's config says wins over it.

Each is the setup of one well-known installation, brought up to the pinned versions: `demo`
snapshots Longhorn volumes through CSI, `crownlabs` copies only the volumes whose pods ask for it,
`pi-cluster` saves every object of a home cluster at four in the morning.
"""

from collections.abc import Mapping
from typing import Any

PROFILES: dict[str, dict[str, Any]] = {
    "none": {},
    "demo": {
        "namespace": "velero",
        "csi": "on",
        "nodeAgent": "off",
        "resources": "small",
        "schedules": {"demo": {"cron": "0 3 * * *", "ttl": "720h"}},
    },
    "crownlabs": {
        "namespace": "velero",
        "csi": "off",
        # Volumes are opted in by the annotation backup.velero.io/backup-volumes of their pods, and
        # the node agent is what copies them.
        "nodeAgent": "on",
        "defaultVolumesToFsBackup": False,
        "resources": "medium",
        "schedules": {
            "crownlabs": {"cron": "0 2 * * *", "ttl": "720h", "snapshotVolumes": False},
        },
    },
    "pi-cluster": {
        "namespace": "velero-system",
        "resources": "small",
        "location": {"name": "aws"},
        "schedules": {
            "full": {
                "cron": "0 4 * * *",
                "ttl": "720h",
                "includeClusterResources": True,
                "labels": {"type": "full", "schedule": "daily"},
            },
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


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `under`; a null takes a key away."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        if value is None and key in result:
            del result[key]
        elif isinstance(below, Mapping) and isinstance(value, Mapping):
            result[key] = merge(below, value)
        else:
            result[key] = value
    return result
