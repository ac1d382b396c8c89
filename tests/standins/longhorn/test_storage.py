"""Content is handed over whole or not at all, and to the volume alone that awaits it."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from standins.longhorn.image import make_image
from standins.longhorn.records import MIB
from standins.longhorn.storage import Storage, StorageError
from standins.longhorn.unpacking import UnpackError

PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
needs_tools = pytest.mark.skipif(
    any(shutil.which(tool, path=PATH) is None for tool in ("mke2fs", "debugfs")),
    reason="e2fsprogs is not installed",
)


@pytest.fixture
def held(tmp_path: Path) -> Storage:
    (tmp_path / "volumes").mkdir()
    made = Storage(tmp_path / "volumes", tmp_path / "restored")
    made.prepare()
    return made


def volume(held: Storage, name: str, awaits: str = "") -> Path:
    """As the CSI stand-in makes one."""
    folder = held.volumes / name
    folder.mkdir()
    about = {"bytes": 1 << 30, "made": "2026-03-01T12:00:00Z"}
    if awaits:
        about |= {"fromBackup": "s3://b@r/?backup=b-1&volume=v-1", "awaits": awaits}
    else:
        (folder / "data").mkdir()
    (folder / "about.json").write_text(json.dumps(about))
    return folder


def an_image(held: Storage, text: str = "content") -> bytes:
    source = held.volumes.parent / "source"
    source.mkdir()
    (source / "file").write_text(text)
    make_image(source, held.volumes.parent / "image", 16 * MIB, "pvc-a")
    return (held.volumes.parent / "image").read_bytes()


def writing(content: bytes) -> Callable[[Path], None]:
    def write(image: Path) -> None:
        image.write_bytes(content)

    return write


def left(held: Storage) -> set[str]:
    return {str(path.relative_to(held.restored)) for path in held.restored.rglob("*")}


@needs_tools
def test_what_is_restored_lies_under_the_name_that_is_awaited(held: Storage) -> None:
    folder = volume(held, "pvc-a", "pvc-a-17")
    before = set(folder.rglob("*"))
    assert held.awaits("pvc-a")
    assert not held.has_content("pvc-a")
    content = an_image(held)
    held.fill("pvc-a", writing(content))
    assert (held.restored / "pvc-a-17" / "file").read_text() == "content"
    assert held.has_content("pvc-a")
    assert not held.awaits("pvc-a")
    assert set(folder.rglob("*")) == before, "the volume's folder is the CSI stand-in's"
    assert not list((held.restored / "partial").iterdir())
    (held.restored / "pvc-a-17").rename(folder / "data")
    assert held.has_content("pvc-a")


@needs_tools
def test_it_is_on_the_disk_before_it_has_its_name(
    held: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume(held, "pvc-a", "pvc-a-17")
    content, seen = an_image(held), []

    def sync() -> None:
        seen.append(left(held))

    monkeypatch.setattr(os, "sync", sync)
    held.fill("pvc-a", writing(content))
    (before,) = seen
    assert any(one.endswith("/data/file") for one in before)
    assert not any(one.startswith("pvc-a-17") for one in before)


@pytest.mark.parametrize("name", ["pvc-plain", "pvc-absent", "../volumes/pvc-a", "pvc-odd"])
def test_other_volumes_take_nothing(held: Storage, name: str) -> None:
    volume(held, "pvc-plain")
    volume(held, "pvc-a", "pvc-a-17")
    volume(held, "pvc-odd", "../../elsewhere")
    assert not held.awaits(name)
    assert not held.has_content(name)
    with pytest.raises(StorageError, match=f"has no volume {name} that awaits a backup"):
        held.fill(name, lambda _: pytest.fail("nothing is read for it"))
    held.tell_fault(name)
    assert left(held) == {"partial"}


def test_a_write_that_fails_leaves_nothing(held: Storage) -> None:
    volume(held, "pvc-a", "pvc-a-17")

    def broken(image: Path) -> None:
        image.write_bytes(b"half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        held.fill("pvc-a", broken)
    assert left(held) == {"partial"}
    assert held.awaits("pvc-a")


@needs_tools
def test_what_is_no_file_system_is_not_handed_over(held: Storage) -> None:
    volume(held, "pvc-a", "pvc-a-17")
    with pytest.raises(UnpackError):
        held.fill("pvc-a", writing(bytes(4 * MIB)))
    assert left(held) == {"partial"}


def test_what_a_killed_run_left_goes_and_what_is_whole_stays(held: Storage) -> None:
    volume(held, "pvc-a", "pvc-a-17")
    (held.restored / "partial" / "x" / "data").mkdir(parents=True)
    (held.restored / "pvc-a-17").mkdir()
    held.prepare()
    assert left(held) == {"partial", "pvc-a-17"}
    assert held.has_content("pvc-a")


def test_a_fault_is_told_beside_the_name(held: Storage) -> None:
    volume(held, "pvc-a", "pvc-a-17")
    held.tell_fault("pvc-a")
    assert left(held) == {"partial", "pvc-a-17.fault"}
    assert held.awaits("pvc-a")


def test_what_nobody_awaits_any_more_is_swept(held: Storage) -> None:
    volume(held, "pvc-a", "pvc-a-18")
    volume(held, "pvc-b")
    for name in ("pvc-a-17", "pvc-a-18", "pvc-gone-1"):
        (held.restored / name).mkdir()
        (held.restored / name / "file").touch()
        (held.restored / f"{name}.fault").touch()
    held.sweep()
    assert left(held) == {"partial", "pvc-a-18", "pvc-a-18/file", "pvc-a-18.fault"}


def test_with_nothing_handed_over_no_volume_is_looked_at(held: Storage) -> None:
    shutil.rmtree(held.volumes)
    held.sweep()
