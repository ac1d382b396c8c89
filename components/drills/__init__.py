"""Restore drills as Command resources: what they prove triggers them, a red one fails the update.

One module a layer. The drills themselves are the package of that name; these modules know only
their command line and their JSON contract (docs/drills.md).
"""

from components.drills.drill import Drill
from components.drills.first_backup import FirstBackup
from components.drills.kube_objects import KubeObjectsDrill, KubeObjectsDrillArgs
from components.drills.longhorn import LonghornDrill, LonghornDrillArgs
from components.drills.store import StoreDrill, StoreDrillArgs
from components.drills.velero_backups import DrilledVelero
from components.drills.velero_site import VeleroSite
from components.drills.volumes import VolumesDrill, VolumesDrillArgs

__all__ = [
    "Drill",
    "DrilledVelero",
    "FirstBackup",
    "KubeObjectsDrill",
    "KubeObjectsDrillArgs",
    "LonghornDrill",
    "LonghornDrillArgs",
    "StoreDrill",
    "StoreDrillArgs",
    "VeleroSite",
    "VolumesDrill",
    "VolumesDrillArgs",
]
