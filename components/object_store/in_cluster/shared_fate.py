"""What is lost together when a store runs inside the cluster that it saves.

Pure functions on settings and on what the cluster says of a class; the wording is the contract.
"""

from components.settings import InClusterStore
from components.settings.volume_sources import SOURCES

# Provisioners whose data lies on the cluster's own nodes; a prefix ends in a dot or hyphen.
OWN_DRIVERS = (
    "docker.io/hostpath",
    "driver.longhorn.io",
    "hostpath.csi.k8s.io",
    "k8s.io/minikube-hostpath",
    "kubernetes.io/no-provisioner",
    "linstor.csi.linbit.com",
    "local.csi.openebs.io",
    "microk8s.io/hostpath",
    "openebs.io/local",
    "pxd.portworx.com",
    "rancher.io/local-path",
    "rook-ceph.",
    "topolvm.io",
    "zfs.csi.openebs.io",
)
PROFILES_FROM_OUTSIDE = ("crownlabs",)
_KEY = "config backstop:objectStore"


def own_driver(driver: str) -> bool:
    """Whether a provisioner or CSI driver keeps its data on the cluster's own nodes."""
    return any(
        driver.startswith(own) if own.endswith((".", "-")) else driver == own for own in OWN_DRIVERS
    )


def driver_of(store: InClusterStore, provisioner: str | None) -> str | None:
    """The driver behind the store's volume: of its class (`provisioner`), or of its CSI source."""
    if store.storage.volume is None:
        return provisioner
    return (store.storage.volume.get("csi") or {}).get("driver")


def data_outside(store: InClusterStore, provisioner: str | None) -> bool | None:
    """Whether the store's data lies outside the cluster; None: nothing says.

    `provisioner`: that of the storage class, None if there is no class or it is not known.
    """
    driver = driver_of(store, provisioner)
    if driver and own_driver(driver):
        return False
    if store.storage.location is not None:
        return store.storage.location == "outside"
    source = store.storage.source
    if source in ("local", "hostPath"):
        return False
    return SOURCES[source].outside if source else None


def described(store: InClusterStore, provisioner: str | None) -> str:
    """Where the data lies, in words: "nfs 10.0.0.5:/export", "class longhorn (driver …)"."""
    storage = store.storage
    if storage.volume is None:
        driver = f" (driver {provisioner})" if provisioner else ""
        return f"class {storage.class_name}{driver}"
    ((source, fields),) = storage.volume.items()
    match source:
        case "nfs":
            return f"nfs {fields['server']}:{fields['path']}"
        case "iscsi":
            return f"iscsi {fields['targetPortal']} {fields['iqn']} lun {fields['lun']}"
        case "csi":
            return f"csi {fields['driver']} {fields['volumeHandle']}"
        case "local" | "hostPath":
            return f"{source} {fields['path']}"
    return str(source)


def warning(site: str, store: InClusterStore, provisioner: str | None) -> str:
    """What every run says about a store inside the cluster; louder where its data is inside too."""
    where = described(store, provisioner)
    outside = data_outside(store, provisioner)
    if outside:
        return (
            f"the object store runs inside cluster {site}, which it saves: with the cluster its "
            f"server, its users and its credentials are lost together, and nothing is restored "
            f"until `up` has put it on a cluster again; its data stays on {where}, which must not "
            "be a part of that cluster"
        )
    doubt = "which nothing says to be outside the cluster" if outside is None else "inside it"
    return (
        f"DANGER: the object store runs inside cluster {site}, which it saves, and keeps its data "
        f"on {where}, {doubt}: when cluster {site} or its storage is lost, every workload, every "
        "volume AND EVERY BACKUP of them are lost together, and no restore is possible from "
        f"anywhere; give {_KEY}.storage a volume outside the cluster (iscsi, nfs, or "
        "location: outside where you know it)"
    )


def findings(site: str, store: InClusterStore, profile: str, provisioner: str | None) -> list[str]:
    """Every reason not to begin. `profile`: Velero's, "none" without one."""
    found = []
    driver = driver_of(store, provisioner)
    if store.storage.location == "outside" and driver and own_driver(driver):
        found.append(
            f"{_KEY}.storage.location: says outside, but {driver} keeps its data on the nodes of "
            f"cluster {site}; say inside, or give another volume"
        )
    if store.storage.source == "hostPath" and profile != "demo":
        found.append(
            f"{_KEY}.storage.volume.hostPath: a folder of whatever node the pod lands on, with "
            "nothing that checks that its disk is mounted; give local with nodeAffinity, nfs or "
            "iscsi (only velero.profile demo may have it)"
        )
    if (
        profile in PROFILES_FROM_OUTSIDE
        and not data_outside(store, provisioner)
        and not store.acknowledge_shared_fate
    ):
        found.append(
            f"{_KEY}.storage: profile {profile} keeps its backups outside the cluster, and nothing "
            f"says that {described(store, provisioner)} lies outside cluster {site}; give iscsi, "
            "nfs or location: outside, or accept with acknowledgeSharedFate: true that the cluster "
            "and every backup of it are lost together"
        )
    return found
