"""What counts as a change of a release: three-way, by path, with replacement by name."""

from typing import Any

import pytest
from pulumi.provider.experimental.provider import PropertyDiffKind

from standins.pulumi.kubernetes.helm_diff import diff
from standins.pulumi.values import unknown, wrap

BASE: dict[str, Any] = {
    "name": "velero",
    "namespace": "velero",
    "chart": "charts/velero",
    "version": "12.1.0",
    "timeout": 300,
    "values": {"image": {"tag": "v1"}, "deployNodeAgent": True, "extraArgs": ["--a", "--b"]},
}


def changes(
    new: dict[str, Any], live: dict[str, Any] | None = None, last: dict[str, Any] | None = None
) -> dict[str, PropertyDiffKind]:
    def properties(plain: dict[str, Any]) -> Any:
        return wrap(plain).value

    found = diff(properties(last or BASE), properties(new), properties(live or BASE))
    assert found.changes == bool(found.detailed_diff)
    assert found.delete_before_replace is False
    replacing = {
        path for path, part in found.detailed_diff.items() if part.kind.name.endswith("_REPLACE")
    }
    assert set(found.replaces or ()) == replacing
    return {path: part.kind for path, part in found.detailed_diff.items()}


def with_values(**values: Any) -> dict[str, Any]:
    return {**BASE, "values": {**BASE["values"], **values}}


def test_the_same_release_has_no_change() -> None:
    assert changes(BASE) == {}


def test_a_value_set_by_hand_counts_where_the_program_declares_it() -> None:
    by_hand = with_values(image={"tag": "v2"})
    assert changes(BASE, live=by_hand) == {"values.image.tag": PropertyDiffKind.UPDATE}


def test_what_others_added_does_not_count() -> None:
    added = {**with_values(image={"tag": "v1", "digest": "d"}, more=1), "status": {"revision": 3}}
    assert changes(BASE, live=added) == {}


def test_a_value_no_longer_wanted_is_a_change() -> None:
    values = {key: value for key, value in BASE["values"].items() if key != "deployNodeAgent"}
    assert changes({**BASE, "values": values}) == {
        "values.deployNodeAgent": PropertyDiffKind.DELETE
    }


def test_a_new_value_is_an_addition() -> None:
    assert changes(with_values(logLevel="debug")) == {"values.logLevel": PropertyDiffKind.ADD}


def test_lists_change_as_a_whole() -> None:
    assert changes(with_values(extraArgs=["--a"])) == {"values.extraArgs": PropertyDiffKind.UPDATE}


def test_true_is_not_one() -> None:
    assert changes(with_values(deployNodeAgent=1)) == {
        "values.deployNodeAgent": PropertyDiffKind.UPDATE
    }


@pytest.mark.parametrize("name", ["name", "namespace"])
def test_a_new_name_replaces(name: str) -> None:
    assert changes({**BASE, name: "other"}) == {name: PropertyDiffKind.UPDATE_REPLACE}


def test_a_new_version_updates() -> None:
    assert changes({**BASE, "version": "12.2.0"}) == {"version": PropertyDiffKind.UPDATE}


def test_what_is_not_known_yet_is_a_change() -> None:
    assert changes(with_values(image={"tag": unknown()})) == {
        "values.image.tag": PropertyDiffKind.UPDATE
    }


def test_null_is_no_value() -> None:
    assert changes(with_values(logLevel=None)) == {}
