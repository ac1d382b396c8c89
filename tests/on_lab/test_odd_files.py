"""A user's own volumes with what file systems allow and programs stumble over, through the drill.

The volumes' digests are read around the backup, so each entry that the method keeps is demanded.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drills.volumes.meanwhile import FRESH_SECONDS
from tests.on_lab.drilled import backups, did, failed, remove_backups
from tests.on_lab.site import Site

pytestmark = pytest.mark.lab
WAIT_SECONDS = 300
ATTIC = """
apiVersion: v1
kind: Namespace
metadata: {name: attic}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: copied, namespace: attic}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: longhorn
  resources: {requests: {storage: 1Gi}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: frozen, namespace: attic}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: longhorn
  resources: {requests: {storage: 1Gi}}
---
apiVersion: v1
kind: Pod
metadata:
  name: attic
  namespace: attic
  annotations: {backup.velero.io/backup-volumes: copied}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: idle
      image: docker.io/lab/demo:1
      command: [sh, -c, "while :; do sleep 1; done"]
      volumeMounts:
        - {name: copied, mountPath: /copied}
        - {name: frozen, mountPath: /frozen}
  volumes:
    - {name: copied, persistentVolumeClaim: {claimName: copied}}
    - {name: frozen, persistentVolumeClaim: {claimName: frozen}}
"""
# One of each; the sparse file is 300 MiB long and holds six bytes.
FILL = r"""
set -e
cd "$1"
echo plain >plain
echo bytes >"$(printf 'not utf-8 \377\376\200')"
echo lines >"$(printf 'two\nlines\tand "quotes" \\ *')"
echo long >"$(printf '%0255d' 7)"
mkdir -p "$(printf 'folder \351')/a/b/c" empty
echo deep >"$(printf 'folder \351')/a/b/c/deep"
ln plain linked
ln -s plain near
ln -s ../../../etc/passwd out
ln -s /etc/shadow absolute
ln -s nowhere dangling
truncate -s 300M sparse
echo -n sparse | dd of=sparse bs=1M seek=200 conv=notrunc 2>/dev/null
: >nothing
echo owned >owned
chown 12345:54321 owned
chmod 4751 owned
chmod 0000 nothing
sync
"""
# Names of the plain file twice, of lines and of 255 bytes, sparse, nothing and owned; and two that
# are no UTF-8 or lie below such a name.
UTF_8, OTHERS = 7, 2


@pytest.fixture(scope="module")
def receipt(saved: Site) -> Iterator[dict[str, Any]]:
    """Of the drill `volumes` that `up` runs when the attic's digests are asked for."""
    there = set(backups(saved))
    did(saved, "kubectl", "apply", "-f", "-", stdin=ATTIC)
    wait = ("wait", "--for=condition=Ready", "pod/attic", f"--timeout={WAIT_SECONDS}s")
    did(saved, "kubectl", "-n", "attic", *wait)
    for folder in ("/copied", "/frozen"):
        inside = ("exec", "attic", "--", "sh", "-c", FILL, "sh", folder)
        did(saved, "kubectl", "-n", "attic", *inside)
    # What is younger is not demanded of a snapshot.
    time.sleep(FRESH_SECONDS + 1)
    digests = [{"namespace": "attic", "claim": "*"}]
    off, volumes = {"enabled": False}, {"control": "none", "digests": digests, "onRed": "warn"}
    saved.configure(drills={"kubeObjects": off, "longhorn": off, "volumes": volumes})
    saved.up()
    kept = saved.outputs()["drills"]["volumes"]["file"]
    yield json.loads((Path(saved.environment["BACKSTOP_RECEIPTS"]) / kept).read_text())
    did(saved, "kubectl", "delete", "namespace", "attic", f"--timeout={WAIT_SECONDS}s")
    # The drills of others would find the names in it.
    remove_backups(saved, set(backups(saved)) - there)
    saved.reset()
    saved.up()


def test_every_entry_of_a_snapshot_came_back(receipt: dict[str, Any]) -> None:
    files = {one["what"]: one for one in receipt["compared"]}["files of attic/frozen"]
    assert files["count"] == UTF_8 + OTHERS, receipt["notCompared"]
    assert files["bytes"] > 300 << 20
    assert "hard links" in files["how"]


def test_names_that_kopia_does_not_keep_are_red_and_all_else_came_back(
    receipt: dict[str, Any],
) -> None:
    """Each byte that is no UTF-8 comes back as U+FFFD: the file is there under another name."""
    files = {one["what"]: one for one in receipt["compared"]}["files of attic/copied"]
    assert files["count"] == UTF_8, receipt["notCompared"]
    assert files["bytes"] > 300 << 20
    assert (receipt["verdict"], receipt["reason"]) == ("broken", "file-lost")
    found = {one["reason"]: one for one in failed(receipt)}
    assert {(one["client"], one["check"]) for one in found.values()} == {
        ("attic/copied", "content of the volume")
    }
    assert set(found) == {"file-lost", "file-added"}
    # The folder, three folders and a file below it, and a file.
    assert r"6 file-lost: directory folder \xe9" in found["file-lost"]["observed"]
    assert "2 file-added: directory folder \ufffd" in found["file-added"]["observed"]


def test_what_was_not_compared_of_them_is_named(receipt: dict[str, Any]) -> None:
    named = {one["what"]: one["count"] for one in receipt["notCompared"]}
    for claim in ("copied", "frozen"):
        assert named[f"holes of sparse files of attic/{claim}"] == 1
    assert named["hard links of attic/copied"] == 1
