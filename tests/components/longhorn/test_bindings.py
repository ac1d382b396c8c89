"""Claims that the config names: what is bound now, what waits, and what is said of it."""

from typing import Any

import pytest

from components.longhorn.bindings import TYPE, Bindings, bindings, resource_name, warnings
from components.longhorn.objects import SOURCE_LABEL, claim_fields
from components.settings.longhorn import Longhorn, VolumeBinding
from kube.longhorn.seen import Claim, SeenLonghorn
from kube.longhorn.volumes import Volume, volume
from tests.components.longhorn.sites import SITE, longhorn_settings, named, record

NOTHING = frozenset[tuple[str, str]]()
LABELLED = {SOURCE_LABEL: "enabled"}


def naming(*claims: str) -> Longhorn:
    given = [{"namespace": "shop", "claim": one, "groups": ["default"]} for one in claims]
    return longhorn_settings(volumes=given)


def a_volume(claim: str, namespace: str = "shop") -> Volume:
    known = {"namespace": namespace, "pvcName": claim}
    return volume({"metadata": {"name": f"pvc-{claim}"}, "status": {"kubernetesStatus": known}})


def a_claim(name: str, labels: dict[str, str] | None = None) -> Claim:
    return Claim("shop", name, labels or {})


def seen(*claims: str, **changes: Any) -> SeenLonghorn:
    """Longhorn with a volume behind each claim."""
    there: dict[str, Any] = {
        "volumes": tuple(map(a_volume, claims)), "claims": tuple(map(a_claim, claims)),
    }  # fmt: skip
    return SeenLonghorn(version="v1.12.1", **{**there, **changes})


def recorded(*settings: VolumeBinding) -> frozenset[tuple[str, str]]:
    return frozenset((TYPE, resource_name(one)) for one in settings)


def names(some: tuple[VolumeBinding, ...]) -> list[str]:
    return [one.claim for one in some]


def test_claims_that_are_there_are_bound_without_a_word() -> None:
    settings, there = naming("a", "b"), seen("a", "b", "c")
    found = bindings(settings, there, NOTHING)
    assert (names(found.bound), found.kept, found.waiting) == (["a", "b"], (), ())
    assert list(warnings(settings, there, NOTHING)) == []


@pytest.mark.parametrize(
    "there",
    [
        None,
        seen("a"),
        seen("a", volumes=(a_volume("a"), a_volume("b"))),
        seen("a", claims=(a_claim("a"), a_claim("b"))),
        seen("a", volumes=(a_volume("a"), a_volume("b", "x")), claims=(a_claim("a"), a_claim("b"))),
    ],
    ids=["no Longhorn", "neither", "a volume without a claim", "a claim without a volume",
         "of another namespace"],
)  # fmt: skip
def test_a_claim_without_a_volume_behind_it_waits_and_is_named(there: SeenLonghorn | None) -> None:
    settings = naming("a", "b")
    found = bindings(settings, there, NOTHING)
    assert names(found.waiting)[-1] == "b"
    assert names(found.bound) == ([] if there is None else ["a"])
    (said,) = warnings(settings, there, NOTHING)
    assert said.startswith("config backstop:longhorn.volumes: Longhorn has no volume of the claim")
    assert "shop/b yet" in said
    assert "correct the name" in said


def test_of_many_claims_that_wait_the_first_are_named_in_one_sentence() -> None:
    settings = naming(*"abcde")
    (said,) = warnings(settings, None, NOTHING)
    assert "the claims shop/a, shop/b, shop/c and 2 more yet" in said


def test_a_claim_that_the_state_has_and_the_cluster_lost_is_kept_and_named() -> None:
    settings, there = naming("a", "b"), seen("a", claims=(a_claim("a", LABELLED),))
    found = bindings(settings, there, recorded(*settings.volumes))
    assert (names(found.bound), names(found.kept), found.waiting) == (["a"], ["b"], ())
    (said,) = warnings(settings, there, recorded(*settings.volumes))
    assert "no volume of the claim shop/b any more; run `refresh`" in said


def test_a_claim_that_came_anew_under_a_state_that_bound_it_is_named() -> None:
    settings, state = naming("a", "b"), recorded(*naming("a", "b").volumes)
    labelled = seen("a", "b", claims=(a_claim("a", LABELLED), a_claim("b", LABELLED)))
    assert list(warnings(settings, labelled, state)) == []
    anew = seen("a", "b", claims=(a_claim("a", LABELLED), a_claim("b", {"app": "db"})))
    (said,) = warnings(settings, anew, state)
    assert "the claim shop/b came anew or lost the labels of its jobs; run `refresh`" in said


def test_what_waits_is_no_resource_and_comes_with_the_first_run_that_finds_it() -> None:
    settings = naming("a", "b")
    first = record(settings, bindings=bindings(settings, seen("a"), NOTHING))
    later = record(settings, bindings=bindings(settings, seen("a", "b"), NOTHING))
    assert {one.name for one in later} - {one.name for one in first} == {"longhorn-volume-shop.b"}
    made = named(later, "longhorn-volume-shop.b")
    assert made.type == TYPE
    assert not made.request.ignoreChanges
    triggers = [named(one, "longhorn-first-backup").inputs["triggers"] for one in (first, later)]
    assert triggers[0] != triggers[1], "a volume that is bound gets its first backup"


def test_of_what_is_kept_nothing_is_asked() -> None:
    settings = naming("a")
    (kept,) = settings.volumes
    made = named(record(settings, bindings=Bindings(kept=(kept,))), resource_name(kept))
    assert list(made.request.ignoreChanges) == ["metadata"]
    assert made.inputs["metadata"]["labels"] == claim_fields(SITE, kept)["metadata"]["labels"]
