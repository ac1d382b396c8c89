"""How fast files in an image are hashed, beside what hashing the same bytes in memory takes."""

import hashlib
import os
import resource
import time
from pathlib import Path

import pytest

from drills.images.file_system import open_image
from drills.images.source import FileSource
from tests.bench.clock import Row, best, report
from tests.drills.images.images import made_ext, made_xfs

pytestmark = pytest.mark.bench

TOTAL_BYTES = 256 << 20
SIZES = (1, 10_000)
MEMORY_BYTES = 150 << 20


def fill(root: Path, files: int) -> Path:
    content = os.urandom(TOTAL_BYTES // files)
    for number in range(files):
        place = root / f"{number // 100:03d}" / f"{number:05d}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content[number % 64 :])
    return root


def hash_all(image: Path) -> None:
    with FileSource(image) as source:
        for entry in open_image(source).entries():
            assert not entry.error


def hash_memory(content: bytes, files: int) -> None:
    for _ in range(files):
        hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("files", SIZES)
def test_hashing_of_an_image(
    files: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = fill(tmp_path / "root", files)
    # Groups that are larger than the file: mkfs.xfs writes none in two places.
    images = {
        "ext4": made_ext(tmp_path / "ext4", "ext4", "-b", "4096", root=root, mebibytes=512),
        "xfs": made_xfs(tmp_path / "xfs", "-d", "agcount=1", root=root, mebibytes=512, log="20m"),
    }
    content = os.urandom(TOTAL_BYTES // files)
    clock = time.process_time
    unit = best(lambda: hash_memory(content, files), clock=clock)
    seconds = {
        kind: best(lambda image=image: hash_all(image), clock=clock)  # type: ignore[misc]
        for kind, image in images.items()
    }
    rows = [Row(f"all of an {kind} image", each, each / unit) for kind, each in seconds.items()]
    with capsys.disabled():
        title = f"{TOTAL_BYTES >> 20} MiB in {files} files of an image"
        print(report(title, "sha256 of the bytes in memory", rows))  # noqa: T201
    if files == 1:
        assert max(seconds.values()) < 2 * unit
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 < MEMORY_BYTES + TOTAL_BYTES
