"""A kubeconfig is reduced to what is used, and a wrong one is refused in a sentence."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kube.errors import Cause, ClusterError
from kube.kubeconfig import parse
from tests.kube import kubeconfigs


def fault_of(text: str, context: str = "") -> str:
    with pytest.raises(ClusterError) as caught:
        parse(text, context)
    assert caught.value.cause is Cause.KUBECONFIG
    assert "\n" not in str(caught.value)
    assert "SENTINEL" not in str(caught.value)
    return str(caught.value)


def test_only_the_chosen_context_is_kept() -> None:
    found = parse(kubeconfigs.text(), "two")
    assert (found.context, found.server) == ("two", "https://two.example:6443")
    assert "127.0.0.1" not in found.text
    assert kubeconfigs.SECRET not in found.text


def test_another_cluster_or_another_order_in_the_file_changes_nothing() -> None:
    content = kubeconfigs.content()
    before = parse(yaml.safe_dump(content))
    for listing in ("clusters", "users", "contexts"):
        content[listing].reverse()
    content["users"].append({"name": "u3", "user": {}})
    content["preferences"] = {"colors": True}
    assert parse("# mine\n" + yaml.safe_dump(content, sort_keys=False)) == before


def test_no_text_form_shows_the_credential() -> None:
    assert "SENTINEL" not in repr(parse(kubeconfigs.text()))


@pytest.mark.parametrize(
    ("text", "context", "said"),
    [
        ("{", "", "no YAML"),
        ("[]", "", "kind Config"),
        ("kind: Pod", "", "kind Config"),
        ("kind: Config", "", "cluster.context"),
        (kubeconfigs.text(), "three", "there: one, two"),
        (kubeconfigs.text(server="http://plain.example"), "", "https://"),
        (kubeconfigs.text(**{"insecure-skip-tls-verify": True}), "", "TLS checking off"),
        (kubeconfigs.text(**{"certificate-authority": "/ca.crt"}), "", "--flatten"),
    ],
)
def test_a_wrong_kubeconfig_is_one_sentence(text: str, context: str, said: str) -> None:
    assert said in fault_of(text, context)


@pytest.mark.parametrize("key", ["client-certificate", "client-key", "tokenFile"])
def test_a_credential_in_a_file_is_refused(key: str) -> None:
    content = kubeconfigs.content()
    content["users"][0]["user"] = {key: "/home/somebody/file"}
    assert key in fault_of(yaml.safe_dump(content))


def test_a_context_without_its_user_is_refused() -> None:
    content = kubeconfigs.content()
    del content["users"][0]
    assert "no user named u1" in fault_of(yaml.safe_dump(content))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["kind", "clusters", "contexts", "name", "current-context", "users"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_stands_in_the_file_is_refused_in_a_sentence(content: Any) -> None:
    fault_of(yaml.safe_dump(content))


def test_a_name_with_a_line_break_makes_no_second_line() -> None:
    fault_of("clusters: null\ncurrent-context: 'a\n\n  b'\n")
