"""The detailed diff names what changed and nothing else."""

from hypothesis import given
from hypothesis import strategies as st
from pulumi.provider.experimental.provider import PropertyDiffKind

from standins.pulumi.diffing import diff_properties, path_text, same
from standins.pulumi.values import PropertyMap, WireAsset, unknown, wrap

_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b", "c-d"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["k", "k-2", 'q"']), inner, max_size=3)
    ),
    max_leaves=6,
)
_maps = st.dictionaries(st.sampled_from(["one", "two", "three"]), _values, max_size=3)


def _map(value: dict[str, object]) -> PropertyMap:
    return {name: wrap(item) for name, item in value.items()}


def _kinds(old: dict[str, object], new: dict[str, object]) -> dict[str, str]:
    return {
        path: part.kind.name
        for path, part in diff_properties(_map(old), _map(new)).detailed_diff.items()
    }


@given(_maps)
def test_nothing_changes_between_equals(value: dict[str, object]) -> None:
    answer = diff_properties(_map(value), _map(value))
    assert (answer.changes, answer.diffs, answer.detailed_diff) == (False, [], {})


@given(_maps, _maps)
def test_the_way_back_is_the_inverse(old: dict[str, object], new: dict[str, object]) -> None:
    inverse = {"ADD": "DELETE", "DELETE": "ADD", "UPDATE": "UPDATE"}
    there, back = _kinds(old, new), _kinds(new, old)
    assert {path: inverse[kind] for path, kind in there.items()} == back


@given(_maps, _maps)
def test_there_is_a_change_exactly_if_a_path_is_named(
    old: dict[str, object], new: dict[str, object]
) -> None:
    answer = diff_properties(_map(old), _map(new))
    assert answer.changes == bool(answer.detailed_diff)
    assert set(answer.diffs) <= {*old, *new}


def test_null_is_the_same_as_absent() -> None:
    assert _kinds({"a": None}, {}) == {}
    assert _kinds({"a": None}, {"a": 1}) == {"a": "ADD"}
    assert _kinds({"a": {"b": None}}, {"a": {}}) == {}


def test_a_secret_is_compared_as_one_value_and_its_mark_counts() -> None:
    old = wrap({"user": "a", "key": "1"})
    new = wrap({"user": "a", "key": "2"})
    assert _kinds({"c": old.with_secret(True)}, {"c": new.with_secret(True)}) == {"c": "UPDATE"}
    assert _kinds({"c": old}, {"c": new}) == {"c.key": "UPDATE"}
    assert _kinds({"c": old}, {"c": old.with_secret(True)}) == {"c": "UPDATE"}


def test_assets_are_compared_by_hash() -> None:
    old = wrap(WireAsset(hash="1", path="a"))
    assert same(old, wrap(WireAsset(hash="1", path="b")))
    assert not same(old, wrap(WireAsset(hash="2", path="a")))
    assert not same(wrap(WireAsset(path="a")), wrap(WireAsset(path="b")))


def test_what_is_not_known_is_never_the_same() -> None:
    assert not same(unknown(), unknown())
    assert not same(wrap("a"), unknown())


def test_a_replacement_is_named_by_its_root() -> None:
    answer = diff_properties(
        _map({"a": ["x"], "b": 1}),
        _map({"a": ["y"], "b": 2}),
        replaces=lambda path: path.startswith("a"),
    )
    assert answer.replaces == ["a"]
    assert answer.diffs == ["a", "b"]
    kinds = {path: part.kind for path, part in answer.detailed_diff.items()}
    assert kinds == {"a[0]": PropertyDiffKind.UPDATE_REPLACE, "b": PropertyDiffKind.UPDATE}


def test_a_root_that_needs_quotes_is_named_without_them() -> None:
    assert diff_properties({}, _map({"a-b": 1})).diffs == ["a-b"]


def test_paths_are_written_as_the_engine_writes_them() -> None:
    assert path_text(("a", "b_2", 0, "C")) == "a.b_2[0].C"
    assert path_text(("a", "b-c")) == 'a["b-c"]'
    assert path_text(('q"',)) == '["q\\""]'
