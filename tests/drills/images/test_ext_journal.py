"""The journal of an ext4: what it holds counts, what it revokes does not, damage to it is named."""

import shutil
import struct
from pathlib import Path

import pytest

from drills.images.errors import Fault, ImageError
from drills.images.ext.journal_blocks import MAGIC
from drills.images.ext.volume import ExtVolume
from drills.images.file_system import open_image
from drills.images.source import FileSource
from tests.drills.images.images import Memory, made_ext, recorded, tool

BLOCK = 1024
NEW, NEWER = b"N" * BLOCK, b"R" * BLOCK


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A file system with one file of one block, and a journal without checksums."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_bytes(b"o" * BLOCK)
    return made_ext(
        tmp_path / "image", "ext4", "-b", "1024", "-O", "^metadata_csum", root=root, mebibytes=8
    )


def block_of(image: Path) -> str:
    return tool("debugfs", "-R", "blocks file", image).split()[-1]


def journalled(image: Path, *commands: str, opening: str = "jo") -> None:
    """Puts one transaction into the journal, and nothing home."""
    script = image.with_suffix(".commands")
    script.write_text("\n".join([opening, *commands, "jc", ""]))
    tool("debugfs", "-w", "-f", script, image)


def written(image: Path, content: bytes) -> str:
    path = image.with_suffix(f".{content[:1].hex()}")
    path.write_bytes(content)
    return f"jw -b {block_of(image)} {path}"


def content_of(image: Path) -> bytes:
    with FileSource(image) as source:
        return b"".join(open_image(source).read(b"file"))


def replayed_by_its_tool(image: Path) -> bytes:
    copy = image.with_suffix(".replayed")
    shutil.copy(image, copy)
    tool("e2fsck", "-E", "journal_only", "-y", copy)
    return content_of(copy)


@pytest.mark.parametrize("opening", ["jo", "jo -c -v 2", "jo -c -v 3"])
def test_a_committed_block_counts_and_the_last_one_wins(image: Path, opening: str) -> None:
    if "-c" in opening:
        tool("tune2fs", "-O", "metadata_csum", image)
    journalled(image, written(image, NEW), opening=opening)
    before = image.read_bytes()
    assert content_of(image) == NEW
    journalled(image, written(image, NEWER))
    assert content_of(image) == replayed_by_its_tool(image) == NEWER
    with FileSource(image) as source:
        assert open_image(source).unfinished == "2 transactions of its journal"
    assert tool("debugfs", "-R", "cat file", image).endswith("o" * BLOCK)
    assert before != image.read_bytes()  # by debugfs, which added the second one


def test_a_revoked_block_stays_as_it_is_until_it_is_written_again(image: Path) -> None:
    journalled(image, written(image, NEW))
    journalled(image, f"jw -r {block_of(image)}")
    assert content_of(image) == replayed_by_its_tool(image) == b"o" * BLOCK
    journalled(image, written(image, NEWER))
    assert content_of(image) == replayed_by_its_tool(image) == NEWER


def test_a_block_that_looks_like_one_of_the_journal_comes_out_as_it_was(image: Path) -> None:
    odd = struct.pack(">III", MAGIC, 2, 7).ljust(BLOCK, b"?")
    journalled(image, written(image, odd))
    assert content_of(image) == replayed_by_its_tool(image) == odd


def test_what_was_not_committed_does_not_count(image: Path) -> None:
    journalled(image, written(image, NEW))
    commit = struct.pack(">III", MAGIC, 2, 1)
    raw = image.read_bytes()
    at = raw.index(commit)
    assert at % BLOCK == 0
    with FileSource(image) as source:
        torn = Memory(source.read(0, source.size), {at: bytes(BLOCK)})
    system = open_image(torn)
    assert b"".join(system.read(b"file")) == b"o" * BLOCK
    assert system.unfinished == ""


def test_a_journal_in_another_device_is_named(image: Path) -> None:
    journalled(image, written(image, NEW))
    with pytest.raises(ImageError, match="another device") as caught:
        open_image(Memory(image.read_bytes(), {1024 + 0xE0: bytes(4)}))
    assert caught.value.fault is Fault.UNSUPPORTED


def places(name: str, kind: int) -> list[int]:
    """Where blocks of a kind lie in the journal of a recorded image."""
    source = recorded(name)
    raw = source.read(0, source.size)
    found, at = [], -1
    while (at := raw.find(struct.pack(">II", MAGIC, kind), at + 1)) >= 0:
        if at % BLOCK == 0:
            found.append(at)
    return found


@pytest.mark.parametrize(
    ("kind", "at", "what"),
    [
        (1, 40, "a block of transaction"),
        (1, BLOCK - 2, "a block of transaction"),
        (2, 17, "the end of transaction"),
    ],
)
def test_damage_inside_the_journal_is_not_taken_for_its_end(kind: int, at: int, what: str) -> None:
    """A descriptor, its checksum, and the commit of a transaction that others follow."""
    source = recorded("ext4-live")
    begin = places("ext4-live", kind)[0]
    with pytest.raises(ImageError, match=what) as caught:
        ExtVolume(source.changed({begin + at: b"\xa5"}))
    assert caught.value.fault is Fault.DAMAGED


def test_a_damaged_block_in_the_journal_is_named_with_its_home() -> None:
    source = recorded("ext4-live")
    first = places("ext4-live", 1)[0] + BLOCK
    # Not the first alone, for a later transaction may have replaced what that holds.
    changes = {first + step * BLOCK + 100: b"\xa5\x5a" for step in range(10)}
    with pytest.raises(ImageError, match="the checksum of the new block"):
        ExtVolume(source.changed(changes))


@pytest.mark.parametrize(
    ("at", "new", "what"),
    [
        (0x0C, (4096).to_bytes(4), "contradicts itself|checksum of its superblock"),
        (0x1C, (0xFFFFFFFF).to_bytes(4), "contradicts itself|checksum of its superblock"),
        (0x28, (0x20).to_bytes(4), "fast commits|checksum of its superblock"),
        (0x28, (0x8000).to_bytes(4), "not known|checksum of its superblock"),
        (0x00, bytes(4), "superblock is missing"),
    ],
)
@pytest.mark.parametrize("name", ["ext4-live", "ext3-live"])
def test_a_journal_that_is_not_understood_is_not_read_past(
    name: str, at: int, new: bytes, what: str
) -> None:
    begin = places(name, 4)[0]
    with pytest.raises(ImageError, match=what):
        ExtVolume(recorded(name).changed({begin + at: new}))
