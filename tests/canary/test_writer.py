"""What the canary writes is what it says it wrote, and it appears whole or not at all."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from canary import writer
from canary.contents import Method, contents
from canary.writer import ConfigError, Keeper, Outcome, read_config
from drills.volumes.entry import parse
from tests.drills.canary.canaries import (
    FEW,
    FILES,
    SITE,
    START,
    VOLUME,
    Clock,
    Memory,
    config,
    generations,
    judged,
    keeper,
    tree_of,
    write_config,
)
from tests.support.single_files import imported

WRITER = Path(writer.__file__)


def names(root: Path) -> list[int]:
    return [int(place.name) for place in generations(root)]


def written(outcome: Outcome) -> int:
    assert outcome.error == ""
    return outcome.number


# A generation


def test_the_truth_told_before_is_the_tree_read_after(tmp_path: Path) -> None:
    memory = Memory()
    number = written(keeper(tmp_path).write(memory.put))
    truth = memory.truth(number)
    assert truth is not None
    folder = f"generations/{writer.number_name(number)}".encode()
    on_disk = [
        entry._replace(
            path=entry.path[len(folder) + 1 :],
            link=entry.link[len(folder) + 1 :],
            allocated=0,
        )
        for entry in tree_of(tmp_path)
        if entry.path.startswith(folder)
    ]
    assert [entry._replace(allocated=0) for entry in truth.entries] == on_disk
    assert len(on_disk) > len(FILES)
    assert not judged(tmp_path, memory).comparison.differs


def test_every_kind_of_content_is_written(tmp_path: Path) -> None:
    keeper(tmp_path).write(None)
    found = {entry.path.rpartition(b"/")[2]: entry for entry in tree_of(tmp_path)}
    assert found[b"empty"].size == 0
    assert found[b"one-byte"].mode == 0o600
    assert found[b"folder"].mode == 0o750
    assert found[b"mebibyte"].size == 1 << 20
    assert found[b"sparse"].size == 8 << 20
    assert found[b"sparse"].sparse
    assert found[b"hard-link"].link or found[b"page"].link
    assert found[b"caf\xe9"].type == "file"
    assert found[b"symlink to nothing"].target == b"../no such place"
    assert {"file", "directory", "symlink"} == {entry.type for entry in found.values()}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_writes_files_of_several_owners(tmp_path: Path) -> None:
    keeper(tmp_path).write(None)
    found = {entry.path.rpartition(b"/")[2]: entry for entry in tree_of(tmp_path)}
    assert (found[b"of-another-user"].uid, found[b"of-another-user"].gid) == (1234, 2345)
    assert found[b"set-user-id"].mode == 0o4755


def test_the_truth_tells_the_group_that_a_volume_gives(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    root.mkdir()
    os.chown(root, -1, 2000)
    root.chmod(0o2775)
    memory = Memory()
    number = written(keeper(root).write(memory.put))
    truth = memory.truth(number)
    assert truth is not None
    entries = {entry.path: entry for entry in truth.entries}
    assert entries[b""].gid == 2000
    assert (entries[b""].mode, entries[b"folder"].mode) == (0o755, 0o750)
    assert not judged(root, memory).comparison.differs


def test_the_heartbeat_says_number_time_and_the_digest_of_the_list(tmp_path: Path) -> None:
    memory = Memory()
    number = written(keeper(tmp_path).write(memory.put))
    (folder,) = generations(tmp_path)
    heartbeat = json.loads((folder / "heartbeat.json").read_text())
    assert (heartbeat["generation"], heartbeat["time"]) == (number, "2027-01-15T08:01:00Z")
    (content,) = memory.kept.values()
    listed = [one for one in json.loads(content)["entries"] if one.get("path") != "heartbeat.json"]
    assert heartbeat["entries"] == len(listed)
    assert heartbeat["digest"] == (
        writer.hashlib.sha256(b"".join(map(writer.line_of, listed))).hexdigest()
    )


def test_two_generations_have_nothing_in_common_but_their_names(tmp_path: Path) -> None:
    one = keeper(tmp_path)
    one.write(None)
    one.write(None)
    first, second = ((place / "folder" / "page").read_bytes() for place in generations(tmp_path))
    assert first != second


# Numbers


def test_numbers_are_seconds_that_only_rise_and_the_last_ones_stay(tmp_path: Path) -> None:
    one = keeper(tmp_path, keep=3)
    numbers = [written(one.write(None)) for _ in range(5)]
    assert numbers == [int(START) + 60 * step for step in range(1, 6)]
    assert names(tmp_path) == numbers[-3:]


def test_a_clock_that_goes_back_repeats_no_number(tmp_path: Path) -> None:
    last = written(keeper(tmp_path).write(None))
    again = keeper(tmp_path, clock=lambda: START - 1000)
    assert [written(again.write(None)), written(again.write(None))] == [last + 1, last + 2]


def test_a_number_that_the_store_has_is_left_to_it(tmp_path: Path) -> None:
    memory = Memory()
    first = written(keeper(tmp_path / "lost", clock=lambda: START).write(memory.put))
    # The volume is made anew while the clock stands still.
    one = keeper(tmp_path / "anew", clock=lambda: START)
    refused = one.write(memory.put)
    assert (refused.number, f"{first}" in refused.error) == (0, True)
    assert names(tmp_path / "anew") == []
    assert written(one.write(memory.put)) == first + 1
    assert not judged(tmp_path / "anew", memory).comparison.differs


def test_fewer_are_kept_when_fewer_are_asked_for(tmp_path: Path) -> None:
    for _ in range(4):
        keeper(tmp_path, clock=Clock(time.time()), keep=4).write(None)
    one = keeper(tmp_path, clock=lambda: START * 2, keep=1)
    one.write(None)
    assert len(names(tmp_path)) == 1


# Witnesses


def test_a_store_that_is_away_stops_nothing_and_is_told(tmp_path: Path) -> None:
    memory = Memory(away="the store did not answer in time")
    one = keeper(tmp_path)
    outcome = one.write(memory.put)
    assert (outcome.error, outcome.witness) == ("", "the store did not answer in time")
    (folder,) = generations(tmp_path)
    assert (folder / "unwitnessed").read_text() == "the store did not answer in time\n"
    memory.away = ""
    assert one.write(memory.put).witness == "witnessed"
    *_, folder = generations(tmp_path)
    assert not (folder / "unwitnessed").exists()


def test_a_truth_is_told_before_its_generation_appears(tmp_path: Path) -> None:
    seen: list[list[int]] = []
    one = keeper(tmp_path)
    one.write(lambda *_: seen.append(names(tmp_path)))
    one.write(lambda *_: seen.append(names(tmp_path)))
    assert [len(found) for found in seen] == [0, 1]


def test_a_truth_says_what_is_held_beside_it(tmp_path: Path) -> None:
    memory = Memory()
    one = keeper(tmp_path, keep=2)
    numbers = [written(one.write(memory.put)) for _ in range(3)]
    truths = [memory.truth(number) for number in numbers]
    assert [truth.held for truth in truths if truth] == [
        (numbers[0],), (numbers[0], numbers[1]), (numbers[1], numbers[2]),
    ]  # fmt: skip


# Death at any point


def events_of(one: Keeper, memory: Memory, limit: int | None) -> int:
    """Writes two generations in a child that is killed at its `limit`th deed; how many it did.

    The truths that were told survive in `memory`, as they would in a store.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        done = 0

        def count(event: str, _: Any) -> None:
            nonlocal done
            if not event.startswith(("os.", "open", "shutil.")):
                return
            if done == limit:
                os._exit(9)  # as a kill: nothing is flushed, closed or put right
            done += 1

        def tell(key: str, truth: bytes) -> None:
            os.write(writing, json.dumps([key, truth.decode()]).encode() + b"\n")

        try:
            sys.addaudithook(count)
            one.write(tell)
            one.write(tell)
            os.write(writing, b"%d\n" % done)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        lines = told.read().splitlines()
    os.waitpid(child, 0)
    finished = [int(line) for line in lines if line.isdigit()]
    for line in lines[: len(lines) - len(finished)]:
        key, truth = json.loads(line)
        memory.kept[key] = truth.encode()
    return finished[0] if finished else -1


def test_a_writer_killed_at_any_deed_leaves_whole_generations_only(tmp_path: Path) -> None:
    files = [*FEW, {"name": "folder", "kind": "directory"}, {"name": "folder/x", "kind": "file"}]
    total = events_of(keeper(tmp_path / "whole", files=files, keep=1), Memory(), None)
    assert total > 60
    for limit in range(total):
        root, memory = tmp_path / f"{limit}", Memory()
        one = keeper(root, files=files, keep=1)
        written(one.write(memory.put))
        assert events_of(one, memory, limit) == -1
        found = judged(root, memory)
        assert found.flaws == ()
        assert not found.comparison.differs, (limit, list(map(str, found.comparison.findings)))
        assert found.newest is not None
        # The next life goes on, and takes what the dead one left half done.
        again = keeper(root, clock=Clock(START + 1000), files=files, keep=1)
        number = written(again.write(memory.put))
        assert names(root) == [number]
        for aside in (writer.MAKING, writer.DROPPING):
            assert not any((root / aside).iterdir())
        assert not judged(root, memory).comparison.differs
        shutil.rmtree(root)


def test_all_of_a_generation_is_on_the_disk_before_it_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deeds: list[tuple[str, str]] = []
    sync, rename = os.fsync, os.rename

    def note_sync(descriptor: int) -> None:
        sync(descriptor)
        deeds.append(("sync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))

    def note_rename(source: str, target: str) -> None:
        rename(source, target)
        deeds.append(("rename", str(target)))

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "rename", note_rename)
    number = written(keeper(tmp_path).write(Memory(away="no store").put))
    making = tmp_path / ".making" / writer.number_name(number)
    place = tmp_path / "generations" / writer.number_name(number)
    appeared = deeds.index(("rename", str(place)))
    before = {path for deed, path in deeds[:appeared] if deed == "sync"}
    after = [path for deed, path in deeds[appeared:] if deed == "sync"]
    for path in [place, *place.rglob("*")]:
        if not path.is_symlink():
            # One name is enough for an inode that has several.
            others = {p for p in place.rglob("*") if not p.is_symlink() and p.samefile(path)}
            assert {str(making / other.relative_to(place)) for other in {path, *others}} & before
    assert str(tmp_path / "generations") in after


# Faults of the volume


def test_a_full_or_missing_volume_is_an_outcome_and_not_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = writer.Volume(VOLUME, str(tmp_path / "not mounted"), writer.specs_of(FEW))
    assert "No such file" in Keeper(SITE, gone, 2, Clock()).write(None).error
    assert not (tmp_path / "not mounted").exists()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    one = keeper(tmp_path / "full", files=FEW)
    written(one.write(None))
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        assert one.write(None) == Outcome(0, "", "No space left on device")
    assert len(names(tmp_path / "full")) == 1
    written(one.write(None))
    assert len(names(tmp_path / "full")) == 2


# The config


DAMAGES: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda raw: raw.pop("site"), "site is missing"),
    (lambda raw: raw.update(schema=2), "schema must be 1"),
    (lambda raw: raw.update(keep=0), "keep must be 1 or more"),
    (lambda raw: raw.update(volumes=[]), "there must be a volume"),
    (lambda raw: raw["volumes"][0].pop("files"), "files is missing"),
    (lambda raw: raw["volumes"][0]["files"].append({"name": "../x", "kind": "file"}), "no name"),
    (lambda raw: raw["volumes"][0]["files"].append({"name": "/x", "kind": "file"}), "no name"),
    (lambda raw: raw["volumes"][0]["files"].append({"name": "heartbeat.json", "kind": "file"}),
     "no name"),
    (lambda raw: raw["volumes"][0]["files"].append({"name": "unwitnessed", "kind": "file"}),
     "no name"),
    (lambda raw: raw["volumes"][0]["files"].append({"name": "page", "kind": "file"}), "twice"),
    (lambda raw: raw["volumes"][0]["files"].append({"name": "no/x", "kind": "file"}), "before its"),
    (lambda raw: raw["volumes"][0]["files"].append({"name": "x", "kind": "fifo"}), "kind fifo"),
    (lambda raw: raw["volumes"][0]["files"].append({"name": "x", "kind": "link", "of": "no"}),
     "link of what is no file"),
    (lambda raw: raw.update(store={"endpoint": "http://store"}), "must be https"),
    (lambda raw: raw.update(store={"endpoint": "https://store"}), "region is missing"),
    (lambda raw: raw.update(periodSeconds="often"), "no config"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "said"), DAMAGES)
def test_a_wrong_config_is_one_sentence(
    tmp_path: Path, damage: Callable[[dict[str, Any]], Any], said: str
) -> None:
    place = write_config(tmp_path)
    raw = config(tmp_path, files=[*FEW])
    damage(raw)
    place.write_text(json.dumps(raw))
    with pytest.raises(ConfigError, match=said):
        read_config(str(place))
    done = subprocess.run(
        [sys.executable, "-I", WRITER, "run", place], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_a_config_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(str(tmp_path / "none"))


@pytest.mark.parametrize("method", list(Method))
def test_the_contents_of_every_method_are_a_config(method: Method) -> None:
    for as_root in (True, False):
        specs = writer.specs_of(list(contents(method, as_root)))
        assert {spec.kind for spec in specs} >= {"file", "directory", "sparse", "symlink"}
        assert as_root or all(spec.uid is None for spec in specs)


# As a process


def run_writer(*arguments: str | Path) -> int:
    done = subprocess.run([sys.executable, "-I", WRITER, *arguments], check=False, timeout=60)
    return done.returncode


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "waited half a minute"
        time.sleep(0.02)


@pytest.fixture
def running(tmp_path: Path) -> Any:
    # Long beside a turn even on a busy disk: between two turns the lock is free for others.
    place = write_config(tmp_path, periodSeconds=1)
    process = subprocess.Popen(
        [sys.executable, "-I", WRITER, "run", place], stdout=subprocess.PIPE, text=True
    )
    try:
        wait_until((tmp_path / "state" / "health.json").exists)
        yield process, place
    finally:
        process.kill()
        process.wait()


def test_a_signal_ends_it_at_once_and_cleanly(running: Any, tmp_path: Path) -> None:
    process, _ = running
    wait_until(lambda: len(names(tmp_path / VOLUME)) == 2)
    began = time.monotonic()
    process.terminate()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert time.monotonic() - began < 30
    assert "no store is configured" in output


def test_probes_tell_a_loop_that_turns_and_a_volume_that_takes(
    running: Any, tmp_path: Path
) -> None:
    process, place = running
    assert (run_writer("alive", place), run_writer("ready", place)) == (0, 0)
    process.terminate()
    process.wait()
    health = tmp_path / "state" / "health.json"
    found = json.loads(health.read_text())
    failed = {VOLUME: {"number": 0, "witness": "", "error": "No space left on device"}}
    health.write_text(json.dumps({**found, "volumes": failed}))
    assert (run_writer("alive", place), run_writer("ready", place)) == (0, 1)
    health.write_text(json.dumps({**found, "monotonic": time.monotonic() - 3600}))
    assert (run_writer("alive", place), run_writer("ready", place)) == (1, 1)
    health.unlink()
    assert (run_writer("alive", place), run_writer("ready", place)) == (1, 1)
    assert run_writer("dance", place) == 2


def test_a_hold_stills_the_volumes_until_it_is_released(running: Any, tmp_path: Path) -> None:
    _, place = running
    assert run_writer("hold", place, "600") == 0
    before = sorted(path.name for path in (tmp_path / VOLUME).rglob("*"))
    health = tmp_path / "state" / "health.json"
    turns = {health.read_text()}

    def turned() -> bool:
        turns.add(health.read_text())
        return len(turns) > 3

    wait_until(turned)
    assert sorted(path.name for path in (tmp_path / VOLUME).rglob("*")) == before
    assert run_writer("alive", place) == 0
    newest = max(names(tmp_path / VOLUME))
    assert run_writer("release", place) == 0
    wait_until(lambda: max(names(tmp_path / VOLUME)) > newest)


def test_a_hold_ends_by_itself(running: Any, tmp_path: Path) -> None:
    _, place = running
    assert run_writer("hold", place, "0.5") == 0
    newest = max(names(tmp_path / VOLUME))
    wait_until(lambda: max(names(tmp_path / VOLUME)) > newest)
    assert run_writer("release", place) == 0


def test_a_hold_needs_a_writer_and_a_number(tmp_path: Path) -> None:
    place = write_config(tmp_path)
    assert run_writer("hold", place) == 1
    assert run_writer("hold", place, "long") == 2


def test_a_hold_waits_for_the_generation_under_way(tmp_path: Path) -> None:
    found = read_config(str(write_config(tmp_path)))
    (tmp_path / "state").mkdir()
    state = writer.State(found.state)
    with state.lock(0) as mine, writer.State(found.state).lock(0.1) as other:
        assert (mine, other) == (True, False)
    assert writer.hold(found, 600)
    assert state.held()


def test_killed_at_any_moment_it_leaves_whole_generations(tmp_path: Path) -> None:
    place = write_config(tmp_path, periodSeconds=0, files=FILES)
    for milliseconds in (0, 7, 15, 25, 40):
        with subprocess.Popen(
            [sys.executable, "-I", WRITER, "run", place], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            # However busy the machine is, it is killed in the midst of its work.
            assert b"generation" in process.stdout.readline()
            time.sleep(milliseconds / 1000)
            process.kill()
        assert list(generations(tmp_path / VOLUME))
        # Without a store each says so itself; its own heartbeat is the witness here.
        for folder in generations(tmp_path / VOLUME):
            heartbeat = json.loads((folder / "heartbeat.json").read_text())
            count = sum(1 for _ in folder.rglob("*")) + 1
            assert heartbeat["entries"] == count - 2  # itself, and the note
            assert (folder / "unwitnessed").exists()


def test_the_writer_is_one_file_that_old_interpreters_take() -> None:
    assert imported(WRITER, (3, 9)) <= sys.stdlib_module_names


def test_entries_of_a_truth_are_entries_of_a_tree() -> None:
    raw = {"path": "x", "type": "file", "mode": "0644", "uid": 0, "gid": 0, "size": 0,
           "sha256": "0" * 64}  # fmt: skip
    assert parse(raw).allocated == 0
