"""Keys of a backup store, against those that Longhorn's own engine chose."""

from hypothesis import given
from hypothesis import strategies as st

from drills.backupstore import layout
from tests.drills.backupstore.samples import FIXTURE, TRUTH

NAMES = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", fullmatch=True)


def test_records_lie_where_the_engine_put_them() -> None:
    for backup, truth in TRUTH.items():
        for key in (layout.volume_key(truth["volume"]), layout.backup_key(truth["volume"], backup)):
            assert (FIXTURE / "bucket" / key).is_file()


def test_a_name_is_what_longhorn_takes() -> None:
    for name in ("ab", "A1", "pvc-0_x.y", "1..", "a" * 500):
        assert layout.is_name(name)
    for name in ("", "a", ".ab", "-ab", "a/b", "ab\n", "a b", "äb", "a\0", "../x"):
        assert not layout.is_name(name)


def test_a_checksum_is_64_lower_case_hex_digits() -> None:
    assert layout.is_checksum("0123456789abcdef" * 4)
    for text in ("", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "a" * 64 + "\n", " " + "a" * 63):
        assert not layout.is_checksum(text)


@given(NAMES, NAMES)
def test_a_record_says_whose_it_is(volume: str, name: str) -> None:
    key = layout.backup_key(volume, name)
    assert layout.backup_of_file(key.removeprefix(layout.backups_folder(volume))) == name
    lock = layout.lock_key(volume, name)
    assert layout.lock_of_file(lock.removeprefix(layout.locks_folder(volume))) == name
    for path in (key, lock, layout.volume_key(volume)):
        assert path.startswith(layout.volume_folder(volume))
        assert ".." not in path.split("/")


@given(st.text())
def test_any_other_file_is_nobodys(file: str) -> None:
    for name in (layout.backup_of_file(file), layout.lock_of_file(file)):
        assert not name or layout.is_name(name)


def test_files_with_half_a_name_are_nobodys() -> None:
    for file in ("backup_.cfg", "backup_a.cfg", "backup_ab", "ab.cfg", "x/backup_ab.cfg", ".cfg"):
        assert layout.backup_of_file(file) == ""
    for file in (".lck", "a.lck", "lock-1.lck/", "lock-1"):
        assert layout.lock_of_file(file) == ""
