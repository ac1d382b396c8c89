"""One restored volume: against the canary's truth, or against what its backup counted."""

import datetime
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from canary import writer
from drills.canary.freshness import age_check
from drills.canary.truth import Fault, TruthError
from drills.coverage.volume_info import Method
from drills.verdict import Reason, Verdict, judge
from drills.volumes import tree_reader
from drills.volumes.entry import FILE, Entry
from drills.volumes.judge import Judgement, ReadVolume, judge_canary, judge_extent
from drills.volumes.tree import Tree, TreeError
from s3.errors import Cause, StoreError
from tests.drills.canary.canaries import VOLUME, Clock, generations, keeper
from tests.drills.coverage.clusters import record
from tests.drills.sandbox.runs import NOW
from tests.drills.volumes.drill_site import Truths
from tests.drills.volumes.trees import ROOT, file, text_of

NAME = "backstop-canary/beats"
HOUR = datetime.timedelta(hours=1)


class Read:
    """A volume that was read; `opened` counts how often its tree was asked for."""

    def __init__(self, root: Path) -> None:
        output = io.BytesIO()
        tree_reader.read_volume("beats", os.fsencode(root), 1, False, output)
        self.lines = output.getvalue().splitlines(keepends=True)
        self.opened = 0

    def open(self) -> Tree:
        self.opened += 1
        return Tree(iter(self.lines))

    def volume(self, **more: object) -> ReadVolume:
        return ReadVolume(NAME, record("beats", **more), self.open)


@pytest.fixture
def truths() -> Truths:
    return Truths()


@pytest.fixture
def root(tmp_path: Path, truths: Truths) -> Path:
    """Three generations, a minute and a few looks at the clock apart."""
    one = keeper(tmp_path / "volume", clock=Clock((NOW - HOUR).timestamp()), keep=3)
    for _ in range(3):
        assert one.write(truths.memory.put).error == ""
    return tmp_path / "volume"


def canary(root: Path, truths: Truths) -> Judgement:
    return judge_canary(Read(root).volume(), VOLUME, truths)


def verdict_of(found: Judgement) -> tuple[Verdict, Reason | None]:
    judgement = judge(found.checks)
    return judgement.verdict, judgement.reason


def newest(root: Path) -> Path:
    *_, last = generations(root)
    return last


def test_a_whole_canary_is_proven_and_its_heartbeat_is_the_newest(
    root: Path, truths: Truths
) -> None:
    read = Read(root)
    found = judge_canary(read.volume(), VOLUME, truths)
    assert verdict_of(found) == (Verdict.PROVEN, None)
    assert found.heartbeat is not None
    assert f"{found.heartbeat.timestamp():012.0f}" == newest(root).name
    assert read.opened == 2, "once to know what it holds, once to compare it"
    files = [one for one in root.rglob("*") if one.is_file() and not one.is_symlink()]
    # Every pass counts anew, and what is said is of one of them.
    assert (found.files, found.bytes) == (len(files), sum(one.stat().st_size for one in files))
    assert sum(one.count for one in found.compared) > found.files
    assert {one for one, _ in truths.asked} == {VOLUME}


def lose(root: Path) -> None:
    (newest(root) / "one-byte").unlink()


def add(root: Path) -> None:
    (newest(root) / "ransom").write_bytes(b"pay")


def change(root: Path) -> None:
    (newest(root) / "one-byte").write_bytes(b"?")


def open_up(root: Path) -> None:
    (newest(root) / "one-byte").chmod(0o606)


def empty(root: Path) -> None:
    for one in (root / writer.GENERATIONS).iterdir():
        one.rename(root.parent / one.name)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (lose, Reason.FILE_LOST),
        (add, Reason.FILE_ADDED),
        (change, Reason.CONTENT_DIFFERS),
        (open_up, Reason.METADATA_DIFFERS),
        (empty, Reason.VOLUME_LOST),
    ],
)
def test_each_fault_of_the_volume_is_told(
    root: Path, truths: Truths, fault: Callable[[Path], None], reason: Reason
) -> None:
    fault(root)
    assert verdict_of(canary(root, truths)) == (Verdict.BROKEN, reason)


def test_a_truth_that_is_missing_is_named_and_the_others_count(root: Path, truths: Truths) -> None:
    last = newest(root).name
    gone = next(key for key in truths.memory.kept if last in key)
    del truths.memory.kept[gone]
    found = canary(root, truths)
    assert verdict_of(found) == (Verdict.PROVEN, None)
    (flaw,) = (one for one in found.not_compared if one.what.startswith("truth-lost"))
    assert NAME in flaw.what
    assert found.heartbeat is not None
    assert f"{found.heartbeat.timestamp():012.0f}" < last


def test_no_truth_at_all_proves_nothing(root: Path, truths: Truths) -> None:
    truths.memory.kept.clear()
    found = canary(root, truths)
    assert verdict_of(found) == (Verdict.UNPROVEN, Reason.NOTHING_TO_CHECK)
    assert found.heartbeat is None
    assert found.files > 0


def rotten(truths: Truths) -> None:
    for key, content in truths.memory.kept.items():
        truths.memory.kept[key] = content.replace(b"one-byte", b"two-byte")


def foreign(truths: Truths) -> None:
    for key, content in truths.memory.kept.items():
        raw = json.loads(content)
        truths.memory.kept[key] = json.dumps({**raw, "site": "other"}).encode()


@pytest.mark.parametrize(("fault", "said"), [(rotten, "is damaged"), (foreign, "is that of anot")])
def test_where_no_truth_may_be_used_nothing_is_judged(
    root: Path, truths: Truths, fault: Callable[[Truths], None], said: str
) -> None:
    fault(truths)
    found = canary(root, truths)
    assert verdict_of(found) == (Verdict.UNPROVEN, Reason.NOTHING_TO_CHECK)
    assert [check.reason for check in found.checks] == [
        *[Reason.TRUTH_UNUSABLE] * 3, Reason.NOTHING_TO_CHECK,
    ]  # fmt: skip
    assert all(said in check.observed for check in found.checks)
    assert sum(one.count for one in found.compared) == 0
    assert found.heartbeat is None


@pytest.mark.parametrize(("fault", "said"), [(rotten, "is damaged"), (foreign, "is that of anot")])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_truth_that_must_not_be_used_is_named_and_the_others_count(
    root: Path, truths: Truths, which: int, fault: Callable[[Truths], None], said: str
) -> None:
    key = sorted(truths.memory.kept)[which]
    one = Truths()
    one.memory.kept = {key: truths.memory.kept[key]}
    fault(one)
    truths.memory.kept |= one.memory.kept
    found = canary(root, truths)
    assert verdict_of(found) == (Verdict.UNPROVEN, Reason.TRUTH_UNUSABLE)
    (check,) = (one for one in found.checks if not one.ok)
    assert (check.client, check.reason) == (NAME, Reason.TRUTH_UNUSABLE)
    assert said in check.observed
    assert (
        f"generation {int(sorted(generations(root))[which].name)} truth-damaged" in check.observed
    )
    assert sum(one.count for one in found.compared) > 0
    (aside,) = (one for one in found.not_compared if one.what.startswith("entries of generations"))
    assert aside.why == "their truth must not be used"
    assert found.heartbeat is not None


@pytest.mark.parametrize("which", [0, 1, 2])
def test_beside_a_damaged_truth_a_fault_is_still_found(
    root: Path, truths: Truths, which: int
) -> None:
    """It is the graver one of the two, wherever it is."""
    key = sorted(truths.memory.kept)[which]
    truths.memory.kept[key] = truths.memory.kept[key].replace(b"one-byte", b"two-byte")
    for number, folder in enumerate(sorted(generations(root))):
        if number != which:
            (folder / "one-byte").write_bytes(b"?")
    assert verdict_of(canary(root, truths)) == (Verdict.BROKEN, Reason.CONTENT_DIFFERS)


def test_a_store_that_is_away_is_raised(root: Path, truths: Truths) -> None:
    truths.fault = StoreError(Cause.UNREACHABLE, "no answer")
    with pytest.raises(StoreError):
        canary(root, truths)
    truths.fault = TruthError(Fault.MALFORMED, "no truth")
    assert verdict_of(canary(root, truths))[1] is Reason.NOTHING_TO_CHECK


def without_first_file(_name: str, entries: Iterator[Entry]) -> Iterator[Entry]:
    done = False
    for entry in entries:
        if entry.type == FILE and not done:
            done = True
        else:
            yield entry


def test_a_look_that_lies_changes_both_outcomes(root: Path, truths: Truths) -> None:
    volume = Read(root).volume()
    assert judge([*judge_canary(volume, VOLUME, truths, without_first_file).checks]).reason is (
        Reason.FILE_LOST
    )
    sound = judge_extent(volume)
    told = Read(root).volume(size=sound.bytes)
    assert verdict_of(judge_extent(told)) == (Verdict.PROVEN, None)
    lied = judge_extent(told, without_first_file)
    assert verdict_of(lied) == (Verdict.BROKEN, Reason.CONTENT_DIFFERS)
    assert (lied.files, lied.heartbeat) == (sound.files - 1, None)


def test_a_look_is_told_whose_tree_it_sees(root: Path, truths: Truths) -> None:
    seen: list[str] = []

    def look(name: str, entries: Iterator[Entry]) -> Iterator[Entry]:
        seen.append(name)
        return entries

    judge_canary(Read(root).volume(), VOLUME, truths, look)
    judge_extent(Read(root).volume(), look)
    assert seen == [NAME] * 3


@pytest.mark.parametrize("method", [Method.FILE_SYSTEM, Method.DATA_MOVER])
def test_as_many_bytes_as_the_backup_counted_are_the_weaker_proof(
    root: Path, method: Method
) -> None:
    size = judge_extent(Read(root).volume()).bytes
    right = judge_extent(Read(root).volume(method=method, size=size))
    assert verdict_of(right) == (Verdict.PROVEN, None)
    assert "against the bytes that its backup counted" in right.compared[0].how
    assert "weaker" in right.compared[0].how
    assert right.not_compared[0].what == f"content of {NAME}"
    for wrong in (size - 1, size + 1):
        assert verdict_of(judge_extent(Read(root).volume(method=method, size=wrong))) == (
            Verdict.BROKEN, Reason.CONTENT_DIFFERS)  # fmt: skip


@pytest.mark.parametrize("told", [{"method": Method.CSI_SNAPSHOT, "size": 1 << 30}, {"size": None}])
def test_where_nobody_counted_bytes_nothing_is_claimed(root: Path, told: dict[str, object]) -> None:
    found = judge_extent(Read(root).volume(**told))
    assert verdict_of(found) == (Verdict.PROVEN, None)
    assert "against nothing" in found.compared[0].how


@pytest.mark.parametrize(
    ("size", "reason"), [(100, Reason.VOLUME_LOST), (0, Reason.NOTHING_TO_CHECK)]
)
def test_an_empty_volume_is_never_proven(tmp_path: Path, size: int, reason: Reason) -> None:
    found = judge_extent(Read(tmp_path).volume(size=size))
    assert judge(found.checks).reason is reason


def test_what_cannot_be_read_counts(root: Path) -> None:
    read = Read(root)
    read.lines = text_of([ROOT, file(b"a", "1"), file(b"b", sha256="", error="EIO")])
    found = judge_extent(read.volume(size=1))
    assert [one.reason for one in found.checks] == [Reason.CONTENT_DIFFERS]
    assert "1 entries cannot be read" in found.checks[0].observed


@pytest.mark.parametrize("cut", [slice(0, -1), slice(0, 3)])
def test_half_a_tree_is_no_volume(root: Path, truths: Truths, cut: slice) -> None:
    read = Read(root)
    read.lines = read.lines[cut]
    with pytest.raises(TreeError):
        judge_canary(read.volume(), VOLUME, truths)
    with pytest.raises(TreeError):
        judge_extent(read.volume())


def test_a_look_that_stops_early_proves_nothing(root: Path) -> None:
    with pytest.raises(TreeError):
        judge_extent(Read(root).volume(), lambda _name, entries: iter([next(entries)]))


@pytest.mark.parametrize(
    ("heartbeat", "taken", "reason", "seen"),
    [
        (-2.0, -1.0, None, "3600 s behind"),
        (-2.0, -1.5, None, "1800 s behind"),
        # Exactly at the limit is within it, and a second more is not.
        (-5.0, -1.0, None, "14400 s behind"),
        (-5.0 - 1 / 3600, -1.0, Reason.OVER_RPO, "14401 s behind"),
        # An old restore point that has its turn is no fault of the canary.
        (-100.0, -99.0, None, "3600 s behind"),
        # Data that was written while the backup ran.
        (-0.9, -1.0, None, "-360 s behind"),
        # A minute of skew is none, more of it is no age at all.
        (1 / 60, -1.0, None, "behind"),
        (1 / 60 + 1 / 3600, -1.0, Reason.CLOCK_SKEW, "behind"),
        (90.0, 91.0, Reason.CLOCK_SKEW, "behind"),
    ],
)
def test_the_age_of_what_came_back(
    heartbeat: float, taken: float, reason: Reason | None, seen: str
) -> None:
    check = age_check(NOW + heartbeat * HOUR, NOW + taken * HOUR, NOW, 4 * 3600.0)
    assert check.reason is reason
    assert seen in check.observed
