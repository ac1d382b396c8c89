"""A store that Longhorn's own engine wrote: read whole, and equal to what its volumes held."""

import pytest

from drills.backupstore import layout
from drills.backupstore.errors import Fault
from drills.backupstore.records import Compression
from tests.drills.backupstore.samples import TRUTH, fault_of, genuine, image_sha256


@pytest.mark.parametrize("backup", sorted(TRUTH))
def test_every_backup_rebuilds_to_the_volume_it_was_made_of(backup: str) -> None:
    truth, store = TRUTH[backup], genuine()
    volume = store.volume(truth["volume"])
    assert volume.size == truth["size"]
    assert image_sha256(store, volume, backup) == truth["sha256"]
    assert store.backup(volume, backup).compression == truth["compression"]


def test_the_store_holds_these_volumes_and_backups_and_nothing_foreign() -> None:
    store = genuine()
    survey = store.survey()
    assert (survey.ghosts, survey.foreign) == ((), ())
    found = {(volume, backup) for volume in survey.volumes for backup in store.backups(volume)}
    assert found == {(truth["volume"], backup) for backup, truth in TRUTH.items()}
    assert store.system_backups().found == ()
    assert store.backing_images() == []


def test_the_volumes_record_says_what_longhorn_wrote() -> None:
    volume = genuine().volume("pvc-app")
    assert (volume.last_backup_name, volume.block_count) == ("backup-pvc-app-3", 8)
    assert (volume.compression, volume.data_engine) == (Compression.LZ4, "v1")
    assert (volume.backing_image, volume.storage_class) == ("", "0")
    assert volume.labels == {"KubernetesStatus": "{}"}
    assert volume.last_backup_at is not None
    assert volume.last_backup_at.isoformat() == "2026-11-21T04:13:52+00:00"


def test_the_chain_is_incremental_and_shares_a_block() -> None:
    store = genuine()
    volume = store.volume("pvc-app")
    first, second, third = (store.backup(volume, name) for name in store.backups("pvc-app"))
    assert [one.incremental for one in (first, second, third)] == [False, True, True]
    assert first.blocks[1] == second.blocks[1] != third.blocks[1]
    assert (first.block_size, first.stored_size, first.uploaded_size) == (2 << 20, 6291456, 3171955)
    assert first.created > first.snapshot_created


def test_the_blocks_that_lie_there_are_those_the_backups_list() -> None:
    store = genuine()
    foreign: list[object] = []
    for name in store.volumes():
        volume = store.volume(name)
        listed = {
            block.checksum
            for backup in store.backups(name)
            for block in store.backup(volume, backup).blocks
        }
        lying = {block.checksum: block for block in store.blocks(name, foreign)}  # type: ignore[arg-type]
        assert set(lying) == listed
        assert sum(block.size for block in lying.values()) > 0
        assert len(lying) == volume.block_count
    assert foreign == []


def test_a_block_cut_short_or_of_another_place_is_not_taken() -> None:
    store = genuine()
    volume = store.volume("pvc-gzip")
    ((_, checksum),) = store.backup(volume, "backup-pvc-gzip-1").blocks
    key = layout.block_key("pvc-gzip", checksum)
    whole = store.objects.get(key, 1 << 22)
    from drills.backupstore.blocks import decode  # noqa: PLC0415

    gzip, size = Compression.GZIP, 2 << 20
    assert fault_of(lambda: decode(key, whole[:-1], checksum, gzip, size), key) is (
        Fault.BLOCK_UNDECODABLE
    )
    assert fault_of(lambda: decode(key, whole, "0" * 64, gzip, size), key) is Fault.BLOCK_DIFFERS
