"""Values of the official chart 12.1.0 out of the settings. Plain data, no secret in it.

The chart installs server, node agent, rights and definitions. Locations, schedules and Secrets are
resources of their own: they need what the chart's templates do not have (a CA by reference,
waiting, rotation), and a preview shows each of their fields.
"""

from typing import Any

from components.settings.velero import Image, Velero
from components.velero import config_maps
from components.velero.sizes import SIZES

RELEASE = "velero"
PLUGIN_CONTAINER = "velero-plugin-for-aws"
CSI_FEATURE = "EnableCSI"
# The annotation by which changed ConfigMaps restart server and node agent.
START_ANNOTATION = "backstop-start-config"
_HOOK_RESOURCES = {
    "requests": {"cpu": "50m", "memory": "64Mi"},
    "limits": {"memory": "256Mi"},
}


def _image(image: Image) -> dict[str, Any]:
    found = {
        "repository": image.repository,
        "tag": image.tag,
        "pullPolicy": image.pull_policy,
    }
    return {**found, "digest": image.digest} if image.digest else found


def _plugin(image: Image) -> dict[str, Any]:
    return {
        "name": PLUGIN_CONTAINER,
        "image": image.reference,
        "imagePullPolicy": image.pull_policy,
        "volumeMounts": [{"mountPath": "/target", "name": "plugins"}],
    }


def _configuration(velero: Velero, *, csi: bool) -> dict[str, Any]:
    size = SIZES[velero.resources]
    found: dict[str, Any] = {
        "uploaderType": "kopia",
        # Lists, and empty: the chart's own default is one without provider and bucket.
        "backupStorageLocation": [],
        "volumeSnapshotLocation": [],
        "defaultBackupStorageLocation": velero.location.name,
        "defaultBackupTTL": velero.default_ttl,
        "defaultItemOperationTimeout": velero.item_operation_timeout,
        "fsBackupTimeout": velero.fs_backup_timeout,
        "garbageCollectionFrequency": velero.garbage_collection_frequency,
        "logFormat": "json",
        "logLevel": "info",
        "repositoryMaintenanceJob": {
            "repositoryConfigData": {
                "global": {
                    "keepLatestMaintenanceJobs": 3,
                    "podResources": size.maintenance.pod_resources(),
                }
            }
        },
        "extraArgs": [
            f"--backup-repository-configmap={config_maps.REPOSITORY}",
            # Two backups at once would read every volume they share twice.
            "--concurrent-backups=1",
        ],
    }
    if velero.client_qps is not None:
        found |= {"clientQPS": velero.client_qps, "clientBurst": velero.client_qps}
    # The chart leaves out what is false, so only what is true is said.
    if csi:
        found["features"] = CSI_FEATURE
    if velero.snapshot_move_data:
        found["defaultSnapshotMoveData"] = True
    if velero.default_volumes_to_fs_backup:
        found["defaultVolumesToFsBackup"] = True
    if velero.wants_node_agent:
        found["dataMoverPrepareTimeout"] = velero.data_mover_prepare_timeout
    return found


def _node_agent(velero: Velero) -> dict[str, Any]:
    return {
        "podVolumePath": f"{velero.kubelet_root}/pods",
        "pluginVolumePath": f"{velero.kubelet_root}/plugins",
        "resources": SIZES[velero.resources].node_agent.resources(),
        "extraArgs": [f"--node-agent-configmap={config_maps.NODE_AGENT}"],
    }


def chart_values(velero: Velero, *, csi: bool) -> dict[str, Any]:
    """Everything the Release is given. `csi`: Velero takes volumes through CSI snapshots."""
    found: dict[str, Any] = {
        "image": _image(velero.image),
        "initContainers": [_plugin(velero.plugin_image)],
        "resources": SIZES[velero.resources].server.resources(),
        "podAnnotations": {
            START_ANNOTATION: config_maps.start_digest(config_maps.data(velero)),
        },
        # A hook applies the definitions of the image that runs; deleting them would delete every
        # record of a backup.
        "upgradeCRDs": True,
        "upgradeJobResources": _HOOK_RESOURCES,
        "cleanUpCRDs": False,
        "backupsEnabled": False,
        "snapshotsEnabled": False,
        # Each location names its own Secret, which is read at every use: no pod restarts when a
        # credential is rotated.
        "credentials": {"useSecret": False},
        "metrics": {"enabled": True},
        "configuration": _configuration(velero, csi=csi),
        "deployNodeAgent": velero.wants_node_agent,
    }
    if velero.wants_node_agent:
        found["nodeAgent"] = _node_agent(velero)
    return found
