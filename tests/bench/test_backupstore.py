"""Verifying and restoring a backup store, beside the limits of the machine in the same run.

BACKSTOP_BENCH_VOLUME_MIB: size of the volume. Shares are held to their bound from 4096 on, where
what is done once no longer counts. A machine that is busy with anything else lowers them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

import pytest

from drills.backupstore.url import Target
from s3.client import Credential, Session, StoreEndpoint
from tests.bench.backup_store_stages import (
    DIRECT,
    RESTORE_AT_ONCE,
    SECONDS,
    SERVER,
    VERIFY_AT_ONCE,
)
from tests.bench.clock import REPEATS, Row, report
from tests.support.longhorn_store import BLOCK, MIB, VolumeWriter, content, into_bucket
from tests.support.minio_server import MinioServer, running_minio

pytestmark = [pytest.mark.bench, pytest.mark.tools]

ROOT = Path(__file__).resolve().parents[2]
VOLUME_BYTES = int(os.environ.get("BACKSTOP_BENCH_VOLUME_MIB", "256")) * MIB
LARGE_BYTES = 4096 * MIB
SHARE = 0.8
"""Of the limit, at least."""
MEBIBYTES = 300
CHAIN = 30
CHAIN_BYTES = max(VOLUME_BYTES // 4, 128 * MIB)
CHAIN_COST = 1.1
"""Times reading the distinct blocks once, at most."""
BUCKET, PREFIX = "bench", "site/"

STAGES = {"verify": ("get", "decompress", "sha512"),
          "restore": ("get", "decompress", "sha512", "write")}  # fmt: skip
IN_PROCESSES = "get in processes"
AT_ONCE = {"verify": VERIFY_AT_ONCE, "restore": RESTORE_AT_ONCE}


@dataclass(frozen=True)
class Measured:
    """Of the best of several runs: seconds, processor seconds of both sides, peak memory."""

    seconds: float
    client: float
    server: float
    mebibytes: float

    @property
    def processor(self) -> float:
        return self.client + self.server


@dataclass(frozen=True)
class Bench:
    """A server, and a folder on the disk that is written to."""

    server: MinioServer
    session: Session
    folder: Path

    def volume(self, name: str, size: int = VOLUME_BYTES, block: int = BLOCK) -> VolumeWriter:
        put = into_bucket(self.session, BUCKET, PREFIX)
        return VolumeWriter(put, name, size, block_size=block)

    def measured(self, stage: str, volume: str, seconds: float = 0.0) -> Measured:
        """Each figure is the best of its own: what disturbs one rarely disturbs all.

        seconds: of processor time, for a stage that is to use as much.
        """
        runs = [self._run(stage, volume, seconds) for _ in range(REPEATS)]
        best = {name: min(run[name] for run in runs) for name in ("seconds", "client", "server")}
        return Measured(**best, mebibytes=max(run["mebibytes"] for run in runs))

    def _run(self, stage: str, volume: str, seconds: float = 0.0) -> dict[str, float]:
        credential, process = self.session.credential, self.server._process
        assert credential is not None
        assert process is not None
        environ = {
            "AWS_ENDPOINTS": self.server.url,
            "AWS_CERT": self.server.ca_pem,
            "AWS_ACCESS_KEY_ID": credential.access_key,
            "AWS_SECRET_ACCESS_KEY": credential.secret_key,
            SERVER: str(process.pid),
            SECONDS: str(seconds),
        }
        target = Target(BUCKET, self.server.region, PREFIX).url
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.backup_store_stages", stage, target, volume,
             str(self.folder)],
            cwd=ROOT, env=os.environ | environ, check=True, capture_output=True, text=True,
        )  # fmt: skip
        found: dict[str, float] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("backupstore")
    with running_minio(folder) as server:
        endpoint = StoreEndpoint(server.url, server.region, server.ca_pem)
        session = Session.open(endpoint, Credential(server.root_user, server.root_password))
        assert session.send("PUT", BUCKET).ok
        yield Bench(server, session, folder)


def better(one: Measured, other: Measured) -> Measured:
    """Each figure of two ways to do the same: a limit is that of the better way."""
    return Measured(*map(min, astuple(one), astuple(other)))


def limit_of(stages: list[Measured]) -> float:
    """Seconds that the slowest stage alone takes, or all of them on all processors."""
    slowest = max(stage.seconds for stage in stages)
    return max(slowest, sum(stage.processor for stage in stages) / (os.cpu_count() or 1))


def test_throughput_beside_the_limits_of_the_machine(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    volume = bench.volume("pvc-one")
    volume.backup("backup-1", range(0, VOLUME_BYTES, BLOCK), content("one"))
    found = {
        stage: bench.measured(stage, "pvc-one")
        for stage in (IN_PROCESSES, *STAGES["restore"], DIRECT, *STAGES, "stream")
    }
    read = better(found["get"], found[IN_PROCESSES])
    for whole, stages in STAGES.items():
        # What brings the image to disk is in the stage itself.
        busy = sum(one.processor for one in (read, *(found[name] for name in stages[1:3])))
        found[AT_ONCE[whole]] = bench.measured(AT_ONCE[whole], "pvc-one", busy)
    rows = [
        Row(f"{stage}: {one.client:.2f} + {one.server:.2f} s CPU, {one.mebibytes:.0f} MiB",
            one.seconds, one.seconds / found["sha512"].seconds)
        for stage, one in found.items()
    ]  # fmt: skip
    found["get"] = read
    limits = {whole: limit_of([found[name] for name in STAGES[whole]]) for whole in STAGES}
    shares = {
        whole: max(limit, found[AT_ONCE[whole]].seconds) / found[whole].seconds
        for whole, limit in limits.items()
    }
    with capsys.disabled():
        print(report(f"{VOLUME_BYTES >> 20} MiB of volume", "SHA-512 on one core", rows))  # noqa: T201
        for whole, share in shares.items():
            took, at_once = found[whole].seconds, found[AT_ONCE[whole]].seconds
            print(  # noqa: T201
                f"{whole}: {VOLUME_BYTES / MIB / took:.0f} MiB/s, {share:.2f} of the limit "
                f"({SHARE} is asked for): {limits[whole] / took:.2f} of what its stages allow, "
                f"{at_once / took:.2f} of what they take side by side"
            )
    assert max(found[whole].mebibytes for whole in (*STAGES, "stream")) < MEBIBYTES
    if VOLUME_BYTES >= LARGE_BYTES:
        assert min(shares.values()) >= SHARE


def test_memory_with_large_blocks(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    size = 16 * MIB
    volume = bench.volume("pvc-large", 32 * size, size)
    volume.backup("backup-1", range(0, 32 * size, size), content("large", size))
    for stage in ("verify", "restore", "stream"):
        peak = bench.measured(stage, "pvc-large").mebibytes
        with capsys.disabled():
            print(f"\n{stage} of 32 blocks of 16 MiB: {peak:.0f} MiB")  # noqa: T201
        assert peak < MEBIBYTES


@pytest.mark.parametrize("percent", [1, 10])
def test_a_chain_costs_its_distinct_blocks(
    bench: Bench, percent: int, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"pvc-chain-{percent}"
    volume = bench.volume(name, CHAIN_BYTES)
    places = CHAIN_BYTES // BLOCK
    changed = max(1, places * percent // 100)
    volume.backup("backup-00", range(0, CHAIN_BYTES, BLOCK), content("0"))
    for number in range(1, CHAIN):
        first = number * changed
        offsets = sorted({(first + one) % places * BLOCK for one in range(changed)})
        volume.backup(f"backup-{number:02}", offsets, content(f"{number}"))
    once, chain = bench.measured("distinct", name), bench.measured("chain", name)
    cost = chain.processor / once.processor
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{CHAIN} backups, {percent} % changed in each: {cost:.2f} times the distinct blocks "
            f"({chain.seconds / once.seconds:.2f} by the clock; at most {CHAIN_COST})"
        )
    if VOLUME_BYTES >= LARGE_BYTES:
        assert cost <= CHAIN_COST
