"""A restore whose process is killed: the next one goes on with what it had written."""

import hashlib
import signal
import subprocess
import sys
from pathlib import Path

from drills.backupstore.part_file import part_of
from drills.backupstore.rebuild import rebuild
from tests.drills.backupstore.interfered import interfered
from tests.drills.backupstore.samples import chain, store_in

ROOT = Path(__file__).resolve().parents[3]
# Says when two of three blocks are in the file, and hangs at the fourth.
_HANGS = """
import os, sys, time
from pathlib import Path
from drills.backupstore.rebuild import rebuild
from tests.drills.backupstore.interfered import at, interfered

real, arrived = os.pwrite, []

def counted(*words):
    arrived.append(real(*words))
    return arrived[-1]

def hang():
    while len(arrived) < 2:
        time.sleep(0.01)
    print("hangs", flush=True)
    time.sleep(60)

os.pwrite = counted
folder = Path(sys.argv[1])
store, _ = interfered(folder / "store", at(3, hang))
volume = store.volume("pvc-data")
rebuild(store, volume, store.backup(volume, "backup-3"), folder / "image", workers=1)
"""


def test_kill_9_in_the_middle_then_the_rest(tmp_path: Path) -> None:
    _, put = store_in(tmp_path / "store")
    _, truth = chain(put)
    target = tmp_path / "image"
    process = subprocess.Popen(
        [sys.executable, "-c", _HANGS, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "hangs\n"
        process.kill()
        assert process.wait(30) == -signal.SIGKILL
    assert not target.exists()
    assert part_of(target).exists()
    store, objects = interfered(tmp_path / "store")
    volume = store.volume("pvc-data")
    found = rebuild(store, volume, store.backup(volume, "backup-3"), target)
    assert found.sha256 == truth["backup-3"] == hashlib.sha256(target.read_bytes()).hexdigest()
    # What was still on its way when it died is read again.
    assert found.resumed_blocks == 4 - len(objects.read) >= 2
