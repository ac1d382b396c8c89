"""The node's configuration files, as text."""

import json
from typing import Any

from lab.cluster import layout, longhorn, units
from lab.cluster.layout import KUBERNETES, PKI

PREPARE_NODE = """\
# Written by the lab. Runs in the host before containerd and the kubelet; safe to run again.
set -eu
# Pods get control groups below the host's own: the machine's other groups are out of sight.
mount -o remount,rw /sys/fs/cgroup
for group in /sys/fs/cgroup/*/; do
    mountpoint -q "$group" && mount -o remount,rw,bind "$group"
done
# Settings of the host's own network are the host's to change, all others stay read-only.
mountpoint -q /proc/sys/net || mount --bind /proc/sys/net /proc/sys/net
mount -o remount,rw,bind /proc/sys/net
echo 1 > /proc/sys/net/ipv4/ip_forward
# The kubelet insists on these. They are the whole machine's, so it is shown what it wants to see
# and the machine keeps what it has.
show() {
    [ "$(cat "/proc/sys/$1")" = "$2" ] && return
    mkdir -p "/run/lab-sysctl/$(dirname "$1")"
    echo "$2" > "/run/lab-sysctl/$1"
    mount --bind "/run/lab-sysctl/$1" "/proc/sys/$1"
}
show vm/overcommit_memory 1
show vm/panic_on_oom 0
show kernel/panic 10
show kernel/panic_on_oops 1
show kernel/keys/root_maxkeys 1000000
show kernel/keys/root_maxbytes 25000000
mount --make-rshared /
"""

END_PODS = """\
# Written by the lab. Runs in the host when it shuts down, after the kubelet and containerd: a
# workload that does not listen must not hold the shutdown up.
pods() { find /sys/fs/cgroup/pids/kubepods /sys/fs/cgroup/kubepods -name cgroup.procs \
    -exec cat {} + 2>/dev/null; }
left=$(pods)
[ -z "$left" ] || kill -TERM $left 2>/dev/null
tries=0
while [ -n "$(pods)" ] && [ "$tries" -lt 20 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
left=$(pods)
[ -z "$left" ] || kill -KILL $left 2>/dev/null
# A shim outlives its pod for a while and would hold the shutdown up as well; there may be none.
pkill -KILL containerd-shim || true
"""

SNAPSHOTTER = f"""\
# Written by the lab. Waits for the snapshot CRDs, then becomes the command that it is given. The
# sidecar itself tries again ever more seldom, and would notice them half a minute late.
set -eu
export KUBECONFIG={KUBERNETES}/lab/csi.conf
for kind in snapshots snapshotcontents snapshotclasses; do
    one=customresourcedefinition/volume$kind.snapshot.storage.k8s.io
    kubectl wait --for=create --timeout=8760h "$one" >/dev/null
    kubectl wait --for=condition=Established --timeout=60s "$one" >/dev/null
done
exec "$@"
"""

IMPORT_IMAGES = f"""\
# Written by the lab. Imports what is not there yet; safe to run again.
set -eu
listed=$(ctr --namespace k8s.io images ls)
while read -r digest name archive; do
    echo "$listed" | grep -F "$name " | grep -qF "$digest" && continue
    ctr --namespace k8s.io images import "$archive"
done < {layout.IMAGE_LIST}
"""

FINISH = f"""\
# Written by the lab. What is done in the cluster once its API answers; safe to run again.
set -eu
export KUBECONFIG={KUBERNETES}/admin.conf
step() {{ kubeadm init phase "$@" --config {layout.KUBEADM_CONFIG} >/dev/null; }}
# kubeadm's first call to the API also gives the administrators' group its rights.
if ! kubectl get --namespace kube-system deployment/coredns >/dev/null 2>&1; then
    step upload-config kubeadm
    step addon coredns
fi
put() {{ kubectl apply --server-side --force-conflicts "$@" >/dev/null; }}
put --filename {layout.OBJECTS}
# Where somebody has the real one, there is no need for a stand-in.
if ! kubectl get --namespace {longhorn.NAMESPACE} daemonset/{longhorn.NAME} >/dev/null 2>&1; then
    put --filename {layout.LONGHORN_KINDS} --filename {layout.LONGHORN}
fi
tries=0
until kubectl get node {layout.NODE.name} >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 60 ]; then
        echo "the kubelet did not register: see journalctl -u kubelet" >&2
        exit 1
    fi
    sleep 1
done
role=node-role.kubernetes.io/control-plane
if [ -z "$(kubectl get node --selector $role --output name)" ]; then
    step mark-control-plane
fi
"""

CONTAINERD = f"""\
# Written by the lab.
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/lab/pause:1"
  # Not every machine lets a container lower its OOM score; without this no pod would start there.
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
[grpc]
  address = "{layout.RUNTIME_SOCKET}"
"""

# A stop must not wait for a minute and a half for a workload that does not listen.
SYSTEMD = "[Manager]\nDefaultTimeoutStopSec=10s\n"


def cni() -> str:
    """Bridge with addresses of the pod network, and host ports."""
    ranges = [[{"subnet": layout.POD_NETWORK}]]
    bridge: dict[str, Any] = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            # A boot gives every address back: a crash leaks none.
            "dataDir": "/run/cni-addresses",
            "ranges": ranges,
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return _json({"cniVersion": "0.4.0", "name": "lab", "plugins": [bridge, ports]})


def loopback() -> str:
    return _json({"cniVersion": "0.4.0", "name": "lo", "type": "loopback"})


def kubelet() -> str:
    """kubeadm's kubelet settings, and what a container on a small machine needs besides."""
    return _json(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": f"{PKI}/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "clusterDNS": [layout.DNS_SERVICE],
            "clusterDomain": layout.DOMAIN,
            "containerRuntimeEndpoint": f"unix://{layout.RUNTIME_SOCKET}",
            "rotateCertificates": True,
            "resolvConf": f"{KUBERNETES}/lab/resolv.conf",
            "cgroupDriver": "cgroupfs",
            "enforceNodeAllocatable": [],
            "failSwapOn": False,
            "failCgroupV1": False,
            "localStorageCapacityIsolation": False,
            # Images are not to be had again from anywhere, so none is ever thrown away.
            "imageMinimumGCAge": "720h",
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "imagefs.available": "1%",
            },
            "shutdownGracePeriod": "0s",
            # Faster than the defaults: a lab is waited for.
            "syncFrequency": "10s",
            "nodeStatusUpdateFrequency": "5s",
        }
    )


def kube_proxy() -> str:
    """Service addresses by iptables; the machine's own connection table stays as it is."""
    return _json(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": f"{KUBERNETES}/lab/kube-proxy.conf"},
            "clusterCIDR": layout.POD_NETWORK,
            "hostnameOverride": layout.NODE.name,
            "healthzBindAddress": f"127.0.0.1:{layout.PROXY_HEALTH}",
            "conntrack": {"maxPerCore": 0, "min": 0},
        }
    )


def kubeadm(address: str, version: str, dns_version: str, pki: str = PKI) -> str:
    """What kubeadm is asked for; `pki` is where it finds the certificates."""
    init = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "InitConfiguration",
        "localAPIEndpoint": {"advertiseAddress": address, "bindPort": 6443},
        "nodeRegistration": {
            "name": layout.NODE.name,
            "criSocket": f"unix://{layout.RUNTIME_SOCKET}",
            # The one node runs workloads too.
            "taints": [],
        },
    }
    cluster = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "kubernetesVersion": f"v{version}",
        "certificatesDir": pki,
        "networking": {
            "serviceSubnet": layout.SERVICE_NETWORK,
            "podSubnet": layout.POD_NETWORK,
            "dnsDomain": layout.DOMAIN,
        },
        "dns": {"imageTag": f"v{dns_version}"},
    }
    return f"{_json(init)}---\n{_json(cluster)}"


def files(address: str, version: str, dns_version: str) -> dict[str, str]:
    """Every configuration file of the node that holds no secret: path -> text."""
    # Names outside the cluster: the node refuses the question, so they fail at once.
    resolver = f"nameserver {address}\noptions timeout:1 attempts:1\n"
    texts = {
        f"{KUBERNETES}/lab/prepare-node.sh": PREPARE_NODE,
        f"{KUBERNETES}/lab/end-pods.sh": END_PODS,
        f"{KUBERNETES}/lab/start-snapshotter.sh": SNAPSHOTTER,
        f"{KUBERNETES}/lab/import-images.sh": IMPORT_IMAGES,
        f"{KUBERNETES}/lab/finish.sh": FINISH,
        f"{KUBERNETES}/lab/resolv.conf": resolver,
        layout.KUBEADM_CONFIG: kubeadm(address, version, dns_version),
        "/etc/containerd/config.toml": CONTAINERD,
        "/etc/cni/net.d/10-lab.conflist": cni(),
        "/etc/cni/net.d/99-loopback.conf": loopback(),
        "/etc/systemd/system.conf.d/lab.conf": SYSTEMD,
        "/var/lib/kubelet/config.yaml": kubelet(),
        "/var/lib/kube-proxy/config.conf": kube_proxy(),
    }
    written = {
        f"/etc/systemd/system/{name}": text for name, text in units.all_units(address).items()
    }
    return texts | written


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"
