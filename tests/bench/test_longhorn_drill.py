"""Quick depth of the drill `longhorn`: the records of many backups, in a store on this machine.

`BACKSTOP_BENCH_BACKUPS`: how many (600). Half of them are read first, to see how time grows.
"""

import os
from pathlib import Path

import pytest

from drills.backupstore.layout import block_key
from drills.backupstore.s3_objects import S3Objects
from drills.backupstore.url import Target
from drills.frame import Clock, Record, run_phases
from drills.images.check import Ran
from drills.longhorn.drill import Edges, Lens, LonghornDrill
from drills.longhorn.payload import LonghornPayload
from drills.scratch import Scratch
from drills.verdict import Verdict
from s3.client import Credential, Session, StoreEndpoint, connect
from tests.bench.clock import Row, best, report
from tests.support.longhorn_store import (
    BLOCK,
    Put,
    VolumeWriter,
    checksum_of,
    compressed,
    content,
    into_bucket,
)
from tests.support.minio_server import MinioServer, running_minio

pytestmark = [pytest.mark.bench, pytest.mark.tools]

BACKUPS = int(os.environ.get("BACKSTOP_BENCH_BACKUPS", "600"))
CHAIN = 100
BLOCKS = 64
BUCKET = "bench"
WORKERS = 8
SECONDS_FOR_10_000 = 60.0
GROWTH = 1.5


def stored_blocks() -> dict[str, bytes]:
    """Blocks that compress well: how long their content takes is another benchmark."""
    at = content("bench", noise=0.001)
    made = [at(number * BLOCK) for number in range(BLOCKS)]
    return {checksum_of(block): compressed("lz4", block) for block in made}


def write(put: Put, prefix: str, backups: int, blocks: dict[str, bytes]) -> None:
    """Chains of backups below a prefix, all blocks in every one."""
    for number in range(max(1, backups // CHAIN)):
        name = f"pvc-{number:05}"
        for checksum, stored in blocks.items():
            put(prefix + block_key(name, checksum), stored)

        def records_only(key: str, data: bytes) -> None:
            if key.endswith(".cfg"):
                put(prefix + key, data)

        writer = VolumeWriter(records_only, name, BLOCKS * BLOCK)
        held = {number * BLOCK: checksum for number, checksum in enumerate(blocks)}
        nothing = content("bench")
        writer._state = {offset: (nothing, one) for offset, one in held.items()}
        for index in range(min(CHAIN, backups)):
            writer.backup(f"backup-{index:04}", [], nothing)


class Store:
    """A server with two stores in it, one of half the size."""

    def __init__(self, server: MinioServer) -> None:
        self.server = server
        self.endpoint = StoreEndpoint(server.url, server.region, server.ca_pem)
        self.credential = Credential(server.root_user, server.root_password)
        connect(self.endpoint, self.credential).make_bucket(BUCKET)
        put = into_bucket(Session.open(self.endpoint, self.credential), BUCKET)
        blocks = stored_blocks()
        for size in (BACKUPS // 2, BACKUPS):
            write(put, f"{size}/", size, blocks)

    def objects(self, size: int) -> S3Objects:
        target = Target(BUCKET, self.server.region, f"{size}/")
        return S3Objects(self.endpoint, self.credential, target, WORKERS)

    def drill(self, size: int, scratch: Path) -> Record:
        """Everything but images, which do not grow with the number of backups."""
        payload = LonghornPayload.model_validate(
            {
                "schema": 1, "layer": "longhorn", "site": "bench", "endpoint": self.server.url,
                "region": self.server.region, "caPem": self.server.ca_pem, "onRed": "fail",
                "control": "none", "evidence": None, "receiptsDir": None, "workers": WORKERS,
                "clients": [{"name": "drill", "accessKey": "a", "secretKey": "b"}],
                "limits": {"rtoSeconds": 1, "rpoSeconds": 1},
                "target": {"bucket": BUCKET, "prefix": f"{size}/"},
            }
        )  # fmt: skip
        edges = Edges(self.objects(size), None, None, Scratch(scratch), _no_tool)
        drill = LonghornDrill(payload, Clock(), "bench", edges, Lens(restores=False))
        found = run_phases(
            drill.layer, drill.phases(), drill.closing(), drill.clock, lambda _line: None
        )
        assert found.judgement().verdict is Verdict.PROVEN, found.judgement().detail
        return found

    def bare(self, size: int) -> float:
        """The same records, got one after the other with nothing made of them."""
        objects = self.objects(size)
        keys = [one.key for one in objects.list("backupstore/") if one.key.endswith(".cfg")]
        return best(lambda: [objects.get(key, 1 << 26) for key in keys], 1)


def _no_tool(_command: object) -> Ran:
    raise AssertionError("no image is rebuilt here")


def seconds(record: Record, phase: str) -> float:
    return next(one.seconds for one in record.phases if one.name == phase)


def test_the_records_of_many_backups(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running_minio(tmp_path / "server") as server:
        store = Store(server)
        bare = store.bare(BACKUPS)
        half, whole = (store.drill(size, tmp_path) for size in (BACKUPS // 2, BACKUPS))
    compared = {one.what: one.count for one in whole.compared}
    rows = [
        Row(f"{size} backups, {phase}", seconds(found, phase), seconds(found, phase) / bare)
        for size, found in ((BACKUPS // 2, half), (BACKUPS, whole))
        for phase in ("records", "blocks")
    ]
    growth = seconds(whole, "records") / seconds(half, "records") / 2
    for_10_000 = seconds(whole, "records") / BACKUPS * 10_000
    with capsys.disabled():
        print(report("wall time", "getting the same records one by one, nothing more", rows))  # noqa: T201
        print(  # noqa: T201
            f"{BLOCKS} blocks a backup, {CHAIN} backups a volume; {for_10_000:.1f} s for 10,000 "
            f"backups; growth {growth:.2f} (1 is linear)"
        )
    assert compared["records of backups"] == BACKUPS
    assert for_10_000 < SECONDS_FOR_10_000
    assert growth < GROWTH
