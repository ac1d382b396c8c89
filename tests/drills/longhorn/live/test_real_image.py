"""A real ext4 in the backup, read by the drill out of the image, and as a mounted volume."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from drills.longhorn.tools import run_tool
from drills.verdict import Reason
from tests.drills.canary.canaries import FILES, Memory, keeper
from tests.drills.canary.canaries import Clock as Ticks
from tests.drills.longhorn.live.live_site import LIVE, LiveSite
from tests.drills.longhorn.live.test_way import proven, restored, told
from tests.drills.longhorn.site import OF_CANARY, OF_SHOP, Truths
from tests.drills.longhorn.test_real_images import back_up, ext4
from tests.support.longhorn_store import START

BOTH = {**LIVE, "volumes": 9}


@pytest.fixture
def real(template: Path, tmp_path: Path) -> LiveSite:
    """Nothing is said of images: they are read. What a copy holds is what was put into them."""
    shutil.copytree(template, tmp_path / "store" / "site")
    found = LiveSite(tmp_path, tools=run_tool)
    tree, memory = tmp_path / "tree", Memory()
    one = keeper(tree, Ticks(START.timestamp() - 600), files=FILES)
    for _ in range(2):
        assert one.write(memory.put).error == ""
    tree.chmod(0o755)  # as mkfs makes a root
    found.truths = Truths(memory)
    image = tmp_path / "canary.img"
    ext4(tree, image)
    back_up(found, OF_CANARY, image)
    found.cluster.backup("backup-1", OF_CANARY, found.url(OF_CANARY, "backup-1"))
    shutil.rmtree(found.copy(OF_CANARY))
    subprocess.run(["cp", "-a", tree, found.copy(OF_CANARY)], check=True)
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="files of several owners need root")
def test_both_readers_find_the_same(real: LiveSite) -> None:
    record = real.run_live(live=BOTH)
    assert proven(record), told(record)
    # What the others hold is no file system, so there is nothing to hold a copy against.
    assert restored(record) == [OF_CANARY]
    why = {one.what: one.why for one in record.not_compared}
    assert "no file system that is read here" in why[f"the copy by Longhorn of {OF_SHOP}"]


@pytest.mark.skipif(os.geteuid() != 0, reason="files of several owners need root")
def test_one_bit_in_a_copy_is_noticed(real: LiveSite) -> None:
    page = max(
        one for one in real.copy(OF_CANARY).rglob("*")
        if one.is_file() and not one.is_symlink() and one.stat().st_size
    )  # fmt: skip
    held = bytearray(page.read_bytes())
    held[0] ^= 1
    page.write_bytes(held)
    record = real.run_live(live=BOTH)
    assert record.judgement().reason is Reason.CONTENT_DIFFERS, told(record)
