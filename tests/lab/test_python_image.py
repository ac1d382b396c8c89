"""The image with Python: whole, from the base image's own packages, and nothing besides."""

import platform
import subprocess
import tarfile
from pathlib import Path

import pytest

from lab import image, pins
from lab.errors import LabError
from lab.images import archive, debian, python, recipes
from lab.paths import cache_dir
from tests.lab.python_base import make_base

MODULES = (
    "bz2", "ctypes", "decimal", "fcntl", "hashlib", "hmac", "http.client", "json", "lzma",
    "multiprocessing", "sqlite3", "ssl", "subprocess", "tarfile", "uuid", "zlib",
)  # fmt: skip
SPAWNING = """\
import multiprocessing
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(abs, [-1]))
"""


def test_what_python_needs_is_followed_and_what_its_packages_scripts_need_is_not(
    tmp_path: Path,
) -> None:
    paths = [entry.path for entry in python.entries(make_base(tmp_path / "base"))]
    assert paths == [
        "etc/python3.11/sitecustomize.py",
        "lib/x86/ld.so",
        "lib/x86/libexpat.so.1",
        "lib/x86/libexpat.so.1.8.10",
        "lib64/ld-linux.so.2",
        "usr/bin/python3",
        "usr/bin/python3.11",
        "usr/lib/python3.11/json.py",
        "usr/lib/python3.11/lib-dynload/_ssl.so",
        "usr/lib/python3.11/sitecustomize.py",
    ]


def test_links_stay_links_and_files_keep_their_modes(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    found = {entry.path: entry for entry in python.entries(base)}
    assert found["usr/bin/python3"].link == "python3.11"
    assert found["lib64/ld-linux.so.2"].link == "/lib/x86/ld.so"
    assert found["usr/bin/python3.11"].source == base / "usr/bin/python3.11"
    assert found["usr/bin/python3.11"].mode == 0o755
    assert found["usr/lib/python3.11/json.py"].mode == 0o644


@pytest.mark.parametrize("package", python.PACKAGES)
def test_a_base_image_without_python_is_one_sentence(tmp_path: Path, package: str) -> None:
    base = make_base(tmp_path / "base")
    status = base / debian.STATUS
    status.write_text(
        status.read_text().replace(
            f"Package: {package}\nStatus: install ok installed",
            f"Package: {package}\nStatus: deinstall ok config-files",
        )
    )
    with pytest.raises(LabError, match=f"has no package {package}: remove that folder"):
        python.entries(base)


def test_the_base_image_is_asked_for_python_by_name() -> None:
    # Another package may bring it along today; its name would be no reason to keep it.
    assert set(python.PACKAGES) <= set(image.NODE_PACKAGES)


def test_the_reference_is_the_programs_own_pin() -> None:
    assert recipes.names()["python"] == pins.image("python")
    with pytest.raises(LabError, match=r"no image called 'pyton': versions\.toml has velero"):
        pins.image("pyton")


@pytest.mark.lab
def test_the_image_runs_by_itself(tmp_path: Path) -> None:
    base = image.ensure(cache_dir(), "node")
    content = next(
        one
        for one in recipes.contents(dict.fromkeys(recipes.tools(), base), base)
        if one.name == pins.image("python")
    )
    archive.write(content, tmp_path / "image.tar", platform.machine())
    root = tmp_path / "root"
    root.mkdir()
    with tarfile.open(tmp_path / "image.tar") as opened:
        layer = max(opened.getmembers(), key=lambda member: member.size)
    outer = ["tar", "-xOf", str(tmp_path / "image.tar"), layer.name]
    unpacked = subprocess.run(outer, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-xC", str(root)], input=unpacked, check=True)
    (root / "tmp" / "spawning.py").write_text(SPAWNING)
    (root / "dev").mkdir()
    enter = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c",
             'mount --rbind /dev "$1/dev" && exec chroot --userspec=65532:65532 "$@"',
             "sh", str(root)]  # fmt: skip
    importing = f"import sys, {', '.join(MODULES)}; assert sys.version_info >= (3, 9)"
    for command in (["-I", "-c", importing], ["/tmp/spawning.py"]):
        done = subprocess.run(
            [*enter, "/usr/bin/python3", *command],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert done.stdout == "[1]\n"
