"""Faults in a repository change what they say, and nothing else of the copy."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.damaged import repository_faults as faults
from drills.damaged.copy import Copy, NothingToPlantError
from tests.drills.damaged import samples


def changed(copy: Copy, before: dict[str, bytes]) -> set[str]:
    """The keys, without their folder, of what is gone or other than before."""
    after = copy.objects
    return {
        key.removeprefix("kopia/shop/") for key, content in before.items()
        if key not in after.keys(key) or after.get(key) != content
    }  # fmt: skip


PACKS, INDEXES = {"p0a1-s1", "p0b2-s1"}, {"xn0_0d4-s1-c1", "xr0_1_0e5-s1-c1"}
DESCRIPTIONS = {"kopia.repository", "udmrepo.Repository"}


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        (faults.flip_packs, PACKS),
        (faults.delete_packs, PACKS),
        (faults.delete_indexes, INDEXES),
        (faults.cut_formats, {"kopia.repository"}),
        (faults.change_keys, DESCRIPTIONS),
    ],
)
def test_each_fault_meets_its_blobs_alone(plant: faults.Plant, expected: set[str]) -> None:
    before = samples.whole()
    copy = samples.copy_of(before)
    plant(copy)
    assert changed(copy, before) == expected


def test_a_deleted_repository_leaves_nothing_but_the_backup() -> None:
    copy = samples.copy_of(samples.whole())
    faults.delete_repositories(copy)
    assert copy.objects.keys("") == sorted(samples.backup_files())


def test_only_repositories_that_were_copied_are_meant() -> None:
    before = {**samples.whole(), **samples.repository("shop-2")}
    copy = samples.copy_of(before)
    faults.delete_repositories(copy)
    assert copy.objects.keys("kopia/shop-2/") == sorted(samples.repository("shop-2"))


@given(st.integers(0, 990), st.integers(29, 200))
def test_no_content_is_too_small_to_be_met(start: int, length: int) -> None:
    pack = bytes(1024)
    damaged = faults.flipped(pack)
    assert damaged[start : start + length] != pack[start : start + length]


def test_a_flip_is_of_one_bit_and_leaves_the_length() -> None:
    pack = bytes(range(256))
    damaged = faults.flipped(pack)
    differing = [a ^ b for a, b in zip(pack, damaged, strict=True) if a != b]
    assert set(differing) == {1}
    assert len(differing) == 9


def test_the_changed_salt_is_another_one_of_the_same_length_and_nothing_else_changes() -> None:
    held, found = json.loads(samples.FORMAT), json.loads(faults.with_other_salt(samples.FORMAT))
    assert len(found["uniqueID"]) == len(held["uniqueID"])
    assert {key for key in held if held[key] != found[key]} == {"uniqueID"}


def test_velero_s_note_of_the_salt_says_the_same() -> None:
    # Else Velero says that the note differs, before the key is tried.
    copy = samples.copy_of(samples.whole())
    faults.change_keys(copy)
    salts = {
        json.loads(copy.objects.get(f"kopia/shop/{name}"))["uniqueID"] for name in DESCRIPTIONS
    }
    assert len(salts) == 1


def test_a_repository_without_velero_s_note_gets_none() -> None:
    held = samples.whole()
    del held["kopia/shop/udmrepo.Repository"]
    copy = samples.copy_of(held)
    faults.change_keys(copy)
    assert copy.objects.keys("kopia/shop/udmrepo") == []


@pytest.mark.parametrize("blob", [b"\x00", b"[]", b"{}", b'{"uniqueID": 7}', b'{"uniqueID": ""}'])
def test_what_is_no_description_is_said(blob: bytes) -> None:
    with pytest.raises(NothingToPlantError, match="has no uniqueID"):
        faults.with_other_salt(blob)


@pytest.mark.parametrize("plant", faults.PLANTS)
def test_without_a_repository_there_is_nothing_to_plant_in(plant: faults.Plant) -> None:
    with pytest.raises(NothingToPlantError, match="has no data of volumes"):
        plant(samples.copy_of(samples.backup_files()))
