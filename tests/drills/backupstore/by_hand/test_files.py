"""`ls`, `cat` and `extract` within a backup: as the whole image would be read."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.backupstore.by_hand.extracting import Extraction
from drills.backupstore.by_hand.files import path_of, shown
from drills.backupstore.part_file import TargetError
from drills.backupstore.rebuild import rebuild
from drills.images.errors import ImageError
from drills.images.file_system import FileSystem, Listed, open_image
from drills.images.source import FileSource
from drills.volumes.entry import DIRECTORY, FILE, SYMLINK, Entry
from tests.drills.backupstore.by_hand.command_line import GENUINE, command
from tests.drills.backupstore.samples import genuine

BACKUP = ("--volume", "pvc-app", "--backup", "backup-pvc-app-3")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileSystem]:
    """The file system in the same backup, read out of a rebuilt image."""
    store, image = genuine(), tmp_path_factory.mktemp("image") / "raw"
    volume = store.volume("pvc-app")
    rebuild(store, volume, store.backup(volume, "backup-pvc-app-3"), image)
    with FileSource(image) as source:
        yield open_image(source)


def test_the_files_of_the_engines_backup_are_listed(whole: FileSystem) -> None:
    ended = command("ls", GENUINE, *BACKUP)
    assert ended.code == 0
    listed = list(whole.listing(b""))
    assert len(listed) > 2
    assert [line.split()[-1] for line in ended.lines] == [one.name.decode() for one in listed]
    assert {line[0] for line in ended.lines} <= {"d", "-", "l"}
    found = command("ls", GENUINE, *BACKUP, "--json").document["files"]
    assert [one["size"] for one in found] == [one.entry.size for one in listed]


def test_every_file_comes_out_as_it_is(whole: FileSystem) -> None:
    files = [entry for entry in whole.entries() if entry.type == FILE and entry.size]
    assert files
    for entry in files:
        ended = command("cat", GENUINE, *BACKUP, "/" + os.fsdecode(entry.path))
        assert (ended.code, ended.out, len(ended.data)) == (0, "", entry.size)
        assert ended.data == b"".join(whole.read(entry.path))
    one = command("ls", GENUINE, *BACKUP, os.fsdecode(files[0].path))
    assert len(one.lines) == 1


def test_the_newest_backup_is_told(whole: FileSystem) -> None:
    ended = command("ls", GENUINE, "--volume", "pvc-app")
    assert len(ended.lines) == 5
    assert whole.version.startswith("ext")
    name = next(entry for entry in whole.entries() if entry.type == FILE).path
    ended = command("cat", GENUINE, "--volume", "pvc-app", os.fsdecode(name))
    assert ended.err.startswith("pvc-app as of 2026-11-21 04:13:52Z, backup backup-pvc-app-3\n")


def test_everything_is_extracted(tmp_path: Path, whole: FileSystem) -> None:
    target = tmp_path / "files"
    ended = command("extract", GENUINE, *BACKUP, "-o", target)
    assert ended.code == 0
    assert ended.lines[0].startswith(f"{target}: ")
    for entry in whole.entries():
        path = target / os.fsdecode(entry.path)
        looked = path.lstat()
        assert looked.st_mode & 0o777 == entry.mode & 0o777
        if entry.type == FILE:
            assert path.read_bytes() == b"".join(whole.read(entry.path))
            assert looked.st_mtime_ns == whole.look(entry.path).modified
        elif entry.type == SYMLINK:
            assert os.fsencode(path.readlink()) == entry.target
        else:
            assert path.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["files"]
    again = command("extract", GENUINE, *BACKUP, "-o", target)
    assert (again.code, "exists and is not overwritten" in again.err) == (21, True)


def test_one_file_is_extracted(tmp_path: Path, whole: FileSystem) -> None:
    entry = next(one for one in whole.entries() if one.type == FILE and one.size)
    path = os.fsdecode(entry.path)
    assert command("extract", GENUINE, *BACKUP, path, "-o", tmp_path / "out").code == 0
    found = tmp_path / "out" / Path(path).name
    assert found.read_bytes() == b"".join(whole.read(entry.path))


@pytest.mark.parametrize("words", [["cat"], ["ls"]])
def test_a_path_that_is_not_there(words: list[str]) -> None:
    ended = command(*words, GENUINE, *BACKUP, "no/such/file")
    assert (ended.code, ended.out, ended.data) == (21, "", b"")
    assert ended.err.count("\n") == 1


def test_a_folder_is_no_file() -> None:
    ended = command("cat", GENUINE, *BACKUP, "/")
    assert (ended.code, ended.data) == (21, b"")


def test_a_volume_without_a_file_system() -> None:
    ended = command("ls", GENUINE, "--volume", "pvc-none", "--backup", "backup-pvc-none-1")
    assert (ended.code, ended.out) == (21, "")
    assert "no file system" in ended.err


def test_paths_and_names() -> None:
    assert path_of("//etc//hosts/") == b"etc/hosts"
    assert path_of("/") == path_of("") == b""
    assert shown(b"a\xff\x1b[1m\n") == "a\\xff\\x1b[1m\\n"


class Made:
    """A file system of our own making: entries by path, files with content."""

    def __init__(self, entries: dict[bytes, tuple[str, int, object]]) -> None:
        self._entries = {b"": (DIRECTORY, 1, b"")} | entries

    def look(self, path: bytes) -> Listed:
        kind, inode, held = self._entries[path]
        target = held if kind == SYMLINK and isinstance(held, bytes) else b""
        names = sum(other[1] == inode for other in self._entries.values())
        entry = Entry(path, kind, 0o4755, 12345, 54321, target=target)
        return Listed(path.rpartition(b"//")[2].rpartition(b"|")[2], entry, inode, names, 10**18)

    def listing(self, path: bytes) -> Iterator[Listed]:
        for one in self._entries:
            if one and one.rpartition(b"|")[0] == path.replace(b"/", b"|"):
                yield self.look(one)

    def read(self, path: bytes) -> Iterator[bytes]:
        held = self._entries[path.replace(b"/", b"|")][2]
        assert isinstance(held, bytes)
        yield from (held, bytes(1 << 20)) if held else ()


def extracted(made: Made, root: Path) -> Extraction:
    extraction = Extraction(made, root, owners=False, progress=lambda _: None)  # type: ignore[arg-type]
    extraction.run(b"")
    return extraction


def test_links_modes_and_what_is_left_out(tmp_path: Path) -> None:
    made = Made(
        {
            b"a": (FILE, 2, b"content"),
            b"b": (FILE, 2, b"content"),
            b"empty": (FILE, 3, b""),
            b"link": (SYMLINK, 4, b"/etc/passwd"),
            b"pipe": ("fifo", 5, b""),
            b"sub": (DIRECTORY, 6, b""),
            b"sub|deep": (FILE, 7, b"deep"),
        }
    )
    root = tmp_path / "out"
    done = extracted(made, root).done
    assert (done.files, done.folders, done.links, done.left_out) == (3, 2, 2, ["pipe"])
    assert (root / "a").samefile(root / "b")
    assert (root / "a").read_bytes() == b"content" + bytes(1 << 20)
    assert (root / "a").stat().st_blocks * 512 < 1 << 19
    assert str((root / "link").readlink()) == "/etc/passwd"
    # Who is not root gives away no rights.
    assert (root / "a").stat().st_mode & 0o7777 == 0o755
    assert (root / "sub").stat().st_mtime_ns == 10**18


@pytest.mark.parametrize("name", [b"..", b".", b"a/../../b", b"a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: bytes) -> None:
    made = Made({name: (FILE, 2, b"evil")})
    with pytest.raises(ImageError, match="the image has a file named"):
        extracted(made, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "b").exists()


def test_a_link_is_not_followed_by_what_comes_below_its_name(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = str(tmp_path / "elsewhere").encode()

    class Twice(Made):
        def listing(self, path: bytes) -> Iterator[Listed]:
            yield from super().listing(path)
            if not path:
                twin = Entry(b"a", DIRECTORY, 0o755)
                yield Listed(b"a", twin, 9, 1, 0)

    with pytest.raises(TargetError):
        extracted(Twice({b"a": (SYMLINK, 2, link)}), tmp_path / "out")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_within_itself_ends(tmp_path: Path) -> None:
    made = Made({b"a": (DIRECTORY, 2, b""), b"a|b": (DIRECTORY, 2, b"")})
    with pytest.raises(ImageError, match="lies in two places"):
        extracted(made, tmp_path / "out")
