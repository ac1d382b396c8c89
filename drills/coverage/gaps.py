"""Why a namespace or a volume is not protected: a closed set, each with what to do."""

from enum import StrEnum


class Gap(StrEnum):
    """Why the next restore would not bring it back."""

    NOT_IN_SCOPE = "not-in-scope"
    EXCLUDED_BY_LABEL = "excluded-by-label"
    NOT_SELECTED = "not-selected"
    KIND_LEFT_OUT = "kind-left-out"
    SCHEDULE_OFF = "schedule-off"
    OTHER_LOCATION = "other-location"
    NEVER_BACKED_UP = "never-backed-up"
    NOT_IN_BACKUP = "not-in-backup"
    NEWER_THAN_BACKUP = "newer-than-backup"
    LIST_MISSING = "list-missing"
    SKIPPED_BY_POLICY = "skipped-by-policy"
    HOST_PATH = "host-path"
    BLOCK_DEVICE = "block-device"
    OPTED_OUT = "opted-out"
    OPT_IN_MISSING = "opt-in-missing"
    SNAPSHOTS_OFF = "snapshots-off"
    NOT_RUNNING = "not-running"
    NODE_AGENT_ABSENT = "node-agent-absent"
    DATA_FAILED = "data-failed"
    EMPTIED = "emptied"
    NO_DATA = "no-data"
    LOST = "lost"


DATA_LOST = frozenset({Gap.NO_DATA, Gap.DATA_FAILED, Gap.EMPTIED})
"""A completed backup should hold the data: its schedule takes the volume in, nothing that was set
keeps it out, and yet a restore would bring nothing back."""

ADVICE = {
    Gap.NOT_IN_SCOPE: "take its namespace into a schedule, or write down why it need not be",
    Gap.EXCLUDED_BY_LABEL: "remove the label velero.io/exclude-from-backup, or write down why",
    Gap.NOT_SELECTED: "give it the labels that the schedule selects, or select nothing",
    Gap.KIND_LEFT_OUT: "take its kind out of the schedule's excludedResources",
    Gap.SCHEDULE_OFF: "let it run again",
    Gap.OTHER_LOCATION: "take it into a schedule of the site's location, or write down why not",
    Gap.NEVER_BACKED_UP: "look why the schedule has no completed backup",
    Gap.NOT_IN_BACKUP: "look whether the schedule was changed since, and make a new backup",
    Gap.NEWER_THAN_BACKUP: "look why there was no backup since it was made",
    Gap.LIST_MISSING: "make a new backup with Velero 1.13 or later",
    Gap.SKIPPED_BY_POLICY: "correct velero.volumePolicy, or write down why it need not be saved",
    Gap.HOST_PATH: "provision it as a local volume (annotation defaultVolumeType: local on the "
    "StorageClass); Velero cannot read hostPath volumes",
    Gap.BLOCK_DEVICE: "snapshot it; a file-system copy cannot read block devices",
    Gap.OPTED_OUT: "take it out of the pod's annotation backup.velero.io/backup-volumes-excludes",
    Gap.OPT_IN_MISSING: "name it in the pod's annotation backup.velero.io/backup-volumes, or set "
    "defaultVolumesToFsBackup",
    Gap.SNAPSHOTS_OFF: "set snapshotVolumes to true",
    Gap.NOT_RUNNING: "run a pod that mounts it, for a file-system copy needs one, or snapshot it",
    Gap.NODE_AGENT_ABSENT: "run Velero's node agent on that node",
    Gap.DATA_FAILED: "read `velero backup describe --details` of that backup",
    Gap.EMPTIED: "look whether its data was deleted, and restore it from an older backup if so",
    Gap.NO_DATA: "read `velero backup logs` of that backup",
    Gap.LOST: "its PersistentVolume is gone; restore it",
}
