"""What is removed, in which order, and that nothing else is: neither data nor a living run's."""

from typing import Any

import pytest

from drills.sandbox import leases
from drills.sandbox.found import Found
from drills.sandbox.marks import RUN_LABEL, Run
from drills.sandbox.modifiers import INERT_NAME
from drills.sandbox.sweep import Left, Stage, Step, Sweep, sweep
from kube.marks import SITE_LABEL
from tests.drills.sandbox.runs import HOUR, NOW, run

DEAD = run("dead", age=5)
ALIVE = run("alive", age=1)
FOREIGN = run("other", site="prod", age=5)


def marked(one: Run, kind: str = "Namespace", part: str = "shop", **more: Any) -> dict[str, Any]:
    metadata = {"name": one.name(part), "labels": one.labels(), **more.pop("metadata", {})}
    return {"kind": kind, "metadata": metadata, **more}


def restore(one: Run, phase: str = "Completed", uid: str = "uid-1") -> dict[str, Any]:
    metadata = {"namespace": "velero", "uid": uid}
    return marked(one, "Restore", "", metadata=metadata, status={"phase": phase})


def config_map(one: Run) -> dict[str, Any]:
    return marked(one, "ConfigMap", "", metadata={"namespace": "velero"})


def volume(one: Run | None, name: str = "pvc-1", **more: Any) -> dict[str, Any]:
    """A volume that was provisioned for a claim in the sandbox, and kept as the live one is."""
    namespace = "shop" if one is None else one.name("shop")
    handle = more.pop("handle", f"vol-{name}")
    spec = {
        "claimRef": {"namespace": namespace, "name": "data", **more.pop("claim", {})},
        "persistentVolumeReclaimPolicy": more.pop("policy", "Retain"),
        "csi": {"driver": "d", "volumeHandle": handle},
    }
    metadata = {
        "name": name,
        "annotations": more.pop("annotations", {"pv.kubernetes.io/provisioned-by": "d"}),
        "labels": more.pop("labels", {}),
    }
    status = {"phase": more.pop("phase", "Bound"), **more}
    return {"kind": "PersistentVolume", "metadata": metadata, "spec": spec, "status": status}


def content(one: Run, policy: str = "Retain") -> dict[str, Any]:
    labels = {"velero.io/restore-name": one.name()}
    metadata = {"name": f"velero-{one.run_id}", "labels": labels}
    return {"metadata": metadata, "spec": {"deletionPolicy": policy}}


def swept(
    own: str | None = None, known: tuple[str, ...] = (), lost: tuple[str, ...] = (), **found: Any
) -> Sweep:
    return sweep(Found(**found), "dev", NOW, own=own, known=known, lost=lost)


def lease(one: Run, **spec: Any) -> dict[str, Any]:
    made = leases.content(one, "velero", NOW)
    metadata = {**made["metadata"], "resourceVersion": "7"}
    return {**made, "metadata": metadata, "spec": {**made["spec"], **spec}}


def all_of(one: Run, **more: Any) -> dict[str, Any]:
    return {
        "namespaces": [marked(one), marked(one, part="db")],
        "restores": [restore(one)],
        "config_maps": [config_map(one)],
        "leases": [lease(one)],
        "contents": [content(one)],
        "volumes": [volume(one), volume(None, "pv-live")],
        **more,
    }


def steps(found: Sweep) -> list[tuple[str, str, str]]:
    return [(one.action, one.kind, one.name) for one in found.steps]


EVERYTHING = [
    ("release", "PersistentVolume", "pvc-1"),
    ("delete", "Restore", "backstop-drill-dead"),
    ("delete", "Namespace", "backstop-drill-dead-db"),
    ("delete", "Namespace", "backstop-drill-dead-shop"),
    ("delete", "VolumeSnapshotContent", "velero-dead"),
    ("delete", "ConfigMap", "backstop-drill-dead"),
    ("delete", "Lease", "backstop-drill-kube-objects"),
]


def test_a_dead_run_goes_in_order_and_the_live_volume_stays() -> None:
    found = swept(**all_of(DEAD))
    assert steps(found) == EVERYTHING
    assert found.left == ()
    assert [one.stage for one in found.steps] == sorted(one.stage for one in found.steps)
    assert found.steps[1] == Step(
        Stage.RESTORES, "delete", "Restore", "velero", "backstop-drill-dead"
    )


def test_a_living_run_is_left_alone() -> None:
    found = swept(**all_of(ALIVE))
    assert steps(found) == []
    assert {one.kind for one in found.left} == {"Restore", "Namespace", "ConfigMap", "Lease"}
    assert not [one for one in found.left if one.debris]
    assert "may be alive until 13:00:00 UTC" in found.left[0].why


def test_of_another_layers_living_run_nothing_is_told() -> None:
    space = marked(ALIVE)
    assert sweep(Found(namespaces=[space]), "dev", NOW, layer=ALIVE.layer).left
    elsewhere = sweep(Found(namespaces=[space]), "dev", NOW, layer="volumes")
    assert (elsewhere.left, elsewhere.steps) == ((), ())
    over = sweep(Found(namespaces=[marked(DEAD)]), "dev", NOW, layer="volumes")
    assert [one.name for one in over.steps] == [DEAD.name("shop")]


def test_the_own_run_goes_although_it_is_alive_but_for_the_lease_it_needs_meanwhile() -> None:
    found = steps(swept(own="alive", **all_of(ALIVE)))
    assert len(found) == len(EVERYTHING) - 1
    assert "Lease" not in {kind for _, kind, _ in found}


def taken_by(own: Run, **found: Any) -> Sweep:
    """What a run sees of another one whose deadline has not passed."""
    return swept(own=own.run_id, **{**all_of(ALIVE), "leases": [lease(own)], **found})


def test_who_holds_the_lease_knows_that_every_other_run_of_the_layer_is_dead() -> None:
    found = steps(taken_by(run("own")))
    assert found == [
        (action, kind, name.replace("dead", "alive"))
        for action, kind, name in EVERYTHING
        if kind != "Lease"
    ]


@pytest.mark.parametrize(
    "held",
    [
        [],
        [lease(run("own"), holderIdentity=None)],
        [lease(run("own"), holderIdentity="alive")],
        [lease(run("third"))],
        [lease(Run("prod", "kube-objects", "own", NOW, NOW + HOUR))],
        [lease(Run("dev", "volumes", "own", NOW, NOW + HOUR))],
    ],
)
def test_without_the_lease_of_that_layer_a_deadline_is_respected(held: list[Any]) -> None:
    assert steps(taken_by(run("own"), leases=held)) == []


def test_the_lease_of_another_layer_says_nothing_before_its_deadline() -> None:
    other = Run("dev", "volumes", "other", NOW - HOUR, NOW + HOUR)
    found = swept(own="own", leases=[lease(run("own")), lease(other)], namespaces=[marked(other)])
    assert steps(found) == []
    assert [one.kind for one in found.left] == ["Namespace", "Lease"]


def test_another_sites_run_is_no_prey_of_who_holds_the_lease() -> None:
    living = run("other", site="prod", age=1)
    assert steps(taken_by(run("own"), **{**all_of(living), "leases": [lease(run("own"))]})) == []


def test_a_dead_lease_is_removed_only_as_it_was_seen() -> None:
    """The next run of its layer may take it at any moment."""
    (step,) = swept(leases=[lease(DEAD)]).steps
    assert (step.kind, step.version) == ("Lease", "7")


def test_another_site_is_left_alone_even_when_its_run_is_over() -> None:
    found = swept(**all_of(FOREIGN))
    assert steps(found) == []
    assert {one.why for one in found.left} == {"it is of site prod"}
    assert not [one for one in found.left if one.debris]


def test_a_deadline_is_passed_when_it_is_reached() -> None:
    assert steps(swept(namespaces=[marked(run("dead", age=2, lives=2))]))
    assert not steps(swept(namespaces=[marked(run("dead", age=1.999, lives=2))]))


@pytest.mark.parametrize(
    "phase", ["InProgress", "WaitingForPluginOperations", "Finalizing", "FinalizingPartiallyFailed"]
)
def test_while_velero_restores_nothing_of_the_run_goes(phase: str) -> None:
    found = swept(**all_of(DEAD, restores=[restore(DEAD, phase)]))
    assert steps(found) == []
    assert {(one.kind, one.debris) for one in found.left} == {
        ("Restore", True), ("Namespace", True), ("ConfigMap", True), ("Lease", True),
    }  # fmt: skip
    assert found.left[0].why == "Velero still works on it; the next run removes it"
    assert found.busy == ("backstop-drill-dead",)


@pytest.mark.parametrize("phase", ["Completed", "PartiallyFailed", "Failed", "FailedValidation",
                                   "New", ""])  # fmt: skip
def test_a_restore_that_has_ended_or_never_began_goes(phase: str) -> None:
    found = swept(**all_of(DEAD, restores=[restore(DEAD, phase)]))
    assert (steps(found), found.busy) == (EVERYTHING, ())


def test_a_restore_that_velero_lost_goes_like_one_that_has_ended() -> None:
    busy = all_of(DEAD, restores=[restore(DEAD, "InProgress")])
    found = swept(lost=("uid-1",), **busy)
    assert (steps(found), found.left, found.busy) == (EVERYTHING, (), ())
    assert swept(lost=("uid-2",), **busy) == swept(**busy)


def test_beside_a_lost_restore_velero_may_work_on_another_one() -> None:
    late = restore(run("late", age=5), "InProgress", uid="uid-2")
    found = swept(lost=("uid-1",), restores=[restore(DEAD, "InProgress"), late])
    assert (steps(found), found.busy) == ([EVERYTHING[1]], ("backstop-drill-late",))


def test_a_living_runs_restore_is_never_lost() -> None:
    assert steps(swept(lost=("uid-1",), restores=[restore(ALIVE, "InProgress")])) == []


def test_a_living_runs_restore_is_nobodys_business() -> None:
    assert swept(restores=[restore(ALIVE, "InProgress")]).busy == ()


def test_another_runs_restore_does_not_hold_up_this_one() -> None:
    found = swept(
        restores=[restore(run("busy", age=5), "InProgress"), restore(DEAD)],
        namespaces=[marked(DEAD)],
    )
    assert [name for _, _, name in steps(found)] == [
        "backstop-drill-dead", "backstop-drill-dead-shop",
    ]  # fmt: skip


def left(found: Sweep) -> Left:
    (one,) = found.left
    return one


UNTOUCHED: list[tuple[str, dict[str, Any]]] = [
    ("bears the label", {"namespaces": [marked(DEAD, metadata={
        "labels": {**DEAD.labels(), RUN_LABEL: "?"}})]}),
    ("bears the label", {"namespaces": [marked(DEAD, metadata={
        "labels": {key: value for key, value in DEAD.labels().items() if key != SITE_LABEL}})]}),
    ("a drill's name and no mark", {"namespaces": [{"metadata": {"name": DEAD.name("shop")}}]}),
    ("a drill's mark and another name", {"namespaces": [marked(DEAD, metadata={"name": "shop"})]}),
    ("the backup's snapshot would go with it", {"namespaces": [], "contents": [
        content(DEAD, "Delete")], "known": ("dead",)}),
    ("nothing tells whose it was", {"volumes": [volume(DEAD)]}),
    ("nobody provisioned it", {"volumes": [volume(DEAD, annotations={})], "known": ("dead",)}),
    ("names storage that is not the drill's", {
        "volumes": [volume(DEAD, policy="Delete", claim={"name": INERT_NAME})],
        "known": ("dead",)}),
    ("could not be removed: no reason given", {
        "volumes": [volume(DEAD, policy="Delete", phase="Failed")], "known": ("dead",)}),
]  # fmt: skip


@pytest.mark.parametrize(("why", "found"), UNTOUCHED)
def test_what_is_in_doubt_is_left_and_told(why: str, found: dict[str, Any]) -> None:
    result = swept(**found)
    assert steps(result) == []
    assert why in left(result).why
    assert left(result).debris


def test_what_bears_no_mark_and_no_name_of_ours_is_not_even_mentioned() -> None:
    found = swept(
        namespaces=[{"metadata": {"name": "shop"}}],
        restores=[{"metadata": {"name": "by-hand"}, "status": {"phase": "Completed"}}],
        config_maps=[{"metadata": {"name": "settings"}}],
        contents=[{"metadata": {"name": "c", "labels": {"velero.io/restore-name": "by-hand"}}}],
        volumes=[volume(None)],
    )
    assert found == Sweep((), ())


def test_veleros_notes_of_a_dead_restore_go_with_it() -> None:
    def note(uid: str) -> dict[str, Any]:
        metadata = {"name": f"du-{uid}", "namespace": "velero",
                    "labels": {"velero.io/restore-uid": uid}}  # fmt: skip
        return {"kind": "ConfigMap", "metadata": metadata}

    notes = [note("uid-1"), note("uid-2")]
    found = swept(restores=[restore(DEAD), restore(ALIVE, uid="uid-2")], config_maps=notes)
    assert ("delete", "ConfigMap", "du-uid-1") in steps(found)
    assert ("delete", "ConfigMap", "du-uid-2") not in steps(found)


DELETED = {"deletionTimestamp": (NOW - HOUR / 2).strftime("%Y-%m-%dT%H:%M:%SZ")}
JUST_DELETED = {"deletionTimestamp": (NOW - HOUR / 60).strftime("%Y-%m-%dT%H:%M:%SZ")}


def test_what_is_being_deleted_is_not_deleted_again_and_told_when_it_hangs() -> None:
    status = {
        "conditions": [
            {"type": "NamespaceContentRemaining", "status": "True", "message": "pods. has 1"},
            {"type": "NamespaceDeletionDiscoveryFailure", "status": "False", "message": "fine"},
        ]
    }
    hanging = left(swept(namespaces=[marked(DEAD, metadata=DELETED, status=status)]))
    assert hanging.debris
    assert hanging.why == "it is being deleted since 11:30:00 UTC: pods. has 1"
    going = left(swept(namespaces=[marked(DEAD, metadata=JUST_DELETED)]))
    assert not going.debris


def test_a_restore_that_cannot_go_names_its_finalizer() -> None:
    one = restore(DEAD)
    one["metadata"] |= {
        **DELETED,
        "finalizers": ["restores.velero.io/external-resources-finalizer"],
    }
    assert (
        "finalizer restores.velero.io/external-resources-finalizer"
        in left(swept(restores=[one])).why
    )


@pytest.mark.parametrize(
    "one",
    [
        volume(DEAD, labels={"velero.io/restore-name": DEAD.name()}),
        volume(DEAD, claim={"name": INERT_NAME}),
    ],
)
def test_a_volume_that_names_live_storage_loses_only_its_object(one: dict[str, Any]) -> None:
    found = swept(volumes=[one], known=("dead",))
    assert steps(found) == [("delete", "PersistentVolume", "pvc-1")]
    assert found.steps[0].stage is Stage.VOLUMES


def test_storage_that_two_volumes_name_is_never_removed() -> None:
    live = volume(None, "pv-live", handle="one")
    copy = volume(DEAD, "pv-copy", handle="one")
    assert steps(swept(volumes=[live, copy], known=("dead",))) == [
        ("delete", "PersistentVolume", "pv-copy")
    ]


def test_a_label_of_an_older_restore_says_nothing() -> None:
    # Velero gives a restored volume the labels that the saved one had.
    one = volume(DEAD, labels={"velero.io/restore-name": "after-the-fire"})
    assert steps(swept(volumes=[one], known=("dead",))) == [
        ("release", "PersistentVolume", "pvc-1")
    ]


def test_a_volume_that_goes_with_its_claim_needs_nothing() -> None:
    assert swept(volumes=[volume(DEAD, policy="Delete")], known=("dead",)) == Sweep((), ())


def test_a_living_runs_volume_is_left_alone() -> None:
    found = swept(namespaces=[marked(ALIVE)], volumes=[volume(ALIVE)])
    assert steps(found) == []
    assert [one.kind for one in found.left] == ["Namespace"]


def test_of_a_run_of_which_only_its_last_mark_is_left_the_volumes_go_too() -> None:
    found = swept(config_maps=[config_map(DEAD)], volumes=[volume(DEAD, phase="Released")])
    assert steps(found) == [
        ("release", "PersistentVolume", "pvc-1"), ("delete", "ConfigMap", "backstop-drill-dead"),
    ]  # fmt: skip


def test_sweeping_twice_is_sweeping_once() -> None:
    assert swept(**all_of(DEAD)) == swept(**all_of(DEAD))
    assert swept() == Sweep((), ())
