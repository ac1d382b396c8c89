"""The node's files: kubeadm's own flags, settings that parse, and nothing of the machine's."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import tools
from lab.cluster import layout, node_files, objects, units

ADDRESS = "10.77.1.11"
FILES = node_files.files(ADDRESS, "1.34.3", "1.13.1")
UNITS = units.all_units(ADDRESS)


def command(unit: str) -> list[str]:
    text = UNITS[unit].replace("\\\n", " ")
    line = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    return shlex.split(line.removeprefix("ExecStart="))


def flags_of_manifests(folder: Path) -> dict[str, set[str]]:
    """Component -> its flags in the static pods that kubeadm writes."""
    found: dict[str, set[str]] = {}
    for path in folder.glob("*.yaml"):
        container = yaml.safe_load(path.read_text())["spec"]["containers"][0]
        found[path.stem] = set(container["command"][1:])
    return found


@pytest.mark.tools
def test_the_control_plane_runs_with_exactly_the_flags_of_kubeadms_manifests(
    tmp_path: Path,
) -> None:
    kubeadm = str(tools.ensure(["kubeadm"])["kubeadm"])
    config = tmp_path / "kubeadm.yaml"
    pki = tmp_path / "pki"
    config.write_text(node_files.kubeadm(ADDRESS, "1.34.3", "1.13.1", str(pki)))
    environment = {**os.environ, "KUBEADM_INIT_DRYRUN_DIR": str(tmp_path / "dry")}
    (tmp_path / "dry").mkdir()
    for phase in (["control-plane", "all"], ["etcd", "local"]):
        line = [kubeadm, "init", "phase", *phase, "--dry-run", "--config", str(config)]
        subprocess.run(line, env=environment, check=True, capture_output=True)
    manifests = flags_of_manifests(tmp_path / "dry")
    assert len(manifests) == 4
    for component, wanted in manifests.items():
        ours = {flag.replace(layout.PKI, str(pki)) for flag in command(f"{component}.service")[1:]}
        assert ours == wanted, component


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_every_unit_starts_with_the_boot_and_only_on_a_node(unit: str) -> None:
    assert "WantedBy=multi-user.target" in UNITS[unit]
    assert "ConditionFileNotEmpty=/usr/local/bin/" in UNITS[unit]


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_every_program_of_a_unit_is_bound_into_the_node_or_written_by_the_lab(unit: str) -> None:
    words = command(unit)
    bound = [Path(word).name for word in words if word.startswith(layout.BINARIES)]
    assert set(bound) <= set(layout.NODE_TOOLS)
    scripts = [word for word in words if word.endswith(".sh")]
    assert set(scripts) <= set(FILES)
    assert bound or scripts or words == ["/usr/bin/containerd"]


def test_every_file_that_a_setting_names_is_written() -> None:
    text = "\n".join(FILES.values())
    named = set(re.findall(rf"{layout.KUBERNETES}/lab/[\w.-]+", text))
    made_with_the_cluster = {
        layout.OBJECTS,
        layout.LONGHORN,
        layout.LONGHORN_KINDS,
        layout.IMAGE_LIST,
        f"{layout.KUBERNETES}/lab/csi.conf",
        f"{layout.KUBERNETES}/lab/kube-proxy.conf",
    }
    assert named <= set(FILES) | made_with_the_cluster


def test_the_configurations_are_what_their_readers_expect() -> None:
    kubelet = json.loads(FILES["/var/lib/kubelet/config.yaml"])
    assert kubelet["cgroupDriver"] == "cgroupfs"
    assert kubelet["clusterDNS"] == [layout.DNS_SERVICE]
    proxy = json.loads(FILES["/var/lib/kube-proxy/config.conf"])
    assert proxy["conntrack"] == {"maxPerCore": 0, "min": 0}, "that table is the machine's"
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(FILES[layout.KUBEADM_CONFIG]))
    assert [document["kind"] for document in documents] == [
        "InitConfiguration",
        "ClusterConfiguration",
    ]
    assert documents[1]["kubernetesVersion"] == "v1.34.3"
    network = json.loads(FILES["/etc/cni/net.d/10-lab.conflist"])
    assert [plugin["type"] for plugin in network["plugins"]] == ["bridge", "portmap"]


@pytest.mark.parametrize("path", sorted(path for path in FILES if path.endswith(".sh")))
def test_every_script_is_valid_shell(path: str) -> None:
    done = subprocess.run(
        ["sh", "-n"], input=FILES[path], text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_settings_of_the_whole_machine_are_shown_and_never_written() -> None:
    script = node_files.PREPARE_NODE
    written = re.findall(r"> (/proc/sys/\S+)", script)
    assert written == ["/proc/sys/net/ipv4/ip_forward"], "the host's own network only"


def test_the_import_passes_over_what_is_there_by_digest(tmp_path: Path) -> None:
    listing = "REF TYPE DIGEST\ndocker.io/lab/a:1 t sha256:1\ndocker.io/lab/b:1 t sha256:old\n"
    (tmp_path / "ctr").write_text(
        f'#!/bin/sh\n[ "$4" = ls ] && printf "%s" "{listing}" || echo "$@" >> {tmp_path}/said\n'
    )
    (tmp_path / "ctr").chmod(0o755)
    images = "sha256:1 docker.io/lab/a:1 /a.tar\nsha256:2 docker.io/lab/b:1 /b.tar\n"
    (tmp_path / "images").write_text(images)
    script = node_files.IMPORT_IMAGES.replace(layout.IMAGE_LIST, str(tmp_path / "images"))
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["sh", "-c", script], env={"PATH": path}, check=True)
    assert (tmp_path / "said").read_text() == "--namespace k8s.io images import /b.tar\n"


def test_one_class_is_the_default_and_every_static_volume_has_a_folder() -> None:
    everything = objects.everything()
    classes = {one["metadata"]["name"]: one for one in everything if one["kind"] == "StorageClass"}
    note = "storageclass.kubernetes.io/is-default-class"
    assert {name: one["metadata"]["annotations"][note] for name, one in classes.items()} == {
        "longhorn": "true",
        "local-static": "false",
    }
    volumes = [one for one in everything if one["kind"] == "PersistentVolume"]
    assert [one["spec"]["local"]["path"] for one in volumes] == objects.local_volume_folders()


def test_the_csi_parts_may_not_read_secrets_nor_everything() -> None:
    role = next(one for one in objects.everything() if one["kind"] == "ClusterRole")
    granted = {name for rule in role["rules"] for name in rule["resources"]}
    assert not granted & {"secrets", "*", "configmaps"}
    assert not any("*" in rule["verbs"] for rule in role["rules"])
