"""What can go wrong while Longhorn restores: each has its verdict, and nothing is left of it."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from drills.frame import Record
from drills.longhorn.history import RESTORED, TURN_USED
from drills.verdict import Check, Reason
from tests.drills.longhorn.live.live_cluster import CLASSES, NAMESPACES
from tests.drills.longhorn.live.live_site import LIVE, LiveSite, live_payload
from tests.drills.longhorn.live.test_way import aside, proven, restored, told
from tests.drills.longhorn.site import OF_CANARY, OF_SHOP, run_through
from tests.kube.fakes import status
from tests.kube.longhorn.cluster import ROOT

ONLY_CANARY = {**LIVE, "volumes": 0}
BACKUP = f"{ROOT}backups/backup-c3"


def run(live: LiveSite, **changes: Any) -> Record:
    return live.run_live(**{"live": ONLY_CANARY, **changes})


def of_restore(record: Record) -> Check:
    (found,) = (one for one in record.checks if one.check == RESTORED)
    return found


def is_red(live: LiveSite, record: Record, reason: Reason, said: str) -> None:
    """Red with this reason, and the cluster is as it was."""
    assert record.judgement().reason is reason, told(record)
    assert said in told(record)
    assert live.cluster.drilled() == []
    assert list(live.scratch.iterdir()) == []


def condition(kind: str, reason: str, message: str) -> Mapping[str, Any]:
    return {"conditions": [{"type": kind, "status": "False", "reason": reason, "message": message}]}


def test_a_restore_that_never_ends(live: LiveSite) -> None:
    live.cluster.seconds = 1e9
    record = run(live)
    is_red(live, record, Reason.RESTORE_TIMEOUT, "after 600 s volume pvc-uid-")
    assert "is still attached, healthy, still to be filled" in told(record)


def test_a_restore_that_longhorn_gives_up(live: LiveSite) -> None:
    said = condition("Restore", "RestoreFailure", "all replicas failed")
    live.cluster.volume_status = {"restoreRequired": True, **said}
    record = run(live)
    is_red(live, record, Reason.RESTORE_FAILED, "Longhorn gave up on volume")
    assert "all replicas failed" in told(record)
    assert live.cluster.now < 60, "it is not waited for"


def test_a_volume_that_is_faulted(live: LiveSite) -> None:
    live.cluster.volume_status = {"robustness": "faulted"}
    is_red(live, run(live), Reason.RESTORE_FAILED, "no replica of it is usable")


def test_no_node_has_room(live: LiveSite) -> None:
    said = condition("Scheduled", "ReplicaSchedulingFailure", "insufficient storage")
    live.cluster.volume_status = {"restoreRequired": True, "state": "detached", **said}
    record = run(live)
    is_red(live, record, Reason.TARGET_REFUSED, "no node has room for volume")
    assert "insufficient storage" in told(record)
    assert 60 <= live.cluster.now < 120


def test_a_claim_that_is_never_bound_is_told_with_its_event(live: LiveSite) -> None:
    live.cluster.bind = False

    def tell() -> None:
        for path in [one for one in live.cluster.objects if "/persistentvolumeclaims/" in one]:
            live.cluster.objects[f"{NAMESPACES}/{path.split('/')[4]}/events/e1"] = {
                "metadata": {"name": "e1", "creationTimestamp": "2026-11-03T12:00:00Z"},
                "type": "Warning", "reason": "ProvisioningFailed", "message": "no backup target",
            }  # fmt: skip

    live.cluster.always = tell
    record = run(live)
    is_red(live, record, Reason.RESTORE_FAILED, "got no volume within 300 s: ProvisioningFailed")
    assert "no backup target" in told(record)


def test_a_claim_of_which_nothing_is_said(live: LiveSite) -> None:
    live.cluster.bind = False
    is_red(live, run(live), Reason.RESTORE_FAILED, "no event says why")


def test_a_bound_claim_without_a_volume(live: LiveSite) -> None:
    def forget() -> None:
        live.cluster.act()
        for name in live.cluster.made:
            live.cluster.objects.pop(f"{ROOT}volumes/{name}", None)

    live.cluster.always = forget
    is_red(live, run(live), Reason.RESTORE_FAILED, "whose claim is bound")
    assert live.cluster.now < 120


@pytest.mark.parametrize(
    ("source", "said"),
    [("", "its fromBackup is empty"), ("s3://b@r/?backup=x&volume=y", "made of another backup")],
)
def test_a_volume_that_was_not_made_of_the_backup(live: LiveSite, source: str, said: str) -> None:
    live.cluster.made_of = source
    record = run(live)
    assert record.judgement().reason is Reason.RESTORE_FAILED
    assert said in told(record)


def edited(live: LiveSite, **held: Any) -> None:
    live.cluster.objects[BACKUP]["status"].update(held)


def without(live: LiveSite) -> None:
    del live.cluster.objects[BACKUP]


def being_deleted(live: LiveSite) -> None:
    live.cluster.objects[BACKUP]["metadata"]["deletionTimestamp"] = "2026-11-03T12:00:00Z"


@pytest.mark.parametrize(
    ("plant", "reason", "said"),
    [
        (without, Reason.RESTORE_POINT_MISSING, "has no object in the cluster"),
        (being_deleted, Reason.RESTORE_POINT_MISSING, "is being deleted"),
        (lambda live: edited(live, state="Deleting"), Reason.RESTORE_POINT_MISSING,
         "is being deleted"),
        (lambda live: edited(live, state="Error", error="lost the store"),
         Reason.RESTORE_POINT_UNFINISHED, "is Error: lost the store"),
        (lambda live: edited(live, state="InProgress"), Reason.RESTORE_POINT_UNFINISHED,
         "is InProgress"),
        (lambda live: edited(live, url=""), Reason.RESTORE_POINT_UNFINISHED, "a URL that is none"),
        (lambda live: edited(live, url="s3://elsewhere@r/?backup=backup-c3&volume=pvc-canary"),
         Reason.SCOPE_LOST, "names another place"),
        (lambda live: edited(live, volumeSize=""), Reason.RESTORE_POINT_UNFINISHED,
         "does not say how large"),
        (lambda live: edited(live, backupTargetName="offsite"), Reason.RESTORE_POINT_MISSING,
         "has no object in the cluster"),
    ],
    ids=["missing", "being deleted", "deleting", "error", "unfinished", "no url", "elsewhere",
         "no size", "another target's"],
)  # fmt: skip
def test_a_backup_that_the_cluster_cannot_restore(
    live: LiveSite, plant: Callable[[LiveSite], None], reason: Reason, said: str
) -> None:
    plant(live)
    record = run(live)
    is_red(live, record, reason, said)
    assert live.cluster.writes == [], "nothing is made for it"


def test_a_backup_that_retention_took_meanwhile_is_no_fault(live: LiveSite) -> None:
    being_deleted(live)
    live.cluster.backup("backup-c4", OF_CANARY, live.url(OF_CANARY, "backup-c4"))
    assert run(live).judgement().reason is Reason.RESTORE_POINT_MISSING, "the store has it still"
    taken: list[str] = []

    def look(_method: str, path: str) -> None:
        if path == f"{ROOT}backups" and not taken:
            record = next(live.store.rglob("backup_backup-c3.cfg"))
            record.unlink()
            taken.append(path)

    live.cluster.refuse = look
    record = run(live)
    assert proven(record), told(record)
    assert aside(record)[f"{TURN_USED}{OF_CANARY}"] == "backup backup-c3 was deleted meanwhile"


@pytest.mark.parametrize(
    ("held", "said"),
    [({"labels": {"volume-encrypted": "enabled"}}, "encrypted"),
     ({"volumeBackingImageName": "golden"}, "on backing image golden")],
)  # fmt: skip
def test_what_longhorn_needs_more_for_is_named(live: LiveSite, held: Any, said: str) -> None:
    edited(live, **held)
    record = run(live)
    assert proven(record), told(record)
    assert said in aside(record)[f"{TURN_USED}{OF_CANARY}"]


def test_an_image_that_is_not_read_here_is_named_and_not_restored(live: LiveSite) -> None:
    from drills.images.errors import unsupported  # noqa: PLC0415

    live.images.fault = unsupported("the image", "it is of another world")
    record = run(live)
    assert restored(record) == []
    assert "it is of another world" in aside(record)[f"{TURN_USED}{OF_CANARY}"]
    assert live.cluster.writes == []


def test_a_backup_whose_blocks_are_lost_is_not_restored(live: LiveSite) -> None:
    for block in live.store.glob(f"backupstore/volumes/*/*/{OF_CANARY}/blocks/*/*/*.blk"):
        block.unlink()
    record = run(live)
    assert record.judgement().reason is Reason.BLOCK_LOST
    assert "no image of it was rebuilt" in aside(record)[f"{TURN_USED}{OF_CANARY}"]
    assert live.cluster.writes == []


def test_a_reader_without_its_image(live: LiveSite) -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    held = {"name": "idle", "image": "python:1", "state": {"waiting": waiting}}
    live.cluster.pod_status = {"phase": "Pending", "containerStatuses": [held]}
    record = run(live)
    is_red(live, record, Reason.DRILL_FAILED, "ImagePullBackOff")
    assert "give the drill a reader image" in told(record)


def test_a_volume_that_is_not_mounted(live: LiveSite) -> None:
    live.cluster.pod_status = {"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "taints"}
    ]}  # fmt: skip
    is_red(live, run(live), Reason.TARGET_REFUSED, "make room on a node")


def test_a_reading_that_fails(live: LiveSite) -> None:
    live.acts = [lambda _messages: [(2, b"no python"), (3, b"")] for _ in range(3)]
    record = run(live)
    assert record.judgement().reason is Reason.DRILL_FAILED
    assert live.cluster.drilled() == []


def test_one_volume_that_fails_does_not_hide_the_others(live: LiveSite) -> None:
    without(live)
    record = live.run_live()
    assert record.judgement().reason is Reason.RESTORE_POINT_MISSING
    assert restored(record) == [OF_SHOP]


def altered(live: LiveSite) -> None:
    page = live.file(OF_CANARY)
    page.write_bytes(page.read_bytes()[:-1] + b"\x00")


def lost(live: LiveSite) -> None:
    live.file(OF_CANARY).unlink()


def added(live: LiveSite) -> None:
    (live.copy(OF_CANARY) / "more").write_bytes(b"more")


def opened_up(live: LiveSite) -> None:
    live.file(OF_CANARY).chmod(0o777)


@pytest.mark.parametrize(
    ("plant", "reason"),
    [(altered, Reason.CONTENT_DIFFERS), (lost, Reason.FILE_LOST), (added, Reason.FILE_ADDED),
     (opened_up, Reason.METADATA_DIFFERS)],
    ids=["altered", "lost", "added", "opened up"],
)  # fmt: skip
def test_what_longhorn_brought_back_otherwise_is_noticed(
    live: LiveSite, plant: Callable[[LiveSite], None], reason: Reason
) -> None:
    plant(live)
    is_red(live, run(live), reason, f"Longhorn's {OF_CANARY}")


def test_a_volume_without_a_canary_is_held_against_its_image(live: LiveSite) -> None:
    page = live.file(OF_SHOP)
    page.write_bytes(b"\x00" * page.stat().st_size)
    record = live.run_live()
    assert record.judgement().reason is Reason.CONTENT_DIFFERS
    assert f"Longhorn's {OF_SHOP}" in told(record)


def test_lost_and_found_is_made_anew_by_a_mount(live: LiveSite) -> None:
    (live.copy(OF_CANARY) / "lost+found").mkdir()
    record = run(live)
    assert proven(record), told(record)


@pytest.mark.parametrize("kind", ["namespaces", "storageclasses", "persistentvolumeclaims"])
def test_a_cluster_that_refuses_an_object(live: LiveSite, kind: str) -> None:
    def refuse(method: str, path: str) -> Any:
        said = 'admission webhook "x" denied the request'
        return status(403, said) if method == "POST" and path.endswith(kind) else None

    live.cluster.refuse = refuse
    record = run(live)
    assert record.judgement().reason is Reason.RESTORE_FAILED
    assert "webhook" in told(record)
    assert live.cluster.drilled() == []


def test_an_api_server_that_is_away_for_a_moment(live: LiveSite) -> None:
    def away(method: str, path: str) -> Any:
        if method == "GET" and "volumes/pvc-uid" in path and 4 < live.cluster.now < 100:
            return status(503, "starting")
        return None

    live.cluster.refuse = away
    record = run(live)
    assert proven(record), told(record)
    assert live.cluster.now > 100


def test_an_api_server_that_goes_away_for_good(live: LiveSite) -> None:
    gone: list[float] = []

    def away(_method: str, path: str) -> Any:
        if gone or "volumes/pvc-uid" in path:
            gone.append(live.cluster.now)
            return status(503, "starting")
        return None

    live.cluster.refuse = away
    record = run(live)
    assert record.judgement().reason is Reason.CLUSTER_UNREACHABLE
    assert gone[-1] - gone[0] < 600, "it is not waited for as long as a restore may take"
    # The next run finds a Lease that nobody renews, and clears all away.
    live.cluster.refuse = lambda _method, _path: None
    record = run(live)
    assert proven(record), told(record)
    assert live.cluster.drilled() == []


def test_a_drill_whose_time_is_over(live: LiveSite) -> None:
    live.cluster.seconds = 1e9

    def late(_method: str, _path: str) -> None:
        if live.cluster.now > 100:
            live.stop.set()

    live.cluster.refuse = late
    record = run(live)
    is_red(live, record, Reason.RESTORE_TIMEOUT, "drillSeconds")
    assert live.cluster.now < 600


def test_another_cluster_is_not_touched(live: LiveSite) -> None:
    live.cluster.objects["/api/v1/namespaces/kube-system"]["metadata"]["uid"] = "another"
    record = run(live)
    assert record.judgement().reason is Reason.CLUSTER_MISMATCH
    assert live.cluster.writes == []


def test_a_namespace_that_is_there_is_somebodys(live: LiveSite) -> None:
    live.cluster.put(NAMESPACES, "backstop-drill-000000000001-longhorn")
    record = run(live)
    assert record.judgement().reason is Reason.TARGET_REFUSED
    assert "bears no mark of a drill" in told(record)
    assert any("backstop-drill-000000000001-longhorn" in one for one in live.cluster.objects)
    assert not [path for method, path in live.cluster.writes if path == CLASSES]


def test_a_class_that_is_there_is_somebodys(live: LiveSite) -> None:
    called = f"backstop-drill-000000000001-{OF_CANARY}"
    live.cluster.put(CLASSES, called, provisioner="x", parameters={})
    record = run(live)
    assert record.judgement().reason is Reason.TARGET_REFUSED
    assert f"{CLASSES}/{called}" in live.cluster.objects
    assert live.cluster.objects[f"{CLASSES}/{called}"]["provisioner"] == "x"


def test_a_backup_that_went_with_its_copy_is_told(live: LiveSite) -> None:
    def delete(method: str, path: str) -> None:
        if method == "DELETE" and "persistentvolumeclaims" in path:
            live.cluster.objects.pop(BACKUP, None)

    live.cluster.refuse = delete
    record = run(live)
    assert record.judgement().reason is Reason.RESTORE_POINT_DAMAGED
    assert "after the clean up" in told(record)


@pytest.mark.parametrize("part", ["volume", "class", "namespace", "claim"])
def test_what_does_not_go_is_debris(live: LiveSite, part: str) -> None:
    names = {
        "class": f"backstop-drill-000000000001-{OF_CANARY}", "claim": OF_CANARY,
        "namespace": "backstop-drill-000000000001-longhorn",
    }  # fmt: skip
    drill = live.make(live_payload(ONLY_CANARY))

    def stay() -> None:
        live.cluster.staying = {names[part]} if part in names else set(live.cluster.made)
        live.cluster.act()

    live.cluster.always = stay
    live.cluster.staying = {names.get(part, "")}
    record = run_through(drill)
    drill.forget()
    assert record.judgement().reason is Reason.DEBRIS_LEFT, told(record)
    assert record.left
    # The Lease stays, without a holder: what is found is nobody's any more.
    live.cluster.staying = set()
    live.cluster.always = live.cluster.act
    record = run(live)
    assert proven(record), told(record)
    assert live.cluster.drilled() == []
