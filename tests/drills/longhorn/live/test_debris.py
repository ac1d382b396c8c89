"""What goes of what restores by Longhorn left, and what is never touched."""

from dataclasses import replace
from typing import Any

from drills.longhorn.live.debris import Seen, debris
from drills.longhorn.live.objects import GROUP_LABEL
from drills.sandbox import leases
from drills.sandbox.marks import Run
from kube.longhorn.volumes import PersistentVolume, Volume, volume
from tests.drills.sandbox.runs import HOUR, NOW

OWN = Run("dev", "longhorn", "aaaa", NOW, NOW + HOUR)
DEAD = Run("dev", "longhorn", "bbbb", NOW - 3 * HOUR, NOW - HOUR)
OTHER = Run("dev", "longhorn", "cccc", NOW, NOW + HOUR)


def marked(run: Run, name: str = "") -> dict[str, Any]:
    return {"kind": "Thing", "metadata": {"name": name or run.name("x"), "labels": run.labels()}}


def held_by(run: Run) -> dict[str, Any]:
    return leases.content(run, "longhorn-system", NOW)


def copy(name: str, namespace: str, **labels: str) -> Volume:
    return volume({
        "metadata": {"name": name, "labels": labels or {GROUP_LABEL: "enabled"}},
        "spec": {"fromBackup": "s3://b@r/?backup=b&volume=v"},
        "status": {"kubernetesStatus": {"namespace": namespace}},
    })  # fmt: skip


def persistent(name: str, namespace: str, storage_class: str) -> PersistentVolume:
    return PersistentVolume(
        name, name, namespace, "claim", "Bound", storage_class, "1Gi", "ext4", (), None
    )


def found(seen: Seen) -> Any:
    return debris(seen, "dev", NOW, "aaaa")


def test_own_things_and_those_of_dead_runs_go() -> None:
    seen = Seen(namespaces=[marked(OWN), marked(DEAD)], classes=[marked(OWN), marked(DEAD)])
    got = found(seen)
    assert got.namespaces == got.classes == [OWN.name("x"), DEAD.name("x")]
    assert got.left == ()


def test_a_run_that_may_live_is_left_alone_and_told() -> None:
    got = found(Seen(namespaces=[marked(OTHER)]))
    assert not got.any
    (left,) = got.left
    assert "may be alive" in left.why
    assert not left.debris


def test_who_holds_the_lease_knows_that_all_others_are_dead() -> None:
    seen = Seen(leases=[held_by(OWN)], namespaces=[marked(OTHER)], classes=[marked(OTHER)])
    assert found(seen).namespaces == [OTHER.name("x")]
    lost = replace(seen, leases=[held_by(OTHER)])
    assert found(lost).namespaces == []


def test_another_sites_and_what_bears_no_sound_mark_stay() -> None:
    foreign = Run("prod", "longhorn", "dddd", NOW - 3 * HOUR, NOW - HOUR)
    torn = marked(DEAD)
    del torn["metadata"]["labels"]["backstop.io/drill-run"]
    named = marked(DEAD, "precious")
    got = found(Seen(namespaces=[marked(foreign), torn, named]))
    assert not got.any
    assert [one.debris for one in got.left] == [True, True]


def test_volumes_go_with_their_claims_and_orphans_after_them() -> None:
    gone, there = DEAD.name("longhorn"), OTHER.name("longhorn")
    seen = Seen(
        namespaces=[marked(OTHER, there)],
        persistent=[
            persistent("pv-1", gone, DEAD.name("v")), persistent("pv-2", there, OTHER.name("v")),
            persistent("pv-3", "shop", "longhorn"), persistent("pv-4", gone, "longhorn"),
        ],
        volumes=[copy("pv-1", gone), copy("lost", gone), copy("alive", there),
                 copy("theirs", gone, app="x"), copy("pvc-shop", "shop", app="x")],
    )  # fmt: skip
    got = found(seen)
    assert got.persistent == ["pv-1"]
    assert got.orphans == ["lost"]
    assert got.left == found(replace(seen, volumes=())).left


def test_a_copy_of_which_nobody_knows_the_run_is_never_removed() -> None:
    """Until it is bound, Longhorn says that it is the claim's of its source."""
    got = found(Seen(volumes=[copy("pvc-1", "shop")]))
    assert not got.any
    (left,) = got.left
    assert (left.name, left.debris) == ("pvc-1", True)
    assert "delete it by hand" in left.why
