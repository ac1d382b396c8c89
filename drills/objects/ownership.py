"""Fields that a backup or a restore may change without losing anything, each with owner and reason.

The table is data: a row takes a field out of the comparison on both sides, and the comparison says
of every row in how many objects it did so. A row is as narrow as the fact behind it, for what
stands here is not proven. The facts were read in the sources of Velero 1.18.1 and Kubernetes 1.34;
`source` names file and function.

Not in the table, because they come back as they were saved: tolerations and image pull secrets that
admission once added to a pod (they are in the backup), finalizers that are not Kubernetes' own, and
the annotation of `kubectl apply`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Where the owner writes: into the backup's copy, or into the restored object."""

    BACKUP = "backup"
    RESTORE = "restore"


@dataclass(frozen=True)
class OwnedField:
    """One field and why a difference in it says nothing.

    resource: a group-resource, or `*` for every kind.
    path: a pattern of `drills.objects.paths`.
    only_if, unless: (path, value as text) in the same object; the row holds only if the field has
        that value, or unless it has.
    """

    resource: str
    path: str
    owner: str
    why: str
    source: str
    stage: Stage = Stage.RESTORE
    only_if: tuple[str, str] | None = None
    unless: tuple[str, str] | None = None


_SERVER = "API server"
_VELERO = "Velero"
_RESET = "velero pkg/restore/restore.go resetMetadata"
_CREATE = "apiserver pkg/registry/rest/meta.go FillObjectMetaSystemFields"
_PVC = "persistentvolumeclaims"
_PVC_RESTORED = "velero pkg/restore/actions/pvc_action.go Execute"
_PVC_SAVED = "velero pkg/backup/actions/backup_pv_action.go Execute"
_PVC_SNAPSHOT = "velero pkg/backup/actions/csi/pvc_action.go Execute"
_PVC_CSI = "velero pkg/restore/actions/csi/pvc_action.go resetPVCSourceToVolumeSnapshot"
_SERVICE = "velero pkg/restore/actions/service_action.go Execute"
_JOB_PLACES = (
    "metadata.labels",
    "spec.selector.matchLabels",
    "spec.template.metadata.labels",
)
_JOB = "velero pkg/restore/actions/job_action.go Execute"
_HEADLESS = ("spec.clusterIP", "None")
_TOKEN = ("type", "kubernetes.io/service-account-token")
_INJECTED = "kubernetes plugin/pkg/admission/serviceaccount/admission.go mountServiceAccountToken"

_EVERY_KIND = tuple(
    OwnedField("*", path, owner, why, source)
    for path, owner, why, source in (
        ("metadata.uid", _SERVER, "a new object has a new identity", _CREATE),
        ("metadata.resourceVersion", _SERVER, "the store numbers every write", _RESET),
        ("metadata.generation", _SERVER, "counts changes of this very object", _RESET),
        ("metadata.creationTimestamp", _SERVER, "the time of the restore", _CREATE),
        ("metadata.selfLink", _SERVER, "no longer served; old backups have it", _RESET),
        ("metadata.managedFields", _SERVER, "who wrote which field, not its value",
         "velero pkg/restore/restore.go restoreItem"),
        ("metadata.generateName", _VELERO, "dropped; the name itself is kept", _RESET),
        ("metadata.deletionTimestamp", _SERVER, "objects in deletion are not saved", _RESET),
        ("metadata.deletionGracePeriodSeconds", _SERVER, "part of a deletion", _RESET),
        ("metadata.ownerReferences", _VELERO,
         "they name uids of the source; controllers adopt anew what is theirs", _RESET),
        ("status", "controllers", "what is observed now; not restored unless asked for",
         "velero pkg/restore/restore.go resetStatus"),
        ("metadata.labels[velero.io/backup-name]", _VELERO, "marks what it restores",
         "velero pkg/restore/restore.go addRestoreLabels"),
        ("metadata.labels[velero.io/restore-name]", _VELERO, "marks what it restores",
         "velero pkg/restore/restore.go addRestoreLabels"),
        ("metadata.finalizers[=kubernetes.io/pvc-protection]", _SERVER,
         "set while a claim is in use", "kubernetes pkg/volume/util/finalizer.go"),
        ("metadata.finalizers[=kubernetes.io/pv-protection]", _SERVER,
         "set while a volume is in use", "kubernetes pkg/volume/util/finalizer.go"),
        ("metadata.finalizers[=service.kubernetes.io/load-balancer-cleanup]", "service controller",
         "set while a load balancer exists", "cloud-provider service/helpers/helper.go"),
    )
)  # fmt: skip

_WORKLOADS = (
    OwnedField(
        "deployments.apps", "metadata.annotations[deployment.kubernetes.io/revision]",
        "deployment controller", "counts the replica sets that it finds",
        "kubernetes pkg/controller/deployment/util/deployment_util.go SetDeploymentRevision",
    ),
    OwnedField(
        "daemonsets.apps", "metadata.annotations[deprecated.daemonset.template.generation]",
        _SERVER, "set to 1 on creation",
        "kubernetes pkg/registry/apps/daemonset/strategy.go PrepareForCreate",
    ),
    *(
        OwnedField("jobs.batch", f"{place}[{label}]", _SERVER,
                   "holds the uid of the job; made anew with it", _JOB)
        for place in _JOB_PLACES
        for label in ("controller-uid", "batch.kubernetes.io/controller-uid")
    ),
    OwnedField("pods", "spec.nodeName", "scheduler", "chosen anew",
               "velero pkg/restore/actions/pod_action.go Execute"),
    OwnedField("pods", "spec.priority", "priority admission", "resolved anew from the class's name",
               "velero pkg/restore/actions/pod_action.go Execute"),
    OwnedField("pods", "spec.volumes[name=kube-api-access-*]", "service account admission",
               "a token volume under a random name, made where none is", _INJECTED),
    OwnedField("pods", "spec.containers[].volumeMounts[name=kube-api-access-*]",
               "service account admission", "mounts that volume", _INJECTED),
    OwnedField("pods", "spec.initContainers[].volumeMounts[name=kube-api-access-*]",
               "service account admission", "mounts that volume", _INJECTED),
    OwnedField("pods", "spec.initContainers[name=restore-wait]", _VELERO,
               "holds the pod until its volumes are filled",
               "velero pkg/restore/actions/pod_volume_restore_action.go Execute"),
    OwnedField("pods", "spec.initContainers[name=restic-wait]", _VELERO,
               "the same of older releases",
               "velero pkg/restore/actions/pod_volume_restore_action.go Execute"),
    OwnedField("pods", "spec.initContainers[name=velero-restore-init-*]", _VELERO,
               "runs a restore hook", "velero internal/hook/item_hook_handler.go"),
    OwnedField("pods", "metadata.annotations[cni.projectcalico.org/*]", "Calico",
               "address and sandbox of this very pod", "calico cni-plugin"),
    OwnedField("pods", "metadata.annotations[k8s.v1.cni.cncf.io/network-status]", "Multus",
               "addresses of this very pod", "network-attachment-definition-client types.go"),
)  # fmt: skip

_SERVICES = (
    OwnedField("services", "spec.clusterIP", _SERVER, "the address of the source is taken",
               _SERVICE, unless=_HEADLESS),
    OwnedField("services", "spec.clusterIPs", _SERVER, "the addresses of the source are taken",
               _SERVICE, unless=_HEADLESS),
    OwnedField("services", "spec.ports[].nodePort", _SERVER,
               "a port of every node: the source holds its own", _SERVICE),
    OwnedField("services", "spec.healthCheckNodePort", _SERVER,
               "a port of every node: the source holds its own", _SERVICE),
)  # fmt: skip

_IDENTITIES = (
    OwnedField("serviceaccounts", "secrets[name=*-token-?????]", "token controller",
               "tokens made by clusters before 1.24, made anew there",
               "velero pkg/restore/actions/service_account_action.go Execute"),
    *(
        OwnedField("secrets", path, "token controller", "the token is signed anew",
                   "velero pkg/restore/actions/secret_action.go Execute", only_if=_TOKEN)
        for path in ("data.token", "data[ca.crt]",
                     "metadata.annotations[kubernetes.io/service-account.uid]")
    ),
    *(
        OwnedField("secrets", f"metadata.labels[kubernetes.io/{label}]", "token cleaner",
                   "dates of the use of this very token",
                   "kubernetes pkg/serviceaccount/legacy.go", only_if=_TOKEN)
        for label in ("legacy-token-last-used", "legacy-token-invalid-since")
    ),
    OwnedField("namespaces", "metadata.labels[kubernetes.io/metadata.name]", _SERVER,
               "repeats the name, which a mapping changes",
               "kubernetes pkg/apis/core/v1/defaults.go SetDefaults_Namespace"),
    OwnedField("namespaces", "spec.finalizers", _SERVER, "set on creation",
               "kubernetes pkg/registry/core/namespace/strategy.go PrepareForCreate"),
)  # fmt: skip

_VOLUMES = (
    OwnedField(_PVC, "spec.volumeName", "volume binder",
               "the data comes back in a volume of its own",
               "velero pkg/restore/restore.go restoreItem"),
    *(
        OwnedField(_PVC, f"metadata.annotations[{name}]", owner, why, _PVC_RESTORED)
        for name, owner, why in (
            ("pv.kubernetes.io/bind-completed", "volume binder", "state of the binding"),
            ("pv.kubernetes.io/bound-by-controller", "volume binder", "state of the binding"),
            ("volume.kubernetes.io/storage-provisioner", "volume binder", "set when provisioned"),
            ("volume.beta.kubernetes.io/storage-provisioner", "volume binder",
             "set when provisioned"),
            ("volume.kubernetes.io/selected-node", "scheduler", "chosen anew"),
            ("velero.io/volume-snapshot-name", _VELERO, "its note from the backup, removed"),
            ("velero.io/data-upload-name", _VELERO, "its note from the backup, removed"),
        )
    ),
    OwnedField(_PVC, "spec.dataSource", _VELERO, "the snapshot that the volume is filled from",
               _PVC_CSI),
    OwnedField(_PVC, "spec.dataSourceRef", _VELERO, "the snapshot that the volume is filled from",
               _PVC_CSI),
    OwnedField(_PVC, "spec.selector.matchLabels[velero.io/dynamic-pv-restore]", _VELERO,
               "keeps other volumes away until the data mover is done",
               "velero pkg/restore/actions/csi/pvc_action.go restoreFromDataUploadResult"),
    OwnedField("persistentvolumes", "spec.claimRef.uid", "volume binder",
               "names the new claim", "velero pkg/restore/restore.go resetVolumeBindingInfo"),
    OwnedField("persistentvolumes", "spec.claimRef.resourceVersion", "volume binder",
               "names the new claim", "velero pkg/restore/restore.go resetVolumeBindingInfo"),
    OwnedField("persistentvolumes", "metadata.annotations[pv.kubernetes.io/bound-by-controller]",
               "volume binder", "state of the binding",
               "velero pkg/restore/restore.go resetVolumeBindingInfo"),
    OwnedField("persistentvolumes", "metadata.annotations[velero.io/original-pv-name]", _VELERO,
               "kept when a volume is renamed",
               "velero pkg/restore/restore.go handlePVHasNativeSnapshot"),
)  # fmt: skip

_SAVED = (
    *(
        OwnedField(_PVC, path, _VELERO, why, source, Stage.BACKUP)
        for path, why, source in (
            ("metadata.labels[velero.io/backup-name]", "marks what it snapshots", _PVC_SNAPSHOT),
            ("metadata.labels[velero.io/volume-snapshot-name]", "names the snapshot",
             _PVC_SNAPSHOT),
            ("metadata.labels[velero.io/restore-name]", "left from an earlier restore", _PVC_SAVED),
            ("metadata.annotations[velero.io/volume-snapshot-name]", "names the snapshot",
             _PVC_SNAPSHOT),
            ("metadata.annotations[velero.io/data-upload-name]", "names the upload",
             _PVC_SNAPSHOT),
            ("metadata.annotations[backup.velero.io/must-include-additional-items]",
             "a note between its own parts", _PVC_SNAPSHOT),
            ("metadata.annotations[backup.velero.io/skipped-no-csi-pv]",
             "a note between its own parts", _PVC_SNAPSHOT),
            ("spec.dataSource", "dropped, so that the claim can be made anew", _PVC_SAVED),
            ("spec.dataSourceRef", "dropped, so that the claim can be made anew", _PVC_SAVED),
            ("spec.resources.requests.storage", "raised to what the snapshot needs",
             "velero pkg/backup/actions/csi/pvc_action.go setPVCRequestSizeToVSRestoreSize"),
        )
    ),
    OwnedField(_PVC, "spec.selector", _VELERO,
               "dropped where a storage class provides the volume", _PVC_SAVED, Stage.BACKUP,
               unless=("spec.storageClassName", "")),
)  # fmt: skip

OWNED_FIELDS: tuple[OwnedField, ...] = (
    *_EVERY_KIND, *_WORKLOADS, *_SERVICES, *_IDENTITIES, *_VOLUMES, *_SAVED,
)  # fmt: skip
"""Every row. Callers add rows of a site's own with the same type."""
