"""A store in the real cluster: made, quiet, renewed, destroyed and found again with its data."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.on_lab.site import Lab, Site, copy_of_checkout

pytestmark = pytest.mark.lab
STACK = "incluster"
NAMESPACE = "object-store"


def object_store(address: str) -> dict[str, Any]:
    """On a drive that the node has mounted and the cluster does not own."""
    network = address.rpartition(".")[0] + ".0/24"
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["cp1"]}
    return {
        "kind": "inCluster",
        "storage": {
            "volume": {"local": {"path": "/outside"}},
            "size": "900Mi",
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
            "location": "outside",
        },
        "outside": {"address": address},
        # The pods' own network too: a NodePort hides who calls behind the node's address.
        "network": {"allowFrom": [network, "10.244.0.0/16"]},
    }


class ClusterSite(Site):
    """The site `incl` whose store is in the lab's cluster."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        super().__init__(lab, directory, STACK)
        committed = yaml.safe_load((directory / "Pulumi.dev.yaml").read_text())
        inventory = json.loads(Path(self.environment["BACKSTOP_INVENTORY"]).read_text())
        keys = ("backstop:hostInventory", "backstop:escrowPassphrase")
        content = {
            "encryptionsalt": committed["encryptionsalt"],
            "config": {
                **{key: committed["config"][key] for key in keys},
                "backstop:site": "incl",
                "backstop:cluster": {},
                "backstop:objectStore": object_store(inventory["hosts"]["cp1"]["address"]),
            },
        }
        self.config_file.write_text(yaml.safe_dump(content))

    def kubectl(self, *argv: str) -> str:
        done = subprocess.run(
            ["kubectl", *argv], env=self.environment, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def object(self, *argv: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", *argv, "-o", "json"))
        return found

    def s3(self, script: str) -> str:
        """What a few lines of Python print that have `client`, of the store's administrator."""
        outputs = self.outputs()
        done = subprocess.run(
            [self.environment["BACKSTOP_PYTHON"], "-c", _CLIENT + script],
            cwd=self.directory, env=self.environment, input=json.dumps(outputs),
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


_CLIENT = """
import io, json, sys
from s3.client import Credential, StoreEndpoint, connect
out = json.load(sys.stdin)
endpoint = StoreEndpoint(out["storeEndpoint"], out["storeRegion"], out["storeCaPem"])
client = connect(endpoint, Credential(out["storeRootUser"], out["storeRootPassword"]))
"""


@pytest.fixture(scope="module")
def site(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSite]:
    done = lab.lab("up", "--host", "cp1")
    assert done.code == 0, done.text
    made = ClusterSite(lab, copy_of_checkout(tmp_path_factory.mktemp("incluster")))
    first = made.up()
    assert "the object store runs inside cluster incl, which it saves" in first.text
    yield made
    # The lab may be kept: nothing of this site stays in it.
    made.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
    made.kubectl("delete", "persistentvolume", f"{NAMESPACE}-minio", "--ignore-not-found")
    lab.on("cp1", "rm -rf /outside/minio")
    made.pulumi("stack", "rm", "--force", "--yes", "--preserve-config")


def test_the_store_in_the_cluster_is_proven(site: ClusterSite) -> None:
    assert site.outputs()["drills"]["store"]["verdict"] == "proven"
    pod = site.object("-n", NAMESPACE, "pod", "minio-0")
    assert pod["status"]["containerStatuses"][0]["ready"]
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


def test_nothing_changes_in_a_second_run_and_a_refresh_finds_nothing(site: ClusterSite) -> None:
    site.quiet()
    done = site.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    assert done.code == 0, done.text[-4000:]
    site.quiet()


def test_the_data_lies_on_the_mount_that_the_cluster_does_not_own(site: ClusterSite) -> None:
    seen = site.lab.on("cp1", "findmnt -no TARGET -T /outside/minio; ls -A /outside/minio")
    assert seen.splitlines()[0] == "/outside"
    assert ".minio.sys" in seen


def test_the_pod_holds_no_right_that_it_does_not_need(site: ClusterSite) -> None:
    status = site.kubectl(
        "-n", NAMESPACE, "exec", "minio-0", "--", "sh", "-c",
        "cat /proc/1/status; touch /x 2>&1; ls /var/run/secrets/kubernetes.io 2>&1; true",
    )  # fmt: skip
    assert "CapEff:\t0000000000000000" in status
    assert "Uid:\t1000" in status
    assert "NoNewPrivs:\t1" in status
    assert "Read-only file system" in status
    assert "No such file or directory" in status


def test_a_drain_waits_for_a_person(site: ClusterSite) -> None:
    budget = site.object("-n", NAMESPACE, "poddisruptionbudget", "minio")
    assert budget["status"]["disruptionsAllowed"] == 0


def test_no_secret_of_the_store_stands_in_the_clear_state(site: ClusterSite) -> None:
    state = site.pulumi("stack", "export").stdout
    shown = json.dumps(site.outputs()["storeRootPassword"]).strip('"')
    assert shown not in state
    assert "BEGIN PRIVATE KEY" not in state


def test_a_renewed_certificate_is_served_without_a_restart(site: ClusterSite) -> None:
    before = site.object("-n", NAMESPACE, "secret", "minio-tls")["data"]
    started = site.object("-n", NAMESPACE, "pod", "minio-0")["status"]["startTime"]
    config = yaml.safe_load(site.config_file.read_text())
    store = config["config"]["backstop:objectStore"]
    # Another length is another period, as the calendar brings one every two months; the CA's stays
    # the same, for the two are as long together as before.
    store["certificate"] = {"leafDays": 100, "renewBeforeDays": 20}
    site.config_file.write_text(yaml.safe_dump(config))
    site.up()
    after = site.object("-n", NAMESPACE, "secret", "minio-tls")["data"]
    assert after["tls.crt"] != before["tls.crt"]
    assert after["ca.crt"] == before["ca.crt"]
    pod = site.object("-n", NAMESPACE, "pod", "minio-0")
    assert pod["status"]["startTime"] == started
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    site.quiet()


def test_what_is_edited_by_hand_shows_in_a_refresh(site: ClusterSite) -> None:
    edits = {
        "service/minio": {"spec": {"ports": [{"port": 9000, "nodePort": 30901}]}},
        "poddisruptionbudget/minio": {"spec": {"minAvailable": 0}},
        "statefulset/minio": {"metadata": {"labels": {"backstop-site": "other"}}},
    }
    for name, patch in edits.items():
        site.kubectl("-n", NAMESPACE, "patch", name, "-p", json.dumps(patch))
    done = site.pulumi("refresh", "--preview-only", "--expect-no-changes")
    assert done.code != 0
    for name in ("store-service", "store-disruption-budget", "store-server"):
        assert name in done.text
    # The store is out of reach, so the driver would refuse: the cluster's part alone.
    refreshed = site.pulumi("refresh", "--yes", "--skip-preview", "--target", "**kubernetes:**")
    assert refreshed.code == 0, refreshed.text[-4000:]
    site.up()
    site.quiet()
    service = site.object("-n", NAMESPACE, "service", "minio")
    assert service["spec"]["ports"][0]["nodePort"] == 30900


def test_after_the_namespace_was_lost_the_next_up_has_every_object(site: ClusterSite) -> None:
    put = "client.put_object('incl-velero', 'kept', io.BytesIO(b'a backup'), 8)"
    site.s3(put)
    volume = site.object("persistentvolume", f"{NAMESPACE}-minio")
    site.kubectl("delete", "namespace", NAMESPACE, "--wait", "--timeout=240s")
    released = "--for=jsonpath={.status.phase}=Released"
    site.kubectl("wait", released, f"persistentvolume/{NAMESPACE}-minio", "--timeout=60s")

    done = site.up()
    assert f"made again: everything in {NAMESPACE}" in done.text

    again = site.object("persistentvolume", f"{NAMESPACE}-minio")
    assert again["status"]["phase"] == "Bound"
    assert again["metadata"]["uid"] == volume["metadata"]["uid"]
    assert site.s3("print(client.get_object('incl-velero', 'kept').data.decode())") == "a backup\n"
    site.quiet()


def test_destroy_leaves_the_store_and_its_backups(site: ClusterSite) -> None:
    done = site.driver("destroy", "--yes")
    assert done.code == 0, done.text[-4000:]
    assert site.object("persistentvolume", f"{NAMESPACE}-minio")["status"]["phase"] == "Bound"
    assert site.object("-n", NAMESPACE, "persistentvolumeclaim", "minio-data")
    site.up()
    assert site.s3("print(client.get_object('incl-velero', 'kept').data.decode())") == "a backup\n"


def test_a_new_state_takes_the_store_over_with_every_backup(site: ClusterSite) -> None:
    done = site.pulumi("stack", "rm", "--force", "--yes", "--preserve-config")
    assert done.code == 0, done.text
    refused = site.driver("up")
    assert refused.code != 0
    left = ["statefulset/minio", "secret/minio-root", "secret/minio-tls", "service/minio"]
    command = f"kubectl -n {NAMESPACE} delete {' '.join(left)}"
    assert command in refused.text
    site.kubectl(*command.split()[1:])
    # The server's new administrator is not known before it runs, so its buckets are seen next time.
    first = site.driver("up")
    # Which one is tried first is the engine's affair, and after it no other one may be.
    assert "bucket already exists! (incl-" in first.text, first.text[-6000:]
    site.up()
    assert site.s3("print(client.get_object('incl-velero', 'kept').data.decode())") == "a backup\n"
    assert site.outputs()["drills"]["store"]["verdict"] == "proven"
    site.quiet()
