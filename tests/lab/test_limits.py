"""What all labs of a machine share is counted, and scarcity is a sentence with a cure."""

import os
from pathlib import Path

from lab import limits


def process(proc: Path, number: int, *targets: str) -> None:
    folder = proc / str(number) / "fd"
    folder.mkdir(parents=True)
    for index, target in enumerate(targets):
        (folder / str(index)).symlink_to(target)


def test_only_inotify_instances_of_processes_count(tmp_path: Path) -> None:
    process(tmp_path, 10, "anon_inode:inotify", "/dev/null", "anon_inode:inotify")
    process(tmp_path, 11, "anon_inode:[eventpoll]")
    process(tmp_path, 12, "anon_inode:inotify")
    (tmp_path / "sys").mkdir()
    (tmp_path / "13").mkdir()
    assert limits.inotify_in_use(tmp_path) == (3 if os.geteuid() == tmp_path.stat().st_uid else 0)


def test_enough_is_silent_and_too_few_names_the_setting() -> None:
    assert limits.inotify_warning(90, 128) is None
    said = limits.inotify_warning(110, 128)
    assert said is not None
    assert "128 inotify instances, 110 are in use" in said
    assert "fs.inotify.max_user_instances" in said


def test_this_machine_can_be_asked() -> None:
    warning = limits.node_warning()
    assert warning is None or "inotify" in warning
