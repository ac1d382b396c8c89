"""The node's systemd units: what kubeadm runs as static pods, with the same flags, and the rest."""

from collections.abc import Mapping, Sequence

from lab.cluster import layout
from lab.cluster.layout import BINARIES, KUBERNETES, PKI

ETCD_PKI = f"{PKI}/etcd"
Flags = Mapping[str, str]


def etcd(address: str, name: str) -> Flags:
    """The flags of kubeadm's etcd."""
    return {
        "advertise-client-urls": f"https://{address}:2379",
        "cert-file": f"{ETCD_PKI}/server.crt",
        "client-cert-auth": "true",
        "data-dir": "/var/lib/etcd",
        "feature-gates": "InitialCorruptCheck=true",
        "initial-advertise-peer-urls": f"https://{address}:2380",
        "initial-cluster": f"{name}=https://{address}:2380",
        "key-file": f"{ETCD_PKI}/server.key",
        "listen-client-urls": f"https://127.0.0.1:2379,https://{address}:2379",
        "listen-metrics-urls": f"http://127.0.0.1:{layout.ETCD_HEALTH}",
        "listen-peer-urls": f"https://{address}:2380",
        "name": name,
        "peer-cert-file": f"{ETCD_PKI}/peer.crt",
        "peer-client-cert-auth": "true",
        "peer-key-file": f"{ETCD_PKI}/peer.key",
        "peer-trusted-ca-file": f"{ETCD_PKI}/ca.crt",
        "snapshot-count": "10000",
        "trusted-ca-file": f"{ETCD_PKI}/ca.crt",
        "watch-progress-notify-interval": "5s",
    }


def api_server(address: str) -> Flags:
    """The flags of kubeadm's kube-apiserver."""
    return {
        "advertise-address": address,
        "allow-privileged": "true",
        "authorization-mode": "Node,RBAC",
        "client-ca-file": f"{PKI}/ca.crt",
        "enable-admission-plugins": "NodeRestriction",
        "enable-bootstrap-token-auth": "true",
        "etcd-cafile": f"{ETCD_PKI}/ca.crt",
        "etcd-certfile": f"{PKI}/apiserver-etcd-client.crt",
        "etcd-keyfile": f"{PKI}/apiserver-etcd-client.key",
        "etcd-servers": "https://127.0.0.1:2379",
        "kubelet-client-certificate": f"{PKI}/apiserver-kubelet-client.crt",
        "kubelet-client-key": f"{PKI}/apiserver-kubelet-client.key",
        "kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
        "proxy-client-cert-file": f"{PKI}/front-proxy-client.crt",
        "proxy-client-key-file": f"{PKI}/front-proxy-client.key",
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-client-ca-file": f"{PKI}/front-proxy-ca.crt",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
        "secure-port": "6443",
        "service-account-issuer": f"https://kubernetes.default.svc.{layout.DOMAIN}",
        "service-account-key-file": f"{PKI}/sa.pub",
        "service-account-signing-key-file": f"{PKI}/sa.key",
        "service-cluster-ip-range": layout.SERVICE_NETWORK,
        "tls-cert-file": f"{PKI}/apiserver.crt",
        "tls-private-key-file": f"{PKI}/apiserver.key",
    }


def controller_manager() -> Flags:
    """The flags of kubeadm's kube-controller-manager."""
    own = f"{KUBERNETES}/controller-manager.conf"
    return {
        "allocate-node-cidrs": "true",
        "authentication-kubeconfig": own,
        "authorization-kubeconfig": own,
        "bind-address": "127.0.0.1",
        "client-ca-file": f"{PKI}/ca.crt",
        "cluster-cidr": layout.POD_NETWORK,
        "cluster-name": "kubernetes",
        "cluster-signing-cert-file": f"{PKI}/ca.crt",
        "cluster-signing-key-file": f"{PKI}/ca.key",
        "controllers": "*,bootstrapsigner,tokencleaner",
        "kubeconfig": own,
        "leader-elect": "true",
        "requestheader-client-ca-file": f"{PKI}/front-proxy-ca.crt",
        "root-ca-file": f"{PKI}/ca.crt",
        "service-account-private-key-file": f"{PKI}/sa.key",
        "service-cluster-ip-range": layout.SERVICE_NETWORK,
        "use-service-account-credentials": "true",
    }


def scheduler() -> Flags:
    """The flags of kubeadm's kube-scheduler."""
    own = f"{KUBERNETES}/scheduler.conf"
    return {
        "authentication-kubeconfig": own,
        "authorization-kubeconfig": own,
        "bind-address": "127.0.0.1",
        "kubeconfig": own,
        "leader-elect": "true",
    }


def _csi() -> dict[str, tuple[str, Flags]]:
    socket = f"/var/lib/kubelet/plugins/{layout.CSI_DRIVER}/csi.sock"
    sidecar = {
        "csi-address": socket,
        "kubeconfig": f"{KUBERNETES}/lab/csi.conf",
        # After a fault the lab is whole again soon: by default they let up to five minutes pass.
        "retry-interval-max": "10s",
    }
    here = "127.0.0.1"
    return {
        "lab-csi": (
            "Stand-in for a storage system, behind CSI",
            {
                "driver": layout.CSI_DRIVER,
                "node": layout.NODE.name,
                "health": f"{here}:{layout.CSI_HEALTH}",
            },
        ),
        "csi-provisioner": (
            "CSI external provisioner",
            {
                **sidecar,
                "extra-create-metadata": "true",
                "default-fstype": "ext4",
                "http-endpoint": f"{here}:{layout.PROVISIONER_HEALTH}",
            },
        ),
        # Not before the snapshot CRDs are there: see SNAPSHOTTER in node_files.
        "csi-snapshotter": (
            "CSI external snapshotter",
            {
                **sidecar,
                "extra-create-metadata": "true",
                "http-endpoint": f"{here}:{layout.SNAPSHOTTER_HEALTH}",
            },
        ),
    }


def all_units(address: str) -> dict[str, str]:
    """Every unit of the node: name -> text. `address` is the node's own."""
    name = layout.NODE.name
    parts: dict[str, tuple[str, Flags]] = {
        "etcd": ("etcd", etcd(address, name)),
        "kube-apiserver": ("Kubernetes API server", api_server(address)),
        "kube-controller-manager": ("Kubernetes controller manager", controller_manager()),
        "kube-scheduler": ("Kubernetes scheduler", scheduler()),
        "kubelet": (
            "kubelet",
            {
                "config": "/var/lib/kubelet/config.yaml",
                "kubeconfig": f"{KUBERNETES}/kubelet.conf",
                "hostname-override": name,
                "node-ip": address,
            },
        ),
        "kube-proxy": (
            "Kubernetes Service addresses",
            {"config": "/var/lib/kube-proxy/config.conf"},
        ),
        **_csi(),
    }
    units = {f"{part}.service": _unit(part, *about) for part, about in parts.items()}
    return {
        "lab-node.service": NODE_UNIT,
        "containerd.service": CONTAINERD_UNIT,
        "lab-images.service": IMAGES_UNIT,
        **units,
    }


# Etcd before what reads it, containerd before the kubelet: a start without needless restarts.
AFTER: Mapping[str, Sequence[str]] = {
    "kube-apiserver": ("etcd.service",),
    "kube-controller-manager": ("kube-apiserver.service",),
    "kube-scheduler": ("kube-apiserver.service",),
    "kubelet": ("containerd.service", "kube-apiserver.service"),
    "kube-proxy": ("kube-apiserver.service",),
    "csi-provisioner": ("lab-csi.service",),
    "csi-snapshotter": ("lab-csi.service",),
}
STARTERS: Mapping[str, str] = {
    "csi-snapshotter": f"/bin/sh {KUBERNETES}/lab/start-snapshotter.sh ",
}
# Without the lab's binaries (an empty mount point is all there is) the host is a plain one.
CONDITION = "ConditionFileNotEmpty={binaries}/{part}"


def _unit(part: str, description: str, flags: Flags) -> str:
    after = " ".join(("lab-node.service", *AFTER.get(part, ())))
    starter = STARTERS.get(part, "")
    words = " \\\n    ".join(f"--{name}={value}" for name, value in flags.items())
    # The API server waits a minute for watches that nobody ends; etcd, stopped after it, is safe.
    stop = 4
    return f"""\
# Written by the lab.
[Unit]
Description={description}
After=network.target {after}
Wants=lab-node.service
{CONDITION.format(binaries=BINARIES, part=part)}
StartLimitIntervalSec=0

[Service]
Type={"notify" if part in ("etcd", "kube-apiserver") else "exec"}
ExecStart={starter}{BINARIES}/{part} \\
    {words}
Restart=always
RestartSec=1
TimeoutStartSec=120
TimeoutStopSec={stop}
{"KillMode=process" if part == "kubelet" else "KillMode=mixed"}
Delegate={"yes" if part == "kubelet" else "no"}

[Install]
WantedBy=multi-user.target
"""


NODE_UNIT = f"""\
# Written by the lab.
[Unit]
Description=What a container needs to be a Kubernetes node
{CONDITION.format(binaries=BINARIES, part="kubelet")}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh {KUBERNETES}/lab/prepare-node.sh
ExecStop=/bin/sh {KUBERNETES}/lab/end-pods.sh

[Install]
WantedBy=multi-user.target
"""

IMAGES_UNIT = f"""\
# Written by the lab.
[Unit]
Description=Images from the lab's archives into containerd
After=containerd.service
Requires=containerd.service
{CONDITION.format(binaries=BINARIES, part="kubelet")}

# The boot does not wait for it: what a cluster starts with comes first, the rest meanwhile.
[Service]
Type=exec
RemainAfterExit=yes
ExecStart=/bin/sh {KUBERNETES}/lab/import-images.sh
Restart=on-failure
RestartSec=2

[Install]
WantedBy=multi-user.target
"""

# Debian's own unit asks for a negative OOM score, which not every machine allows a container.
CONTAINERD_UNIT = f"""\
# Written by the lab.
[Unit]
Description=containerd
After=network.target lab-node.service
Wants=lab-node.service
{CONDITION.format(binaries=BINARIES, part="kubelet")}

[Service]
Type=notify
ExecStart=/usr/bin/containerd
Delegate=yes
KillMode=process
Restart=always
RestartSec=1
TimeoutStopSec=10
LimitNOFILE=1048576
TasksMax=infinity

[Install]
WantedBy=multi-user.target
"""
