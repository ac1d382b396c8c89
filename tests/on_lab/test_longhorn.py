"""Longhorn's backups brought back by Longhorn itself, aside: seen in the receipt, killed, swept.

The lab's Longhorn is a stand-in, and the receipt says so.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.on_lab.drilled import Drills, did, failed
from tests.on_lab.site import Site

pytestmark = pytest.mark.lab
# A run has to live until it is killed, on a busy machine too.
SECONDS = {"limits": {"drillSeconds": 300}}
SHORT = {"live": {"restoreSeconds": 120, "readSeconds": 120}}
# A class, a claim and a pod whose volume is backed up to a target of its own.
RECORDS = """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: archived}
provisioner: driver.longhorn.io
parameters: {numberOfReplicas: "1", backupTargetName: archive}
---
apiVersion: v1
kind: Namespace
metadata: {name: records}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: records, namespace: records}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: archived
  resources: {requests: {storage: 64Mi}}
---
apiVersion: v1
kind: Pod
metadata: {name: records, namespace: records}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  containers:
    - name: writer
      image: docker.io/lab/demo:1
      command: [sh, -c, "echo kept >/data/row; sync; sleep infinity"]
      volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: records}}]
"""
SAVED = """
apiVersion: longhorn.io/v1beta2
kind: Snapshot
metadata: {name: records, namespace: longhorn-system}
spec: {volume: VOLUME, createSnapshot: true}
---
apiVersion: longhorn.io/v1beta2
kind: Backup
metadata:
  name: backup-records
  namespace: longhorn-system
  labels: {backup-volume: VOLUME, backup-target: archive}
spec: {snapshotName: records}
"""
WAIT = "--timeout=180s"
BY_CANARY = "the truth its writer told the store"
BY_LONGHORN = "the image that the drill itself rebuilt of the same backup"


@pytest.fixture(scope="module")
def drills(saved: Site) -> Drills:
    return Drills.of(saved)


def made_by_drills(site: Site) -> list[str]:
    """Namespaces, classes, claims, Longhorn's volumes of copies, and the Lease."""
    kinds = "namespaces,storageclasses,persistentvolumeclaims,leases"
    listed = did(site, "kubectl", "get", kinds, "-A", "-o", "name").splitlines()
    group = "recurring-job-group.longhorn.io/backstop-drill-none"
    copies = did(site, "kubectl", "get", "volumes.longhorn.io", "-A", "-l", group, "-o", "name")
    return [one for one in listed if "backstop-drill-" in one] + copies.split()


def test_the_receipt_of_up_says_that_longhorn_brought_the_canary_back(drills: Drills) -> None:
    site = drills.site
    kept = site.outputs()["drills"]["longhorn"]["file"]
    receipt = json.loads((Path(site.environment["BACKSTOP_RECEIPTS"]) / kept).read_text())
    assert (receipt["verdict"], failed(receipt)) == ("proven", [])
    path = receipt["versions"]["path"]
    # What a file of tests that came before has left of its own may have had a turn as well.
    told = re.fullmatch(
        r"read from the store; (\d+) volumes restored by Longhorn v.*\+stand-in as well", path
    )
    assert told, path
    copies = [one for one in receipt["compared"] if one["what"].startswith("files of Longhorn's ")]
    by_longhorn = {one["what"]: one["bytes"] for one in copies if BY_LONGHORN in one["how"]}
    canary = {one["what"]: one["bytes"] for one in copies if BY_CANARY in one["how"]}
    assert len(canary) == 2
    assert min(canary.values()) > 8 << 20
    assert canary.keys() <= by_longhorn.keys()
    assert len(by_longhorn) == int(told[1])
    assert {"longhorn: restore", "longhorn: attach and mount"} <= set(receipt["rto"])
    assert made_by_drills(site) == []


@pytest.mark.parametrize("text", ["still to be filled", "restored by Longhorn"])
def test_a_run_that_is_killed_while_longhorn_restores_is_swept_by_the_next(
    drills: Drills, text: str
) -> None:
    live = {**drills.payloads["longhorn"]["live"], **SHORT["live"]}
    changes: dict[str, Any] = {**SECONDS, "live": live}
    running = drills.begin("longhorn", **changes)
    running.says(text)
    running.kill()
    assert made_by_drills(drills.site), "it died before it had made anything"
    [receipt] = drills.run("longhorn")
    assert (receipt["verdict"], failed(receipt)) == ("proven", [])
    assert made_by_drills(drills.site) == []


@pytest.fixture
def records(saved: Site) -> Iterator[str]:
    """The name of a volume whose only backup lies in a further target."""
    saved.configure(longhorn={"targets": {"archive": {"prefix": "archive"}}})
    saved.up()
    did(saved, "kubectl", "apply", "-f", "-", stdin=RECORDS)
    did(saved, "kubectl", "-n", "records", "wait", "--for=condition=Ready", "pod/records", WAIT)
    bound = ("get", "pvc", "records", "-o", "jsonpath={.spec.volumeName}")
    volume = did(saved, "kubectl", "-n", "records", *bound)
    did(saved, "kubectl", "apply", "-f", "-", stdin=SAVED.replace("VOLUME", volume))
    whole = "--for=jsonpath={.status.state}=Completed"
    backup = "backups.longhorn.io/backup-records"
    did(saved, "kubectl", "-n", "longhorn-system", "wait", whole, backup, WAIT)
    yield volume
    did(saved, "kubectl", "delete", "namespace/records", "storageclass/archived", WAIT)
    did(saved, "kubectl", "-n", "longhorn-system", "delete", backup, WAIT)
    saved.reset()
    saved.up()


def test_a_volume_of_a_further_target_is_read_and_brought_back_out_of_it(
    saved: Site, records: str
) -> None:
    [receipt] = Drills.of(saved).run("longhorn")
    assert (receipt["verdict"], failed(receipt)) == ("proven", [])
    compared = {one["what"]: one for one in receipt["compared"]}
    assert f"image of {records} (target archive)" in compared
    assert f"files of Longhorn's {records} (target archive)" in compared
    done = saved.driver("drill", "control", "longhorn")
    lines = [line.split() for line in done.stdout.splitlines()]
    led = {line[1]: line[2:] for line in lines if line[:1] == ["longhorn"]}
    assert led["lost-further-target"] == ["restore-point-missing"] * 2 + ["killed"], done.text
    assert led["missing-further-block"] == ["block-lost"] * 2 + ["killed"]
    assert {words[-1] for words in led.values()} == {"killed"}
    assert made_by_drills(saved) == []
