"""Real reader processes and a real store: the same is found, whatever becomes of the readers."""

import hashlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from drills.backupstore import fetch
from drills.backupstore.catalog import BackupStore
from drills.backupstore.errors import Fault
from drills.backupstore.parallel import StoppedError
from drills.backupstore.readers import process, processes
from drills.backupstore.readers.processes import Processes
from drills.backupstore.rebuild import DamagedError, rebuild
from drills.backupstore.s3_objects import S3Objects
from drills.backupstore.stream import image_sha256, stream
from drills.backupstore.url import Target
from drills.backupstore.verify import Listed, Verified, verify
from s3.client import Credential, Session, StoreEndpoint, connect_admin
from s3.errors import Cause, StoreError
from tests.drills.backupstore.readers.watched import (
    READ_FIRST,
    Watched,
    alone,
    is_gone,
    watch,
)
from tests.support.longhorn_store import BLOCK, VolumeWriter, content, into_bucket
from tests.support.minio_server import MinioServer, running_minio

pytestmark = pytest.mark.tools

ROOT = Path(__file__).resolve().parents[4]
BLOCKS = 48
VOLUME = "pvc-data"
_numbers = itertools.count()

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Bucket:
    """A volume with one backup of BLOCKS blocks, every fourth place a hole."""

    server: MinioServer
    session: Session
    name: str
    writer: VolumeWriter

    def store(self, credential: Credential | None = None) -> BackupStore:
        given = credential or self.session.credential
        assert given is not None
        target = Target(self.name, self.session.endpoint.region, "p/")
        return BackupStore(S3Objects(self.session.endpoint, given, target))

    def key(self, number: int) -> str:
        return self.writer.block_key(list(self.writer.latest.blocks.values())[number])

    def content(self, number: int) -> bytes:
        return self.session.get(self.name, "p/" + self.key(number))

    def replace(self, number: int, content: bytes) -> None:
        self.session.put(self.name, "p/" + self.key(number), content)

    def remove(self, number: int) -> None:
        assert self.session.send("DELETE", self.name, "p/" + self.key(number)).ok

    def verified(
        self, progress: Progress | None = None, *, stop: threading.Event | None = None,
        credential: Credential | None = None,
    ) -> Verified:  # fmt: skip
        store = self.store(credential)
        return verify(
            store, VOLUME, listed(store), workers=6, progress=progress, stop=stop, waits=(1.0,) * 20
        )

    def rebuilt(self, target: Path, progress: Progress | None = None) -> str:
        """The SHA-256 of the image in `target`, read anew."""
        store = self.store()
        volume = store.volume(VOLUME)
        backup = store.backup(volume, "backup-1")
        rebuild(store, volume, backup, target, workers=6, progress=progress, digest=False)
        return hashlib.sha256(target.read_bytes()).hexdigest()

    def streamed(self) -> str:
        store = self.store()
        volume = store.volume(VOLUME)
        return image_sha256(store, volume, store.backup(volume, "backup-1"), workers=6)


def listed(store: BackupStore) -> Iterator[Listed]:
    backup = store.backup(store.volume(VOLUME), "backup-1")
    for block in backup.blocks:
        yield block.checksum, backup.compression, backup.block_size


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with running_minio(tmp_path_factory.mktemp("readers")) as running:
        yield running


@pytest.fixture
def bucket(server: MinioServer) -> Bucket:
    endpoint = StoreEndpoint(server.url, server.region, server.ca_pem)
    session = Session.open(endpoint, Credential(server.root_user, server.root_password))
    name = f"readers-{next(_numbers)}"
    assert session.send("PUT", name).ok
    writer = VolumeWriter(into_bucket(session, name, "p/"), VOLUME, BLOCKS * 4 // 3 * BLOCK)
    offsets = [place * BLOCK for place in range(BLOCKS * 4 // 3) if place % 4]
    writer.backup("backup-1", offsets, content("r", noise=0.001))
    return Bucket(server, session, name, writer)


def in_mid_work(made: list[Watched], act: Callable[[], object]) -> Progress:
    """Does something when some blocks were read, some of them by the readers."""

    def progress(done: int, _all: int) -> None:
        if done == 10:
            assert made[-1].elsewhere >= READ_FIRST
            act()

    return progress


def kill(made: list[Watched], sign: signal.Signals) -> Callable[[], None]:
    """Sends it to every reader that there is."""

    def act() -> None:
        for pid in made[-1].pids:
            os.kill(pid, sign)

    return act


@pytest.mark.parametrize("count", [2, 4])
def test_verify_finds_the_same_with_and_without_processes(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    swapped = bucket.content(3), bucket.content(5)
    bucket.remove(1)
    bucket.replace(3, swapped[1])
    bucket.replace(5, swapped[0])
    whole = bucket.content(7)
    bucket.replace(7, whole[:900] + bytes([whole[900] ^ 1]) + whole[901:])
    bucket.replace(9, bucket.content(9)[:-100])
    bucket.replace(11, b"")
    bucket.replace(13, bytes(2 * BLOCK))
    alone(monkeypatch)
    by_itself = bucket.verified()
    made = watch(monkeypatch, count)
    found = bucket.verified()
    for one, other in zip(found.faults, by_itself.faults, strict=True):
        assert (one.fault, one.object, one.detail) == (other.fault, other.object, other.detail)
    assert (found.checked, found.bytes, found.faulty, found.vanished) == (
        (by_itself.checked, by_itself.bytes, by_itself.faulty, by_itself.vanished)
    )
    assert found.faulty == 7
    assert {Fault.BLOCK_MISSING, Fault.BLOCK_DIFFERS, Fault.TOO_LARGE} < {
        one.fault for one in found.faults
    }
    assert made[0].elsewhere >= READ_FIRST
    assert len(made[0].pids) == count - 1
    assert all(map(is_gone, made[0].pids))


def test_rebuild_and_stream_give_the_same_bytes(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = bucket.writer.image_sha256()
    made = watch(monkeypatch)
    assert bucket.rebuilt(tmp_path / "image") == bucket.streamed() == truth
    assert [one.elsewhere >= READ_FIRST for one in made] == [True, True]
    assert all(is_gone(pid) for one in made for pid in one.pids)


def test_a_lost_block_is_told_by_rebuild_and_stream(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.remove(20)
    made = watch(monkeypatch)
    with pytest.raises(DamagedError) as caught:
        bucket.rebuilt(tmp_path / "image")
    assert [one.object for one in caught.value.faults] == [bucket.key(20)]
    with pytest.raises(Exception, match="no such object"):
        bucket.streamed()
    assert all(is_gone(pid) for one in made for pid in one.pids)


def test_a_stream_that_is_left_ends_its_processes(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = watch(monkeypatch)
    store = bucket.store()
    volume = store.volume(VOLUME)
    pieces = stream(store, volume, store.backup(volume, "backup-1"), workers=6)
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert all(map(is_gone, made[0].pids))


def test_processes_start_by_themselves_once_enough_was_read(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Processes] = []
    real = processes.processes_for

    def kept(*words: object) -> Processes | None:
        found = real(*words)  # type: ignore[arg-type]
        assert found is not None
        made.append(found)
        return found

    def wait(done: int, _all: int) -> None:
        deadline = time.monotonic() + 30
        while done == BLOCKS // 2 and not made[0]._ready and time.monotonic() < deadline:
            time.sleep(0.05)
        if done == BLOCKS // 2:
            pids.extend(one.pid for one in made[0]._ready)

    pids: list[int] = []
    monkeypatch.setattr("drills.backupstore.readers.shares.cores", lambda: 2)
    monkeypatch.setattr(processes, "START_BYTES", 4 * BLOCK)
    monkeypatch.setattr(fetch, "processes_for", kept)
    assert bucket.verified(wait).faulty == 0
    assert len(pids) == 1
    assert is_gone(pids[0])


def test_readers_that_are_killed_are_not_missed(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = watch(monkeypatch)
    found = bucket.verified(in_mid_work(made, kill(made, signal.SIGKILL)))
    assert (found.checked, found.faulty) == (BLOCKS, 0)
    truth = bucket.writer.image_sha256()
    assert (
        bucket.rebuilt(tmp_path / "image", in_mid_work(made, kill(made, signal.SIGKILL))) == truth
    )
    assert all(one.elsewhere >= READ_FIRST for one in made)
    assert all(is_gone(pid) for one in made for pid in one.pids)


def test_readers_that_stand_still_are_given_up(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = watch(monkeypatch)
    monkeypatch.setattr(process, "ANSWER_SECONDS", 10.0)
    found = bucket.verified(in_mid_work(made, kill(made, signal.SIGSTOP)))
    assert (found.checked, found.faulty) == (BLOCKS, 0)
    assert all(map(is_gone, made[0].pids))


def test_readers_that_stand_still_hold_up_no_stop(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = watch(monkeypatch)
    stop = threading.Event()
    stopped: list[float] = []

    def act() -> None:
        kill(made, signal.SIGSTOP)()
        # What reads here is soon through, so that only the readers are waited for.
        time.sleep(1)
        stopped.append(time.monotonic())
        stop.set()

    with pytest.raises(StoppedError):
        bucket.verified(in_mid_work(made, act), stop=stop)
    assert time.monotonic() - stopped[0] < 30
    assert all(map(is_gone, made[0].pids))


def test_a_store_that_is_away_for_a_moment_is_waited_for(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = watch(monkeypatch)
    back = threading.Timer(2.0, bucket.server.start)

    def act() -> None:
        bucket.server.stop()
        back.start()

    found = bucket.verified(in_mid_work(made, act))
    back.join()
    assert (found.checked, found.faulty) == (BLOCKS, 0)
    assert made[0].elsewhere >= READ_FIRST


def test_a_credential_refused_in_the_middle_is_told_as_such(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    credential = Credential("READERKEY", "secret-of-the-reader")
    assert bucket.session.credential is not None
    admin = connect_admin(bucket.session.endpoint, bucket.session.credential)
    causes = []

    def withdraw(done: int, _all: int) -> None:
        if done == 10:
            admin.user_remove(credential.access_key)

    for prepare in (alone, watch):
        prepare(monkeypatch)
        admin.user_add(credential.access_key, credential.secret_key)
        admin.policy_set("readwrite", user=credential.access_key)
        with pytest.raises(StoreError) as caught:
            bucket.verified(withdraw, credential=credential)
        assert credential.secret_key not in str(caught.value)
        causes.append(caught.value.cause)
    assert set(causes) <= {Cause.KEY_UNKNOWN, Cause.ACCESS_DENIED}


def test_no_secret_is_in_arguments_or_environment(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = bucket.server.root_password
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    made = watch(monkeypatch)
    looked: list[bytes] = []

    def look() -> None:
        for pid in made[0].pids:
            about = Path(f"/proc/{pid}")
            looked.append(about.joinpath("cmdline").read_bytes())
            looked.append(about.joinpath("environ").read_bytes())
            assert os.getsid(pid) == pid

    bucket.verified(in_mid_work(made, look))
    assert len(looked) == 2
    assert b"drills.backupstore.readers" in looked[0]
    for text in looked:
        assert secret.encode() not in text
        assert b"AWS_" not in text


def test_readers_ignore_ctrl_c(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    made = watch(monkeypatch)
    left: list[int] = []

    def act() -> None:
        kill(made, signal.SIGINT)()
        time.sleep(0.3)

    progress = in_mid_work(made, act)

    def then(done: int, whole: int) -> None:
        progress(done, whole)
        if done == BLOCKS:
            left.append(made[0].left)

    bucket.verified(then)
    assert left == [1]


_VERIFIES = """
import sys, time
import pytest
from drills.backupstore.catalog import BackupStore
from drills.backupstore.environment import open_target
from drills.backupstore.verify import verify
from tests.drills.backupstore.readers.test_readers import VOLUME, listed
from tests.drills.backupstore.readers.watched import watch
import os

def hang(done, _all):
    if done == 5:
        print(made[0].pids[0], flush=True)
        time.sleep(60)

made = watch(pytest.MonkeyPatch())
store = BackupStore(open_target(sys.argv[1], os.environ, 6))
verify(store, VOLUME, listed(store), progress=hang, workers=6)
"""


def test_a_reader_does_not_outlive_who_started_it(bucket: Bucket) -> None:
    environ = {
        "AWS_ENDPOINTS": bucket.server.url,
        "AWS_CERT": bucket.server.ca_pem,
        "AWS_ACCESS_KEY_ID": bucket.server.root_user,
        "AWS_SECRET_ACCESS_KEY": bucket.server.root_password,
    }
    target = Target(bucket.name, bucket.server.region, "p/").url
    killed = subprocess.Popen(
        [sys.executable, "-c", _VERIFIES, target],
        cwd=ROOT, env=os.environ | environ, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with killed:
        assert killed.stdout is not None
        reader = int(killed.stdout.readline())
        assert not is_gone(reader)
        killed.kill()
    deadline = time.monotonic() + 10
    while not _is_over(reader) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _is_over(reader)


def _is_over(pid: int) -> bool:
    """Gone, or left for whoever takes in orphans to look at."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"
