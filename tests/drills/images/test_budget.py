"""What reading all files may cost: no more than there is."""

import pytest

from drills.images import content
from drills.images.content import Budget
from drills.images.errors import Fault, ImageError
from drills.images.file_system import open_image
from drills.images.volume import Inode
from tests.drills.images.images import recorded

INODE = Inode(12, "file", 0o644, 0, 0, 0, 1, 0, 0, 0, "", 0, b"")


def test_more_data_than_the_image_is_damage() -> None:
    budget = Budget(100, 100)
    budget.spend(INODE, 60, 0)
    with pytest.raises(ImageError, match="inode 12 is damaged") as caught:
        budget.spend(INODE, 41, 0)
    assert caught.value.fault is Fault.DAMAGED
    budget.spend(INODE, 40, 0)


def test_more_holes_than_anybody_waits_for_are_not_read() -> None:
    budget = Budget(100, 100)
    with pytest.raises(ImageError) as caught:
        budget.spend(INODE, 0, 101)
    assert caught.value.fault is Fault.UNSUPPORTED


def test_a_file_beyond_the_budget_is_an_entry_with_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(content, "_HOLES", 1 << 20)
    monkeypatch.setattr(content, "_HOLES_OF_IMAGE", 0)
    found = {entry.path: entry for entry in open_image(recorded("ext4-forms")).entries()}
    assert "more than are read" in found[b"sparse"].error
    assert not found[b"sparse"].sha256
    assert found[b"plain"].sha256


def test_files_that_may_share_blocks_may_be_longer_than_the_image() -> None:
    assert open_image(recorded("xfs-live")).kind == "xfs"
    found = {entry.path: entry for entry in open_image(recorded("xfs-live")).entries()}
    assert found[b"clone"].size == found[b"plain"].size
    assert not found[b"clone"].error
