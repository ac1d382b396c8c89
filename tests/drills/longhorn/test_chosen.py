"""Of which volumes an image is rebuilt: each has its turn."""

import datetime
import json

import pytest

from drills.backupstore.records import Compression, VolumeRecord
from drills.longhorn.chosen import canaries, in_turn, with_data
from drills.longhorn.history import History
from drills.longhorn.lineage import Kept, Lineage
from drills.longhorn.origin import claim_of
from drills.volumes.payload import CanaryTruth, CanaryVolume

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def lineage(
    name: str, *, backups: int = 1, label: str = "{}", age: datetime.timedelta = 0 * DAY
) -> Lineage:
    record = VolumeRecord(
        name, 1 << 21, NOW - 100 * DAY, "backup-0", NOW, 1, Compression.LZ4, "", "", "v1",
        {"KubernetesStatus": label},
    )  # fmt: skip
    taken = NOW - age
    kept = [Kept(f"backup-{number}", taken, taken, 1, 1 << 21) for number in range(backups)]
    return Lineage(name, record, kept)


NAMES = ["pvc-a", "pvc-b", "pvc-c", "pvc-d"]
VOLUMES = [lineage(name) for name in NAMES]


@pytest.mark.parametrize("every", [1, 7])
def test_without_receipts_the_turn_goes_round_with_the_days(every: int) -> None:
    runs = [NOW + number * every * DAY for number in range(len(NAMES))]
    assert sorted(str(in_turn(VOLUMES, History(), now, every)) for now in runs) == NAMES


def test_with_receipts_it_is_the_one_that_has_waited_longest() -> None:
    trials: list[tuple[str, datetime.datetime]] = []
    chosen = []
    for number in range(2 * len(NAMES)):
        now = NOW + number * DAY
        history = History(None, (("pvc-a", NOW - DAY), *trials))
        turn = in_turn(VOLUMES, history, now, 1)
        assert turn is not None
        chosen.append(turn)
        trials.append((turn, now))
    assert sorted(chosen[:4]) == NAMES
    assert chosen[:4] == chosen[4:]


def test_receipts_of_other_volumes_tell_nothing() -> None:
    history = History(None, (("pvc-gone", NOW - DAY),))
    assert in_turn(VOLUMES, history, NOW, 1) == in_turn(VOLUMES, History(), NOW, 1)


def test_no_volume_has_no_turn() -> None:
    assert in_turn([], History(), NOW, 1) is None


def test_only_what_has_a_backup_and_lives_is_rebuilt() -> None:
    empty, lost = lineage("pvc-empty", backups=0), Lineage("pvc-lost", None)
    held = [*VOLUMES, empty, lost]
    assert with_data(held, None) == VOLUMES
    assert [one.volume for one in with_data(held, {"pvc-b", "pvc-empty"})] == ["pvc-b"]


def test_a_record_tells_whose_volume_it_was() -> None:
    canary = CanaryTruth(
        namespace="canary", bucket="b", prefix="",
        volumes=(CanaryVolume(name="files", claim="beats"), CanaryVolume(name="x", claim="none")),
    )  # fmt: skip
    label = json.dumps({"namespace": "canary", "pvcName": "beats"})
    held = {"default": [lineage("pvc-1", label=label)]}
    assert canaries(canary, None, held) == ({"default": {"pvc-1": "files"}}, [("canary", "none")])
    assert canaries(None, None, held) == ({}, [])
    # A volume that was moved to another target left its old backups where they were.
    moved = {"default": [lineage("pvc-2", label=label, age=DAY)],
             "archive": [lineage("pvc-2", label=label)]}  # fmt: skip
    for given in (moved, dict(reversed(moved.items()))):
        assert canaries(canary, None, given)[0] == {"archive": {"pvc-2": "files"}}


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ('{"namespace": "shop", "pvcName": "data", "pvName": "pvc-1"}', ("shop", "data")),
        ("{}", None),
        ("", None),
        ("[]", None),
        ("{", None),
        ('{"namespace": "shop"}', None),
        ('{"namespace": 1, "pvcName": []}', None),
        ("[" * 100_000, None),
    ],
    ids=["whole", "empty", "none", "a list", "torn", "half", "no texts", "nested"],
)
def test_what_longhorn_noted_of_a_claim_is_read_without_trust(
    text: str, claim: tuple[str, str] | None
) -> None:
    assert claim_of({"KubernetesStatus": text}) == claim
    assert claim_of({}) is None
