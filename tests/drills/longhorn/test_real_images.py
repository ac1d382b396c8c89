"""Real file systems in rebuilt images: recognised, checked by their own tools, the canary compared.

Nothing but mkfs and the tools that a machine which drills has as well.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from drills.longhorn.tools import run_tool
from drills.verdict import Reason, Verdict
from tests.drills.canary.canaries import FILES, Memory, keeper
from tests.drills.canary.canaries import Clock as Ticks
from tests.drills.longhorn.site import NOW, OF_CANARY, OF_SHOP, Site, Truths
from tests.drills.longhorn.test_drill import aside, compared, failed, proven, reason
from tests.support.longhorn_store import BLOCK, START, VolumeWriter, folder_of, into_folder

BLOCKS = 64
SBIN = "/usr/sbin:/sbin"


def tool(name: str) -> str:
    found = shutil.which(name, path=f"{SBIN}:/usr/bin:/bin")
    if found is None:
        pytest.skip(f"{name} is not installed: install e2fsprogs and xfsprogs")
    return found


def ext4(tree: Path, image: Path) -> None:
    """An ext4 with the files of a folder; no root needed."""
    with image.open("wb") as file:
        file.truncate(BLOCKS * BLOCK)
    make = [tool("mkfs.ext4"), "-q", "-F", "-d", str(tree), str(image)]
    subprocess.run(make, check=True, capture_output=True)


def back_up(site: Site, volume: str, image: Path, *, compression: str = "lz4") -> VolumeWriter:
    """A volume's only backup, of what is in an image."""
    whole = image.read_bytes()
    blocks = {at: whole[at : at + BLOCK] for at in range(0, len(whole), BLOCK)}
    held = {at: block for at, block in blocks.items() if any(block)}
    folder = site.object(folder_of(volume))
    shutil.rmtree(folder, ignore_errors=True)
    writer = VolumeWriter(into_folder(site.store), volume, len(whole), compression=compression)
    writer.start = NOW.replace(hour=START.hour + 2)
    writer.backup("backup-1", held, lambda at: held[at])
    return writer


@pytest.fixture
def site(template: Path, tmp_path: Path) -> Site:
    """Nothing is said of images: they are looked at."""
    shutil.copytree(template, tmp_path / "store" / "site")
    found = Site(tmp_path, tools=run_tool)
    tree = tmp_path / "tree"
    memory = Memory()
    one = keeper(tree, Ticks(START.timestamp() - 600), files=FILES)
    for _ in range(2):
        assert one.write(memory.put).error == ""
    found.truths = Truths(memory)
    image = tmp_path / "canary.img"
    ext4(tree, image)
    back_up(found, OF_CANARY, image)
    return found


def files_of(site: Site) -> int:
    found = (site.folder / "tree").rglob("*")
    return sum(one.is_file() and not one.is_symlink() for one in found)


def test_the_canary_comes_back_out_of_a_real_ext4(site: Site) -> None:
    record = site.run()
    assert proven(record), failed(record)
    assert compared(record)["files of pvc-canary"] == files_of(site)
    assert compared(record)["file system of pvc-canary"] == 1
    sound = [one for one in record.checks if one.check == "its ext4 file system"]
    assert [one.observed for one in sound] == ["sound"]
    # What the others hold is no file system at all.
    assert [what for what in aside(record) if what.startswith("file system of")]
    assert list(site.scratch.iterdir()) == []


def test_one_file_with_other_content_is_told(site: Site) -> None:
    image = site.folder / "changed.img"
    page = next(path for path in sorted((site.folder / "tree").rglob("*")) if path.is_file())
    page.write_bytes(b"x" * page.stat().st_size)
    ext4(site.folder / "tree", image)
    back_up(site, OF_CANARY, image)
    record = site.run()
    assert reason(record) is Reason.CONTENT_DIFFERS


def test_blocks_in_each_others_place_break_the_file_system(site: Site) -> None:
    """Each block is what its checksum says; only a rebuilt image shows that they were exchanged."""
    image = site.folder / "canary.img"
    whole = bytearray(image.read_bytes())
    used = [at for at in range(0, len(whole), BLOCK) if any(whole[at : at + BLOCK])]
    first, last = used[0], used[-1]
    assert first != last
    swapped = whole[last : last + BLOCK]
    whole[last : last + BLOCK] = whole[first : first + BLOCK]
    whole[first : first + BLOCK] = swapped
    image.write_bytes(whole)
    back_up(site, OF_CANARY, image)
    record = site.run()
    assert not proven(record)


def test_an_xfs_is_checked_as_well(site: Site) -> None:
    image = site.folder / "shop.img"
    with image.open("wb") as file:
        file.truncate(320 << 20)
    made = subprocess.run([tool("mkfs.xfs"), "-q", str(image)], check=False, capture_output=True)
    assert made.returncode == 0, made.stderr
    back_up(site, OF_SHOP, image)
    record = site.run(depth="full")
    assert proven(record), failed(record)
    assert compared(record)["file system of pvc-shop"] == 1


def test_a_damaged_ext4_is_red_though_every_block_is_as_listed(site: Site) -> None:
    image = site.folder / "canary.img"
    debug = [tool("debugfs"), "-w", "-R", "clri <2>", str(image)]
    subprocess.run(debug, check=True, capture_output=True)
    back_up(site, OF_CANARY, image)
    record = site.run()
    assert reason(record) is Reason.RESTORE_POINT_DAMAGED
    assert record.judgement().verdict is Verdict.BROKEN
