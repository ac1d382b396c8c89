"""The lab's cluster: real parts, laid out as kubeadm has them, and up again from any state."""

import json
import os
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lab import cgroups
from tests.on_lab.machine_state import snapshot
from tests.on_lab.site import ROOT, Done, Lab, run

pytestmark = pytest.mark.lab

HOME = Path(os.environ.get("BACKSTOP_LAB_HOME") or "/var/lib/backstop-lab")
WAITING = "waiting for the snapshot CRDs"
# Settings of the machine as a whole that a kubelet changes where it can.
MACHINE_SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
)
WORKLOAD = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: flow}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 16Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: flow, labels: {app: web}}
spec:
  containers:
    - name: web
      image: lab/demo:1
      readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
      volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: flow}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
"""
CLONE = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: clone, namespace: flow}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 16Mi}}
  dataSource: {kind: PersistentVolumeClaim, name: data}
---
apiVersion: v1
kind: Pod
metadata: {name: reader, namespace: flow}
spec:
  containers: [{name: web, image: lab/demo:1, volumeMounts: [{name: data, mountPath: /data}]}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: clone}}]
"""

SNAPSHOT = """
apiVersion: longhorn.io/v1beta2
kind: Snapshot
metadata: {name: by-hand, namespace: longhorn-system}
spec: {volume: VOLUME, createSnapshot: true}
"""


class Cluster:
    """A lab with a cluster, worked on with the tools that `lab env` puts on PATH."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.environment = lab.exports()

    def kubectl(self, *argv: str, stdin: str = "") -> str:
        done = self.attempt(*argv, stdin=stdin)
        assert done.code == 0, done.text
        return done.stdout

    def attempt(self, *argv: str, stdin: str = "") -> Done:
        return run(["kubectl", *argv], cwd=ROOT, env=self.environment, stdin=stdin)

    def wait(self, pod: str) -> None:
        self.kubectl("-n", "flow", "wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=180s")

    def in_pod(self, pod: str, script: str) -> str:
        return self.kubectl("-n", "flow", "exec", pod, "--", "sh", "-c", script)

    def parts(self) -> dict[str, str]:
        done = self.lab.lab("status", "--json")
        assert done.code == 0, done.text
        found: dict[str, str] = json.loads(done.stdout)["cluster"]
        return found


def asked_again(url: str) -> str:
    """A script that prints a page.

    kube-proxy learns of a Service's endpoint a moment after the pod is ready, and a connection
    begun before that never arrives: what it sends again is taken for the same one. Hence a new one.
    """
    return f"for i in $(seq 30); do timeout 5 wget -qO- {url} && exit; sleep 1; done; exit 1"


def inventory(lab: Lab) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HOME / lab.instance / "inventory.json").read_text())
    return found


def settings() -> dict[str, str]:
    return {name: Path("/proc/sys", name).read_text() for name in MACHINE_SETTINGS}


@pytest.fixture(scope="module")
def machine_before() -> dict[str, str]:
    return settings()


@pytest.fixture(scope="module")
def cluster(machine_before: dict[str, str]) -> Iterator[Cluster]:  # noqa: ARG001  (read first)
    lab = Lab(f"kube-{os.getpid()}")
    try:
        lab.up("cp1")
        yield Cluster(lab)
    finally:
        lab.down()


@pytest.fixture(scope="module")
def workload(cluster: Cluster) -> Cluster:
    """A web server with a page on a CSI volume, in the namespace `flow`."""
    cluster.kubectl("create", "namespace", "flow")
    cluster.kubectl("apply", "-f", "-", stdin=WORKLOAD)
    cluster.wait("web")
    cluster.in_pod("web", "echo 'Hello from the lab' > /data/index.html; sync")
    return cluster


def test_every_part_is_well_and_only_the_snapshotter_waits_for_the_program(
    cluster: Cluster,
) -> None:
    parts = cluster.parts()
    assert parts.pop("snapshotter") == WAITING
    assert set(parts.values()) == {"ok"}, parts
    assert {"etcd", "apiserver", "kubelet", "dns", "csi-driver", "images"} <= set(parts)
    assert cluster.lab.on("cp1", "systemctl is-system-running") == "running\n"


def test_the_files_are_where_kubeadm_has_them_and_keys_are_roots_alone(cluster: Cluster) -> None:
    kubernetes = HOME / cluster.lab.instance / "hosts" / "cp1" / "root" / "etc" / "kubernetes"
    for name in ("ca.crt", "etcd/ca.crt", "front-proxy-ca.crt", "sa.pub", "etcd/server.crt"):
        assert (kubernetes / "pki" / name).exists()
    keys = [*kubernetes.rglob("*.key"), *kubernetes.rglob("*.conf")]
    secret = [path for path in keys if path.name != "resolv.conf"]
    assert len(secret) > 15
    assert {path.stat().st_mode & 0o777 for path in secret} == {0o600}
    assert cluster.lab.on("cp1", "test -d /var/lib/etcd/member && echo there") == "there\n"


def test_the_kubeconfig_is_in_the_inventory_and_for_its_owner_only(cluster: Cluster) -> None:
    path = Path(inventory(cluster.lab)["kubernetes"]["kubeconfigFile"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert cluster.environment["KUBECONFIG"] == str(path)
    address = inventory(cluster.lab)["hosts"]["cp1"]["address"]
    assert f"https://{address}:6443" in path.read_text()
    for tool in ("kubectl", "helm", "velero", "etcdctl"):
        done = run(["sh", "-c", f"command -v {tool}"], cwd=ROOT, env=cluster.environment)
        assert done.code == 0, tool


def test_etcd_answers_nobody_without_a_certificate(cluster: Cluster) -> None:
    address = inventory(cluster.lab)["hosts"]["cp1"]["address"]
    pki = HOME / cluster.lab.instance / "hosts/cp1/root/etc/kubernetes/pki/etcd"
    line = ["etcdctl", "--endpoints", f"https://{address}:2379", "--cacert", str(pki / "ca.crt")]
    own = ["--cert", str(pki / "server.crt"), "--key", str(pki / "server.key")]
    with_one = run([*line, *own, "endpoint", "health"], cwd=ROOT, env=cluster.environment)
    assert with_one.code == 0, with_one.text
    without = run([*line, "endpoint", "health"], cwd=ROOT, env=cluster.environment)
    assert without.code != 0


def test_the_api_shows_a_certificate_of_the_clusters_own_authority(cluster: Cluster) -> None:
    address = inventory(cluster.lab)["hosts"]["cp1"]["address"]
    pki = HOME / cluster.lab.instance / "hosts/cp1/root/etc/kubernetes/pki"
    shown = ssl.get_server_certificate((address, 6443), ca_certs=str(pki / "ca.crt"))
    assert shown.split() == (pki / "apiserver.crt").read_text().split()


def test_the_machines_own_settings_stay_as_they_were(
    cluster: Cluster, machine_before: dict[str, str]
) -> None:
    assert settings() == machine_before
    seen = cluster.lab.on("cp1", "cat /proc/sys/vm/overcommit_memory /proc/sys/kernel/panic")
    assert seen == "1\n10\n", "the kubelet sees what it insists on"


def test_a_workload_has_a_volume_a_name_and_an_address(workload: Cluster) -> None:
    page = workload.in_pod("web", asked_again("http://web.flow.svc.cluster.local/"))
    assert page == "Hello from the lab\n"
    assert "web" in workload.kubectl("-n", "flow", "get", "pods", "-o", "name")
    assert workload.kubectl("-n", "flow", "logs", "web") == ""
    kind = workload.kubectl("get", "pv", "-o", "jsonpath={.items[*].spec.csi.driver}")
    assert kind == "driver.longhorn.io"
    said = workload.lab.on("cp1", "journalctl -u lab-csi --no-pager")
    assert "stand-in for the CSI driver driver.longhorn.io" in said


def test_a_pod_reaches_the_api_and_the_labs_other_addresses(workload: Cluster) -> None:
    gateway = inventory(workload.lab)["network"]["gateway"]
    workload.in_pod("web", "nc -w 10 10.96.0.1 443 </dev/null")
    workload.in_pod("web", f"ping -c 1 -W 5 {gateway} >/dev/null")


def test_a_clone_has_the_data_and_goes_its_own_way(workload: Cluster) -> None:
    workload.kubectl("apply", "-f", "-", stdin=CLONE)
    workload.wait("reader")
    assert workload.in_pod("reader", "cat /data/index.html") == "Hello from the lab\n"
    workload.in_pod("reader", "echo changed > /data/index.html")
    assert workload.in_pod("web", "cat /data/index.html") == "Hello from the lab\n"
    kinds = ["pod/reader", "pvc/clone"]
    workload.kubectl("-n", "flow", "delete", *kinds, "--grace-period=1", "--timeout=120s")


def test_longhorns_stand_in_knows_the_volume_and_takes_a_snapshot_of_it(workload: Cluster) -> None:
    own = ["-n", "longhorn-system"]
    name = ["-n", "flow", "get", "pvc", "data", "-o", "jsonpath={.spec.volumeName}"]
    volume = workload.kubectl(*name)
    attached = ["--for=jsonpath={.status.state}=attached", "--timeout=60s"]
    workload.kubectl(*own, "wait", f"volumes.longhorn.io/{volume}", *attached)
    workload.kubectl("apply", "-f", "-", stdin=SNAPSHOT.replace("VOLUME", volume))
    ready = ["--for=jsonpath={.status.readyToUse}=true", "--timeout=60s"]
    workload.kubectl(*own, "wait", "snapshots.longhorn.io/by-hand", *ready)
    question = "debugfs -R 'cat /index.html' /var/lib/longhorn/snapshots/by-hand.img"
    assert workload.lab.on("cp1", question) == "Hello from the lab\n"
    message = "jsonpath={.status.conditions[0].message}"
    target = workload.kubectl(*own, "get", "backuptargets.longhorn.io", "default", "-o", message)
    assert target == "backup target URL is empty"
    assert "stand-in" in workload.kubectl(*own, "logs", "deployment/longhorn-manager")


def test_a_second_up_changes_nothing(workload: Cluster) -> None:
    units = "systemctl show -p InvocationID etcd kubelet kube-apiserver kube-proxy lab-csi"
    before = workload.lab.on("cp1", units)
    done = workload.lab.lab("up", "--host", "cp1")
    assert done.code == 0, done.text
    # The other worker's lab may be at what all labs share.
    said = [line for line in done.stderr.splitlines() if not line.startswith("another lab is ")]
    assert said == []
    assert workload.lab.on("cp1", units) == before


def test_a_part_that_stopped_is_named_and_the_next_up_starts_it(workload: Cluster) -> None:
    workload.lab.on("cp1", "systemctl stop kube-scheduler")
    assert workload.parts()["scheduler"].startswith("no answer")
    workload.lab.up("cp1")
    assert workload.parts()["scheduler"] == "ok"


def test_an_object_of_the_labs_that_was_deleted_comes_back(workload: Cluster) -> None:
    workload.kubectl("delete", "storageclass", "local-static")
    workload.lab.up("cp1")
    assert "local-static" in workload.kubectl("get", "storageclass", "-o", "name")


def test_an_image_that_was_removed_is_named_and_comes_back(workload: Cluster) -> None:
    name = "docker.io/lab/demo:1"
    workload.lab.on("cp1", f"ctr --namespace k8s.io images rm {name}")
    assert workload.parts()["images"] == f"not there: {name}"
    workload.lab.up("cp1")
    assert workload.parts()["images"] == "ok"


def test_after_a_power_cut_up_brings_cluster_and_workload_back(workload: Cluster) -> None:
    listed = inventory(workload.lab)
    uid = workload.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
    for process in cgroups.processes(f"{workload.lab.instance}/cp1"):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    time.sleep(0.5)
    assert list(workload.parts()) == ["node"]
    workload.lab.up("cp1")
    assert inventory(workload.lab) == listed
    found = workload.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
    assert found == uid
    workload.wait("web")
    assert workload.in_pod("web", "cat /data/index.html") == "Hello from the lab\n"


def test_a_stop_in_order_keeps_everything(workload: Cluster) -> None:
    done = workload.lab.lab("down", "--keep")
    assert done.code == 0, done.text
    assert cgroups.processes(f"{workload.lab.instance}/cp1") == set()
    workload.lab.up("cp1")
    workload.wait("web")
    assert workload.in_pod("web", "cat /data/index.html") == "Hello from the lab\n"


@pytest.fixture
def own(request: pytest.FixtureRequest) -> Iterator[Lab]:
    lab = Lab(f"own-{os.getpid()}-{abs(hash(request.node.name)) % 1000}")
    try:
        yield lab
    finally:
        lab.down()


def test_down_leaves_the_machine_as_it_was(own: Lab) -> None:
    before = snapshot(own.instance)
    own.up("cp1")
    cluster = Cluster(own)
    cluster.kubectl("create", "namespace", "flow")
    cluster.kubectl("apply", "-f", "-", stdin=WORKLOAD)
    cluster.wait("web")
    during = snapshot(own.instance)
    assert during["processes"]
    assert during["mounts"] == before["mounts"], "what pods mount is the host's alone"
    assert during["firewall"] == before["firewall"]
    own.down()
    assert snapshot(own.instance) == before
    assert not (HOME / own.instance).exists()


def test_without_a_cluster_cp1_is_a_plain_host_and_can_become_its_node(own: Lab) -> None:
    done = own.lab("up", "--host", "cp1", "--no-cluster")
    assert done.code == 0, done.text
    assert "kubernetes" not in inventory(own)
    assert "KUBECONFIG" not in {
        line.split("=")[0].removeprefix("export ") for line in own.lab("env").stdout.splitlines()
    }
    assert "cluster" not in json.loads(own.lab("status", "--json").stdout)
    assert own.on("cp1", "systemctl is-system-running; mountpoint -q /outside && echo drive") == (
        "running\ndrive\n"
    )
    done = own.lab("up", "--host", "cp1")
    assert done.code == 0, done.text
    assert "cp1: stopping it, to start it as the cluster's node" in done.stderr
    assert "kubernetes" in inventory(own)


def test_an_up_that_is_killed_anywhere_is_finished_by_the_next_one(own: Lab) -> None:
    command = ["python3", "-m", "lab", "up", "--host", "cp1"]
    pause = 1.0
    kills = 0
    while True:
        up = subprocess.Popen(command, cwd=ROOT, env=own.environment, stdout=subprocess.DEVNULL)
        try:
            code = up.wait(timeout=pause)
        except subprocess.TimeoutExpired:
            up.send_signal(signal.SIGKILL)
            up.wait()
            kills += 1
            # Longer each time: each step, from the first to the last, is one that is hit.
            pause *= 1.4
            assert kills < 20, "up does not get further"
            continue
        assert code == 0, f"after {kills} kills"
        break
    assert kills > 3
    parts = Cluster(own).parts()
    assert set(parts.values()) <= {"ok", WAITING}, parts
