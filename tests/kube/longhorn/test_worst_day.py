"""The page for the worst day: its commands bring volumes and claims back on a real API server."""

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.settings import load
from kube.longhorn.api import GROUP, NAMESPACE, object_path
from tests.on_lab.documents import config, flows, run, steps
from tests.on_lab.test_documents import KUBECONFIG
from tests.support.kube_api import KubeApi, tool
from tests.support.recorder import RAW

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "how-to" / "longhorn-worst-day.md").read_text()
SECRETS = frozenset({"kubeconfig", "sshPrivateKey", "escrowPassphrase"})
GROUPS = "recurring-job-group.longhorn.io/"


def shell_blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_every_block_of_the_page_is_a_script() -> None:
    assert flows(PAGE) == {"with", "without"}
    assert len(shell_blocks()) > len(steps(PAGE, "with")) + len(steps(PAGE, "without"))
    for block in shell_blocks():
        checked = subprocess.run(
            ["sh", "-n", "-c", block], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, f"{block}\n{checked.stderr}"


def test_the_config_of_the_page_is_taken() -> None:
    found = {k.removeprefix("backstop:"): v for k, v in config(PAGE, "worst-day", {}).items()}
    settings = load({**RAW, "kubeconfig": KUBECONFIG, **found}, secret_keys=SECRETS)
    assert settings.longhorn is not None
    assert settings.longhorn.install is not None
    assert settings.longhorn.nodes == ("store1",)
    assert settings.drills.on_red == "warn"


def test_the_config_for_an_old_cluster_that_lives_is_taken() -> None:
    target, targets = re.findall(r"`(targets?: \{.*\})`", PAGE)
    given = {**yaml.safe_load(target), **yaml.safe_load(targets.replace("SITE", "dev")),
             "install": {}}  # fmt: skip
    raw = {**RAW, "kubeconfig": KUBECONFIG, "cluster": {}, "longhorn": given}
    settings = load(raw, secret_keys=SECRETS)
    assert settings.longhorn is not None
    assert list(settings.longhorn.targets) == ["old"]


def backup(name: str, volume: str, claim: str) -> dict[str, Any]:
    known = {"pvName": volume, "namespace": "app", "pvcName": claim}
    return {
        "state": "Completed", "backupTargetName": "default", "volumeName": volume,
        "url": f"s3://b@r/c1/?backup={name}&volume={volume}", "volumeSize": "33554432",
        "snapshotCreatedAt": "2026-11-21T04:13:52Z",
        "labels": {"KubernetesStatus": json.dumps(known), "longhorn.io/volume-access-mode": "rwo"},
    }  # fmt: skip


class Manager:
    """What Longhorn's manager does meanwhile: it reads the target, and restores volumes."""

    def __init__(self, api: KubeApi) -> None:
        self.api = api
        self.going = threading.Event()

    def synchronise(self) -> None:
        for name, volume, claim in (("backup-1", "pvc-app", "data"), ("backup-2", "pvc-b", "b")):
            self._make("backupvolumes", "BackupVolume", f"bv-{volume}",
                       {"volumeName": volume, "backupTargetName": "default"},
                       {"size": "33554432", "storageClassName": "longhorn",
                        "lastSyncedAt": "2026-11-22T00:00:00Z"})  # fmt: skip
            self._make("backups", "Backup", name, {}, backup(name, volume, claim))

    def _make(
        self, kind: str, singular: str, name: str, spec: dict[str, Any], status: dict[str, Any]
    ) -> None:
        metadata = {"name": name, "namespace": NAMESPACE}
        body = {"apiVersion": GROUP, "kind": singular, "metadata": metadata, "spec": spec}
        self.api.request("POST", object_path(NAMESPACE, kind), body)
        self._status(kind, name, status)

    def _status(self, kind: str, name: str, status: dict[str, Any]) -> None:
        path = object_path(NAMESPACE, kind, name) + "/status"
        self.api.patch(path, {"status": status}, "longhorn-manager")

    def restore(self) -> None:
        """Fills each volume step by step, as its controller does."""
        following = {
            "": {"state": "attached", "restoreInitiated": True, "restoreRequired": True},
            "attached": {"state": "detached", "restoreRequired": False},
        }
        while not self.going.wait(0.3):
            for one in self.api.request("GET", object_path(NAMESPACE, "volumes"))["items"]:
                name, held = one["metadata"]["name"], one.get("status") or {}
                step = following.get(held.get("state") or "")
                if step and one["spec"].get("fromBackup"):
                    self._status("volumes", name, step)

    @contextmanager
    def working(self) -> Iterator[None]:
        thread = threading.Thread(target=self.restore, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.going.set()
            thread.join(30)


def environment(api: KubeApi, folder: Path) -> dict[str, str]:
    """A shell with kubectl, jq and this project's interpreter."""
    programs = [str(tool("kubectl").parent), str(Path(sys.executable).parent)]
    return {
        "PATH": os.pathsep.join([*programs, os.environ["PATH"]]),
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "KUBECONFIG": str(api.kubeconfig_file),
    }


@pytest.mark.tools
def test_the_volumes_come_back_by_the_commands_of_the_page(api: KubeApi, tmp_path: Path) -> None:
    manager = Manager(api)
    manager.synchronise()
    api.kubeconfig_file.write_text(api.kubeconfig)
    with manager.working():
        run(steps(PAGE, "with"), directory=tmp_path, environment=environment(api, tmp_path))
    volume = api.request("GET", object_path(NAMESPACE, "volumes", "pvc-app"))
    assert volume["spec"]["fromBackup"] == "s3://b@r/c1/?backup=backup-1&volume=pvc-app"
    assert volume["spec"]["size"] == "33554432"
    groups = {key.removeprefix(GROUPS) for key in volume["metadata"]["labels"] if GROUPS in key}
    assert groups == {"default"}
    claim = api.request("GET", "/api/v1/namespaces/app/persistentvolumeclaims/data")
    assert claim["spec"]["volumeName"] == "pvc-app"
    held = api.request("GET", "/api/v1/persistentvolumes/pvc-app")
    assert held["status"]["phase"] == "Bound"
    assert held["spec"]["persistentVolumeReclaimPolicy"] == "Retain"


@pytest.mark.tools
def test_the_system_restore_of_the_page_is_taken(api: KubeApi) -> None:
    (text,) = re.findall(r"<<'OBJECT'\n(.*?)^OBJECT$", PAGE, re.MULTILINE | re.DOTALL)
    made = api.request("POST", object_path(NAMESPACE, "systemrestores"), yaml.safe_load(text))
    assert made["spec"] == {"systemBackup": "NAME"}


@pytest.mark.tools
def test_velero_knows_the_restore_of_the_page(tmp_path: Path) -> None:
    (block,) = [one for one in shell_blocks() if one.startswith("velero ")]
    words = shlex.split(block.replace("\\\n", " "))
    done = subprocess.run(
        [str(tool("velero")), *words[1:]],
        env={"KUBECONFIG": str(tmp_path / "none"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    # There is no cluster here: a command that is understood gets as far as looking for one.
    assert done.returncode != 0
    assert "unknown" not in done.stderr
    assert "kubeconfig" in done.stderr or "configuration" in done.stderr, done.stderr
