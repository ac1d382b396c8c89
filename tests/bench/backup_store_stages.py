"""One stage of verifying or restoring a backup store, alone or all together; JSON on stdout.

A process of its own, so that its processor time and memory are those of the stage. What it starts
counts too: their processor time, their largest peak of memory as often as there are of them, and
what blocks take on their way between them, which no process's own figure has.
`python -m tests.bench.backup_store_stages STAGE TARGET VOLUME FOLDER`; credentials are in the
environment as for `python -m drills longhorn`, and SERVER the process of the store.
"""

import json
import mmap
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha512
from pathlib import Path

from drills.backupstore import lz4_frame, memory
from drills.backupstore.block_list import BlockAt
from drills.backupstore.blocks import limit
from drills.backupstore.catalog import BackupStore
from drills.backupstore.direct import DirectWriter
from drills.backupstore.environment import open_target
from drills.backupstore.fetch import WORKERS
from drills.backupstore.layout import block_key
from drills.backupstore.objects import Objects
from drills.backupstore.readers import shares
from drills.backupstore.rebuild import rebuild
from drills.backupstore.records import BackupRecord, VolumeRecord
from drills.backupstore.s3_objects import S3Objects
from drills.backupstore.stream import image_sha256
from drills.backupstore.verify import Listed, verify

# As much as a stage without a store keeps in memory, so that caches do not flatter it.
SAMPLE = 32
SERVER = "BENCH_SERVER"
DIRECT = "write past the cache"
VERIFY_AT_ONCE, RESTORE_AT_ONCE = "side by side", "side by side, written too"
SECONDS = "BENCH_SECONDS"
"""Processor time of the stages that are put side by side."""

_PIECE = 2 << 20


@dataclass(frozen=True)
class Setting:
    """What a stage works on: the volume's last backup, or all of them."""

    store: BackupStore
    volume: VolumeRecord
    backup: BackupRecord
    folder: Path

    def listed(self) -> Iterator[Listed]:
        """What every backup of the volume lists."""
        for name in self.store.backups(self.volume.name):
            backup = self.store.backup(self.volume, name)
            for block in backup.blocks:
                yield block.checksum, backup.compression, backup.block_size

    def stored(self, block: BlockAt) -> bytes:
        key = block_key(self.volume.name, block.checksum)
        return self.store.objects.get(key, limit(self.backup.block_size))

    def plain(self, stored: bytes) -> bytes:
        found = lz4_frame.plain(stored, self.backup.block_size)
        assert found is not None
        return found


def get(at: Setting, checksums: list[str]) -> Callable[[], None]:
    """GET of the objects with plain threads, and nothing else."""
    return partial(_get, at, at.store.objects, checksums, WORKERS)


def get_in_processes(at: Setting, checksums: list[str]) -> Callable[[], None]:
    """The same in as many processes as verifying has."""
    objects = at.store.objects
    assert isinstance(objects, S3Objects)
    recipe = objects.recipe
    count = min(shares.cores(), shares.MOST_PROCESSES)

    def run() -> None:
        forked = []
        for number in range(count):
            process = os.fork()
            if process == 0:
                # A connection is nothing that two processes may share.
                _get(at, recipe.open(shares.THREADS), checksums[number::count], shares.THREADS)
                os._exit(0)
            forked.append(process)
        for process in forked:
            assert os.waitpid(process, 0)[1] == 0

    return run


def _get(at: Setting, objects: Objects, checksums: list[str], workers: int) -> None:
    left = iter(checksums)
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                checksum = next(left, None)
            if checksum is None:
                return
            objects.get(block_key(at.volume.name, checksum), limit(at.backup.block_size))

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def over_sample(at: Setting, count: int, prepare: Callable[[bytes], bytes],
                act: Callable[[bytes, int], object]) -> Callable[[], None]:  # fmt: skip
    """A stage on one core, on content that is in memory already."""
    sample = [prepare(at.stored(block)) for block in at.backup.blocks[:SAMPLE]]

    def run() -> None:
        for number in range(count):
            act(sample[number % len(sample)], number)

    return run


def disk(at: Setting, *, direct: bool) -> Callable[[], None]:
    """The image written in one go and brought to disk, by a plain file or as a restore does."""
    path = at.folder / "plain"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    offsets = [block.offset for block in at.backup.blocks]
    writer = DirectWriter(descriptor)
    put = writer.write if direct else partial(os.pwrite, descriptor)
    write = over_sample(
        at,
        len(offsets),
        at.plain,
        lambda plain, number: put(memoryview(plain), offsets[number]),
    )

    def run() -> None:
        write()
        writer.settle()
        os.fsync(descriptor)
        path.unlink()

    return run


def together(*acts: Callable[[], object]) -> None:
    """Each in a thread of its own, until all have ended."""
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def hashing(seconds: float) -> None:
    """Uses this much processor time of one core."""
    block = bytes(2 << 20)
    while time.thread_time() < seconds:
        sha512(block).digest()


def side_by_side(at: Setting, *, writes: bool) -> Callable[[], None]:
    """The processor time of all stages, and what they read and write of the disk, at once and
    without waiting for each other: what no restore can be quicker than.

    Where the cores of a virtual machine serve its disk too, or share their time with what does,
    this takes longer than its longest part.
    """
    seconds = float(os.environ[SECONDS]) / shares.cores()
    path = at.folder / "stored"
    sample = [len(at.stored(block)) for block in at.backup.blocks[:SAMPLE]]
    pieces = len(at.backup.blocks) * sum(sample) // len(sample) // _PIECE
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_DIRECT)
    memory_of_one = mmap.mmap(-1, _PIECE)
    for number in range(pieces):
        os.pwrite(descriptor, memory_of_one, number * _PIECE)
    write = disk(at, direct=True) if writes else (lambda: None)

    def read() -> None:
        for number in range(pieces):
            os.preadv(descriptor, [memory_of_one], number * _PIECE)

    def run() -> None:
        together(read, write, *[partial(hashing, seconds)] * shares.cores())
        path.unlink()

    return run


def stage(name: str, at: Setting) -> Callable[[], object]:
    """What is measured, with everything it needs in memory."""
    backup, target = at.backup, at.folder / "restored"
    blocks = [(block.checksum, backup.compression, backup.block_size) for block in backup.blocks]
    count = len(blocks)

    def restore() -> None:
        rebuild(at.store, at.volume, backup, target, digest=False)
        target.unlink()

    def distinct() -> Callable[[], object]:
        once = sorted(set(at.listed()))
        return partial(verify, at.store, at.volume.name, once)

    stages: dict[str, Callable[[], Callable[[], object]]] = {
        "get": lambda: get(at, [checksum for checksum, _, _ in blocks]),
        "get in processes": lambda: get_in_processes(at, [checksum for checksum, _, _ in blocks]),
        "decompress": lambda: over_sample(at, count, bytes, lambda stored, _: at.plain(stored)),
        "sha512": lambda: over_sample(at, count, at.plain, lambda plain, _: sha512(plain).digest()),
        "write": lambda: disk(at, direct=False),
        DIRECT: lambda: disk(at, direct=True),
        VERIFY_AT_ONCE: lambda: side_by_side(at, writes=False),
        RESTORE_AT_ONCE: lambda: side_by_side(at, writes=True),
        "verify": lambda: partial(verify, at.store, at.volume.name, blocks),
        "restore": lambda: restore,
        "stream": lambda: partial(image_sha256, at.store, at.volume, backup),
        "distinct": distinct,
        "chain": lambda: lambda: verify(at.store, at.volume.name, at.listed()),
    }
    return stages[name]()


def main(name: str, target: str, volume_name: str, folder: str) -> None:
    memory.keep()
    store = BackupStore(open_target(target, os.environ, WORKERS))
    volume = store.volume(volume_name)
    backup = store.backup(volume, volume.last_backup_name)
    run = stage(name, Setting(store, volume, backup, Path(folder)))
    server = processor_of(int(os.environ[SERVER]))
    began, cpu = time.perf_counter(), processor()
    run()
    measured = {
        "seconds": time.perf_counter() - began,
        "client": processor() - cpu,
        "server": processor_of(int(os.environ[SERVER])) - server,
        "mebibytes": peak(name, backup.block_size),
    }
    print(json.dumps(measured))  # noqa: T201


def processor() -> float:
    """Processor seconds of this process, and of those it started and waited for."""
    used = os.times()
    return time.process_time() + used.children_user + used.children_system


def peak(name: str, block_size: int) -> float:
    """MiB of memory, of this process and of those it started, were each as large as the largest."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    if not largest:
        return own / 2**20
    if name == "get in processes":
        return min(shares.cores(), shares.MOST_PROCESSES) * largest / 2**20
    # As processes.py reckons: two copies of each block, four of one that is handed over.
    handed = name in {"restore", "stream"}
    cost = (4 if handed else 2) * block_size
    count = shares.processes(shares.cores(), WORKERS, cost)
    most = min(shares.threads(count, WORKERS), shares.at_once(count, cost))
    on_its_way = most * block_size if handed else 0
    return (own + (count - 1) * (largest + on_its_way)) / 2**20


def processor_of(process: int) -> float:
    """Processor seconds of a process (proc(5): fields 14 and 15 of stat, in clock ticks)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(*sys.argv[1:])
