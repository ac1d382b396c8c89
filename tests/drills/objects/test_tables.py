"""The tables of owned fields and of objects that come by themselves."""

import dataclasses

import pytest

from drills.objects import paths
from drills.objects.makers import MADE_BY_CONTROLLERS, NEVER_RESTORED, Kind, Row, Rows
from drills.objects.normal_form import Stripper
from drills.objects.ownership import OWNED_FIELDS, OwnedField, Stage
from tests.drills.objects import samples

ROWS = [*MADE_BY_CONTROLLERS, *NEVER_RESTORED]


@pytest.mark.parametrize("row", OWNED_FIELDS, ids=lambda row: f"{row.resource}:{row.path}")
def test_every_owned_field_has_a_readable_path_an_owner_a_reason_and_a_source(
    row: OwnedField,
) -> None:
    assert paths.pattern(row.path).text == row.path
    assert row.owner
    assert row.why
    assert row.source
    for condition in (row.only_if, row.unless):
        assert condition is None or paths.pattern(condition[0])


def test_no_field_stands_twice() -> None:
    places = [(row.resource, row.path, row.stage) for row in OWNED_FIELDS]
    assert len(places) == len(set(places))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.resource}:{row.why}")
def test_every_row_about_objects_has_a_reason_and_a_source(row: Row) -> None:
    assert row.why
    assert row.source
    assert row.kind is (Kind.KEPT_BACK if row in NEVER_RESTORED else Kind.MADE)


def test_no_row_takes_in_more_than_it_says() -> None:
    """An ordinary object of every kind of the shop is nobody's but its owner's."""
    rows = Rows(ROWS)
    for key, content in samples.shop():
        assert rows.match(key.resource, key.name, content) is None


def test_no_content_of_the_shop_is_owned_at_backup_time() -> None:
    stripper = Stripper(OWNED_FIELDS, Stage.BACKUP)
    for key, content in samples.shop():
        left = stripper.stripped(key.resource, content)
        spec = content.get("spec")
        assert left.get("spec") == spec or key.resource == "persistentvolumeclaims"


def test_stripping_leaves_the_object_as_it_was() -> None:
    stripper = Stripper(OWNED_FIELDS, Stage.RESTORE)
    for key, content in samples.shop():
        before = repr(content)
        stripper.stripped(key.resource, content)
        assert repr(content) == before


@pytest.mark.parametrize(
    ("kept", "taken"),
    [
        ("kubernetes.io/dockerconfigjson", "kubernetes.io/service-account-token"),
        ("Opaque", "kubernetes.io/service-account-token"),
    ],
)
def test_a_row_holds_only_under_its_condition(kept: str, taken: str) -> None:
    stripper = Stripper(OWNED_FIELDS, Stage.RESTORE)
    for kind, expected in ((kept, {"token": "x", "own": "y"}), (taken, {"own": "y"})):
        content = {"kind": "Secret", "type": kind, "data": {"token": "x", "own": "y"}}
        assert stripper.stripped("secrets", content)["data"] == expected


def test_a_headless_service_keeps_that_it_is_one() -> None:
    stripper = Stripper(OWNED_FIELDS, Stage.RESTORE)
    headless = samples.service(clusterIP="None", clusterIPs=["None"])[1]
    assert stripper.stripped("services", headless)["spec"] == headless["spec"]
    plain = stripper.stripped("services", samples.service()[1])["spec"]
    assert isinstance(plain, dict)
    assert not plain.keys() & {"clusterIP", "clusterIPs"}


def test_only_kubernetes_own_finalizers_are_owned() -> None:
    stripper = Stripper(OWNED_FIELDS, Stage.RESTORE)
    key, content = samples.claim()
    content["metadata"]["finalizers"].append("own.example/hold")
    left = stripper.stripped(key.resource, content)["metadata"]
    assert isinstance(left, dict)
    assert left["finalizers"] == ["own.example/hold"]


def test_rows_of_a_site_s_own_can_be_added() -> None:
    row = OwnedField("services", "metadata.annotations[lb.example/*]", "balancer", "address", "x")
    content = samples.service()[1]
    content["metadata"]["annotations"] = {"lb.example/ip": "192.0.2.1"}
    assert "annotations" in str(Stripper(OWNED_FIELDS, Stage.RESTORE).stripped("services", content))
    stripper = Stripper([*OWNED_FIELDS, row], Stage.RESTORE)
    assert "annotations" not in str(stripper.stripped("services", content))
    assert stripper.totals()[row] == 1


def test_rows_are_constants() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        OWNED_FIELDS[0].path = "spec"  # type: ignore[misc]
