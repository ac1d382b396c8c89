"""A tree out of an image is compared as one out of a pod is: equal, or with the reason why not."""

from pathlib import Path

import pytest

from drills.images.file_system import open_image
from drills.images.source import FileSource
from drills.verdict import Reason
from drills.volumes.allowances import SNAPSHOT
from drills.volumes.compare_trees import Options, checks, compare
from drills.volumes.entry import Entry
from tests.drills.images.images import fill, fill_odd, made_ext, tool, tree_of

OPTIONS = Options("what was written", tuple(SNAPSHOT), xattrs=True)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill_odd(fill(tmp_path_factory.mktemp("root"), xattrs=True))


@pytest.fixture
def image(root: Path, tmp_path: Path) -> Path:
    return made_ext(tmp_path / "image", "ext4", "-b", "1024", root=root, mebibytes=24)


def reasons(root: Path, image: Path) -> set[Reason | None]:
    with FileSource(image) as source:
        found = compare("v", owned(tree_of(root)), open_image(source).entries(xattrs=True), OPTIONS)
    return {check.reason for check in checks(found)}


def owned(entries: list[Entry]) -> list[Entry]:
    """mkfs gives the root to whoever calls it for, root by default."""
    return [entry._replace(uid=0) if entry.path == b"" else entry for entry in entries]


def test_an_image_of_a_folder_equals_it(root: Path, image: Path) -> None:
    assert reasons(root, image) == {None}


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("rm few/deep/leaf", Reason.FILE_LOST),
        ("mkdir strange", Reason.FILE_ADDED),
        ("sif tiny mode 0100777", Reason.METADATA_DIFFERS),
        ("sif tiny size 3", Reason.CONTENT_DIFFERS),
        ("sif many/a-rather-long-name-0001 links_count 0", Reason.CONTENT_DIFFERS),
        ("ea_set tiny user.small other", Reason.METADATA_DIFFERS),
    ],
)
def test_what_differs_is_found_with_its_reason(
    root: Path, image: Path, command: str, reason: Reason
) -> None:
    tool("debugfs", "-w", "-R", command, image)
    assert reasons(root, image) == {reason}
