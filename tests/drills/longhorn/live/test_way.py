"""The whole way: volumes restored by Longhorn aside, read, compared, and taken away again."""

import datetime
import json
from typing import Any

from drills.frame import Record
from drills.longhorn.history import RESTORED, History
from drills.longhorn.live.objects import GROUP_LABEL
from drills.longhorn.live.part import BY_LONGHORN, PATH
from drills.longhorn.live.restores import MOUNT, RESTORE
from drills.verdict import Reason, Verdict
from tests.drills.longhorn.live.live_cluster import CLAIMS, CLASSES
from tests.drills.longhorn.live.live_site import LIVE, VERSION, LiveSite, live_payload
from tests.drills.longhorn.site import CANARY, CLAIM, NOW, OF_CANARY, OF_SHOP, RAW, run_through

MINUTE = datetime.timedelta(minutes=1)


def proven(record: Record) -> bool:
    return record.judgement().verdict is Verdict.PROVEN


def told(record: Record) -> str:
    return record.judgement().detail


def restored(record: Record) -> list[str]:
    return sorted(one.client for one in record.checks if one.check == RESTORED and one.ok)


def compared(record: Record) -> dict[str, int]:
    """By what and how; of equal ones the last."""
    return {f"{one.what}, {one.how.partition(' against ')[2]}": one.count
            for one in record.compared}  # fmt: skip


def aside(record: Record) -> dict[str, str]:
    return {one.what: one.why for one in record.not_compared}


def test_a_sound_site_is_proven_and_nothing_is_left(live: LiveSite) -> None:
    drill = live.make(live_payload())
    record = run_through(drill)
    assert proven(record), told(record)
    assert [one.name for one in record.phases] == [
        "find", "records", "coverage", "blocks", "rebuild", "restore", "read", "compare", "time",
        "clean up",
    ]  # fmt: skip
    assert restored(record) == [OF_CANARY, OF_SHOP]
    image = "the image that the drill itself rebuilt of the same backup"
    assert compared(record)[f"files of Longhorn's {OF_CANARY}, {image}"] == 6
    assert compared(record)[f"files of Longhorn's {OF_SHOP}, {image}"] == 6
    truth = "the truth its writer told the store"
    assert compared(record)[f"files of Longhorn's {OF_CANARY}, {truth}"] == 6
    assert drill.versions()["path"] == (
        f"read from the store; 2 volumes restored by Longhorn {VERSION} as well"
    )
    assert live.cluster.drilled() == []
    assert live.cluster.of("backups"), "no backup went with its copy"
    assert record.left == []


def test_what_was_read_is_kept_for_the_control_and_then_forgotten(live: LiveSite) -> None:
    drill = live.make(live_payload())
    run_through(drill)
    assert len(list(live.scratch.rglob("*.tree"))) == 4
    drill.forget()
    assert list(live.scratch.iterdir()) == []


def test_each_way_has_its_times_and_the_slower_one_counts(live: LiveSite) -> None:
    record = live.run_live()
    assert {RESTORE, MOUNT} < record.rto.keys()
    assert record.rto[RESTORE] >= 2 * live.cluster.seconds
    limits = {"rpoSeconds": 6 * 3600, "rtoSeconds": 2 * live.cluster.seconds + 10}
    assert proven(live.run_live(limits=limits))
    late = live.run_live(limits={**limits, "rtoSeconds": 2 * live.cluster.seconds})
    assert late.judgement().reason is Reason.OVER_RTO
    assert "out of the store alone" in told(late)


def test_a_volume_comes_back_as_one_that_no_job_backs_up(live: LiveSite) -> None:
    seen: dict[str, Any] = {}

    def look(method: str, path: str) -> None:
        if method == "GET" and path.endswith("/pods"):
            seen.update(live.cluster.objects)

    live.cluster.refuse = look
    live.run_live(live={**LIVE, "parameters": {"diskSelector": "slow"}, "volumes": 0})
    (made,) = (one for path, one in seen.items() if path.startswith(f"{CLASSES}/"))
    backup = live.url(OF_CANARY, "backup-c3")
    selector = json.dumps([{"name": "backstop-drill-none", "isGroup": True}])
    assert made["provisioner"] == "driver.longhorn.io"
    assert made["parameters"] == {
        "numberOfReplicas": "1", "staleReplicaTimeout": "30", "fromBackup": backup,
        "backupTargetName": "default", "recurringJobSelector": selector, "fsType": "ext4",
        "diskSelector": "slow",
    }  # fmt: skip
    assert (made["reclaimPolicy"], made["volumeBindingMode"]) == ("Delete", "Immediate")
    assert "allowVolumeExpansion" not in made
    (claim,) = (one for path, one in seen.items() if f"/{CLAIMS}/" in path)
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert claim["spec"]["resources"]["requests"]["storage"] == str(8 << 21)
    copies = [one for path, one in seen.items() if path.rpartition("/")[2] in live.cluster.made]
    assert any(GROUP_LABEL in (one["metadata"].get("labels") or {}) for one in copies)
    marked = [path for path, one in seen.items() if "drill-run" in json.dumps(one["metadata"])]
    assert {path.split("/")[-2] for path in marked} >= {
        "storageclasses", "namespaces", CLAIMS, "leases", "networkpolicies", "resourcequotas",
        "pods",
    }  # fmt: skip


def test_nothing_that_lives_is_written_to(live: LiveSite) -> None:
    live.run_live()
    strange = [
        path for _, path in live.cluster.writes
        if "backstop-drill-" not in path and path not in (CLASSES, "/api/v1/namespaces")
        and not path.endswith("/leases")
    ]  # fmt: skip
    assert strange == []


def test_a_reader_goes_where_the_workload_may_run(live: LiveSite) -> None:
    spec = {
        "nodeName": "n1", "nodeSelector": {"disk": "fast"}, "tolerations": [{"key": "db"}],
        "affinity": {"podAffinity": {}},
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": CLAIM}}],
    }  # fmt: skip
    live.cluster.objects[f"/api/v1/namespaces/{CANARY}/pods/canary-0"] = {
        "metadata": {"name": "canary-0", "namespace": CANARY}, "spec": spec,
        "status": {"phase": "Running"},
    }  # fmt: skip
    pods: list[dict[str, Any]] = []

    def look(_method: str, path: str) -> None:
        pods.extend(
            one for key, one in live.cluster.objects.items()
            if "/backstop-drill-" in path and "/pods/" in key and "reader" in key
        )  # fmt: skip

    live.cluster.refuse = look
    live.run_live(live={**LIVE, "volumes": 0})
    assert pods
    assert pods[0]["spec"]["nodeSelector"] == {"disk": "fast"}
    assert pods[0]["spec"]["tolerations"] == [{"key": "db"}]
    assert "affinity" not in pods[0]["spec"]


def test_a_run_restores_the_canary_and_so_many_others_as_it_is_told(live: LiveSite) -> None:
    for count, wanted in (
        (0, [OF_CANARY]),
        (1, [OF_CANARY, OF_SHOP]),
        (9, [OF_CANARY, OF_SHOP, RAW]),
    ):
        record = live.run_live(live={**LIVE, "volumes": count})
        assert proven(record), told(record)
        assert restored(record) == wanted
    full = live.run_live(depth="full")
    assert restored(full) == [OF_CANARY, OF_SHOP], "however many images are rebuilt"
    assert len(restored(live.run_live(canary=None))) == 1


def test_each_volume_has_its_turn_whatever_came_of_it(live: LiveSite) -> None:
    """By turns of its own: an image may be rebuilt by another rotation."""
    taken = []
    for day in range(4):
        record = live.run_live()
        others = [one for one in restored(record) if one != OF_CANARY]
        taken += others
        trials = (*live.history.restored, *((one, NOW - (9 - day) * MINUTE) for one in others))
        live.history = History(None, ((RAW, NOW - MINUTE),), trials)
    assert taken == [OF_SHOP, RAW, OF_SHOP, RAW]


def test_a_volume_in_turn_is_rebuilt_in_the_same_run(live: LiveSite) -> None:
    live.history = History(None, ((OF_SHOP, NOW - MINUTE), (RAW, NOW - 9 * MINUTE)),
                           ((OF_SHOP, NOW - 9 * MINUTE), (RAW, NOW - MINUTE)))  # fmt: skip
    record = live.run_live()
    assert restored(record) == [OF_CANARY, OF_SHOP]
    rebuilt = {one.client for one in record.checks if one.check == "rebuilt image"}
    assert rebuilt == {OF_CANARY, OF_SHOP, RAW}


def test_the_store_alone_is_read_where_that_is_asked_for(live: LiveSite) -> None:
    record = live.run_live(path="store")
    assert proven(record), told(record)
    assert "restore" not in [one.name for one in record.phases]
    assert BY_LONGHORN not in aside(record)
    assert live.cluster.writes == []


def test_where_it_cannot_be_the_receipt_says_why(live: LiveSite) -> None:
    for changes, why in (
        ({"live": None}, "the payload does not say how (live)"),
        ({"cluster": None, "canary": None}, "the payload does not say how (live)"),
    ):
        drill = live.make(live_payload(**changes))
        record = run_through(drill)
        assert proven(record), told(record)
        assert aside(record)[BY_LONGHORN] == why
        assert drill.versions()["path"] == PATH


def test_one_that_is_too_large_is_named(live: LiveSite) -> None:
    record = live.run_live(live={**LIVE, "mostBytes": 1})
    assert proven(record), told(record)
    assert restored(record) == []
    left = [what for what, why in aside(record).items() if "more than mostBytes allows" in why]
    assert left
    assert all(what.startswith("restore by Longhorn of") for what in left)


def test_a_longhorn_that_is_demanded_and_restores_nothing_is_red(live: LiveSite) -> None:
    assert proven(live.run_live(path="longhorn"))
    record = live.run_live(path="longhorn", live={**LIVE, "mostBytes": 1})
    assert record.judgement().reason is Reason.NOTHING_TO_CHECK


def test_without_longhorn_nothing_is_made_and_coverage_says_it(live: LiveSite) -> None:
    for path in [one for one in live.cluster.objects if "longhorn.io" in one]:
        del live.cluster.objects[path]

    def absent(_method: str, path: str) -> Any:
        missing = b'{"kind": "Status", "reason": "NotFound", "message": "not found", "code": 404}'
        return (404, missing) if "/longhorn.io/" in path else None

    live.cluster.refuse = absent
    record = live.run_live()
    assert record.judgement().reason is Reason.SCOPE_LOST
    assert aside(record)[BY_LONGHORN] == "Longhorn is not installed"
    assert live.cluster.writes == []
