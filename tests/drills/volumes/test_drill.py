"""The whole drill on a site in memory, phase by phase; its volumes are read for real."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drills.canary.truth import Fault, TruthError
from drills.frame import Phase, Record, run_phases
from drills.objects.keys import ObjectKey
from drills.sandbox import fence
from drills.sandbox.marks import Run
from drills.verdict import Reason, Verdict
from drills.volumes.drill import Lens, VolumesDrill
from kube.velero.api import name
from s3.errors import Cause, StoreError
from tests.drills.sandbox.runs import HOUR, NOW
from tests.drills.usable.samples import check
from tests.drills.volumes.drill_site import (
    CANARY,
    CLAIM,
    UID,
    VELERO,
    DrillSite,
    claim_of,
    moved,
    payload_of,
    run_through,
)
from tests.drills.volumes.reader_cluster import READY, Message

SKIPPED = {"backupMethod": "", "skippedReason": "no one asked", "result": "skipped",
           "snapshotDataMoved": False}  # fmt: skip
PHASES = ["find", "coverage", "prepare", "restore", "read", "compare", "use", "time", "clean up"]


@pytest.fixture
def site(tmp_path: Path) -> DrillSite:
    return DrillSite(tmp_path)


def red(record: Record) -> list[tuple[Reason | None, str]]:
    return [(one.reason, f"{one.client}: {one.observed}") for one in record.checks if not one.ok]


def reasons(record: Record) -> set[Reason | None]:
    return {reason for reason, _ in red(record)}


def why(record: Record, what: str) -> str:
    return next(one.why for one in record.not_compared if one.what == what)


def nothing_left(site: DrillSite) -> bool:
    spools = list(site.folder.glob("spool-*"))
    return not site.cluster.drilled() and not spools and site.forgotten == site.runs


def test_a_good_site_is_proven_and_nothing_is_left(site: DrillSite) -> None:
    record = site.run()
    assert red(record) == []
    assert record.judgement().verdict is Verdict.PROVEN
    assert [one.name for one in record.phases] == PHASES
    hows = {one.what: one.how for one in record.compared}
    assert "the truth its writer told the store" in hows[f"files of {CANARY}/{CLAIM}"]
    assert "the bytes that its backup counted" in hows["extent of shop/stock"]
    assert record.rto.keys() == {"fetch", "objects", "volumes"}
    # The backup is two hours old, and the canary wrote eight minutes before it.
    assert record.rpo_seconds == pytest.approx(7200 + 480)
    assert nothing_left(site)


def test_without_checks_it_is_named_that_nothing_was_started(site: DrillSite) -> None:
    assert "no check is configured" in why(site.run(), "restored workloads")


def test_with_a_check_the_workloads_are_what_is_asked(site: DrillSite) -> None:
    record = site.run(checks=[check("ready")])
    # The backup has no such workload: the check is asked, and finds that.
    assert reasons(record) == {Reason.SCOPE_LOST}
    assert "user check" in red(record)[0][1]
    assert not any(one.what == "restored workloads" for one in record.not_compared)
    assert nothing_left(site)


def test_a_damaged_canary_is_told(site: DrillSite) -> None:
    heartbeat = max(site.volumes[CLAIM].rglob("heartbeat.json"))
    heartbeat.write_bytes(heartbeat.read_bytes()[:-1] + b"!")
    record = site.run()
    assert record.judgement().reason is Reason.CONTENT_DIFFERS
    assert nothing_left(site)


def test_a_volume_of_another_size_is_told(site: DrillSite) -> None:
    (site.volumes["stock"] / "a").write_bytes(b"on")
    assert red(site.run()) == [(Reason.CONTENT_DIFFERS, "shop/stock: 7 bytes")]


def test_an_old_heartbeat_is_over_the_limit_and_the_point_is_not(site: DrillSite) -> None:
    record = site.run(limits={"rtoSeconds": 600, "rpoSeconds": 7201})
    assert record.judgement().verdict is Verdict.PROVEN, "it is eight minutes behind its point"
    record = DrillSite(site.folder / "late", beat_hours=30).run()
    assert reasons(record) == {Reason.OVER_RPO}
    assert record.rpo_seconds == pytest.approx(32 * 3600 - 120)


def test_a_truth_that_is_damaged_leaves_the_other_volumes_judged(site: DrillSite) -> None:
    site.truths.fault = TruthError(Fault.DIGEST, "the truth is damaged")
    record = site.run()
    assert reasons(record) == {Reason.NOTHING_TO_CHECK, Reason.TRUTH_UNUSABLE}
    assert record.judgement().reason is Reason.NOTHING_TO_CHECK
    assert any(one.what == "extent of shop/stock" for one in record.compared)
    assert record.rpo_seconds == 7200


def test_a_store_that_goes_away_ends_the_drill_and_leaves_nothing(site: DrillSite) -> None:
    site.truths.fault = StoreError(Cause.UNREACHABLE, "no answer")
    record = site.run()
    assert record.judgement().reason is Reason.STORE_UNREACHABLE
    assert [one.name for one in record.phases] == [*PHASES[:6], "clean up"]
    assert nothing_left(site)


def test_without_a_canary_every_volume_gets_the_weaker_proof(site: DrillSite) -> None:
    record = site.run(canary=None)
    assert red(record) == []
    assert {one.what for one in record.compared if "extent" in one.what} == {
        f"extent of {CANARY}/{CLAIM}", "extent of shop/stock"}  # fmt: skip
    assert site.truths.asked == []
    assert record.rpo_seconds == 7200


@pytest.mark.parametrize(
    ("listed", "reason", "said"),
    [
        # The backup tried, and it failed; or nobody ever asked for the data.
        ({"result": "failed"}, Reason.VOLUME_LOST, "its data-mover failed"),
        (SKIPPED, Reason.UNPROTECTED, "its data was left out (no one asked)"),
        (None, Reason.UNPROTECTED, "the backup knows nothing of its data"),
    ],
)
def test_a_claim_without_data_is_a_gap_unless_it_is_excused(
    site: DrillSite, listed: Mapping[str, Any] | None, reason: Reason, said: str
) -> None:
    site.lose("stock", listed=[] if listed is None else [moved("shop", "stock", **listed)])
    gap = (reason, f"shop/stock: {said}")
    assert gap in red(site.run())
    excuse = {"namespace": "shop", "claim": "st*", "why": "it is a cache"}
    record = site.run(exceptions=[excuse])
    assert red(record) == []
    assert why(record, "volume shop/stock") == "excused: it is a cache"
    other = {"namespace": "shop", "claim": "other", "why": "it is a cache"}
    assert gap in red(site.run(exceptions=[other]))


@pytest.mark.parametrize("tried", [True, False])
def test_a_claim_that_had_no_volume_yet_is_no_gap_unless_data_was_tried(
    site: DrillSite, tried: bool
) -> None:
    pending = {**claim_of("shop", "later"), "status": {"phase": "Pending"}}
    site.claims.append(pending)
    site.listed += [moved("shop", "later", result="failed")] if tried else []
    record = site.run()
    lost = (Reason.VOLUME_LOST, "shop/later: its data-mover failed")
    assert red(record) == ([lost] if tried else [])
    if not tried:
        assert "no volume yet" in why(record, "volume shop/later")


@pytest.mark.parametrize("checks", [[], [check("ready")]])
@pytest.mark.parametrize("listed", [{"result": "failed"}, SKIPPED, None])
def test_a_backup_with_claims_and_no_data_has_lost_it(
    site: DrillSite, listed: Mapping[str, Any] | None, checks: list[Any]
) -> None:
    site.listed = [
        moved(*key, **listed) for key in ((CANARY, CLAIM), ("shop", "stock")) if listed is not None
    ]
    record = site.run(checks=checks)
    assert record.judgement().reason is Reason.VOLUME_LOST
    # The survey is of the same mind, so that only the drill's own word tells.
    (own,) = (one for one in record.checks if one.check == "data of volumes")
    assert own.observed == "it holds no data of any of 2 claims"
    assert [one.name for one in record.phases] == ["find", "coverage", "prepare", "clean up"]
    assert site.cluster.changes == []
    assert nothing_left(site)


def test_where_every_gap_is_excused_there_is_nothing_to_check(site: DrillSite) -> None:
    site.listed = []
    record = site.run(exceptions=[{"namespace": "*", "why": "all of it is scratch"}])
    assert (record.judgement().verdict, record.judgement().reason) == (
        Verdict.UNPROVEN, Reason.NOTHING_TO_CHECK)  # fmt: skip


def test_a_site_without_volumes_has_nothing_to_check(site: DrillSite) -> None:
    site.listed, site.claims = [], []
    record = site.run(canary=None)
    assert record.judgement().reason is Reason.NOTHING_TO_CHECK


def copied(namespace: str, claim: str, handle: str, size: int = 0) -> dict[str, Any]:
    """What the backup's list says of a file-system copy through pod db-0."""
    part = {"size": size, "snapshotHandle": handle, "volumeName": "disk", "podName": "db-0",
            "podNamespace": namespace, "Phase": "Completed"}  # fmt: skip
    return {"pvcName": claim, "pvcNamespace": namespace, "pvName": f"pv-{claim}",
            "backupMethod": "PodVolumeBackup", "result": "succeeded", "pvbInfo": part}  # fmt: skip


def pod_of(claim: str) -> tuple[ObjectKey, dict[str, Any]]:
    volume = {"name": "disk", "persistentVolumeClaim": {"claimName": claim}}
    return ObjectKey("pods", "shop", "db-0"), {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "db-0", "namespace": "shop"},
        "spec": {"volumes": [volume]}, "status": {"phase": "Running"},
    }  # fmt: skip


def test_a_copy_of_nothing_is_named_and_no_loss(site: DrillSite) -> None:
    site.lose("stock", listed=[copied("shop", "stock", "")])
    record = site.run()
    assert red(record) == []
    assert why(record, "volume shop/stock") == "it was empty when it was saved"


def test_a_backup_of_copies_of_nothing_lost_nothing(site: DrillSite) -> None:
    site.lose("stock", CLAIM, listed=[copied("shop", "stock", "")])
    site.claims = [one for one in site.claims if name(one) == "stock"]
    record = site.run(canary=None)
    assert record.judgement().reason is Reason.NOTHING_TO_CHECK


def held_by(site: DrillSite, *, own: bool) -> None:
    """A volume that is restored through a pod, which stands there after the restore."""
    size = sum(one.stat().st_size for one in site.volumes["stock"].iterdir())
    site.lose("stock", listed=[copied("shop", "stock", "snapshot", size)])
    site.archived.append(pod_of("stock"))

    def restored(restore: dict[str, Any]) -> None:
        sandbox = restore["spec"]["namespaceMapping"]["shop"]
        labels = restore["metadata"]["labels"] if own else {}
        path = f"/api/v1/namespaces/{sandbox}/pods/db-0"
        site.cluster.put(path, {"metadata": {"labels": labels}, "status": READY})

    site.cluster.on_restore = restored


def test_a_copy_is_read_in_the_pod_it_was_restored_through(site: DrillSite) -> None:
    held_by(site, own=True)
    record = site.run()
    assert red(record) == []
    assert any(one.what == "extent of shop/stock" for one in record.compared)
    made = [path for method, path in site.cluster.changes if method == "POST" and "/pods" in path]
    assert len(made) == 1, "only the canary's volume needs a pod of the drill's own"


def test_a_pod_that_is_not_the_drills_is_not_read(site: DrillSite) -> None:
    held_by(site, own=False)
    record = site.run()
    assert reasons(record) == {Reason.RESTORE_FAILED}
    assert "does not bear the marks" in red(record)[0][1]


def test_a_volume_that_is_not_read_is_red_and_the_others_are_judged(site: DrillSite) -> None:
    site.cluster.fates["reader-stock"] = {"phase": "Failed", "reason": "Evicted"}
    record = site.run()
    assert len(red(record)) == 1
    assert red(record)[0][1].startswith("shop/stock: volume shop/stock cannot be read")
    assert record.phases[4].result == "1 of 2 volumes read"
    assert any(one.what == f"files of {CANARY}/{CLAIM}" for one in record.compared)


def test_an_unread_canary_is_told_once(site: DrillSite) -> None:
    site.cluster.fates[f"reader-{CLAIM}"] = {"phase": "Failed", "reason": "Evicted"}
    record = site.run()
    assert [text.partition(":")[0] for _, text in red(record)] == [f"{CANARY}/{CLAIM}"]
    assert record.rpo_seconds == 7200, "of the point, for no heartbeat came back"


def test_half_a_reading_is_no_volume(site: DrillSite) -> None:
    def cut(messages: list[Message]) -> list[Message]:
        return messages[:1]

    # The canary is read first; its second try goes wrong as well.
    site.acts += [cut, cut]
    record = site.run()
    assert [text.partition(":")[0] for _, text in red(record)] == [f"{CANARY}/{CLAIM}"]
    assert reasons(record) == {Reason.DRILL_FAILED}


def test_a_spool_that_is_damaged_later_is_no_volume(site: DrillSite) -> None:
    site.build()
    drill = site.drill()

    def damage(_record: Record) -> str:
        for one in site.folder.glob("spool-1/*.tree"):
            one.write_bytes(one.read_bytes()[:-10])
        return "damaged"

    record = disturbed(drill, "compare", damage)
    assert reasons(record) == {Reason.DRILL_FAILED}
    assert {one.check for one in record.checks if not one.ok} == {"digest tree"}
    assert nothing_left(site)


def disturbed(drill: VolumesDrill, before: str, act: Any) -> Record:
    """The record of a drill into which `act` comes before a phase."""
    phases = list(drill.phases())
    at = [one.name for one in phases].index(before)
    phases.insert(at, Phase("disturb", act))
    return run_phases("volumes", phases, drill.closing(), drill.clock, lambda _line: None)


def test_block_devices_are_named_and_not_read(site: DrillSite) -> None:
    site.add_volume("shop", "raw", {"x": b"1"}, volumeMode="Block")
    record = site.run()
    assert red(record) == []
    assert "raw block device" in why(record, "content of shop/raw")
    assert record.phases[4].result == "2 of 2 volumes read"


def test_where_only_block_devices_came_back_nothing_was_checked(site: DrillSite) -> None:
    site.claims, site.listed = [], []
    site.add_volume("shop", "raw", {"x": b"1"}, volumeMode="Block")
    record = site.run(canary=None)
    assert reasons(record) == {Reason.NOTHING_TO_CHECK}
    assert record.judgement().verdict is Verdict.UNPROVEN


@pytest.mark.parametrize("canary_first", [True, False])
def test_a_canary_that_did_not_come_back_is_lost(site: DrillSite, canary_first: bool) -> None:
    volumes = [{"name": "data", "claim": CLAIM}, {"name": "more", "claim": "gone"}]
    canary = {"namespace": CANARY, "bucket": "b", "prefix": "canary/",
              "volumes": volumes if canary_first else volumes[::-1]}  # fmt: skip
    assert red(site.run(canary=canary)) == [(Reason.VOLUME_LOST, f"{CANARY}/gone: not")]


def test_a_canary_whose_namespace_nobody_asked_for_is_named(site: DrillSite) -> None:
    record = site.run(namespaces=["shop"])
    assert red(record) == []
    assert why(record, f"canary volume {CANARY}/{CLAIM}") == "its namespace was not restored"


def test_a_failed_restore_ends_the_drill(site: DrillSite) -> None:
    site.cluster.restore_status = {"phase": "Failed", "failureReason": "no such thing"}
    site.results = None
    record = site.run()
    assert reasons(record) == {Reason.RESTORE_FAILED}
    assert [one.name for one in record.phases] == [*PHASES[:4], "clean up"]
    assert nothing_left(site)


def test_a_volume_that_velero_did_not_fill_is_told(site: DrillSite) -> None:
    def restored(restore: dict[str, Any]) -> None:
        site.cluster.put("/apis/velero.io/v2alpha1/namespaces/velero/datadownloads/one", {
            "metadata": {"labels": {"velero.io/restore-uid": restore["metadata"]["uid"]}},
            "spec": {"sourceNamespace": "shop", "targetVolume": {"namespace": "s", "pvc": "stock"}},
            "status": {"phase": "Failed", "message": "no repository"},
        })  # fmt: skip

    site.cluster.on_restore = restored
    assert (Reason.RESTORE_FAILED, "shop/stock: Failed: no repository") in red(site.run())


@pytest.mark.parametrize("file", ["volumeinfo", "podvolumebackups"])
def test_a_list_of_volumes_that_is_damaged_is_a_damaged_point(site: DrillSite, file: str) -> None:
    site.damaged[f"backups/daily-1/daily-1-{file}.json.gz"] = b"\x1f\x8b\x08 no gzip"
    record = site.run()
    assert record.judgement().reason is Reason.RESTORE_POINT_DAMAGED
    assert [one.name for one in record.phases] == ["find", "clean up"]
    assert site.cluster.changes == []


def test_a_truncated_archive_is_a_damaged_point(site: DrillSite) -> None:
    key = "backups/daily-1/daily-1.tar.gz"
    site.damaged[key] = site.store()[key][:-20]
    record = site.run()
    assert reasons(record) == {Reason.RESTORE_POINT_DAMAGED}
    assert nothing_left(site)


def dead_namespace(site: DrillSite) -> str:
    dead = Run("dev", "volumes", "dead", NOW - 5 * HOUR, NOW - 4 * HOUR)
    called = dead.name("shop")
    site.cluster.put(f"/api/v1/namespaces/{called}", fence.namespace(dead, called))
    return called


def test_in_another_cluster_nothing_is_made_nor_swept(site: DrillSite) -> None:
    called = dead_namespace(site)
    record = site.run(cluster={"kubeconfig": payload_kubeconfig(), "uid": "another"})
    assert record.judgement().reason is Reason.CLUSTER_MISMATCH
    assert [one.name for one in record.phases] == ["find", "clean up"]
    assert site.cluster.changes == []
    assert site.cluster.drilled() == [called]
    assert site.forgotten == 1
    # The cluster's own next drill does sweep it.
    assert red(run_through(site.drill())) == []
    assert nothing_left(site)


def payload_kubeconfig() -> str:
    return payload_of().cluster.kubeconfig.get_secret_value()


@pytest.mark.parametrize("before", ["coverage", "read", "compare", "time"])
def test_an_interrupt_leaves_neither_sandbox_nor_spool(site: DrillSite, before: str) -> None:
    site.build()

    def interrupt(_record: Record) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        disturbed(site.drill(), before, interrupt)
    assert nothing_left(site)


def test_what_was_read_is_forgotten_even_when_the_cluster_is_gone(site: DrillSite) -> None:
    site.build()
    drill = site.drill()

    def away(_record: Record) -> str:
        # What a torn connection comes to.
        site.cluster.broken = ConnectionResetError()
        return "gone"

    record = disturbed(drill, "use", away)
    assert record.judgement().reason is Reason.CLUSTER_UNREACHABLE
    assert list(site.folder.glob("spool-*")) == []


def test_a_spool_that_does_not_go_keeps_no_sandbox(site: DrillSite) -> None:
    site.build()
    drill = site.drill()

    def refuse() -> None:
        raise PermissionError

    stuck = VolumesDrill(drill.course, replace(drill.edges, forget=refuse))
    record = run_through(stuck)
    assert reasons(record) == {Reason.DRILL_FAILED}
    assert site.cluster.drilled() == []


def test_a_drill_that_only_looks_makes_nothing(site: DrillSite) -> None:
    site.build()
    drill = site.drill()
    record = run_through(VolumesDrill(drill.course, drill.edges, restores=False))
    assert [one.name for one in record.phases] == ["find", "coverage", "clean up"]
    assert record.judgement().verdict is Verdict.PROVEN
    assert site.cluster.changes == []


def test_a_slow_restore_is_over_the_limit(site: DrillSite) -> None:
    site.cluster.on_restore = lambda _restore: site.cluster.time.pass_by(601.0)
    record = site.run()
    assert reasons(record) == {Reason.OVER_RTO}
    assert record.rto["objects"] == pytest.approx(601.0)


def test_reading_and_comparing_are_no_part_of_the_time_to_usable(site: DrillSite) -> None:
    def slow(messages: list[Message]) -> list[Message]:
        return [50.0, *messages]

    site.acts += [slow, slow]
    record = site.run()
    assert red(record) == []
    assert site.cluster.time.now >= 100
    assert sum(record.rto.values()) == 0.0


def test_the_lens_stands_before_the_list_of_volumes_and_the_cluster(site: DrillSite) -> None:
    site.build()
    blind = Lens(live=lambda live: replace(live, schedules=[]))
    assert Reason.UNPROTECTED in reasons(run_through(site.drill(blind)))
    deaf = Lens(records=lambda records: [one for one in records if one.claim != "stock"])
    assert reasons(run_through(site.drill(deaf))) == {Reason.UNPROTECTED}
    assert UID not in str(site.told)


def test_a_second_run_that_is_alive_is_waited_for(site: DrillSite) -> None:
    site.build()
    other = Run("dev", "volumes", "other", NOW, NOW + HOUR)
    called = other.name("shop")
    site.cluster.put(f"/api/v1/namespaces/{called}", fence.namespace(other, called))
    record = run_through(site.drill())
    assert record.judgement().reason is Reason.TARGET_REFUSED
    assert site.cluster.drilled() == [called]
    assert not any(path.startswith(f"{VELERO}/restores") for _, path in site.cluster.changes)


def test_a_volume_that_was_not_filled_is_not_waited_for(site: DrillSite) -> None:
    said = "data path restore failed: error to copy: unable to open object: BLOB not found"

    def fail(_restore: dict[str, Any]) -> None:
        for place, one in site.cluster.objects.items():
            if place[2] == "datadownloads" and one["spec"]["targetVolume"]["pvc"] == "stock":
                one["status"] = {"phase": "Failed", "message": said}

    site.cluster.on_restore = fail
    record = site.run()
    assert record.judgement().reason is Reason.RESTORE_POINT_DAMAGED
    red = [one for one in record.checks if not one.ok]
    assert {one.client for one in red} == {"shop/stock"}
    assert any("BLOB not found" in one.observed for one in red)
    assert not any("reading it" in line for line in site.told if "shop/stock" in line)


def test_a_volume_that_velero_says_nothing_of_was_not_filled(site: DrillSite) -> None:
    def forget(_restore: dict[str, Any]) -> None:
        gone = [place for place in site.cluster.objects if place[2] == "datadownloads"]
        for place in gone:
            del site.cluster.objects[place]

    site.cluster.on_restore = forget
    record = site.run()
    assert record.judgement().reason is Reason.RESTORE_FAILED
    assert any("there is no record of one" in one.observed for one in record.checks)
