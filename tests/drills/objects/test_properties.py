"""What holds for any object: nothing is overlooked, and what others own is never a finding."""

import copy
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.objects.against_copy import compare as compare_copy
from drills.objects.against_truth import compare as compare_truth
from drills.objects.findings import Comparison, FindingKind
from drills.objects.keys import ObjectKey
from drills.objects.normal_form import Restoration
from drills.objects.ownership import OWNED_FIELDS, OwnedField, Stage
from drills.objects.paths import under
from tests.drills.objects import samples
from tests.drills.objects.samples import Content, Pair
from tests.drills.objects.test_truth import recorded

SALT = b"salt"
SANDBOX = Restoration({"shop": "sandbox"})
LEAVES = st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=20)
KEYS = st.text("abcdefgh.-/", min_size=1, max_size=12)
TREES = st.recursive(
    LEAVES,
    lambda below: (
        st.lists(below, min_size=1, max_size=3)
        | st.dictionaries(KEYS, below, min_size=1, max_size=3)
    ),
    max_leaves=12,
)
# For the tables' rows, of which there are many.
VALUES = LEAVES | st.lists(LEAVES, max_size=2) | st.dictionaries(KEYS, LEAVES, max_size=2)
SPECS = st.dictionaries(KEYS, TREES, min_size=1, max_size=4)
NAMES = st.lists(st.text("abcdef", min_size=1, max_size=6), min_size=1, max_size=8, unique=True)
Place = tuple[str | int, ...]


def widget(spec: Content, name: str = "w", namespace: str = "shop") -> Pair:
    return samples.make("widgets.example.org", "example.org/v1", "Widget", namespace, name,
                        spec=spec)  # fmt: skip


def held_against(saved: list[Pair], restored: list[Pair]) -> Comparison:
    held = dict(saved)
    return compare_copy(
        saved, restored, SANDBOX, SALT, lambda keys: [(key, held[key]) for key in keys]
    )


def leaves(value: Any, place: Place = ()) -> list[Place]:
    if isinstance(value, dict):
        return [found for key, held in value.items() for found in leaves(held, (*place, key))]
    if isinstance(value, list):
        return [found for n, held in enumerate(value) for found in leaves(held, (*place, n))]
    return [place]


def replaced(value: Any, place: Place, leaf: Any) -> Any:
    if not place:
        return leaf
    made = copy.copy(value)
    made[place[0]] = replaced(value[place[0]], place[1:], leaf)
    return made


def at(value: Any, place: Place) -> Any:
    for step in place:
        value = value[step]
    return value


def path_of(place: Place) -> str:
    path = ""
    for step in place:
        path = under(path, step)
    return path


def other_than(leaf: Any, drawn: Any) -> Any:
    same = leaf == drawn and isinstance(leaf, bool) == isinstance(drawn, bool)
    return f"other than {drawn}" if same else drawn


@given(SPECS, LEAVES, st.data())
def test_a_single_changed_leaf_is_found_with_its_path(
    spec: Content, drawn: Any, data: st.DataObject
) -> None:
    place = data.draw(st.sampled_from(leaves(spec)))
    leaf = other_than(at(spec, place), drawn)
    saved = widget(spec)
    key, content = samples.restored(saved, "sandbox")
    content["spec"] = replaced(content["spec"], place, leaf)
    found = held_against([saved], [(key, content)])
    assert [one.kind for one in found.findings] == [FindingKind.CHANGED]
    assert [field.path for field in found.findings[0].fields] == [path_of(("spec", *place))]

    held = copy.deepcopy(saved[1])
    held["spec"] = replaced(held["spec"], place, leaf)
    truth = compare_truth(recorded([saved]), [(saved[0], held)])
    assert [[field.path for field in one.fields] for one in truth.findings] == [["spec"]]


@given(SPECS, st.data())
def test_a_single_missing_leaf_is_found(spec: Content, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(leaves(spec)))
    saved = widget(spec)
    key, content = samples.restored(saved, "sandbox")
    parent = at(content["spec"], place[:-1])
    del parent[place[-1]]
    found = held_against([saved], [(key, content)])
    assert [one.kind for one in found.findings] == [FindingKind.CHANGED]


@given(SPECS)
def test_what_came_back_as_it_was_gives_no_finding(spec: Content) -> None:
    saved = widget(spec)
    assert held_against([saved], [samples.restored(saved, "sandbox")]).findings == ()
    assert compare_truth(recorded([saved]), [saved]).findings == ()


@given(NAMES, st.data())
def test_dropping_any_object_from_any_side_is_found(names: list[str], data: st.DataObject) -> None:
    pairs = [widget({"n": name}, name) for name in names]
    gone = data.draw(st.integers(0, len(pairs) - 1))
    rest = [*pairs[:gone], *pairs[gone + 1 :]]
    back, back_rest = ([samples.restored(one, "sandbox") for one in some] for some in (pairs, rest))
    truth = recorded(pairs)
    for found, kind in (
        (compare_truth(truth, rest), FindingKind.LOST),
        (compare_truth(recorded(rest), pairs), FindingKind.ADDED),
        (held_against(pairs, back_rest), FindingKind.LOST),
        (held_against(rest, back), FindingKind.ADDED),
    ):
        assert [(one.kind, one.key) for one in found.findings] == [(kind, pairs[gone][0])]


def planted(path: str, value: Any) -> Any:
    """The smallest tree in which the pattern `path` names `value`."""
    tree = value
    steps = re.findall(r"\.?([A-Za-z_][\w*?-]*)|\[([^\]]*)\]", path)
    for plain, bracket in reversed(steps):
        name = (plain or bracket).replace("*", "x").replace("?", "y")
        field, equals, wanted = name.partition("=")
        if plain or (bracket and not equals):
            tree = {name: tree}
        elif not equals:
            tree = [tree]
        elif field:
            tree = [{field: wanted, "held": tree}]
        else:
            tree = [wanted]
    return tree


def merged(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **{key: merged(one.get(key), held) for key, held in other.items()}}
    if isinstance(one, list) and isinstance(other, list):
        if len(one) == len(other) == 1 and "held" not in str(other):
            return [merged(one[0], other[0])]
        return [*one, *other]
    return other


def bearer(row: OwnedField) -> Pair:
    """An object of a kind that the row is about, in the state in which the row holds."""
    resource = "widgets.example.org" if row.resource == "*" else row.resource
    key = ObjectKey(resource, "" if resource == "namespaces" else "shop", "shop")
    content = {"apiVersion": "v1", "kind": "X", "metadata": {"name": key.name}, "spec": {"own": 1}}
    if row.only_if is not None:
        content = merged(content, planted(*row.only_if))
    return key, content


RESTORED_ROWS = [row for row in OWNED_FIELDS if row.stage is Stage.RESTORE]
SAVED_ROWS = [row for row in OWNED_FIELDS if row.stage is Stage.BACKUP]


@pytest.mark.parametrize("row", RESTORED_ROWS, ids=lambda row: f"{row.resource}:{row.path}")
@settings(max_examples=10)
@given(one=st.none() | VALUES, other=st.none() | VALUES)
def test_an_owned_field_is_never_a_finding(row: OwnedField, one: Any, other: Any) -> None:
    key, content = bearer(row)
    if not key.namespace or key.resource == "persistentvolumes":
        key = key._replace(resource="widgets.example.org", namespace="shop")
        rows = [OwnedField("widgets.example.org", row.path, "x", "x", "x")]
    else:
        rows = [row]
    restoration = Restoration({"shop": "sandbox"}, owned=[*OWNED_FIELDS, *rows], made=(),
                              never_restored=())  # fmt: skip
    saved, back = (
        merged(copy.deepcopy(content), planted(row.path, value)) if value is not None else content
        for value in (one, other)
    )
    found = compare_copy(
        [(key, saved)], [(key._replace(namespace="sandbox"), back)], restoration, SALT,
        lambda _keys: [(key, saved)],
    )  # fmt: skip
    assert found.findings == ()
    assert found.count == 1


@pytest.mark.parametrize("row", SAVED_ROWS, ids=lambda row: f"{row.resource}:{row.path}")
@settings(max_examples=10)
@given(value=VALUES)
def test_a_field_owned_in_the_backup_is_never_a_finding(row: OwnedField, value: Any) -> None:
    key, content = bearer(row)
    content["metadata"] |= {"namespace": "shop", "uid": "u", "resourceVersion": "1"}
    held = merged(copy.deepcopy(content), planted(row.path, value))
    assert compare_truth(recorded([(key, content)]), [(key, held)]).findings == ()
    assert compare_truth(recorded([(key, held)]), [(key, content)]).findings == ()


def test_beside_an_owned_field_everything_is_still_compared() -> None:
    for row in RESTORED_ROWS:
        key, content = bearer(row)
        if not key.namespace or key.resource == "persistentvolumes":
            continue
        restoration = Restoration({"shop": "sandbox"}, made=(), never_restored=())
        back = merged(copy.deepcopy(content), {"spec": {"own": 2}})
        found = compare_copy(
            [(key, content)], [(key._replace(namespace="sandbox"), back)], restoration, SALT,
            lambda _keys, pair=(key, content): [pair],
        )  # fmt: skip
        assert [field.path for field in found.findings[0].fields] == ["spec.own"], row
