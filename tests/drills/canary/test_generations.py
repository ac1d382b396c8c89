"""A restored canary volume: what differs, what is torn, what nobody knows, how old it is."""

import datetime
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from canary import writer
from drills.canary.generations import (
    Flaw,
    Judged,
    fetch_truths,
    judge_volume,
    survey,
)
from drills.canary.truth import (
    Fault,
    Truth,
    TruthError,
    expected_tree,
    key,
    parse_truth,
)
from drills.verdict import Reason, Verdict, judge
from drills.volumes.allowances import FILE_SYSTEM
from drills.volumes.compare_trees import Options
from drills.volumes.entry import Entry
from tests.drills.canary.canaries import (
    FEW,
    OPTIONS,
    SITE,
    START,
    VOLUME,
    Memory,
    generations,
    judged,
    keeper,
    tree_of,
)


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def volume(tmp_path: Path, memory: Memory) -> Path:
    """Three generations, all of them told."""
    one = keeper(tmp_path / "volume", keep=3)
    for _ in range(3):
        assert one.write(memory.put).error == ""
    return tmp_path / "volume"


def verdict_of(found: Judged) -> tuple[Verdict, Reason | None]:
    judgement = judge(found.checks())
    return judgement.verdict, judgement.reason


def newest_of(root: Path) -> Path:
    *_, newest = generations(root)
    return newest


def test_a_whole_volume_is_proven_by_its_newest_generation(volume: Path, memory: Memory) -> None:
    (volume / "lost+found").mkdir()
    found = judged(volume, memory)
    assert verdict_of(found) == (Verdict.PROVEN, None)
    assert found.flaws == ()
    assert found.newest is not None
    assert found.newest.generation == int(newest_of(volume).name)
    assert {one.what: one.count for one in found.comparison.not_compared} == {
        "directories of data": 2,
        "entries of data": 2,
        "lost+found of data": 1,
        "modification times of data": found.comparison.entries,
        "extended attributes of data": found.comparison.entries,
        "holes of sparse files of data": 3,
    }
    assert sum(one.count for one in found.comparison.compared) == found.comparison.entries


def overwrite(root: Path) -> None:
    place = newest_of(root) / "folder" / "page"
    place.write_bytes(bytes(4096))


def tear(root: Path) -> None:
    shutil.rmtree(newest_of(root) / "folder")


def rewrite(root: Path) -> None:
    """A restored workload that goes on as if nothing had happened, and tells nobody."""
    one = keeper(root, clock=lambda: START + 10_000, keep=3)
    one.write(None)


FAULTS: list[tuple[Callable[[Path], object], set[Flaw], Reason]] = [
    (overwrite, set(), Reason.CONTENT_DIFFERS),
    (lambda root: (newest_of(root) / "one-byte").chmod(0o644), set(), Reason.METADATA_DIFFERS),
    (lambda root: (newest_of(root) / "new").touch(), set(), Reason.FILE_ADDED),
    (lambda root: (root / "ransom").touch(), set(), Reason.FILE_ADDED),
    (lambda root: (root / "generations" / "notes").touch(), set(), Reason.FILE_ADDED),
    (lambda root: (root / "generations" / ("7" * 12)).touch(), set(), Reason.FILE_ADDED),
    (tear, {Flaw.TORN}, Reason.FILE_LOST),
    (lambda root: shutil.rmtree(next(generations(root))), {Flaw.LOST}, Reason.FILE_LOST),
    (rewrite, {Flaw.LOST, Flaw.UNWITNESSED}, Reason.FILE_LOST),
]


@pytest.mark.parametrize(("fault", "flaws", "reason"), FAULTS)
def test_each_planted_fault_is_found(
    volume: Path,
    memory: Memory,
    fault: Callable[[Path], object],
    flaws: set[Flaw],
    reason: Reason,
) -> None:
    fault(volume)
    found = judged(volume, memory)
    if fault is rewrite:
        # It drops the oldest, which the newest with a truth says was there.
        assert found.newest is not None
    assert {each.flaw for each in found.flaws} == flaws
    assert verdict_of(found) == (Verdict.BROKEN, reason)


def test_a_volume_without_a_generation_is_lost(tmp_path: Path, memory: Memory) -> None:
    for name in ("empty", "volume/generations"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("empty", "volume"):
        found = judged(tmp_path / name, memory)
        assert [each.flaw for each in found.flaws] == [Flaw.NOTHING_RESTORED]
        assert found.newest is None
        assert verdict_of(found) == (Verdict.BROKEN, Reason.VOLUME_LOST)


def test_the_newest_generation_lost_is_an_older_heartbeat(volume: Path, memory: Memory) -> None:
    before = judged(volume, memory).newest
    shutil.rmtree(newest_of(volume))
    after = judged(volume, memory)
    assert verdict_of(after) == (Verdict.PROVEN, None)
    assert before is not None
    assert after.newest is not None
    assert before.time - after.newest.time == datetime.timedelta(seconds=60)


def test_a_generation_about_to_be_dropped_is_compared_too(volume: Path, memory: Memory) -> None:
    oldest = next(generations(volume))
    shutil.copytree(oldest, volume / "kept", symlinks=True, copy_function=shutil.copy2)
    keeper(volume, clock=lambda: START + 10_000, keep=1).write(memory.put)
    # As it was between the appearance of the newest and the removal of the oldest.
    (volume / "kept").rename(oldest)
    os.chown(oldest / "of-another-user", 1234, 2345)
    (oldest / "hard-link").unlink()
    os.link(oldest / "folder" / "page", oldest / "hard-link")
    found = judged(volume, memory)
    assert verdict_of(found) == (Verdict.PROVEN, None)
    assert found.comparison.files > len(FEW)
    (oldest / "folder" / "page").chmod(0o777)
    assert verdict_of(judged(volume, memory)) == (Verdict.BROKEN, Reason.METADATA_DIFFERS)


def test_what_was_being_made_or_dropped_is_set_aside_and_counted(
    volume: Path, memory: Memory
) -> None:
    (volume / ".making" / "001").mkdir()
    (volume / ".making" / "001" / "half").touch()
    found = judged(volume, memory)
    assert verdict_of(found) == (Verdict.PROVEN, None)
    assert (4, "they were being made or dropped") in {
        (one.count, one.why) for one in found.comparison.not_compared
    }


def test_a_generation_without_a_witness_is_told_and_not_compared(
    volume: Path, memory: Memory
) -> None:
    memory.away = "the store did not answer in time"
    keeper(volume, clock=lambda: START + 10_000, keep=4).write(memory.put)
    overwrite(volume)  # nobody can know
    found = judged(volume, memory)
    assert [each.flaw for each in found.flaws] == [Flaw.UNWITNESSED]
    assert verdict_of(found) == (Verdict.PROVEN, None)
    assert found.newest is not None
    assert found.newest.generation == START + 180
    assert "they have no truth" in {one.why for one in found.comparison.not_compared}


def test_without_any_truth_nothing_is_proven(volume: Path) -> None:
    found = judged(volume, Memory())
    assert [each.flaw for each in found.flaws] == [Flaw.TRUTH_LOST] * 3
    assert found.newest is None
    assert verdict_of(found) == (Verdict.UNPROVEN, Reason.NOTHING_TO_CHECK)
    # And what nobody wrote is found all the same.
    (volume / "ransom").touch()
    assert Reason.FILE_ADDED in {check.reason for check in judged(volume, Memory()).checks()}


def test_a_truth_whose_answer_was_lost_makes_the_note_no_difference(
    volume: Path, memory: Memory
) -> None:
    (newest_of(volume) / "unwitnessed").write_text("the store did not answer in time\n")
    found = judged(volume, memory)
    assert (found.flaws, verdict_of(found)) == ((), (Verdict.PROVEN, None))


def test_a_directory_that_cannot_be_read_is_never_green(volume: Path, memory: Memory) -> None:
    newest = f"generations/{newest_of(volume).name}".encode()
    for unread in (b"", b"generations", newest, newest + b"/folder"):
        below = unread + b"/" if unread else b""
        entries = [one for one in tree_of(volume) if not one.path.startswith(below) or not one.path]
        entries.append(Entry(unread + b"/", "listing", error="EIO"))
        entries.sort()
        held = survey(entries)
        found = judge_volume(VOLUME, entries, held, fetch_truths(held, memory.truth), OPTIONS)
        assert verdict_of(found)[0] is not Verdict.PROVEN


def test_what_kopia_does_to_odd_contents_is_seen(volume: Path, memory: Memory) -> None:
    """The contents for snapshots, restored by what cannot keep them."""
    for folder in generations(volume):
        (folder / os.fsdecode(b"caf\xe9")).rename(folder / "caf\ufffd")
    entries = tree_of(volume)
    held = survey(entries)
    options = Options("the canary's truth", FILE_SYSTEM)
    found = judge_volume(VOLUME, entries, held, fetch_truths(held, memory.truth), options)
    assert verdict_of(found) == (Verdict.BROKEN, Reason.FILE_LOST)


def test_only_the_newest_of_very_many_are_asked_for() -> None:
    held = survey(Entry(b"generations/%012d" % number, "directory") for number in range(5000))
    asked: list[int] = []
    fetch_truths(held, asked.append)
    assert (len(held), len(asked), asked[-1]) == (5000, 1000, 4999)


# Truths


def content_of(memory: Memory) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(list(memory.kept.values())[-1])
    return found


def fault_of(raw: object, number: int = int(START) + 180, volume: str = VOLUME) -> Fault:
    with pytest.raises(TruthError) as caught:
        parse_truth(json.dumps(raw).encode(), SITE, volume, number)
    assert "\n" not in str(caught.value)
    return caught.value.fault


def signed(raw: dict[str, Any]) -> dict[str, Any]:
    """The truth with a digest that fits."""
    digest = hashlib.sha256(b"".join(map(writer.line_of, raw["entries"]))).hexdigest()
    return {**raw, "digest": digest}


@pytest.mark.usefixtures("volume")
def test_a_truth_is_taken_only_whole_and_for_its_own_generation(memory: Memory) -> None:
    raw = content_of(memory)
    assert parse_truth(json.dumps(raw).encode(), SITE, VOLUME, int(START) + 180)
    assert fault_of(raw, number=int(START) + 120) is Fault.FOREIGN
    assert fault_of(raw, volume="another") is Fault.FOREIGN
    assert fault_of({**raw, "entries": raw["entries"][:-1]}) is Fault.DIGEST
    assert fault_of({**raw, "digest": "0" * 64}) is Fault.DIGEST
    for name in raw:
        assert fault_of({k: v for k, v in raw.items() if k != name}) is Fault.MALFORMED
    entries = raw["entries"]
    for odd in (
        {**raw, "schema": "backstop-canary/2"}, {**raw, "time": "yesterday"}, {**raw, "held": []},
        {**raw, "held": ["1"]}, {**raw, "entries": None}, [], None, "text",
        signed({**raw, "entries": entries[::-1]}), signed({**raw, "entries": entries[1:]}),
        signed({**raw, "entries": [*entries, entries[-1]]}),
        signed({**raw, "entries": [*entries, {**entries[-1], "path": "z/../../x"}]}),
    ):  # fmt: skip
        assert fault_of(odd) is Fault.MALFORMED
    for text in (b"", b"\xff", b"[" * 100_000):
        with pytest.raises(TruthError):
            parse_truth(text, SITE, VOLUME, 1)


def test_the_expected_tree_is_in_the_order_of_a_tree(volume: Path, memory: Memory) -> None:
    truths = fetch_truths(survey(tree_of(volume)), memory.truth)
    paths = [entry.path for entry in expected_tree(truths.values())]
    assert paths == sorted(paths)
    assert len(paths) == len(set(paths)) == 3 * len(next(iter(truths.values())).entries)
    assert key("canary/", "dev", "data", 42) == "canary/dev/data/000000000042.json"


@pytest.mark.usefixtures("volume")
def test_a_truth_is_about_one_volume(memory: Memory, tmp_path: Path) -> None:
    """Volumes that came back under each other's names: both have generations of that second."""
    other = Memory()
    one = keeper(tmp_path / "other", keep=3)
    for _ in range(3):
        one.write(other.put)
    found = judged(tmp_path / "other", memory)
    assert isinstance(found.newest, Truth)
    assert verdict_of(found) == (Verdict.BROKEN, Reason.CONTENT_DIFFERS)
