"""Backups read from their tarballs, whole and damaged."""

import gzip
import io
import json
import random
import tarfile
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.objects import tarball
from drills.objects.keys import ObjectKey
from drills.objects.tar_stream import Limits
from drills.objects.tarball import Cause, TarballError
from tests.drills.objects import archives, samples
from tests.drills.objects.archives import File

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.", min_size=1, max_size=253).filter(
    lambda name: set(name) - {"."}
)


WHOLE = archives.backup(samples.shop())


def cause_of(data: bytes, **given: Any) -> Cause:
    with pytest.raises(TarballError) as caught:
        list(tarball.objects(io.BytesIO(data), **given))
    assert "\n" not in str(caught.value)
    return caught.value.cause


def with_files(*files: File, version: File = archives.VERSION) -> bytes:
    return archives.packed(archives.tar([version, *files]))


def config_map(**changes: Any) -> File:
    key, content = samples.config_map()
    return archives.path_of(key), json.dumps({**content, **changes}).encode()


def test_every_object_is_read_once() -> None:
    pairs = samples.shop()
    found = list(tarball.objects(io.BytesIO(archives.backup(pairs))))
    assert [tuple(one) for one in found] == [(key, content) for key, content in pairs]


@given(st.lists(st.tuples(NAMES, NAMES.map(lambda text: text[:63])), unique=True, max_size=5))
def test_names_of_any_length_are_read(names: list[tuple[str, str]]) -> None:
    pairs = [samples.config_map(space, name) for name, space in names if set(space) - {"."}]
    found = {one.key for one in tarball.objects(io.BytesIO(archives.backup(pairs)))}
    assert found == {key for key, _ in pairs}


def test_the_longest_names_are_read() -> None:
    key = ObjectKey("configmaps", "n" * 63, "x" * 253)
    pair = samples.config_map(key.namespace, key.name)
    assert [one.key for one in tarball.objects([archives.backup([pair])])] == [key]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_other_writers_archives_are_read(form: int) -> None:
    key, content = samples.config_map("shop", "y" * 90)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=form) as archive:
        folder = tarfile.TarInfo("resources")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for path, text in archives.files([(key, content)]):
            info = tarfile.TarInfo(path)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
    assert [one.key for one in tarball.objects([out.getvalue()])] == [key]


@given(st.integers(1, 700))
def test_the_pieces_it_comes_in_do_not_matter(size: int) -> None:
    pairs = samples.shop()
    data = archives.backup(pairs)
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    assert [one.key for one in tarball.objects(pieces)] == [key for key, _ in pairs]


def test_only_the_asked_for_are_opened() -> None:
    pairs = samples.shop()
    key = pairs[3][0]
    broken = (archives.path_of(ObjectKey("pods", "shop", "broken")), b"{")
    data = archives.packed(archives.tar([*archives.files(pairs), broken]))
    assert [one.key for one in tarball.objects([data], only={key})] == [key]
    assert cause_of(data) is Cause.NOT_JSON


def test_an_empty_backup_holds_nothing() -> None:
    assert list(tarball.objects([archives.backup([])])) == []


@given(st.data())
def test_a_truncated_archive_is_never_taken_for_a_whole_one(data: st.DataObject) -> None:
    length = data.draw(st.integers(0, len(WHOLE) - 1))
    assert cause_of(WHOLE[:length]) is Cause.TRUNCATED


@given(st.data())
def test_a_flipped_bit_is_never_overlooked(data: st.DataObject) -> None:
    # The gzip header's time, flags and system are covered by no checksum.
    place = data.draw(st.integers(10, len(WHOLE) - 1))
    flipped = bytearray(WHOLE)
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(TarballError):
        list(tarball.objects([bytes(flipped)]))


def test_an_archive_cut_before_it_was_packed_is_truncated() -> None:
    plain = b"".join(archives.tar(archives.files(samples.shop())))
    for length in (len(plain) - 1024, len(plain) - 512, 700, 512, 0):
        assert cause_of(archives.packed([plain[:length]])) is Cause.TRUNCATED


@pytest.mark.parametrize(
    "data", [b"PK\x03\x04" + bytes(100), b"a0\r\n\x1f\x8b" + bytes(100), b"{}", b"\x1f\x8b" * 50]
)
def test_what_is_no_gzip_is_said_to_be_none(data: bytes) -> None:
    assert cause_of(data) is Cause.NOT_GZIP


def test_what_follows_the_end_is_damage() -> None:
    assert cause_of(WHOLE + b"\0") is Cause.DAMAGED
    assert cause_of(WHOLE + WHOLE) is Cause.DAMAGED
    plain = b"".join(archives.tar(archives.files(samples.shop())))
    assert cause_of(archives.packed([plain, b"x" * 512])) is Cause.HOSTILE
    assert cause_of(archives.packed([plain[:-512], b"x" * 512])) is Cause.DAMAGED
    assert list(tarball.objects([archives.packed([plain, bytes(10240)])]))


def test_a_wrong_header_is_damage() -> None:
    plain = bytearray(b"".join(archives.tar(archives.files(samples.shop()))))
    plain[3] ^= 1
    assert cause_of(archives.packed([bytes(plain)])) is Cause.DAMAGED


@pytest.mark.parametrize(
    "path",
    [
        "/resources/pods/cluster/x.json",
        "resources/pods/namespaces/../x.json",
        "../resources/pods/cluster/x.json",
        "resources//pods/cluster/x.json",
        "resources/pods/cluster/./x.json",
        "resources\\pods\\cluster\\x.json",
        "resources/pods/cluster/a\nb.json",
        "resources/pods/namespaces/shop/" + "x" * 254 + ".json",
        "resources/pods/namespaces/" + "n" * 64 + "/x.json",
    ],
)
def test_a_path_that_leads_elsewhere_is_hostile(path: str) -> None:
    assert cause_of(with_files((path, b"{}"))) is Cause.HOSTILE


@pytest.mark.parametrize(
    "path",
    [
        "other/x.json",
        "resources/pods.json",
        "resources/pods/x.json",
        "resources/pods/cluster/x.yaml",
        "resources/pods/namespaces/x.json",
        "resources/pods/namespaces/a/b/c/x.json",
    ],
)
def test_a_file_where_velero_puts_none_is_of_no_known_format(path: str) -> None:
    assert cause_of(with_files((path, b"{}"))) is Cause.UNKNOWN_FORMAT


def test_links_and_devices_are_hostile() -> None:
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        info = tarfile.TarInfo("resources/pods/cluster/x.json")
        info.type, info.linkname = kind, "/etc/passwd"
        data = archives.packed([info.tobuf(tarfile.PAX_FORMAT), archives.END])
        assert cause_of(data) is Cause.HOSTILE


def test_a_file_that_stands_twice_is_hostile() -> None:
    assert cause_of(with_files(config_map(), config_map())) is Cause.HOSTILE


def test_an_extended_header_cannot_change_a_size() -> None:
    info = tarfile.TarInfo("resources/pods/cluster/x.json")
    info.pax_headers = {"size": "99999999999"}
    data = archives.packed([info.tobuf(tarfile.PAX_FORMAT), archives.END])
    assert cause_of(data) is Cause.HOSTILE


def test_a_name_that_is_no_text_is_hostile() -> None:
    header = bytearray(tarfile.TarInfo("x" * 20).tobuf(tarfile.USTAR_FORMAT))
    header[0] = 0xFF
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    assert cause_of(archives.packed([bytes(header), archives.END])) is Cause.HOSTILE


class TestBounds:
    def test_a_huge_file_is_refused_before_it_is_read(self) -> None:
        info = tarfile.TarInfo("resources/pods/cluster/x.json")
        info.size = 8 * 1024**3 - 1
        data = archives.packed([info.tobuf(tarfile.PAX_FORMAT)])
        assert cause_of(data) is Cause.TOO_LARGE

    def test_a_huge_extended_header_is_refused_before_it_is_read(self) -> None:
        info = tarfile.TarInfo("pax")
        info.type, info.size = tarfile.XHDTYPE, 1024**3
        assert cause_of(archives.packed([info.tobuf(tarfile.USTAR_FORMAT)])) is Cause.TOO_LARGE

    def test_a_bomb_is_stopped_at_the_limit_in_bounded_memory(self) -> None:
        def zeros() -> Iterator[bytes]:
            folder = tarfile.TarInfo("resources")
            folder.type, folder.size = tarfile.DIRTYPE, 4 * 1024**3
            yield folder.tobuf(tarfile.USTAR_FORMAT)
            for _ in range(64):
                yield bytes(1024**2)

        data = archives.packed(zeros())
        assert len(data) < 100_000
        tracemalloc.start()
        cause = cause_of(data, limits=Limits(total_bytes=32 * 1024**2))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert cause is Cause.TOO_LARGE
        assert peak < 8 * 1024**2

    def test_more_entries_than_allowed_are_refused(self) -> None:
        data = archives.backup(samples.shop())
        assert cause_of(data, limits=Limits(members=5)) is Cause.TOO_LARGE
        assert list(tarball.objects([data], limits=Limits(members=100)))

    def test_memory_does_not_grow_with_the_number_of_objects(self) -> None:
        def peak(count: int) -> int:
            noise = random.Random(1)  # noqa: S311  (only to pack badly)
            pairs = (
                samples.config_map("shop", f"m{number}", blob=noise.randbytes(5000).hex())
                for number in range(count)
            )
            data = archives.backup(pairs, level=1)
            tracemalloc.start()
            for _ in tarball.objects(io.BytesIO(data)):
                pass
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return found

        assert peak(400) < 2 * peak(40)


class TestContent:
    @pytest.mark.parametrize("text", [b"", b"{", b"null", b"[]", b'{"a": NaN}', b"\xff"])
    def test_what_is_no_json_object(self, text: bytes) -> None:
        assert cause_of(with_files((config_map()[0], text))) is Cause.NOT_JSON

    @pytest.mark.parametrize(
        "changes",
        [
            {"metadata": None},
            {"kind": ""},
            {"apiVersion": None},
            {"metadata": {"name": "other", "namespace": "shop"}},
            {"metadata": {"name": "settings", "namespace": "other"}},
            {"metadata": {"name": "settings"}},
        ],
    )
    def test_another_object_than_the_path_names(self, changes: dict[str, Any]) -> None:
        assert cause_of(with_files(config_map(**changes))) is Cause.WRONG_OBJECT

    def test_another_group_than_the_folder(self) -> None:
        assert cause_of(with_files(config_map(apiVersion="apps/v1"))) is Cause.WRONG_API_VERSION

    def test_another_version_than_the_folder_of_the_copy(self) -> None:
        key, content = samples.deployment()
        text = json.dumps({**content, "apiVersion": "apps/v9"}).encode()
        twin = archives.path_of(key, "v1-preferredversion")
        assert cause_of(with_files((archives.path_of(key), text), (twin, text))) is (
            Cause.WRONG_API_VERSION
        )

    def test_copies_that_differ(self) -> None:
        key, content = samples.deployment()
        text = json.dumps(content).encode()
        twin = archives.path_of(key, "v1-preferredversion")
        other = text.replace(b"1.2.3", b"1.2.4")
        assert cause_of(with_files((archives.path_of(key), text), (twin, other))) is Cause.DAMAGED

    def test_older_versions_beside_the_preferred_one_are_not_read(self) -> None:
        key, content = samples.deployment()
        text = json.dumps(content).encode()
        older = json.dumps({**content, "apiVersion": "apps/v1beta1"}).encode()
        data = with_files(
            (archives.path_of(key), text),
            (archives.path_of(key, "v1-preferredversion"), text),
            (archives.path_of(key, "v1beta1"), older),
        )
        assert [one.content["apiVersion"] for one in tarball.objects([data])] == ["apps/v1"]

    @pytest.mark.parametrize("text", [b"2.0.0\n", b"", b"next"])
    def test_an_unknown_format(self, text: bytes) -> None:
        data = with_files(config_map(), version=("metadata/version", text))
        assert cause_of(data) is Cause.UNKNOWN_FORMAT

    def test_no_format_at_all(self) -> None:
        assert cause_of(archives.packed(archives.tar([config_map()]))) is Cause.UNKNOWN_FORMAT

    def test_no_message_repeats_a_secret(self) -> None:
        key, content = samples.secret(password="hunter2hunter2")
        text = json.dumps(content).encode()[:-1]
        with pytest.raises(TarballError) as caught:
            list(tarball.objects([with_files((archives.path_of(key), text))]))
        assert "hunter2" not in str(caught.value)
        assert "secrets/shop/db" in str(caught.value)


def test_the_standard_library_reads_the_same(tmp_path: Any) -> None:
    pairs = list(samples.crowd(200))
    data = archives.backup(pairs)
    file = tmp_path / "b.tar.gz"
    file.write_bytes(data)
    with tarfile.open(file) as archive, file.open("rb") as source:
        names = [name for name in archive.getnames() if "preferredversion" not in name]
        assert names[1:] == [archives.path_of(one.key) for one in tarball.objects(source)]
    assert gzip.decompress(data)
