"""Values of the policy SDK become plain data, whatever is inside them."""

import pulumi
from pulumi_policy.proxy import UNKNOWN_OBJECT_VALUE, UNKNOWN_STRING_VALUE, unknown_checking_proxy

from policies.adapter import plain
from policies.plain import UNKNOWN


def test_unknown_values_stay_where_they_are_and_hide_nothing_else() -> None:
    proxy = unknown_checking_proxy(
        {
            "a": UNKNOWN_STRING_VALUE,
            "b": {"c": [1.0, UNKNOWN_OBJECT_VALUE, "x"], "d": None},
        }
    )
    assert plain(proxy) == {"a": UNKNOWN, "b": {"c": [1.0, UNKNOWN, "x"], "d": None}}


def test_containers_become_dict_and_list() -> None:
    read = plain(unknown_checking_proxy({"a": {"b": []}}))
    assert type(read) is dict
    assert type(read["a"]) is dict
    assert type(read["a"]["b"]) is list


def test_assets_are_not_looked_into() -> None:
    read = plain(unknown_checking_proxy({"source": pulumi.StringAsset("sentinel")}))
    assert read == {"source": UNKNOWN}
