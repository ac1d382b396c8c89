"""Prints what a volume holds as a digest tree: `python3 tree_reader.py [NAME=]ROOT...`.

One file, standard library only, CPython 3.9 or later: it runs inside a pod, from a mounted file or
from stdin. It only reads. Output is JSON lines in ASCII, for each root: a header, one line an
entry in the order of the raw bytes of the paths, and a trailer. The format:

    header   schema, volume, root, tool, python, uid, startedAt, xattrs
    entry    path (relative, "" is the root itself), type, mode (octal), uid, gid
             file       size, sha256, allocated (bytes on disk: fewer than size if sparse)
             symlink    target
             device     device ("b 8:1")
             listing    only where a directory's content could not be read: path ends with "/"
             link       first path of the same inode, on every later one
             changedAt  with --times: when content, attributes or names last changed, ns since 1970
             xattrs, xattrDigest   with --xattrs, where there are any
             error      vanished, changed, or the name of an errno; then there is no digest
             skipped    mount (of another file system) or unreadable (lost+found)
    trailer  end, entries, files, bytes, unreadable, skipped, digest (sha256 of the entry lines),
             seconds

Names that are not UTF-8 stand as base64 under `path64`, `target64`, `link64`. A tree without a
trailer is cut off. Exit code 0: the trailer was written, whatever it says; 1: not; 2: bad argument.

Memory: the names of the directories on the way to the current one, and the inodes with several
names of which not all were seen. The work is shared among processes, for threads would wait for
one another at every small file.
"""

from __future__ import annotations

import argparse
import base64
import collections
import errno
import functools
import hashlib
import json
import multiprocessing
import multiprocessing.connection
import os
import platform
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple, Protocol, Union

SCHEMA = "backstop-tree/1"
TOOL = "tree_reader/1"
LOST_AND_FOUND = b"lost+found"
MAX_WORKERS = 4
BUFFER_BYTES = 1 << 20
# What one worker gets at a time. What is under way must always fit into a socket's buffer, or each
# side might wait for the other while both are sending: so names are counted, and a chunk with names
# that are longer still does not leave this process.
CHUNK_FIRST = 4
CHUNK_ENTRIES = 128
CHUNK_CONTENT_BYTES = 8 << 20
CHUNK_NAME_BYTES = 8 << 10
AHEAD = 2
REMEMBERED_INODES = 100_000

_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)
_ZEROS = memoryview(bytes(BUFFER_BYTES))
_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "device",
    stat.S_IFCHR: "device",
}

FILE, DIRECTORY, OTHER = "file", "directory", "other"

Record = dict[str, Any]
Pipe = multiprocessing.connection.Connection


class Digest(Protocol):
    """A running hash."""

    def update(self, data: memoryview, /) -> None: ...


# Folder (relative to the root), name in it, kind as the listing told it. Plain, for many are sent.
Place = tuple[bytes, bytes, str]


class Linked(NamedTuple):
    """A record whose inode has several names; which came first only the writer knows."""

    record: Record
    inode: int
    names: int


Item = Union[Place, Record]  # noqa: UP007  (CPython 3.9)
# Whole lines, or one that is not finished.
Part = Union[bytes, Linked]  # noqa: UP007


class Tally:
    """Sums of a tree, or of a part of it."""

    def __init__(self) -> None:
        self.entries = self.files = self.bytes = self.unreadable = self.skipped = 0

    def add(self, record: Record) -> None:
        self.entries += 1
        if "sha256" in record:
            self.files += 1
            self.bytes += record["size"]
        self.unreadable += "error" in record
        self.skipped += "skipped" in record

    def merge(self, other: Tally) -> None:
        self.entries += other.entries
        self.files += other.files
        self.bytes += other.bytes
        self.unreadable += other.unreadable
        self.skipped += other.skipped


Result = tuple[list[Part], Tally]


class ChangedError(Exception):
    """What is being read is not what it was when the reading began."""


class RootError(Exception):
    """What was given as a volume cannot be opened as a directory; the text is the cause's word."""


class WorkerError(Exception):
    """A process that reads is gone."""


class MountError(Exception):
    """Another file system is mounted here."""


def encoded(record: Record) -> bytes:
    """A line of the output."""
    return _ENCODER.encode(record).encode() + b"\n"


def named(key: str, name: bytes) -> Record:
    """`key` with the name, or `key`64 with its base64 if it is not UTF-8."""
    try:
        return {key: name.decode()}
    except UnicodeDecodeError:
        return {key + "64": base64.b64encode(name).decode()}


def joined(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


def word(error: Exception) -> str:
    """An error as the output names it."""
    if isinstance(error, ChangedError):
        return "changed"
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ENOENT:
        return "vanished"
    if number in (errno.ENOTDIR, errno.ELOOP):
        return "changed"
    return errno.errorcode.get(number or 0, type(error).__name__)


class Folders:
    """Opens directories below the root, name by name, so that no link can lead outside."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.device = os.fstat(root).st_dev
        self._path = b""
        self._open = root

    def open(self, path: bytes) -> int:
        """A descriptor that holds until the next call. Raises OSError, MountError."""
        if path != self._path:
            descriptor = self._walk(path)
            self.close()
            self._path, self._open = path, descriptor
        return self._open

    def close(self) -> None:
        if self._open != self.root:
            os.close(self._open)
        self._path, self._open = b"", self.root

    def _walk(self, path: bytes) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        current = self.root
        for name in path.split(b"/") if path else ():
            try:
                below = os.open(name, flags, dir_fd=current)
            finally:
                if current != self.root:
                    os.close(current)
            current = below
            if os.fstat(current).st_dev != self.device:
                os.close(current)
                raise MountError
        return current


class Describer:
    """Turns places into records: looks, reads, hashes."""

    def __init__(self, folders: Folders, xattrs: bool, times: bool = False) -> None:
        self._folders = folders
        self._xattrs = xattrs
        self._times = times
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._known: dict[int, tuple[Any, str]] = {}

    def chunk(self, items: list[Item]) -> Result:
        """The lines of a chunk, in its order, and their sums."""
        parts: list[Part] = []
        lines: list[bytes] = []
        tally = Tally()
        for item in items:
            record, found = self.place(item) if isinstance(item, tuple) else (item, None)
            tally.add(record)
            if found is not None and self._has_other_names(found):
                parts += [b"".join(lines), Linked(record, found.st_ino, found.st_nlink)]
                lines = []
            else:
                lines.append(encoded(record))
        parts.append(b"".join(lines))
        return parts, tally

    def _has_other_names(self, found: os.stat_result) -> bool:
        return (
            found.st_nlink > 1
            and not stat.S_ISDIR(found.st_mode)
            and found.st_dev == self._folders.device
        )

    def place(self, place: Place) -> tuple[Record, os.stat_result | None]:
        """The record of a place and what the system says of it, if it says anything."""
        folder, name, kind = place
        record = named("path", joined(folder, name))
        try:
            at = self._folders.open(folder)
            if kind == FILE:
                return self._file(record, name, at)
            found = os.stat(name, dir_fd=at, follow_symlinks=False)
        except (OSError, MountError, ChangedError) as error:
            return {**record, "type": "unknown", "error": word(error)}, None
        record.update(attributes(found, self._times))
        try:
            if kind_of(found) != kind:
                raise ChangedError
            if kind == OTHER and found.st_dev != self._folders.device:
                record["skipped"] = "mount"
            elif stat.S_ISLNK(found.st_mode):
                record.update(named("target", os.readlink(name, dir_fd=at)))
            if self._xattrs and found.st_dev == self._folders.device:
                record.update(extended(f"/proc/self/fd/{at}/".encode() + name))
        except (OSError, ChangedError) as error:
            record["error"] = word(error)
        return record, found

    def _file(self, record: Record, name: bytes, at: int) -> tuple[Record, os.stat_result]:
        """Raises OSError if nothing is known of the file, ChangedError if it is none any more."""
        try:
            descriptor = open_quietly(name, at)
        except PermissionError as error:
            found = os.stat(name, dir_fd=at, follow_symlinks=False)
            told = attributes(found, self._times)
            return {**record, **told, "error": word(error)}, found
        try:
            found = os.fstat(descriptor)
            if kind_of(found) != FILE:
                raise ChangedError
            record.update(attributes(found, self._times))
            if found.st_dev != self._folders.device:
                record["skipped"] = "mount"
                return record, found
            try:
                content: Record = {"sha256": self._digest(found, descriptor)}
                if self._xattrs:
                    content.update(extended(descriptor))
                record.update(content)
            except (OSError, ChangedError) as error:
                record["error"] = word(error)
        finally:
            os.close(descriptor)
        return record, found

    def _digest(self, found: os.stat_result, descriptor: int) -> str:
        """Raises OSError; ChangedError if the file is another one after the reading."""
        state = (found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if found.st_nlink > 1 and self._known.get(found.st_ino, ("",))[0] == state:
            return str(self._known[found.st_ino][1])
        digest = hash_content(descriptor, found, self._buffer)
        after = os.fstat(descriptor)
        if (after.st_size, after.st_mtime_ns, after.st_ctime_ns) != state:
            raise ChangedError
        if found.st_nlink > 1:
            if len(self._known) >= REMEMBERED_INODES:
                self._known.clear()
            self._known[found.st_ino] = (state, digest)
        return digest


def kind_of(found: os.stat_result) -> str:
    """The kind that a listing would tell."""
    if stat.S_ISREG(found.st_mode):
        return FILE
    return DIRECTORY if stat.S_ISDIR(found.st_mode) else OTHER


def attributes(found: os.stat_result, times: bool = False) -> Record:
    """What the system says of an entry, as the output names it."""
    mode = found.st_mode
    record = {
        "type": _TYPES.get(stat.S_IFMT(mode), "unknown"),
        "mode": f"{stat.S_IMODE(mode):04o}",
        "uid": found.st_uid,
        "gid": found.st_gid,
    }
    if record["type"] == "file":
        record["size"] = found.st_size
        record["allocated"] = found.st_blocks * 512
    elif record["type"] == "device":
        letter = "b" if stat.S_ISBLK(mode) else "c"
        record["device"] = f"{letter} {os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
    if times:
        record["changedAt"] = found.st_ctime_ns
    return record


def open_quietly(name: bytes, at: int) -> int:
    """Opens a file without a trace in its access time where the system allows that."""
    # Not blocking: what was a file a moment ago may be a pipe that nobody writes to.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(name, flags | os.O_NOATIME, dir_fd=at)
    except PermissionError:
        return os.open(name, flags, dir_fd=at)


def hash_content(descriptor: int, found: os.stat_result, buffer: memoryview) -> str:
    """The sha256 of as many bytes as `found` says; holes are hashed as zeros without a read."""
    digest = hashlib.sha256()
    size = found.st_size
    if found.st_blocks * 512 >= size:
        feed(digest, descriptor, 0, size, buffer)
        return digest.hexdigest()
    position = 0
    while position < size:
        data, end = next_data(descriptor, position, size)
        for done in range(position, data, len(_ZEROS)):
            digest.update(_ZEROS[: min(len(_ZEROS), data - done)])
        feed(digest, descriptor, data, end, buffer)
        position = end
    return digest.hexdigest()


def next_data(descriptor: int, position: int, size: int) -> tuple[int, int]:
    """Where the next data lies: its first byte and its end, both `size` if there is none."""
    try:
        data = min(os.lseek(descriptor, position, os.SEEK_DATA), size)
        return data, min(os.lseek(descriptor, data, os.SEEK_HOLE), size) if data < size else size
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size, size
        if error.errno == errno.EINVAL:  # a file system that knows no holes
            return position, size
        raise


def feed(digest: Digest, descriptor: int, begin: int, end: int, buffer: memoryview) -> None:
    """Hashes bytes `begin` to `end`. Raises ChangedError if there are fewer."""
    while begin < end:
        part = buffer[: min(len(buffer), end - begin)]
        count = os.preadv(descriptor, [part], begin)
        if count == 0:
            raise ChangedError
        digest.update(part[:count])
        begin += count


def extended(where: bytes | int) -> Record:
    """Names of the extended attributes of a path or descriptor, a digest of names and values."""
    # A descriptor has no link to follow, and the system call refuses to be told so.
    follow = isinstance(where, int)
    try:
        names = sorted(os.listxattr(where, follow_symlinks=follow))
        digest = hashlib.sha256()
        for name in names:
            value = os.getxattr(where, name, follow_symlinks=follow)
            digest.update(b"%d %d " % (len(os.fsencode(name)), len(value)))
            digest.update(os.fsencode(name) + value)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return {}
        raise
    return {"xattrs": names, "xattrDigest": digest.hexdigest()} if names else {}


def walk(folders: Folders) -> Iterator[Item]:
    """Everything below the root in the order of the paths' bytes.

    A directory stands at its name, what it holds at its name with a slash: `a`, `a-b`, `a/x`.
    """
    pending: list[Iterator[Item | bytes]] = [iter([b""])]
    while pending:
        item = next(pending[-1], None)
        if item is None:
            pending.pop()
        elif isinstance(item, bytes):
            names, fault = listing(folders, item)
            if fault is not None:
                yield fault
            pending.append(in_order(item, names))
        else:
            yield item


def in_order(folder: bytes, names: dict[bytes, str]) -> Iterator[Place | bytes]:
    """Places, and the paths of directories at the point where what they hold has its turn."""
    directories = [name + b"/" for name, kind in names.items() if kind == DIRECTORY]
    for key in sorted([*names, *directories]):
        if key.endswith(b"/"):
            yield joined(folder, key[:-1])
        else:
            yield folder, key, names[key]


def listing(folders: Folders, path: bytes) -> tuple[dict[bytes, str], Record | None]:
    """The names in a directory with their kinds; a record if it could not be read."""
    record = {**named("path", path + b"/"), "type": "listing"}
    try:
        with os.scandir(folders.open(path)) as found:
            return {os.fsencode(one.name): listed_kind(one) for one in found}, None
    except MountError:
        return {}, {**record, "skipped": "mount"}
    except OSError as error:
        if path == LOST_AND_FOUND and isinstance(error, PermissionError):
            return {}, {**record, "skipped": "unreadable"}
        return {}, {**record, "error": word(error)}


def listed_kind(one: os.DirEntry[str]) -> str:
    if one.is_file(follow_symlinks=False):
        return FILE
    return DIRECTORY if one.is_dir(follow_symlinks=False) else OTHER


class Pace:
    """How many entries make a chunk: as many as were light enough in the last one that is done."""

    def __init__(self) -> None:
        self.entries = CHUNK_FIRST

    def learn(self, tally: Tally) -> None:
        if tally.bytes > CHUNK_CONTENT_BYTES:
            self.entries = max(1, self.entries // 2)
        elif tally.entries >= self.entries:
            self.entries = min(CHUNK_ENTRIES, self.entries * 2)


def chunks(folders: Folders, pace: Pace) -> Iterator[tuple[list[Item], int]]:
    """The walk in pieces, with the bytes of their names."""
    chunk: list[Item] = []
    names = 0
    for item in walk(folders):
        chunk.append(item)
        if isinstance(item, tuple):
            names += len(item[0]) + len(item[1])
        if len(chunk) >= pace.entries or names >= CHUNK_NAME_BYTES:
            yield chunk, names
            chunk, names = [], 0
    if chunk:
        yield chunk, names


class Worker:
    """A process that describes chunks, one after the other."""

    def __init__(self, root: int, xattrs: bool, times: bool, others: list[Worker]) -> None:
        context = multiprocessing.get_context("fork")
        self._pipe, far_end = context.Pipe()
        # A process that kept a near end open would never see that this one is gone.
        near_ends = [self._pipe, *(other._pipe for other in others)]
        self._process = context.Process(
            target=serve, args=(far_end, near_ends, root, xattrs, times), daemon=True
        )
        # One that comes meanwhile waits: this process must know its worker first, and a worker that
        # has changed its own answer to it just then would lose it, and never end.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        far_end.close()

    def send(self, chunk: list[Item]) -> None:
        """Raises WorkerError."""
        try:
            self._pipe.send(chunk)
        except ConnectionError as error:
            raise WorkerError from error

    def receive(self) -> Result:
        """Raises WorkerError."""
        try:
            result: Result = self._pipe.recv()
        except (EOFError, ConnectionError) as error:
            raise WorkerError from error
        return result

    def end(self) -> None:
        self._pipe.close()
        self._process.terminate()
        self._process.join()


def serve(pipe: Pipe, near_ends: list[Pipe], root: int, xattrs: bool, times: bool) -> None:
    """What a worker's process does until the pipe closes."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    for near_end in near_ends:
        near_end.close()
    describer = Describer(Folders(root), xattrs, times)
    while True:
        try:
            pipe.send(describer.chunk(pipe.recv()))
        except (EOFError, ConnectionError):
            return


def results(root: int, workers: int, xattrs: bool, times: bool) -> Iterator[Result]:
    """The chunks' results in the walk's order. Raises WorkerError."""
    pace = Pace()
    walked, described = Folders(root), Folders(root)
    describer = Describer(described, xattrs, times)
    crew: list[Worker] = []
    under_way: collections.deque[Callable[[], Result]] = collections.deque()

    def next_result() -> Result:
        result = under_way.popleft()()
        pace.learn(result[1])
        return result

    try:
        while len(crew) < workers > 1:
            crew.append(Worker(root, xattrs, times, crew))
        for number, (chunk, names) in enumerate(chunks(walked, pace)):
            if not crew or names > 2 * CHUNK_NAME_BYTES:
                under_way.append(functools.partial(describer.chunk, chunk))
            else:
                worker = crew[number % workers]
                worker.send(chunk)
                under_way.append(worker.receive)
            if len(under_way) >= max(1, len(crew)) * AHEAD:
                yield next_result()
        while under_way:
            yield next_result()
    finally:
        walked.close()
        described.close()
        for worker in crew:
            worker.end()


class Writer:
    """Writes lines, keeps their digest and knows which path of an inode came first."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self._first: dict[int, tuple[Any, int]] = {}

    def write(self, parts: list[Part]) -> None:
        for part in parts:
            content = self._linked(part) if isinstance(part, Linked) else part
            self._digest.update(content)
            self._stream.write(content)

    def _linked(self, line: Linked) -> bytes:
        path = line.record.get("path"), line.record.get("path64")
        first, left = self._first.pop(line.inode, (path, line.names))
        if left > 1:
            self._first[line.inode] = (first, left - 1)
        if first == path:
            return encoded(line.record)
        plain, odd = first
        return encoded({**line.record, **({"link64": odd} if odd else {"link": plain})})

    def digest(self) -> str:
        return self._digest.hexdigest()


def read_volume(
    volume: str, root: bytes, workers: int, xattrs: bool, stream: BinaryIO, *, times: bool = False
) -> None:
    """Header, entries and trailer of one volume. Raises RootError, WorkerError, OSError."""
    began = time.monotonic()
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise RootError(word(error)) from error
    try:
        stream.write(encoded(header(volume, root, xattrs)))
        stream.flush()
        own: Record = {"path": "", **attributes(os.fstat(descriptor), times)}
        if xattrs:
            own.update(extended(descriptor))
        writer, tally = Writer(stream), Tally()
        writer.write([encoded(own)])
        tally.add(own)
        for parts, sums in results(descriptor, workers, xattrs, times):
            writer.write(parts)
            tally.merge(sums)
    finally:
        os.close(descriptor)
    trailer = {
        "end": SCHEMA,
        **vars(tally),
        "digest": writer.digest(),
        "seconds": round(time.monotonic() - began, 3),
    }
    stream.write(encoded(trailer))
    stream.flush()


def header(volume: str, root: bytes, xattrs: bool) -> Record:
    return {
        "schema": SCHEMA,
        "volume": volume,
        **named("root", root),
        "tool": TOOL,
        "python": platform.python_version(),
        "uid": os.geteuid(),
        "startedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "xattrs": xattrs,
    }


def volume_and_root(argument: str) -> tuple[str, bytes]:
    """`NAME=PATH`, or a path alone, which then is the name too."""
    name, separator, path = argument.partition("=")
    if not separator or "/" in name:
        return argument, os.fsencode(argument)
    return name, os.fsencode(path)


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tree_reader", description="Digest trees of volumes.")
    parser.add_argument("roots", nargs="+", metavar="[NAME=]ROOT", help="a mounted volume")
    parser.add_argument("--xattrs", action="store_true", help="extended attributes too")
    parser.add_argument("--times", action="store_true", help="when each entry last changed too")
    parser.add_argument(
        "--workers",
        type=int,
        default=min(MAX_WORKERS, len(os.sched_getaffinity(0))),
        help="processes that read and hash; 1 does all in this one",
    )
    return parser.parse_args(given)


def complain(sentence: str) -> None:
    print(f"tree_reader: {sentence}", file=sys.stderr)


def _end(*_: object) -> None:
    """Ends at once, workers first. An exception would be lost if it met a destructor."""
    for worker in multiprocessing.active_children():
        worker.terminate()
        worker.join()
    os._exit(1)


def main(given: list[str]) -> int:
    """Reads the volumes in the order given."""
    asked = arguments(given)
    signal.signal(signal.SIGTERM, _end)
    stream = sys.stdout.buffer
    for argument in asked.roots:
        volume, root = volume_and_root(argument)
        try:
            read_volume(volume, root, asked.workers, asked.xattrs, stream, times=asked.times)
        except RootError as error:
            complain(f"{argument} cannot be read ({error}); give a mounted volume")
            return 2
        except WorkerError:
            complain(f"a process that read {argument} was killed; was memory short?")
            return 1
        except BrokenPipeError:
            # Nobody listens any more; the interpreter would complain about it at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
