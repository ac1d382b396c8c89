"""Label selectors, expression by expression."""

import pytest

from drills.objects.selectors import SelectorError, selector


@pytest.mark.parametrize(
    ("expression", "labels", "matches"),
    [
        (("a", "In", ["1", "2"]), {"a": "2"}, True),
        (("a", "In", ["1"]), {}, False),
        (("a", "NotIn", ["1"]), {}, True),
        (("a", "NotIn", ["1"]), {"a": "1"}, False),
        (("a", "Exists", None), {"a": ""}, True),
        (("a", "Exists", None), {}, False),
        (("a", "DoesNotExist", None), {}, True),
        (("a", "DoesNotExist", None), {"a": ""}, False),
    ],
)
def test_expressions(
    expression: tuple[str, str, list[str] | None], labels: dict[str, str], matches: bool
) -> None:
    key, operator, values = expression
    one = {"key": key, "operator": operator, "values": values}
    assert selector({"matchExpressions": [one]}).matches(labels) is matches


def test_all_parts_must_hold() -> None:
    both = selector(
        {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}
    )
    assert both.matches({"a": "1", "b": ""})
    assert not both.matches({"a": "1"})
    assert not both.matches({"b": ""})


def test_an_operator_that_kubernetes_does_not_know_is_an_error() -> None:
    with pytest.raises(SelectorError, match="operator 'Like'"):
        selector({"matchExpressions": [{"key": "a", "operator": "Like"}]})
