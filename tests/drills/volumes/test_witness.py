"""Volumes of running workloads read around a backup: what is kept, and what is left behind."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drills.backup.truths import NotKeptError
from drills.sandbox.marks import PREFIX
from drills.volumes import live_pod, witness
from drills.volumes.digest_file import DigestsError
from drills.volumes.digest_index import Chosen, Index, Volume, parse, render
from drills.volumes.meanwhile import Seen
from drills.volumes.witness import LEAST_SECONDS, PATIENCE_SECONDS, READY_SECONDS, Witness
from kube.errors import Cause, ClusterError
from kube.pods.channels import BrokenError
from tests.drills.canary.canaries import SITE
from tests.drills.sandbox.runs import run
from tests.drills.volumes.drill_site import UID, DrillSite
from tests.drills.volumes.live_site import BACKUP, STOCK, LiveSite, everywhere

PODS = "/api/v1/namespaces/shop/pods"


@pytest.fixture
def live(tmp_path: Path) -> LiveSite:
    return LiveSite(DrillSite(tmp_path))


def nothing() -> object:
    return None


def around(
    live: LiveSite, *chosen: Chosen, meanwhile: Callable[[], object] = nothing
) -> dict[str, Any]:
    """What is told of a backup that was read around."""
    found = live.witness(chosen or (STOCK,))
    found.before(everywhere)
    meanwhile()
    return found.after(BACKUP)


def unread(live: LiveSite, *chosen: Chosen, **more: Any) -> str:
    """Why shop/stock has no digests; the backup goes on all the same."""
    told = around(live, *chosen, **more)
    assert told["volumes"] == 0
    assert live.readers() == []
    index = live.kept().index(BACKUP)
    assert index is not None
    (volume,) = index.volumes
    assert (volume.place, volume.sha256) == ("shop/stock", "")
    assert told["unread"] == {"shop/stock": volume.why}
    return volume.why


def test_a_volume_at_rest_is_kept_whole(live: LiveSite) -> None:
    told = around(live)
    assert told == {"volumes": 1, "files": 2, "bytes": 8, "unread": {}}
    lines = live.lines()
    assert set(lines) == {b"", b"a", b"b"}
    assert {one.seen for one in lines.values()} == {Seen.STRICT}
    head = live.file().head()
    assert (head.cluster_uid, head.backup, head.place) == (UID, BACKUP, "shop/stock")
    assert (head.claim_uid, head.volume) == ("uid-stock", "pv-stock")
    assert head.before[0] <= head.before[1] <= head.after[0] <= head.after[1]


def test_what_is_kept_is_for_its_owner_alone(live: LiveSite) -> None:
    around(live)
    kept = [one for one in (live.site.folder / "truths").rglob("*") if one.is_file()]
    assert sorted(one.name for one in kept) == ["daily-1.volumes.json", "stock.json.gz"]
    assert {stat.S_IMODE(one.stat().st_mode) for one in kept} == {0o600}


def test_what_was_written_meanwhile_is_told_apart(live: LiveSite) -> None:
    def meanwhile() -> None:
        (live.volume / "a").write_text("another")
        (live.volume / "c").write_text("new")
        (live.volume / "b").unlink()

    around(live, meanwhile=meanwhile)
    assert {path: line.seen for path, line in live.lines().items()} == {
        b"": Seen.STRICT, b"a": Seen.CHANGED, b"b": Seen.DELETED, b"c": Seen.CREATED,
    }  # fmt: skip
    assert live.lines()[b""].open


def test_what_is_young_is_marked_by_the_nodes_clock(
    live: LiveSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    around(live)
    assert all(one.fresh for one in live.lines().values()), "the test has just written them"
    monkeypatch.setattr(witness, "FRESH_SECONDS", -3600)
    around(live)
    assert not any(one.fresh for one in live.lines().values())


def test_a_reader_stands_only_while_it_reads(live: LiveSite) -> None:
    found = live.witness()
    found.before(everywhere)
    assert live.readers() == []
    found.after(BACKUP)
    assert live.readers() == []
    changes = [
        (method, path.removeprefix(PODS).partition("-reader")[0].partition(PREFIX)[0])
        for method, path in live.site.cluster.changes
    ]
    assert changes == [("POST", ""), ("DELETE", "/")] * 2
    assert not (live.site.folder / "digests").exists()


def test_nothing_else_than_its_readers_is_written(live: LiveSite) -> None:
    before = set(live.site.cluster.objects)
    around(live)
    assert set(live.site.cluster.objects) == before


def test_several_volumes_are_read_one_after_the_other(live: LiveSite) -> None:
    live.site.add_volume("shop", "data-0", {"x": b"1"})
    live.site.add_volume("shop", "data-1", {"x": b"2"})
    live.site.build()
    for claim in ("data-0", "data-1"):
        live.use("shop", claim, f"db-{claim}")
    told = around(live, Chosen("shop", "data-*"), STOCK, Chosen("shop", "d*"))
    assert (told["volumes"], told["files"]) == (3, 4)
    posts = [path for method, path in live.site.cluster.changes if method == "POST"]
    assert len(posts) == 6
    assert live.lines("data-1")[b"x"].entry.size == 1


def test_claims_that_are_not_chosen_are_not_touched(live: LiveSite) -> None:
    for chosen in (Chosen("shop", "sto"), Chosen("other", "*"), Chosen("sho*", "stock")):
        assert around(live, chosen) == {"volumes": 0, "files": 0, "bytes": 0, "unread": {}}
    assert live.site.cluster.changes == []


def test_a_namespace_that_the_backup_leaves_out_is_not_read(live: LiveSite) -> None:
    found = live.witness()
    found.before(lambda namespace: namespace != "shop")
    assert "does not take namespace shop in" in str(found.after(BACKUP)["unread"])
    assert live.site.cluster.changes == []


# Volumes that are not read


def replace_claim(live: LiveSite, **changes: Any) -> None:
    path = "/api/v1/namespaces/shop/persistentvolumeclaims/stock"
    held = live.site.cluster.objects["api/v1", "shop", "persistentvolumeclaims", "stock"]
    live.site.cluster.put(path, {**held, **changes})


def test_a_volume_without_a_user_is_not_mounted(live: LiveSite) -> None:
    live.use("shop", "stock", "web-0", phase="Succeeded")
    assert "no running pod uses claim shop/stock" in unread(live)
    assert live.site.cluster.changes == []


def test_a_claim_that_one_pod_may_use_alone_is_not_mounted(live: LiveSite) -> None:
    spec = {"accessModes": ["ReadWriteOncePod"], "volumeName": "pv-stock"}
    replace_claim(live, spec=spec)
    assert "ReadWriteOncePod" in unread(live)
    assert live.site.cluster.changes == []


def test_a_pod_that_does_not_become_ready_is_removed(live: LiveSite) -> None:
    live.site.cluster.fates["reader"] = {
        "containerStatuses": [{"name": "idle", "state": {"waiting": {"reason": "Creating"}}}]
    }
    assert "cannot be read" in unread(live)
    assert READY_SECONDS - 2 < live.site.cluster.time.now <= READY_SECONDS


def test_readers_that_all_wait_in_vain_keep_no_backup_for_long(live: LiveSite) -> None:
    for number in range(20):
        live.site.add_volume("shop", f"data-{number}", {"x": b"1"})
        live.use("shop", f"data-{number}", f"db-{number}")
    live.site.build()
    live.site.cluster.fates["reader"] = {
        "containerStatuses": [{"name": "idle", "state": {"waiting": {"reason": "Creating"}}}]
    }
    told = around(live, Chosen("shop", "*"))
    assert len(told["unread"]) == 21
    assert live.site.cluster.time.now < PATIENCE_SECONDS + 21 * LEAST_SECONDS


def test_a_reading_that_breaks_is_told(live: LiveSite) -> None:
    live.site.acts = [lambda _messages: [BrokenError("cut")]] * 2
    assert "the connection to it was lost" in unread(live)


def test_a_second_reading_that_breaks_is_told_as_well(live: LiveSite) -> None:
    live.site.acts = [list, *[lambda _messages: [BrokenError("cut")]] * 2]
    assert "the connection to it was lost" in unread(live)


def test_a_namespace_that_refuses_readers_is_told(
    live: LiveSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "pods is forbidden: violates PodSecurity restricted:latest"
    found = live.witness()
    writer = found.edges.writer

    def create(_path: str, _content: Any) -> dict[str, Any]:
        raise ClusterError(Cause.ADMISSION, said)

    monkeypatch.setattr(writer, "create", create)
    found.before(everywhere)
    assert found.after(BACKUP)["unread"] == {
        "shop/stock": f"volume shop/stock cannot be read: {said}"
    }


def test_a_claim_that_is_replaced_meanwhile_is_another_volume(live: LiveSite) -> None:
    def meanwhile() -> None:
        replace_claim(live, spec={"volumeName": "pv-new", "accessModes": ["ReadWriteOnce"]})

    assert "was deleted or made anew" in unread(live, meanwhile=meanwhile)


def test_a_claim_that_goes_meanwhile_is_told(live: LiveSite) -> None:
    def meanwhile() -> None:
        del live.site.cluster.objects["api/v1", "shop", "persistentvolumeclaims", "stock"]

    assert "was deleted or made anew" in unread(live, meanwhile=meanwhile)


def test_a_user_that_moved_is_followed(live: LiveSite) -> None:
    told = around(live, meanwhile=lambda: live.use("shop", "stock", "web-0", nodeName="n2"))
    assert told["volumes"] == 1


def test_a_cluster_that_is_away_costs_digests_and_no_backup(live: LiveSite) -> None:
    live.site.cluster.broken = ClusterError(Cause.UNREACHABLE, "away")
    assert unread(live) == "away"


def test_a_cluster_that_is_away_afterwards_costs_them_as_well(live: LiveSite) -> None:
    def meanwhile() -> None:
        live.site.cluster.broken = ClusterError(Cause.UNREACHABLE, "away")

    found = live.witness()
    found.before(everywhere)
    meanwhile()
    assert "cannot be read again: away" in str(found.after(BACKUP)["unread"])


def test_an_interrupted_reading_leaves_no_pod(
    live: LiveSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        assert len(live.readers()) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr("drills.volumes.readers.Readers.read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        live.witness().before(everywhere)
    assert live.readers() == []


# What dead recordings left


def left_over(live: LiveSite, *, lives: float, phase: str = "Running", **labels: str) -> str:
    dead = run("dead00000000", site=SITE, lives=lives)
    name = dead.name("reader-stock")
    held = {**dead.labels(), "backstop.io/drill": live_pod.LAYER, **labels}
    live.use("shop", "stock", name, metadata={"labels": held}, phase=phase)
    return name


@pytest.mark.parametrize(
    ("lives", "phase", "labels", "goes"),
    [
        (2.0, "Failed", {}, True),
        (0.5, "Running", {}, False),
        (2.0, "Running", {}, False),
        (2.0, "Failed", {"backstop-site": "another"}, False),
        (2.0, "Failed", {"backstop.io/drill": "volumes"}, False),
        (2.0, "Failed", {"backstop.io/drill-until": "?"}, False),
    ],
    ids=["ended", "young", "alive", "other-site", "other-layer", "unreadable"],
)
def test_readers_of_the_dead_are_removed_and_no_others(
    live: LiveSite, lives: float, phase: str, labels: dict[str, str], goes: bool
) -> None:
    name = left_over(live, lives=lives, phase=phase, **labels)
    around(live)
    assert live.readers() == ([] if goes else [name])


def test_a_reader_whose_time_is_over_is_removed_though_it_stands(live: LiveSite) -> None:
    left_over(live, lives=1.0)
    live.site.cluster.time.now = 3601.0
    around(live)
    assert live.readers() == []


def test_a_pod_of_another_name_is_not_removed_whatever_its_labels(live: LiveSite) -> None:
    held = {**run(site=SITE).labels(), "backstop.io/drill": live_pod.LAYER}
    live.use("shop", "stock", "db-9", metadata={"labels": held}, phase="Failed")
    around(live)
    assert ("api/v1", "shop", "pods", "db-9") in live.site.cluster.objects


# The index


def test_a_backup_serves_that_was_asked_for_as_much(live: LiveSite) -> None:
    found = live.witness()
    assert not found.serves(BACKUP)
    found.before(everywhere)
    found.after(BACKUP)
    assert found.serves(BACKUP)
    assert not found.serves("daily-2")
    assert not live.witness([STOCK, Chosen("shop", "*")]).serves(BACKUP)
    assert live.witness([]).serves(BACKUP)


def of_another_cluster(content: bytes) -> bytes:
    return content.replace(UID.encode(), b"another")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (of_another_cluster, "of the cluster another"),
        (lambda one: one.replace(b'"daily-1"', b'"daily-2"'), "of backup daily-2"),
        (lambda one: one.replace(b'"schema": 1', b'"schema": 9'), "none of schema 1"),
        (lambda one: one[:-9], "cannot be read"),
        (lambda _one: b"[]", "cannot be read"),
        (lambda one: one.replace(b'"why": ""', b'"why": "x"'), "cannot be read"),
    ],
    ids=["cluster", "backup", "schema", "cut", "list", "contradiction"],
)
def test_an_index_that_does_not_fit_is_none(live: LiveSite, change: Any, said: str) -> None:
    around(live)
    place = live.site.folder / "truths" / "daily-1.volumes.json"
    place.write_bytes(change(place.read_bytes()))
    with pytest.raises(DigestsError, match=said):
        live.kept().index(BACKUP)
    assert not live.witness().serves(BACKUP)


def test_a_file_that_is_gone_or_another_is_noticed(live: LiveSite) -> None:
    around(live)
    place = live.site.folder / "truths" / "daily-1.volumes" / "shop" / "stock.json.gz"
    place.write_bytes(place.read_bytes() + b"\0")
    with pytest.raises(DigestsError, match="are not those that were kept"):
        live.file()
    place.unlink()
    with pytest.raises(DigestsError, match="listed and are not kept any more"):
        live.file()


def test_a_disk_that_refuses_is_told(live: LiveSite) -> None:
    (live.site.folder / "truths").write_text("a file in the way")
    with pytest.raises(NotKeptError, match="make it writable"):
        around(live)
    assert live.readers() == []


def test_an_index_is_the_same_for_the_same() -> None:
    volumes = [Volume("shop", "b", "1", counts={"files": 1}), Volume("shop", "a", why="x")]
    one = Index(UID, BACKUP, [STOCK], volumes)
    assert render(one) == render(Index(UID, BACKUP, [STOCK], volumes[::-1]))
    assert parse(render(one)) == Index(UID, BACKUP, [STOCK], volumes[::-1])


def test_two_recordings_do_not_meet(live: LiveSite) -> None:
    def other(first: Witness) -> Callable[[], None]:
        return lambda: first.before(everywhere)

    second = live.witness()
    told = around(live, meanwhile=other(second))
    assert told["volumes"] == 1
    assert second.after("daily-2")["volumes"] == 1
