"""How the parts of the cluster are, asked from this machine."""

import json
import subprocess
import sys

from lab import machine, ssh
from lab.cluster import layout, longhorn, probe
from lab.cluster.layout import PKI
from lab.instance import Instance
from lab.network import NETNS
from lab.paths import ROOT

PROBE_SECONDS = 60
OK = probe.OK
# What a cluster without our program still waits for is no fault of the lab's.
WELL = frozenset({probe.OK, probe.NO_CRDS})


def of(lab: Instance) -> dict[str, str] | None:
    """Part -> "ok" or what is wrong with it; None where the lab has no cluster."""
    if not layout.kubeconfig(lab).exists():
        return None
    if machine.state(lab, layout.NODE) != "running":
        return {"node": f"{layout.NODE.name} is {machine.state(lab, layout.NODE)}"}
    return {**parts(lab), "images": images(lab)}


def parts(lab: Instance) -> dict[str, str]:
    """What can be asked over the network, in one process in the node's network namespace."""
    namespace = lab.namespace(layout.NODE)
    if not (NETNS / namespace).exists():
        return {"node": f"the network namespace {namespace} is gone"}
    try:
        answer = subprocess.run(
            ["ip", "netns", "exec", namespace, sys.executable, "-m", "lab.cluster.probe"],
            cwd=ROOT,
            input=probe.encode(_request(lab)),
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"node": f"gave no answer in {PROBE_SECONDS} s"}
    if answer.returncode != 0:
        return {"node": f"cannot be asked ({answer.stderr.strip().splitlines()[-1:]})"}
    found: dict[str, str] = json.loads(answer.stdout)
    return found


def _request(lab: Instance) -> probe.Request:
    own = layout.outside(lab, f"{PKI}/apiserver-kubelet-client")
    return probe.Request(
        api=f"https://{lab.address(layout.NODE)}:6443",
        certificate=f"{own}.crt",
        key=f"{own}.key",
        authority=str(layout.outside(lab, f"{PKI}/ca.crt")),
        node=layout.NODE.name,
        dns=layout.DNS_SERVICE,
        domain=layout.DOMAIN,
        longhorn_namespace=longhorn.NAMESPACE,
        longhorn=longhorn.NAME,
        plain={
            "etcd": layout.ETCD_HEALTH,
            "proxy": layout.PROXY_HEALTH,
            "csi-driver": layout.CSI_HEALTH,
            "provisioner": layout.PROVISIONER_HEALTH,
            "snapshotter": layout.SNAPSHOTTER_HEALTH,
        },
    )


def images(lab: Instance) -> str:
    """Whether containerd has every image that the lab made, by digest."""
    listing = ssh.ask(lab, layout.NODE, ["ctr", "--namespace", "k8s.io", "images", "ls"])
    if listing.returncode != 0:
        return f"containerd gives no answer ({listing.stderr.strip()})"
    wanted = layout.outside(lab, layout.IMAGE_LIST).read_text(encoding="utf-8").splitlines()
    return missing_images(wanted, listing.stdout)


def missing_images(wanted: list[str], listing: str) -> str:
    """ "ok", or which of `wanted` (digest, reference, archive) are not in `ctr images ls`."""
    there = {tuple(line.split()[:3:2]) for line in listing.splitlines()[1:]}
    absent = [line.split()[1] for line in wanted if tuple(line.split()[1::-1]) not in there]
    return f"not there: {', '.join(absent)}" if absent else OK
