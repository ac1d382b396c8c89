"""Every fault that a copy of a restore point can be given, and what a drill must say of it."""

from collections.abc import Callable
from dataclasses import dataclass

from drills.damaged import archive_faults, repository_faults
from drills.damaged.copy import Copy
from drills.verdict import Reason


@dataclass(frozen=True)
class Fault:
    """A named fault: what is planted, the reason it must lead to, what plants it.

    `plant` raises NothingToPlantError, StoreError, TarballError.
    """

    name: str
    planted: str
    expected: Reason
    plant: Callable[[Copy], None]


REPOSITORY_FAULTS = (
    Fault("pack-bit-flip", "one bit of every content of files in the repository is flipped",
          Reason.RESTORE_POINT_DAMAGED, repository_faults.flip_packs),
    Fault("pack-deleted", "the repository's packs of files' content are deleted",
          Reason.RESTORE_POINT_DAMAGED, repository_faults.delete_packs),
    Fault("index-deleted", "the repository's indexes are deleted",
          Reason.RESTORE_POINT_DAMAGED, repository_faults.delete_indexes),
    Fault("repository-format-damaged", "the repository's description is cut off",
          Reason.RESTORE_POINT_DAMAGED, repository_faults.cut_formats),
    Fault("repository-password-wrong", "the password derives another key than the repository's",
          Reason.REPOSITORY_KEY_WRONG, repository_faults.change_keys),
    Fault("repository-deleted", "the repository is deleted, the backup is not",
          Reason.REPOSITORY_VANISHED, repository_faults.delete_repositories),
)  # fmt: skip

ARCHIVE_FAULTS = (
    Fault("object-dropped-from-tarball", "one object is left out of the archive",
          Reason.OBJECT_LOST, archive_faults.drop_object),
    Fault("field-changed-in-tarball", "one object in the archive has another label",
          Reason.OBJECT_DIFFERS, archive_faults.change_field),
    Fault("wrong-api-version", "one object in the archive says an API version that it is not of",
          Reason.RESTORE_POINT_DAMAGED, archive_faults.change_version),
    Fault("volume-info-emptied", "the backup's lists of volumes with data are emptied",
          Reason.VOLUME_LOST, archive_faults.empty_volume_info),
    Fault("other-clusters-point", "the archive is of a cluster with another uid",
          Reason.CLUSTER_MISMATCH, archive_faults.take_from_other_cluster),
)  # fmt: skip

FAULTS = (*REPOSITORY_FAULTS, *ARCHIVE_FAULTS)

_OF_VOLUMES = ("volume-info-emptied",)
VOLUME_FAULTS = (*REPOSITORY_FAULTS, *(one for one in ARCHIVE_FAULTS if one.name in _OF_VOLUMES))
"""What the drill of volumes has to notice, and the one of objects."""
OBJECT_FAULTS = tuple(one for one in ARCHIVE_FAULTS if one.name not in _OF_VOLUMES)


def named(name: str) -> Fault:
    """Raises KeyError."""
    return {fault.name: fault for fault in FAULTS}[name]
