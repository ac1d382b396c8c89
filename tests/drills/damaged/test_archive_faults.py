"""Faults in an archive change one object, or one list, and the archive stays one for a reader."""

import gzip
import io
import json

import pytest

from drills.damaged import archive_faults as faults
from drills.damaged.copy import Copy, NothingToPlantError
from drills.objects import tarball
from drills.objects.keys import ObjectKey
from drills.objects.tarball import Cause, TarballError
from tests.drills.damaged import samples
from tests.drills.objects import archives
from tests.drills.objects import samples as objects

ARCHIVE = f"backups/{samples.BACKUP}/{samples.BACKUP}.tar.gz"
SETTINGS = objects.config_map()[0]
KUBE_SYSTEM = ObjectKey("namespaces", "", "kube-system")
Objects = dict[ObjectKey, dict[str, object]]


def read(copy: Copy) -> Objects:
    found = tarball.objects(io.BytesIO(copy.objects.get(ARCHIVE)))
    return {one.key: one.content for one in found}


def pair() -> tuple[Copy, Objects]:
    copy = samples.copy_of(samples.whole())
    return copy, read(copy)


def differing(before: Objects, after: Objects) -> set[ObjectKey]:
    return {key for key in {*before, *after} if before.get(key) != after.get(key)}


def test_one_object_is_dropped_with_both_of_its_files() -> None:
    copy, before = pair()
    faults.drop_object(copy)
    assert differing(before, read(copy)) == {SETTINGS}
    assert SETTINGS not in read(copy)
    names = gzip.decompress(copy.objects.get(ARCHIVE))
    assert b"configmaps/v1-preferredversion/namespaces/shop/settings.json" not in names


def test_one_object_has_a_label_more() -> None:
    copy, before = pair()
    faults.change_field(copy)
    after = read(copy)
    assert differing(before, after) == {SETTINGS}
    metadata = after[SETTINGS]["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["labels"]["backstop.io/planted"] == "true"


def test_one_object_says_another_version_than_its_folder() -> None:
    copy, _ = pair()
    faults.change_version(copy)
    with pytest.raises(TarballError, match="v99") as caught:
        read(copy)
    assert caught.value.cause is Cause.WRONG_API_VERSION


def test_a_version_of_a_group_keeps_the_group() -> None:
    copy = samples.copy_of(samples.whole())
    faults.change_version(copy)
    packed = gzip.decompress(copy.objects.get(ARCHIVE))
    assert b'"apiVersion":"v99"' in packed


def test_the_archive_is_of_another_cluster() -> None:
    copy, before = pair()
    faults.take_from_other_cluster(copy)
    after = read(copy)
    assert differing(before, after) == {KUBE_SYSTEM}
    uids = [held[KUBE_SYSTEM]["metadata"]["uid"] for held in (before, after)]  # type: ignore[index]
    assert uids[0] != uids[1]
    assert len(uids[0]) == len(uids[1])


def test_an_archive_without_the_namespace_gets_it() -> None:
    held = {**samples.whole(), ARCHIVE: archives.backup(objects.shop())}
    copy = samples.copy_of(held)
    before = read(copy)
    faults.take_from_other_cluster(copy)
    after = read(copy)
    assert differing(before, after) == {KUBE_SYSTEM}


def emptied(copy: Copy) -> set[str]:
    lists = {key for key in copy.objects.keys("backups/") if key.endswith(".json.gz")}
    return {key for key in lists if json.loads(gzip.decompress(copy.objects.get(key))) == []}


INFO, COPIES = (
    f"backups/{samples.BACKUP}/{samples.BACKUP}-{name}.json.gz"
    for name in ("volumeinfo", "podvolumebackups")
)


def test_both_lists_of_volumes_are_empty_and_no_faulty_files() -> None:
    copy, before = pair()
    faults.empty_volume_info(copy)
    assert emptied(copy) == {INFO, COPIES}
    assert read(copy) == before


@pytest.mark.parametrize("kept", [INFO, COPIES])
def test_one_list_with_data_is_enough_to_empty(kept: str) -> None:
    held = {key: content for key, content in samples.whole().items() if key not in (INFO, COPIES)}
    copy = samples.copy_of({**held, kept: samples.whole()[kept]})
    faults.empty_volume_info(copy)
    assert emptied(copy) == {kept}


@pytest.mark.parametrize("volume", [[], [{**samples.VOLUME, "result": "failed"}]])
def test_a_backup_without_data_of_volumes_has_nothing_to_empty(volume: list[object]) -> None:
    held = {**samples.whole(), INFO: samples.packed(volume), COPIES: samples.packed(None)}
    with pytest.raises(NothingToPlantError, match="holds data of no volume"):
        faults.empty_volume_info(samples.copy_of(held))


@pytest.mark.parametrize(
    "content", [b"", b"no gzip", gzip.compress(b"{", mtime=0), gzip.compress(b"{}x", mtime=0)]
)
def test_a_list_that_is_damaged_already_is_said(content: bytes) -> None:
    with pytest.raises(NothingToPlantError, match="damaged already"):
        faults.empty_volume_info(samples.copy_of({**samples.whole(), INFO: content}))


def test_the_caller_says_what_would_be_compared() -> None:
    copy, before = pair()
    faults.drop_object(copy, lambda key, _content: key.resource == "secrets")
    assert {key.resource for key in differing(before, read(copy))} == {"secrets"}


def test_what_the_cluster_makes_itself_is_no_victim() -> None:
    made = [objects.config_map(name="kube-root-ca.crt"), objects.account(name="default"),
            objects.namespace()]  # fmt: skip
    copy = samples.copy_of({ARCHIVE: archives.backup(made)})
    with pytest.raises(NothingToPlantError, match="no object of shop"):
        faults.drop_object(copy)


def test_only_objects_of_the_namespaces_concerned_are_victims() -> None:
    copy = samples.copy_of({ARCHIVE: archives.backup([objects.config_map("elsewhere")])})
    with pytest.raises(NothingToPlantError):
        faults.change_field(copy)


def test_packing_anew_changes_nothing() -> None:
    copy, before = pair()
    faults.drop_object(copy, lambda key, _content: key == SETTINGS)
    first = copy.objects.get(ARCHIVE)
    files = dict(faults.unpacked(first))
    assert dict(faults.unpacked(faults.pack(files))) == files
    assert len(read(copy)) == len(before) - 1
