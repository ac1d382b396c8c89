"""What is concluded from what the tools say, and from their absence; nothing is written."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from drills.images.check import check
from drills.images.programs import Ran
from drills.images.xfs.seal import sealed
from tests.drills.images.images import recorded_file

Answers = dict[str, Ran | Exception]
SOUND = Ran(0, "")


class Tools:
    """Programs that answer as they are told, first word by first word; cp copies."""

    def __init__(self, answers: Answers) -> None:
        self.answers = {"cp": SOUND, **answers}
        self.commands: list[list[str]] = []

    def __call__(self, command: Sequence[str]) -> Ran:
        self.commands.append(list(command))
        answer = self.answers.get(" ".join(command[:2]), self.answers.get(command[0], SOUND))
        if isinstance(answer, Exception):
            raise answer
        if command[0] == "cp" and answer.code == 0:
            Path(command[-1]).write_bytes(Path(command[-2]).read_bytes())
        return answer

    @property
    def names(self) -> list[str]:
        return [command[0] for command in self.commands]


@pytest.fixture
def image(tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: recorded_file(name, tmp_path)


Image = Callable[[str], Path]


TOOLS = {"ext4-forms": "e2fsck", "xfs-forms": "xfs_repair"}


@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize(
    ("answer", "clean", "detail"),
    [
        (Ran(0, ""), True, "finds no fault"),
        (Ran(128, "oops\n"), None, "did not end as it should"),
        (FileNotFoundError(2, "missing"), None, "is not installed"),
    ],
)
def test_a_tool_that_ran_or_did_not(
    image: Image, name: str, answer: Ran | Exception, clean: bool | None, detail: str
) -> None:
    tools = Tools({TOOLS[name]: answer})
    found = check(image(name), tools)
    assert found.clean is clean
    assert detail in found.detail
    assert tools.names == [TOOLS[name]]
    assert found.tool == ("" if isinstance(answer, Exception) else TOOLS[name])


@pytest.mark.parametrize(
    ("code", "clean"),
    [(1, None), (2, None), (4, False), (8, False), (12, False), (16, None), (32, None)],
)
def test_the_exit_codes_of_e2fsck_are_those_of_its_manual(
    image: Image, code: int, clean: bool | None
) -> None:
    said = "e2fsck 1.47.0\nPass 1: All\nInode 12 is wrong.  Fix? no\n\nx: 1/12 files, 3/9 blocks\n"
    found = check(image("ext4-forms"), Tools({"e2fsck": Ran(code, said)}))
    assert found.clean is clean
    assert "Inode 12 is wrong." in found.detail
    assert "Pass 1" not in found.detail


def test_a_live_ext_is_replayed_in_a_copy_and_that_is_checked(image: Image) -> None:
    path = image("ext4-live")
    tools = Tools({})
    assert check(path, tools).clean is True
    copy, preen, look = tools.commands
    assert copy == ["cp", "--reflink=auto", "--sparse=always", "--", str(path), copy[-1]]
    assert (preen, look) == (["e2fsck", "-p", copy[-1]], ["e2fsck", "-f", "-n", copy[-1]])
    assert Path(copy[-1]).parent.parent == path.parent
    assert not Path(copy[-1]).parent.exists()


def test_an_image_that_may_be_changed_needs_no_copy(image: Image) -> None:
    path = image("ext3-live")
    tools = Tools({})
    assert check(path, tools, disposable=True).clean is True
    assert tools.commands == [["e2fsck", "-p", str(path)], ["e2fsck", "-f", "-n", str(path)]]


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_a_replay_that_corrected_what_a_mount_would_is_well(image: Image, code: int) -> None:
    assert check(image("ext4-live"), Tools({"e2fsck -p": Ran(code, "")})).clean is True


def test_a_journal_that_cannot_be_replayed_is_a_fault(image: Image) -> None:
    said = "image: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.\n"
    tools = Tools({"e2fsck -p": Ran(4, said)})
    found = check(image("ext4-live"), tools)
    assert (found.clean, "UNEXPECTED INCONSISTENCY" in found.detail) == (False, True)
    assert tools.names == ["cp", "e2fsck"]


@pytest.mark.parametrize("name", ["ext4-live", "xfs-live-1k"])
def test_without_room_for_a_copy_nothing_is_concluded(image: Image, name: str) -> None:
    tools = Tools({"cp": Ran(1, "cp: error writing: No space left on device\n")})
    found = check(image(name), tools)
    assert found.clean is None
    assert "No space left" in found.detail
    assert tools.names == ["cp"]


def test_a_copy_goes_also_when_a_tool_takes_too_long(image: Image) -> None:
    path = image("ext4-live")
    with pytest.raises(TimeoutError):
        check(path, Tools({"e2fsck": TimeoutError("too long")}))
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_faults_that_the_kernel_noted_are_faults(image: Image) -> None:
    path = image("ext3-live")
    raw = bytearray(path.read_bytes())
    raw[1024 + 0x3A] |= 2
    path.write_bytes(raw)
    found = check(path, Tools({}))
    assert (found.clean, "the kernel met faults" in found.detail) == (False, True)


@pytest.mark.parametrize(("name", "at"), [("ext4-forms", 1024 + 0x30), ("xfs-forms", 10)])
def test_a_damaged_superblock_needs_no_tool(image: Image, name: str, at: int) -> None:
    path = image(name)
    raw = bytearray(path.read_bytes())
    raw[at] ^= 0xFF
    path.write_bytes(raw)
    tools = Tools({})
    found = check(path, tools)
    assert (found.clean, found.tool, tools.commands) == (False, "", [])
    assert "checksum is wrong" in found.detail


LEFT_OVER = """Phase 1 - find and verify superblock...
        - zero log...
agi unlinked bucket 0 is 118016 in ag 0 (inode=118016)
Would clear next_unlinked in inode 118016
leftover CoW extent (0/88) len 4
disconnected inode 118016, would move to lost+found
disconnected dir inode 77, would move to lost+found
would have reset inode 118016 nlinks from 0 to 1
would have reset inode 77 nlinks from 0 to 2
No modify flag set, skipping filesystem flush and exiting.
"""


@pytest.mark.parametrize(
    ("name", "output", "clean", "detail"),
    [
        ("xfs-live-1k", LEFT_OVER, True, "apart from what a mount would remove"),
        ("xfs-forms", LEFT_OVER, False, "agi unlinked bucket"),
        ("xfs-live-1k", LEFT_OVER + "bad magic in block 3\n", False, "bad magic in block 3"),
        (
            "xfs-live-1k",
            "disconnected inode 9, would move to lost+found\n",
            False,
            "disconnected inode 9",
        ),
        ("xfs-live-1k", LEFT_OVER + "a line that is cut o", True, "apart from"),
        ("xfs-forms", "Phase 1\n", None, "did not end as it should"),
    ],
)
def test_what_a_mount_would_remove_is_no_fault_of_a_live_xfs(
    image: Image, name: str, output: str, clean: bool | None, detail: str
) -> None:
    """A file that was deleted while open has no link left; one that lost its name has."""
    found = check(image(name), Tools({"xfs_repair": Ran(1, output)}))
    assert found.clean is clean
    assert detail in found.detail


def test_a_live_xfs_is_replayed_in_a_copy_and_given_an_empty_log(image: Image) -> None:
    path = image("xfs-live-1k")
    before = path.read_bytes()
    tools = Tools({})
    assert check(path, tools).clean is True
    assert tools.names == ["cp", "xfs_db", "xfs_repair"]
    assert tools.commands[1][:4] == ["xfs_db", "-x", "-c", "logformat -c 3"]
    assert path.read_bytes() == before


def test_a_log_that_xfs_db_cannot_end_concludes_nothing(image: Image) -> None:
    found = check(image("xfs-live-1k"), Tools({"xfs_db": Ran(1, "no such command\n")}))
    assert (found.clean, "no such command" in found.detail) == (None, True)


def test_an_xfs_whose_log_is_not_read_here_is_told_of_by_its_tool(image: Image) -> None:
    """It says so itself where it cannot judge."""
    path = image("xfs-live-1k")
    raw = bytearray(path.read_bytes())
    raw[216:220] = (0x80000000).to_bytes(4)
    path.write_bytes(sealed(bytes(raw[:512])) + raw[512:])
    said = (
        "ALERT: The filesystem has valuable metadata changes in a log which is being\n"
        "ignored because the -n option was used.\n"
    )
    tools = Tools({"xfs_repair": Ran(1, said)})
    assert check(path, tools).clean is None
    assert tools.names == ["xfs_repair"]


@pytest.mark.parametrize("content", [bytes(1 << 20), b"LUKS\xba\xbe\x00\x02" + bytes(1 << 16)])
def test_what_is_no_file_system_is_not_checked(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "image"
    path.write_bytes(content)
    tools = Tools({})
    found = check(path, tools)
    assert (found.clean, found.tool, tools.commands) == (None, "", [])
    assert "for which there is no check" in found.detail
