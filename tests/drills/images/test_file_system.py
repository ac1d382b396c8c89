"""Opening an image, looking around in it, and reading one file."""

import hashlib

import pytest

from drills.images.errors import Fault, ImageError
from drills.images.file_system import open_image
from drills.images.recognise import Kind
from tests.drills.images.images import Memory, partition_table, recorded, recorded_tree

FORMS = ("ext4-forms", "xfs-forms")


@pytest.mark.parametrize("name", FORMS)
def test_one_file_is_what_the_tree_says_of_it(name: str) -> None:
    system = open_image(recorded(name))
    for entry in recorded_tree(name):
        if entry.path in (b"plain", b"fragments", b"clone", b"tiny", b"unwritten"):
            content = b"".join(system.read(entry.path))
            assert len(content) == entry.size
            assert hashlib.sha256(content).hexdigest() == entry.sha256


@pytest.mark.parametrize("name", FORMS)
def test_a_directory_is_listed_in_the_order_of_its_names(name: str) -> None:
    system = open_image(recorded(name))
    listed = list(system.listing(b"names-300"))
    assert [one.name for one in listed] == sorted(one.name for one in listed)
    assert len(listed) == 300
    assert listed[0].entry.path == b"names-300/" + listed[0].name
    top = {one.name: one for one in system.listing(b"")}
    assert (top[b"fast"].entry.target, top[b"null"].entry.device) == (b"plain", "c 1:3")
    assert top[b"plain"].names == 2
    assert top[b"plain"].inode == system.look(b"another name of plain").inode
    assert not top[b"plain"].entry.sha256


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(
    ("path", "fault"),
    [
        (b"nothing", Fault.MISSING),
        (b"plain/below", Fault.MISSING),
        (b"fast/below", Fault.MISSING),
        (b"names-3/..", Fault.MISSING),
        (b"/plain", Fault.MISSING),
        (b"names-3", Fault.NOT_A_FILE),
        (b"fast", Fault.NOT_A_FILE),
        (b"pipe", Fault.NOT_A_FILE),
        (b"", Fault.NOT_A_FILE),
    ],
)
def test_what_is_no_file_is_not_read(name: str, path: bytes, fault: Fault) -> None:
    with pytest.raises(ImageError) as caught:
        list(open_image(recorded(name)).read(path))
    assert caught.value.fault is fault


def test_a_file_is_no_directory() -> None:
    with pytest.raises(ImageError, match="no directory") as caught:
        list(open_image(recorded("ext4-forms")).listing(b"plain"))
    assert caught.value.fault is Fault.NOT_A_FILE


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, "nothing but zeros"),
        ({0: b"LUKS\xba\xbe\x00\x02"}, "LUKS 2"),
        ({0: partition_table((0x83, 2048, 1024)), 2048 * 512: b"XFSB"}, "1 partitions (xfs in 1)"),
        ({65600: b"_BHRfS_M"}, "btrfs"),
        ({5000: b"data"}, "something unknown"),
    ],
)
def test_what_is_no_file_system_to_be_read_is_named(changes: dict[int, bytes], named: str) -> None:
    with pytest.raises(ImageError) as caught:
        open_image(Memory(bytes(4 << 20), changes))
    assert caught.value.fault is Fault.UNSUPPORTED
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("name", "kind", "version"),
    [
        ("ext4-forms", Kind.EXT, "ext4"),
        ("ext3-live", Kind.EXT, "ext3"),
        ("xfs-forms", Kind.XFS, "xfs 5"),
    ],
)
def test_kind_and_version_are_told(name: str, kind: Kind, version: str) -> None:
    system = open_image(recorded(name))
    assert (system.kind, system.version) == (kind, version)


def test_what_the_source_raises_comes_through() -> None:
    class Away(Memory):
        def read(self, offset: int, length: int) -> bytes:
            if offset > 1 << 20:
                raise TimeoutError("the store is away")
            return super().read(offset, length)

    whole = recorded("ext4-forms")
    with pytest.raises(TimeoutError):
        list(open_image(Away(whole.read(0, whole.size))).entries())
