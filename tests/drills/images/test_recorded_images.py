"""Images that a kernel left: the reader says of them what the kernel says, byte for byte."""

import pytest

from drills.images.file_system import open_image
from tests.drills.images.images import RECORDED, recorded, recorded_tree


@pytest.mark.parametrize("name", RECORDED)
def test_an_image_holds_what_the_kernel_sees_once_it_is_mounted(name: str) -> None:
    """Also a live one, whose newest state is in its journal alone; nothing is written to it."""
    expected = recorded_tree(name)
    assert list(open_image(recorded(name)).entries(xattrs=True)) == expected
    assert not [entry for entry in expected if entry.error]


@pytest.mark.parametrize("name", RECORDED)
def test_it_is_said_whether_a_mount_would_do_something_first(name: str) -> None:
    system = open_image(recorded(name))
    assert bool(system.unfinished) == ("live" in name)
    assert system.uuid.count("-") == 4


@pytest.mark.parametrize("name", ["ext4-forms", "xfs-forms"])
def test_times_are_told_when_they_are_asked_for(name: str) -> None:
    system = open_image(recorded(name))
    listed = {one.name: one for one in system.listing(b"")}
    assert listed[b"tiny"].modified == -5_000_000_001
    entries = {entry.path: entry for entry in system.entries(times=True)}
    assert entries[b"tiny"].changed_at > entries[b"plain"].changed_at - 10**12 > 10**18
    assert not any(entry.changed_at for entry in system.entries())
