"""The reader on real file systems: everything is told, nothing is followed, nothing is silent."""

import contextlib
import hashlib
import io
import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drills.volumes import tree_reader
from drills.volumes.entry import Entry
from drills.volumes.tree import Fault, Tree, TreeError, read_trees
from tests.drills.volumes.volumes import READER, by_path, make_volume, read, run_reader
from tests.support.single_files import imported

NOBODY = 65534


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    return make_volume(tmp_path / "volume")


def in_process(root: Path, xattrs: bool = False) -> list[Entry]:
    """Read in this process, so that a test can put a fault between two of its steps."""
    output = io.BytesIO()
    tree_reader.read_volume("volume", os.fsencode(root), 1, xattrs, output)
    output.seek(0)
    return list(Tree(iter(output)))


def test_every_type_is_told_with_its_attributes(volume: Path) -> None:
    found = by_path(volume)
    small, large = found[b"data/small"], found[b"data/large"]
    assert (small.type, small.size, small.sha256) == (
        "file", 7, hashlib.sha256(b"content").hexdigest(),
    )  # fmt: skip
    content = (volume / "data" / "large").read_bytes()
    assert (large.sha256, large.mode) == (hashlib.sha256(content).hexdigest(), 0o4711)
    deep = found[b"data/deep"]
    assert (deep.type, deep.uid, deep.gid) == ("directory", 1000, 2000)
    assert found[b"link out"].target == b"/etc/passwd"
    assert found[b"link to nowhere"].target == b"caf\xe9/\xff"
    assert found[b"pipe"].type == "fifo"
    assert (found[b"null"].type, found[b"null"].device) == ("device", "c 1:3")
    assert found[b"data-beside/line\nbreak"].size == 19
    assert found[b"caf\xe9"].size == 24
    assert found[b"data/deep/zero"].sha256 == hashlib.sha256(b"").hexdigest()


def test_paths_rise_byte_by_byte_with_a_directory_before_what_it_holds(volume: Path) -> None:
    paths = list(by_path(volume))
    assert paths == sorted(paths)
    assert paths.index(b"data") < paths.index(b"data-beside") < paths.index(b"data/small")


def test_later_names_of_an_inode_name_the_first(volume: Path) -> None:
    os.link(volume / "pipe", volume / "a second pipe")
    found = by_path(volume)
    assert found[b"data/small"].link == b""
    assert found[b"other name of small"].link == b"data/small"
    assert found[b"other name of small"].sha256 == found[b"data/small"].sha256
    assert found[b"pipe"].link == b"a second pipe"


def test_an_inode_with_an_odd_first_name_is_named_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "z").write_bytes(b"x")
    os.link(tmp_path / "z", os.fsencode(tmp_path) + b"/\xff")
    os.link(tmp_path / "z", os.fsencode(tmp_path) + b"/\xfe")
    found = by_path(tmp_path)
    assert [found[name].link for name in (b"z", b"\xfe", b"\xff")] == [b"", b"z", b"z"]
    (tmp_path / "z").unlink()
    assert by_path(tmp_path)[b"\xff"].link == b"\xfe"


def test_holes_are_hashed_as_zeros_and_told_by_the_bytes_on_disk(volume: Path) -> None:
    found = by_path(volume)[b"sparse"]
    content = (volume / "sparse").read_bytes()
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert found.size == 9 << 20
    assert found.sparse
    assert not by_path(volume)[b"data/large"].sparse


def test_a_huge_hole_takes_no_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "hole").open("wb") as hole:
        hole.truncate(64 << 20)

    def refuse(*_: object) -> int:
        raise AssertionError("a hole was read")

    monkeypatch.setattr(os, "preadv", refuse)
    (found,) = (entry for entry in in_process(tmp_path) if entry.path == b"hole")
    assert found.sha256 == hashlib.sha256(bytes(64 << 20)).hexdigest()


def test_a_symlink_is_never_followed(volume: Path) -> None:
    paths = by_path(volume)
    assert b"link to a directory" in paths
    assert not [path for path in paths if path.startswith(b"link to a directory/")]


def test_no_directory_stays_open(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    in_process(tmp_path)
    held = [str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    assert [one for one in held if one.startswith(str(tmp_path))] == []


def test_one_process_and_several_print_the_same(volume: Path) -> None:
    for number in range(300):
        (volume / "data" / f"{number}").write_bytes(b"x" * number)
        (volume / "empty" / f"{number}" / "below").mkdir(parents=True)
    alone, together = run_reader("--workers=1", volume), run_reader("--workers=3", volume)
    assert alone[1:-1] == together[1:-1]
    assert len(alone) > 900
    assert json.loads(alone[-1])["digest"] == json.loads(together[-1])["digest"]


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A volume with paths that no system call takes whole."""
    name, here = "d" * 200, Path.cwd()
    try:
        os.chdir(tmp_path)
        for _ in range(260):
            Path(name).mkdir()
            os.chdir(name)
        Path("bottom").write_bytes(b"reached")
    finally:
        os.chdir(here)
    yield tmp_path
    subprocess.run(["rm", "-rf", tmp_path / name], check=True)


def test_a_deeper_path_than_any_system_call_takes_is_read(deep: Path) -> None:
    found, trailer = read(deep, "--workers=2")
    deepest = max(found, key=lambda entry: len(entry.path))
    assert deepest.path.endswith(b"/bottom")
    assert deepest.size == 7
    assert trailer.unreadable == 0


def test_nothing_is_sent_to_a_worker_that_might_not_fit_its_pipe(
    deep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    send = tree_reader.Worker.send

    def measured(worker: tree_reader.Worker, chunk: list[Any]) -> None:
        sizes.append(len(pickle.dumps(chunk)))
        send(worker, chunk)

    monkeypatch.setattr(tree_reader.Worker, "send", measured)
    for number in range(1000):
        (deep / f"{number:0200d}").touch()
    output = io.BytesIO()
    tree_reader.read_volume("volume", os.fsencode(deep), 2, False, output)
    assert sizes
    assert max(sizes) * tree_reader.AHEAD < 64 << 10


def test_another_file_system_is_told_and_not_entered(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    (volume / "mounted").mkdir(parents=True)
    (volume / "file").write_bytes(b"own")
    (volume / "mounted file").write_bytes(b"own")
    script = (
        'mount -t tmpfs none "$1/mounted" && echo foreign > "$1/mounted/foreign" && '
        'mount --bind "$1/mounted/foreign" "$1/mounted file" && "$2" "$3" "$1"'
    )
    # A mount namespace of its own: nothing stays mounted, whatever becomes of the test.
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", volume, sys.executable, READER],
        capture_output=True,
        check=False,
    )
    if done.returncode == 1 and b"permitted" in done.stderr:
        pytest.skip("this machine does not let a test mount")
    assert done.returncode == 0, done.stderr.decode()
    tree = Tree(iter(done.stdout.splitlines(keepends=True)))
    found = {entry.path: entry for entry in tree}
    assert found[b"mounted/"].skipped == "mount"
    assert found[b"mounted file"].skipped == "mount"
    assert found[b"mounted file"].sha256 == ""
    assert b"mounted/foreign" not in found
    assert (tree.trailer.files, tree.trailer.skipped) == (1, 2)


@contextlib.contextmanager
def as_nobody(directory: Path) -> Iterator[None]:
    """A user who may read nothing that is not open to all; the working directory leads there."""
    here = Path.cwd()
    os.chdir(directory)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.chdir(here)


@pytest.mark.skipif(os.geteuid() != 0, reason="root may become somebody else")
def test_what_may_not_be_read_is_told(volume: Path) -> None:
    (volume / "data" / "small").chmod(0o600)
    (volume / "data" / "deep").chmod(0o700)
    (volume / "lost+found").mkdir(mode=0o700)
    (volume / "data" / "lost+found").mkdir(mode=0o700)
    with as_nobody(volume):
        found = {entry.path: entry for entry in in_process(Path())}
    assert (found[b"data/small"].error, found[b"data/small"].size) == ("EACCES", 7)
    assert found[b"data/small"].sha256 == ""
    assert found[b"data/deep"].uid == 1000
    assert found[b"data/deep/"].error == "EACCES"
    # Only the one in the root is the file system's own.
    assert (found[b"lost+found/"].skipped, found[b"lost+found/"].error) == ("unreadable", "")
    assert found[b"data/lost+found/"].error == "EACCES"
    # A file of somebody else cannot be opened without a trace; it is opened all the same.
    assert found[b"data-beside/line\nbreak"].sha256


def test_a_root_that_can_read_all_enters_lost_and_found(volume: Path) -> None:
    (volume / "lost+found").mkdir(mode=0o700)
    (volume / "lost+found" / "#12").write_bytes(b"a piece")
    assert by_path(volume)[b"lost+found/#12"].size == 7


def interfere(
    monkeypatch: pytest.MonkeyPatch, function: str, deed: Callable[[], object], *, after: bool
) -> None:
    """Does `deed` once, before or after the first call of a function of the reader."""
    original = getattr(tree_reader, function)
    done: list[bool] = []

    def wrapped(*arguments: Any) -> Any:
        if after:
            result = original(*arguments)
            if not done:
                done.append(True)
                deed()
            return result
        if not done:
            done.append(True)
            deed()
        return original(*arguments)

    monkeypatch.setattr(tree_reader, function, wrapped)


def one_file(root: Path) -> Path:
    root.mkdir()
    place = root / "file"
    place.write_bytes(b"before")
    return place


def append(place: Path) -> None:
    with place.open("ab") as file:
        file.write(b"more")


def replace_by_directory(place: Path) -> None:
    place.unlink()
    place.mkdir()


def replace_by_link(place: Path) -> None:
    place.unlink()
    place.symlink_to("/etc/passwd")


def replace_by_pipe(place: Path) -> None:
    place.unlink()
    os.mkfifo(place)


@pytest.mark.parametrize(
    ("deed", "moment", "error"),
    [
        (Path.unlink, "open_quietly", "vanished"),
        (replace_by_directory, "open_quietly", "changed"),
        (replace_by_link, "open_quietly", "changed"),
        (replace_by_pipe, "open_quietly", "changed"),
        (append, "hash_content", "changed"),
        (lambda place: os.truncate(place, 2), "hash_content", "changed"),
        (lambda place: place.chmod(0o600), "hash_content", "changed"),
    ],
)
def test_what_changes_under_the_reader_is_an_error_of_that_entry(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    deed: Callable[[Path], object],
    moment: str,
    error: str,
) -> None:
    place = one_file(tmp_path / "volume")
    interfere(monkeypatch, moment, lambda: deed(place), after=False)
    found = {entry.path: entry for entry in in_process(tmp_path / "volume")}
    assert (found[b"file"].error, found[b"file"].sha256) == (error, "")


def test_a_change_after_the_reading_and_before_the_second_look_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = one_file(tmp_path / "volume")
    interfere(monkeypatch, "hash_content", lambda: append(place), after=True)
    assert [entry.error for entry in in_process(tmp_path / "volume")] == ["", "changed"]


def test_a_directory_that_becomes_a_link_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"not of this volume")
    root = tmp_path / "volume"
    (root / "folder").mkdir(parents=True)

    def swap() -> None:
        (root / "folder").rmdir()
        (root / "folder").symlink_to(outside)

    interfere(monkeypatch, "in_order", swap, after=True)
    found = {entry.path: entry for entry in in_process(root)}
    assert found[b"folder"].error == found[b"folder/"].error == "changed"
    assert set(found) == {b"", b"folder", b"folder/"}


def test_a_file_that_becomes_a_directory_is_not_passed_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "volume"
    place = one_file(root)
    interfere(monkeypatch, "in_order", lambda: replace_by_directory(place), after=True)
    assert [entry.error for entry in in_process(root)] == ["", "changed"]


def test_extended_attributes_are_told_if_asked_for(volume: Path) -> None:
    try:
        os.setxattr(volume / "data" / "small", "user.note", b"one")
        os.setxattr(volume / "data", "user.note", b"two")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    assert all(not entry.xattrs for entry in read(volume)[0])
    first = by_path(volume, "--xattrs")
    assert first[b"data/small"].xattrs
    assert first[b"data"].xattrs not in ("", first[b"data/small"].xattrs)
    os.setxattr(volume / "data" / "small", "user.note", b"eno")
    second = by_path(volume, "--xattrs")
    assert second[b"data/small"].xattrs != first[b"data/small"].xattrs
    assert second[b"data"].xattrs == first[b"data"].xattrs


def test_reading_leaves_no_trace(volume: Path) -> None:
    place = volume / "data" / "small"
    os.utime(place, (1, 1))
    read(volume)
    assert place.stat().st_atime == 1


def test_volumes_come_in_the_order_asked_for_under_their_names(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    lines = run_reader(f"second={tmp_path / 'two'}", tmp_path / "one")
    trees = [(tree.header.volume, [e.path for e in tree]) for tree in read_trees(lines)]
    assert trees == [("second", [b"", b"two"]), (str(tmp_path / "one"), [b"", b"one"])]


def test_a_root_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("file", "nothing"):
        done = subprocess.run(
            [sys.executable, READER, tmp_path / name], capture_output=True, check=False, text=True
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert "cannot be read" in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.fixture
def busy_reader(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A reader with two workers, each at a hole that takes minutes to hash."""
    for name in "abcdefghi":
        with (tmp_path / name).open("wb") as hole:
            hole.truncate(1 << 40)
    process = subprocess.Popen(
        [sys.executable, READER, "--workers=2", tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
    finally:
        for pid in children(process) if process.poll() is None else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()


def children(process: subprocess.Popen[bytes]) -> list[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(pid) for pid in listed.split()]


def wait_for_children(process: subprocess.Popen[bytes], count: int) -> list[int]:
    for _ in range(2000):
        found = children(process)
        if len(found) == count:
            return found
        signal.sigtimedwait([], 0.01)
    raise AssertionError(f"the reader has {children(process)} in place of {count} workers")


def test_a_worker_that_is_killed_leaves_no_trailer(busy_reader: subprocess.Popen[bytes]) -> None:
    for pid in wait_for_children(busy_reader, 2):
        with contextlib.suppress(ProcessLookupError):  # the reader may have ended it by then
            os.kill(pid, signal.SIGKILL)
    output, complaint = busy_reader.communicate(timeout=30)
    assert busy_reader.returncode == 1
    assert b"was killed" in complaint
    # The header went to the fixture; what came after it ends without a trailer.
    header = run_reader(Path(READER).parent)[0]
    with pytest.raises(TreeError) as caught:
        list(Tree(iter([header, *output.splitlines(keepends=True)])))
    assert caught.value.fault is Fault.TRUNCATED


def test_an_ended_reader_takes_its_workers_along(busy_reader: subprocess.Popen[bytes]) -> None:
    workers = wait_for_children(busy_reader, 2)
    busy_reader.terminate()
    output, _ = busy_reader.communicate(timeout=30)
    assert busy_reader.returncode == 1
    assert b'"end"' not in output
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def test_workers_do_not_outlive_a_reader_that_is_killed(tmp_path: Path) -> None:
    for number in range(2000):
        (tmp_path / f"{number:0200d}").touch()
    process = subprocess.Popen(
        [sys.executable, READER, "--workers=2", tmp_path], stdout=subprocess.PIPE
    )
    # Nobody reads on, so the reader waits with its output and its workers wait for work.
    workers = wait_for_children(process, 2)
    process.kill()
    process.wait()
    for _ in range(1000):
        if not [pid for pid in workers if is_running(pid)]:
            return
        signal.sigtimedwait([], 0.01)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    raise AssertionError("the workers of a killed reader go on")


def is_running(pid: int) -> bool:
    """Whether a process lives; one that nobody has buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def test_the_reader_is_one_file_that_old_interpreters_take() -> None:
    assert imported(READER, (3, 9)) <= sys.stdlib_module_names
