"""Objects that come and go by themselves, and objects that Velero does not bring back.

A restored namespace is never only what was restored into it: controllers put objects of their own
there and replace those of the backup. To count these as added or lost would make every drill red;
to leave them out unsaid would hide something. So each has a row with its reason, and the comparison
counts them. Facts as in `drills.objects.ownership`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache


class Kind(StrEnum):
    """What a row says about the objects it takes in."""

    MADE = "made-by-controller"
    KEPT_BACK = "not-restored"


@dataclass(frozen=True)
class Row:
    """Which objects, and why they are neither lost nor added.

    resource, name: globs. owners: kinds of the controlling owner, any if it holds `*`.
    labels, annotations: keys that must be there, each with a glob for its value.
    fields: top-level or `status.x` field with a glob for its value.
    compared: the content is compared all the same where both sides have the object.
    """

    resource: str
    why: str
    source: str
    kind: Kind = Kind.MADE
    name: str = "*"
    owners: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    compared: bool = False


_NEVER = "velero pkg/controller/restore_controller.go nonRestorableResources"
_COMPLETED = "velero pkg/restore/restore.go isCompleted"

NEVER_RESTORED: tuple[Row, ...] = (
    *(
        Row(resource, why, _NEVER, Kind.KEPT_BACK)
        for resource, why in (
            ("nodes", "Velero never restores nodes"),
            ("events", "Velero never restores events"),
            ("events.events.k8s.io", "Velero never restores events"),
            ("csinodes.storage.k8s.io", "Velero never restores what nodes say of themselves"),
            ("volumeattachments.storage.k8s.io", "Velero never restores attachments to nodes"),
            ("backups.velero.io", "Velero reads its backups from the store"),
            ("restores.velero.io", "Velero never restores its restores"),
            ("backuprepositories.velero.io", "Velero makes its repositories anew"),
            ("resticrepositories.velero.io", "Velero makes its repositories anew"),
        )
    ),
    Row("pods", "Velero does not restore pods that have ended", _COMPLETED, Kind.KEPT_BACK,
        fields={"status.phase": "Succeeded"}),
    Row("pods", "Velero does not restore pods that have ended", _COMPLETED, Kind.KEPT_BACK,
        fields={"status.phase": "Failed"}),
    Row("jobs.batch", "Velero does not restore jobs that have ended", _COMPLETED, Kind.KEPT_BACK,
        fields={"status.completionTime": "?*"}),
    Row("pods", "a node's own static pod, shown in the API", "velero pkg/restore/restore.go"
        " restoreItem", Kind.KEPT_BACK, annotations={"kubernetes.io/config.mirror": "*"}),
    Row("secrets", "a token that clusters before 1.24 make by themselves",
        "velero pkg/restore/actions/secret_action.go Execute", Kind.KEPT_BACK,
        name="*-token-?????", fields={"type": "kubernetes.io/service-account-token"},
        annotations={"kubernetes.io/service-account.name": "*"}),
    Row("datauploads.velero.io", "read by Velero's data mover, not restored",
        "velero pkg/restore/actions/dataupload_retrieve_action.go Execute", Kind.KEPT_BACK),
    Row("volumesnapshots.snapshot.storage.k8s.io", "restored under a new name, for the claim only",
        "velero pkg/restore/actions/csi/volumesnapshot_action.go", Kind.KEPT_BACK),
)  # fmt: skip
"""What is in a backup and must not be missed in its restored copy."""

_CONTROLLED = "velero pkg/restore/restore.go resetMetadata drops owners; the controller makes them"
MADE_BY_CONTROLLERS: tuple[Row, ...] = (
    Row("pods", "belongs to its workload, whose controller makes and removes it", _CONTROLLED,
        owners=("*",)),
    Row("replicasets.apps", "belongs to its deployment, whose controller makes it", _CONTROLLED,
        owners=("Deployment",)),
    Row("jobs.batch", "belongs to its cron job, whose controller makes it", _CONTROLLED,
        owners=("CronJob",)),
    Row("controllerrevisions.apps", "history that the workload's controller keeps", _CONTROLLED,
        owners=("StatefulSet", "DaemonSet")),
    Row("serviceaccounts", "every namespace gets one; Velero merges the saved one into it",
        "kubernetes pkg/controller/serviceaccount/serviceaccounts_controller.go; velero"
        " pkg/restore/merge_service_account.go mergeServiceAccounts",
        name="default", compared=True),
    Row("configmaps", "every namespace gets the cluster's CA",
        "kubernetes pkg/controller/certificates/rootcacertpublisher/publisher.go",
        name="kube-root-ca.crt"),
    Row("endpoints", "follows the pods of its service",
        "kubernetes pkg/controller/endpoint/endpoints_controller.go",
        labels={"endpoints.kubernetes.io/managed-by": "endpoint-controller"}),
    Row("endpoints", "follows the pods of its service, in clusters before 1.33",
        "kubernetes pkg/controller/endpoint/endpoints_controller.go",
        annotations={"endpoints.kubernetes.io/last-change-trigger-time": "*"}),
    Row("endpointslices.discovery.k8s.io", "follows the pods of its service",
        "kubernetes pkg/controller/endpointslice/endpointslice_controller.go",
        labels={"endpointslice.kubernetes.io/managed-by": "endpointslice*-controller.k8s.io"}),
    Row("volumesnapshots.snapshot.storage.k8s.io", "made under a new name to fill a claim",
        "velero pkg/restore/actions/csi/volumesnapshot_action.go"),
    Row("leases.coordination.k8s.io", "who leads now; renewed every few seconds",
        "client-go tools/leaderelection"),
    Row("events", "what happened in the cluster, gone after an hour",
        "kubernetes pkg/registry/core/event"),
    Row("events.events.k8s.io", "what happened in the cluster, gone after an hour",
        "kubernetes pkg/registry/core/event"),
)  # fmt: skip
"""What a namespace holds, or no longer holds, without anybody having restored or lost it."""

MADE_BY_THE_BACKUP: Mapping[str, str] = {
    "volumesnapshots.snapshot.storage.k8s.io": "taken by the backup itself",
    "volumesnapshotcontents.snapshot.storage.k8s.io": "taken by the backup itself",
    "volumesnapshotclasses.snapshot.storage.k8s.io": "saved with the snapshots that need it",
    "volumegroupsnapshots.groupsnapshot.storage.k8s.io": "taken by the backup itself",
    "datauploads.velero.io": "made by the backup itself",
}
"""Kinds that a backup adds to itself, which no list of the cluster beforehand can have."""

_NO_ROWS: tuple[Row, ...] = ()


class Rows:
    """Rows by the kind they are about."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = tuple(rows)
        self._of = lru_cache(maxsize=None)(self._about)

    def match(self, resource: str, name: str, content: Mapping[str, object]) -> Row | None:
        """The first row that takes in the object, None if none does."""
        for row in self._of(resource):
            if _takes(row, name, content):
                return row
        return None

    def _about(self, resource: str) -> tuple[Row, ...]:
        found = tuple(row for row in self._rows if fnmatchcase(resource, row.resource))
        return found or _NO_ROWS


def controller_of(content: Mapping[str, object]) -> str:
    """The kind of the owner that controls the object, empty if none does."""
    metadata = content.get("metadata")
    references = metadata.get("ownerReferences") if isinstance(metadata, Mapping) else None
    if isinstance(references, list):
        for reference in references:
            if isinstance(reference, Mapping) and reference.get("controller") is True:
                return str(reference.get("kind"))
    return ""


def _takes(row: Row, name: str, content: Mapping[str, object]) -> bool:
    if row.name != "*" and not fnmatchcase(name, row.name):
        return False
    if row.owners and not _owned(row.owners, controller_of(content)):
        return False
    return (
        (not row.labels or _has(content, "labels", row.labels))
        and (not row.annotations or _has(content, "annotations", row.annotations))
        and all(_is(content, path, glob) for path, glob in row.fields.items())
    )


def _owned(owners: tuple[str, ...], controller: str) -> bool:
    return bool(controller) and (controller in owners or "*" in owners)


def _has(content: Mapping[str, object], part: str, wanted: Mapping[str, str]) -> bool:
    metadata = content.get("metadata")
    held = metadata.get(part) if isinstance(metadata, Mapping) else None
    if not isinstance(held, Mapping):
        return False
    return all(
        isinstance(held.get(key), str) and fnmatchcase(held[key], glob)
        for key, glob in wanted.items()
    )


def _is(content: Mapping[str, object], path: str, glob: str) -> bool:
    value: object = content
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return isinstance(value, str) and fnmatchcase(value, glob)
