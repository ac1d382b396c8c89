"""Where things are in the cluster: names, networks, ports and folders."""

from pathlib import Path

from lab.hosts import HOSTS
from lab.instance import Instance

NODE = HOSTS["cp1"]
POD_NETWORK = "10.244.0.0/24"
SERVICE_NETWORK = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
DOMAIN = "cluster.local"
CSI_DRIVER = "driver.longhorn.io"
RUNTIME_SOCKET = "/run/containerd/containerd.sock"

# Folders and files of the node, as the node itself sees them.
BINARIES = "/usr/local/bin"
KUBERNETES = "/etc/kubernetes"
PKI = f"{KUBERNETES}/pki"
OBJECTS = f"{KUBERNETES}/lab/objects.json"
LONGHORN = f"{KUBERNETES}/lab/longhorn.json"
LONGHORN_KINDS = f"{KUBERNETES}/lab/longhorn-kinds.yaml"
IMAGE_LIST = f"{KUBERNETES}/lab/images"
KUBEADM_CONFIG = f"{KUBERNETES}/lab/kubeadm.yaml"
IMAGES = "/opt/lab-images"
LOCAL_VOLUMES = "/var/lib/local-volumes"

# Where the parts say on the node that they are well.
ETCD_HEALTH = 2381
PROXY_HEALTH = 10256
CSI_HEALTH = 9898
PROVISIONER_HEALTH = 9899
SNAPSHOTTER_HEALTH = 9900

# Bound into the node read-only, one file each.
NODE_TOOLS = (
    "etcd",
    "etcdctl",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
    "kubeadm",
    "csi-provisioner",
    "csi-snapshotter",
    "lab-csi",
)


def root(lab: Instance) -> Path:
    """The node's file system, seen from this machine."""
    return lab.host_folder(NODE) / "root"


def outside(lab: Instance, path: str) -> Path:
    """A path of the node, seen from this machine."""
    return root(lab) / path.lstrip("/")


def kubeconfig(lab: Instance) -> Path:
    """The administrator's kubeconfig for this machine; it is there once the cluster was made."""
    return lab.folder / "kubeconfig"
