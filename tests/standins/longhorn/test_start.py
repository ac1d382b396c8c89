"""What is there after the start, and what a rest costs."""

import threading
import time

import pytest

from standins.longhorn import defaults
from standins.longhorn.kinds import (
    BACKUP,
    BACKUP_VOLUME,
    JOB,
    NODE,
    SETTING,
    SNAPSHOT,
    SYSTEM_BACKUP,
    TARGET,
    VOLUME,
)
from standins.longhorn.tasks import Tasks
from standins.longhorn.volumes import Volumes
from tests.standins.longhorn.sites import NAMESPACE, Bench


def test_settings_node_and_default_target_are_made(bench: Bench) -> None:
    bench.turn()
    assert set(bench.api.names(SETTING)) == set(defaults.SETTINGS)
    assert bench.api.get(SETTING, "current-longhorn-version")["value"] == "v1.12.1+stand-in"
    assert bench.api.get(SETTING, "current-longhorn-version")["status"] == {"applied": True}
    target = bench.api.get(TARGET, "default")
    assert target["spec"] == {
        "backupTargetURL": "",
        "credentialSecret": "",
        "pollInterval": "5m0s",
    }
    node = bench.api.get(NODE, "cp1")
    assert {one["type"]: one["status"] for one in node["status"]["conditions"]} == dict.fromkeys(
        defaults.CONDITIONS, "True"
    )
    assert {one["message"] for one in node["status"]["conditions"]} == {defaults.STAND_IN}


def test_the_version_that_an_older_one_left_is_corrected(bench: Bench) -> None:
    bench.turn()
    bench.api.patch(SETTING, NAMESPACE, "current-longhorn-version", {"value": "v1.11.0"}, "")
    bench.turn()
    assert bench.api.get(SETTING, "current-longhorn-version")["value"] == "v1.12.1+stand-in"


def test_what_somebody_set_stays(bench: Bench) -> None:
    bench.turn()
    bench.api.patch(SETTING, NAMESPACE, "backup-compression-method", {"value": "gzip"})
    bench.turn()
    assert defaults.setting(bench.site.cluster, "backup-compression-method") == "gzip"
    bench.api.patch(SETTING, NAMESPACE, "backup-concurrent-limit", {"value": "many"})
    bench.turn()
    assert defaults.number(bench.site.cluster, "backup-concurrent-limit") == 2


def test_at_rest_nothing_is_written(bench: Bench) -> None:
    bench.give_volume("pvc-a")
    bench.give_volume("pvc-b", running=False)
    bench.give_target()
    bench.ask_backup("pvc-a", "backup-1")
    bench.api.put(
        JOB,
        {"metadata": {"name": "nightly"}, "spec": {"task": "backup", "cron": "0 0 * * *"}},
        namespace=NAMESPACE,
    )
    bench.turn()
    bench.api.requests.clear()
    assert bench.turn() == 60 - bench.clock.now.second, "the next minute, for the job's sake"
    assert bench.api.requests == []
    bench.restart()
    bench.turn()
    changes = [one for one in bench.api.requests if one[1] != "BackupTarget"]
    assert changes == [], "a new process finds everything as it should be, and asks the target"


def test_objects_that_nobody_foresaw_stop_nothing(bench: Bench) -> None:
    bench.give_volume("pvc-a")
    bench.give_target()
    odd: dict[str, object] = {"metadata": {"name": "odd"}}
    for kind in (SNAPSHOT, BACKUP, JOB, VOLUME, BACKUP_VOLUME, TARGET):
        bench.api.put(kind, {**odd, "spec": {"labels": None, "groups": None}}, namespace=NAMESPACE)
    bench.turn()
    bench.api.patch(VOLUME, NAMESPACE, "pvc-a", {"spec": {"size": "much", "backupBlockSize": "x"}})
    bench.ask_backup("pvc-a", "backup-1")
    assert bench.api.get(SNAPSHOT, "snap-backup-1")["status"]
    bench.api.patch(VOLUME, NAMESPACE, "pvc-a", {"spec": {"size": str(32 << 20)}})
    bench.ask_backup("pvc-a", "backup-2")
    assert bench.api.get(BACKUP, "backup-2")["status"]["state"] == "Completed"


def test_a_part_that_fails_does_not_stop_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(_volumes: object) -> None:
        raise KeyError("something")

    monkeypatch.setattr(Volumes, "turn", failing)
    bench.restart()
    assert bench.turn() == 2.0
    assert bench.api.has(TARGET, "default")
    assert "a turn failed" in caplog.text


def test_a_piece_that_fails_waits_before_it_may_begin_again() -> None:
    changed = threading.Event()
    tasks = Tasks(2, changed, pause=2.0)
    ran: list[str] = []

    def failing() -> None:
        ran.append("failing")
        raise KeyError("something")

    assert tasks.start("one", failing, alone="pvc-a")
    assert not tasks.start("one", failing, alone="pvc-a")
    assert not tasks.start("two", failing, alone="pvc-a"), "alone with the volume"
    assert tasks.start("three", lambda: ran.append("three"), alone="pvc-b")
    assert tasks.runs("one")
    assert changed.wait(5)
    deadline = time.monotonic() + 15
    while tasks.runs("one") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sorted(ran) == ["failing", "three"]
    assert tasks.start("one", lambda: None)


def test_a_system_backup_is_not_made_and_says_so(bench: Bench) -> None:
    bench.api.put(SYSTEM_BACKUP, {"metadata": {"name": "one"}, "spec": {}}, namespace=NAMESPACE)
    bench.turn()
    status = bench.api.get(SYSTEM_BACKUP, "one")["status"]
    assert status["state"] == "Error"
    assert "makes no system backups" in status["conditions"][0]["message"]
