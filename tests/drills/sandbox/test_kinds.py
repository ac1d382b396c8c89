"""What is restored is a short list, and everything beside it has a reason."""

import pytest

from drills.sandbox import kinds
from drills.sandbox.kinds import Present

CLUSTER_WIDE = (
    "namespaces", "nodes", "storageclasses.storage.k8s.io", "priorityclasses.scheduling.k8s.io",
    "clusterroles.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io",
    "customresourcedefinitions.apiextensions.k8s.io", "apiservices.apiregistration.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
)  # fmt: skip


def everything() -> list[str]:
    return kinds.restored(objects=True, volumes=True, copies=True)


@pytest.mark.parametrize("kind", CLUSTER_WIDE)
def test_nothing_that_rules_the_cluster_is_restored(kind: str) -> None:
    assert kind not in everything()
    (left,) = kinds.not_restored([Present(kind, namespaced=False, count=2)], everything())
    assert (left.what, left.count) == (kind, 2)
    assert left.why


def test_the_only_kind_without_a_namespace_is_that_of_a_claims_volume() -> None:
    with_copies = set(everything())
    without = set(kinds.restored(objects=True, volumes=True, copies=False))
    assert with_copies - without == {"pods", "persistentvolumes"}


def test_a_drill_of_objects_restores_no_volumes_and_the_other_way_round() -> None:
    objects = kinds.restored(objects=True, volumes=False, copies=False)
    assert not {"pods", "persistentvolumes", "persistentvolumeclaims"} & set(objects)
    volumes = kinds.restored(objects=False, volumes=True, copies=False)
    assert volumes == ["persistentvolumeclaims", "volumesnapshots.snapshot.storage.k8s.io"]


def test_kinds_restored_and_left_out_do_not_meet() -> None:
    assert not set(kinds.OBJECT_KINDS) & set(kinds.LEFT_OUT)


@pytest.mark.parametrize(
    ("present", "why"),
    [
        (Present("endpoints", namespaced=True, count=1), "derives"),
        (Present("horizontalpodautoscalers.autoscaling", namespaced=True, count=1), "scale"),
        (Present("clusters.postgresql.cnpg.io", namespaced=True, count=1), "operator"),
        (Present("issuers.example.com", namespaced=False, count=1), "no namespace"),
        (Present("secrets", namespaced=True, count=1), "volumes only"),
    ],
)
def test_each_kind_that_stays_says_why(present: Present, why: str) -> None:
    volumes = kinds.restored(objects=False, volumes=True, copies=False)
    (left,) = kinds.not_restored([present], volumes)
    assert why in left.why


def test_what_is_restored_or_not_there_is_not_listed() -> None:
    present = [Present("secrets", namespaced=True, count=3),
               Present("events", namespaced=True, count=0)]  # fmt: skip
    assert kinds.not_restored(present, everything()) == ()


def test_a_harmless_custom_kind_may_come() -> None:
    found = kinds.restored(objects=True, volumes=False, copies=False, custom=["notes.example.com"])
    assert "notes.example.com" in found
    assert "notes.example.com" not in kinds.restored(
        objects=False, volumes=True, copies=False, custom=["notes.example.com"]
    )


@pytest.mark.parametrize("kind", ["*", "", "*.example.com", *sorted(kinds.LEFT_OUT)])
def test_what_is_known_to_act_may_not_come_at_all(kind: str) -> None:
    with pytest.raises(ValueError, match=r"restore no|names no kind"):
        kinds.restored(objects=True, volumes=False, copies=False, custom=[kind])
