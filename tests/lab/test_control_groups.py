"""Which processes are the lab's own is read from control groups, never guessed from names."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab import cgroups
from lab.errors import LabError

MOUNTINFO = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
30 27 0:27 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:28 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu
32 30 0:29 / /sys/fs/cgroup/uni\\040fied rw,relatime - cgroup2 cgroup2 rw
"""


@pytest.fixture
def hierarchy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plain folder in place of a hierarchy, with one group of one host."""
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [tmp_path])
    (tmp_path / "backstop-lab" / "one" / "store1" / "payload").mkdir(parents=True)
    return tmp_path


def test_mount_points_are_read_with_their_types() -> None:
    assert cgroups.mounts(MOUNTINFO)[2:] == [
        ("/sys/fs/cgroup/cpu", "cgroup"),
        ("/sys/fs/cgroup/uni fied", "cgroup2"),
    ]


def test_the_groups_processes_are_those_below_it_too(hierarchy: Path) -> None:
    group = hierarchy / "backstop-lab" / "one" / "store1"
    (group / "cgroup.procs").write_text("11\n", encoding="utf-8")
    (group / "payload" / "cgroup.procs").write_text("12\n13\n", encoding="utf-8")
    assert cgroups.processes("one/store1") == {11, 12, 13}
    assert cgroups.processes("one/cp1") == set()


def test_a_process_that_is_not_in_the_group_is_never_killed(hierarchy: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        group = hierarchy / "backstop-lab" / "one" / "store1"
        # As after the id was given to another process: listed here, but not a member.
        (group / "cgroup.procs").write_text(f"{stranger.pid}\n", encoding="utf-8")
        with pytest.raises(LabError, match=f"{stranger.pid}.* of one/store1 did not end"):
            cgroups.end("one/store1", seconds=0.3)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_empty_group_goes_with_the_empty_groups_above_it(hierarchy: Path) -> None:
    (hierarchy / "backstop-lab" / "two").mkdir()
    cgroups.remove("one/store1")
    assert [path.name for path in (hierarchy / "backstop-lab").iterdir()] == ["two"]


def test_ending_what_is_not_there_is_no_error(hierarchy: Path) -> None:
    cgroups.end("three/store1")
    assert hierarchy.exists()


def test_a_group_that_vanishes_while_it_is_listed_is_passed_over(
    hierarchy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = hierarchy / "backstop-lab" / "one" / "store1"
    (group / "cgroup.procs").write_text("11\n", encoding="utf-8")
    read = Path.read_text

    def read_then_vanish(path: Path, *args: Any, **kwargs: Any) -> str:
        text = read(path, *args, **kwargs)
        shutil.rmtree(group / "payload", ignore_errors=True)
        return text

    monkeypatch.setattr(Path, "read_text", read_then_vanish)
    assert cgroups.processes("one/store1") == {11}
