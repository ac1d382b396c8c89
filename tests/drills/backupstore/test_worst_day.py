"""The page for the worst day, without Longhorn: its commands bring back what the volumes held."""

import hashlib
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.drills.backupstore.samples import TRUTH
from tests.on_lab.documents import run, steps

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "how-to" / "longhorn-worst-day.md").read_text()
BUCKET = Path(__file__).parent / "fixture" / "bucket"
NEWEST = {"pvc-app": "backup-pvc-app-3", "pvc-gzip": "backup-pvc-gzip-1",
          "pvc-none": "backup-pvc-none-1"}  # fmt: skip


def environment(folder: Path) -> dict[str, str]:
    system = ["/usr/sbin", "/sbin"]
    path = [str(Path(sys.executable).parent), os.environ["PATH"], *system]
    return {
        "PATH": os.pathsep.join(path),
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "TARGET": str(BUCKET),
    }


def test_everything_comes_back_by_the_commands_of_the_page(tmp_path: Path) -> None:
    for program in ("e2fsck", "jq"):
        if shutil.which(program, path=environment(tmp_path)["PATH"]) is None:
            pytest.skip(f"{program} is not installed")
    run(steps(PAGE, "without"), directory=tmp_path, environment=environment(tmp_path))
    for volume, backup in NEWEST.items():
        with (tmp_path / "images" / f"{volume}.raw").open("rb") as image:
            assert hashlib.file_digest(image, "sha256").hexdigest() == TRUTH[backup]["sha256"]
    assert (tmp_path / "files" / "hello.txt").read_bytes()
