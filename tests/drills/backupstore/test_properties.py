"""Whatever is in a store, a parser says BackupStoreError or reads it; nothing else comes out."""

import json
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drills.backupstore.errors import BackupStoreError
from drills.backupstore.records import (
    parse_backup,
    parse_lock,
    parse_system_backup,
    parse_volume,
)
from tests.drills.backupstore.samples import (
    VOLUME,
    backup_record,
    chain,
    image_sha256,
    spelled,
    store_in,
    volume_record,
)
from tests.support.longhorn_store import BLOCK, VolumeWriter, constant

NOW = datetime(2026, 3, 1, tzinfo=UTC)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["2026-03-01T12:00:00Z", "4194304", '"lz4"', "0", "", "9" * 40]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)  # fmt: skip
FIELDS = sorted({*volume_record(), *backup_record(), "Type", "Acquired", "Checksum", "CreatedAt"})
CHANGES = st.dictionaries(st.sampled_from([*FIELDS, "Unknown"]), VALUES, max_size=4)


def parse_with_all(content: bytes) -> None:
    """Every parser, which may only refuse."""
    for parse in (
        lambda: parse_volume("k", content),
        lambda: parse_backup("k", content, VOLUME),
        lambda: parse_lock("k", content, NOW),
        lambda: parse_system_backup("k", content),
    ):
        with suppress(BackupStoreError):
            parse()


@given(st.binary(max_size=300))
def test_any_bytes(content: bytes) -> None:
    parse_with_all(content)


@given(VALUES)
def test_any_json(value: object) -> None:
    parse_with_all(spelled(value))


@given(CHANGES)
def test_records_with_any_field_changed(changes: dict[str, Any]) -> None:
    parse_with_all(spelled(volume_record() | changes))
    parse_with_all(spelled(backup_record() | changes))


@given(st.data())
def test_records_with_any_byte_changed(data: st.DataObject) -> None:
    content = bytearray(spelled(data.draw(st.sampled_from([volume_record(), backup_record()]))))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    parse_with_all(bytes(content))


@given(
    st.lists(
        st.tuples(st.integers(-1, 20) | st.integers(), st.sampled_from("abc")),
        max_size=8,
    )
)
def test_blocks_are_taken_only_inside_the_volume_in_order_and_once(
    places: list[tuple[int, str]],
) -> None:
    blocks = [{"Offset": at * BLOCK, "BlockChecksum": digit * 64} for at, digit in places]
    record = backup_record(Blocks=blocks, Size=str(len(blocks) * BLOCK))
    numbers = [at for at, _ in places]
    right = sorted(set(numbers)) == numbers and all(0 <= at < 16 for at in numbers)
    try:
        found = parse_backup("k", spelled(record), VOLUME)
    except BackupStoreError:
        assert not right
    else:
        assert right
        assert [block.offset for block in found.blocks] == [at * BLOCK for at in numbers]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.dictionaries(st.integers(0, 7), st.integers(0, 3)), min_size=1, max_size=3),
    st.sampled_from(["none", "gzip", "lz4"]),
)
def test_what_is_written_is_read(
    tmp_path: Path, backups: list[dict[int, int]], compression: str
) -> None:
    store, put = store_in(tmp_path / f"{compression}-{json.dumps(backups)!a:.200}")
    volume = VolumeWriter(put, "pvc-any", 8 * BLOCK, compression)
    truth = {}
    for number, written in enumerate(backups):
        for place, value in written.items():
            volume.backup(f"b-{number}", [place * BLOCK], constant(bytes([value]) * BLOCK))
        volume.backup(f"b-{number}", [], constant(b""))
        truth[f"b-{number}"] = volume.image_sha256()
    record = store.volume("pvc-any")
    assert {name: image_sha256(store, record, name) for name in store.backups("pvc-any")} == truth


@pytest.mark.parametrize("block_size", [2 << 20, 16 << 20])
@pytest.mark.parametrize("compression", ["none", "gzip", "lz4"])
def test_a_chain_of_each_compression_and_block_size_is_read(
    tmp_path: Path, compression: str, block_size: int
) -> None:
    store, put = store_in(tmp_path)
    _, truth = chain(put, compression=compression, block_size=block_size)
    volume = store.volume("pvc-data")
    assert {name: image_sha256(store, volume, name) for name in store.backups("pvc-data")} == truth


def test_a_record_of_half_a_million_blocks_takes_little_more_memory_than_its_text() -> None:
    count = 500_000
    blocks = ",".join(
        f'{{"Offset":{number * BLOCK},"BlockChecksum":"{number:064x}"}}' for number in range(count)
    )
    shell = spelled(backup_record(Blocks=[], Size=str(count * BLOCK)))
    content = shell.replace(b'"Blocks": []', b'"Blocks": [' + blocks.encode() + b"]")
    volume = parse_volume("k", spelled(volume_record(Size=str(count * BLOCK))))
    del blocks
    tracemalloc.start()
    try:
        found = parse_backup("k", content, volume)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.blocks) == count
    assert found.blocks[-1] == ((count - 1) * BLOCK, f"{count - 1:064x}")
    assert kept < 45 * count
    assert peak < 2 * len(content)
