"""Names of objects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.objects.keys import KeyFormatError, ObjectKey, group_of, key_of, parse, resource_of

NAMES = st.text("abcdefghij-.:0123456789", min_size=1, max_size=253).filter(
    lambda name: name not in (".", "..")
)
NAMESPACES = st.text("abcdefghij-0123456789", min_size=1, max_size=63)


@given(NAMES, NAMESPACES | st.just(""))
def test_a_key_is_read_back_from_its_text(name: str, namespace: str) -> None:
    key = key_of("deployments.apps", namespace, name)
    assert parse(str(key)) == key


def test_the_parts_of_a_kind() -> None:
    key = ObjectKey("deployments.apps", "shop", "web")
    assert (key.plural, key.group, key.cluster_scoped) == ("deployments", "apps", False)
    assert ObjectKey("pods", "", "x").group == ""
    assert resource_of("apps/v1", "deployments") == "deployments.apps"
    assert resource_of("v1", "pods") == "pods"
    assert group_of("networking.k8s.io/v1") == "networking.k8s.io"
    assert group_of("v1") == ""


def test_keys_sort_by_kind_then_namespace_then_name() -> None:
    keys = [parse(text) for text in ("pods/b/a", "pods/a/z", "configmaps/z/z", "pods/x")]
    assert [str(key) for key in sorted(keys)] == [
        "configmaps/z/z",
        "pods/x",
        "pods/a/z",
        "pods/b/a",
    ]


def test_names_at_their_limits() -> None:
    longest = key_of("configmaps", "n" * 63, "x" * 253)
    assert parse(str(longest)) == longest


@pytest.mark.parametrize(
    ("resource", "namespace", "name", "said"),
    [
        ("pods", "shop", "x" * 254, "longer than 253"),
        ("pods", "n" * 64, "x", "longer than 63"),
        ("pods", "shop", "", "is empty"),
        ("", "shop", "x", "is empty"),
        ("pods", "shop", "..", "is no name"),
        ("pods", "shop", "a/b", "is no name"),
        ("pods", "a%2fb", "x", "is no name"),
        ("pods", "shop", "a\nb", "is no name"),
    ],
)
def test_what_is_no_name_is_refused(resource: str, namespace: str, name: str, said: str) -> None:
    with pytest.raises(KeyFormatError, match=said):
        key_of(resource, namespace, name)


def test_what_no_restore_can_unpack_is_known() -> None:
    assert ObjectKey("configmaps", "shop", "x" * 250).unpackable
    assert not ObjectKey("configmaps", "shop", "x" * 251).unpackable


@pytest.mark.parametrize("text", ["pods", "", "a/b/c/d", "pods//x"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(KeyFormatError, match=r"names no object|is empty"):
        parse(text)
