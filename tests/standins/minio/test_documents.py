"""Policy documents compared by meaning."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from standins.pulumi.minio import documents

names = st.sampled_from(["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"])
lists = st.lists(names, min_size=1, max_size=4, unique=True)
statements = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": lists, "Resource": lists},
    optional={"Sid": st.sampled_from(["a", "b"]), "Condition": st.just({"Bool": {"x": "true"}})},
)
policies = st.lists(statements, min_size=1, max_size=4).map(
    lambda items: {"Version": "2012-10-17", "Statement": items}
)


@given(policies, st.randoms(use_true_random=False))
def test_order_and_single_values_have_no_meaning(policy: dict[str, Any], random: Any) -> None:
    other = json.loads(json.dumps(policy))
    random.shuffle(other["Statement"])
    for statement in other["Statement"]:
        for key in ("Action", "Resource"):
            random.shuffle(statement[key])
            if len(statement[key]) == 1:
                statement[key] = statement[key][0]
    assert documents.equivalent(json.dumps(policy), json.dumps(other, indent=3))


@given(policies, names)
def test_an_action_more_is_another_meaning(policy: dict[str, Any], name: str) -> None:
    other = json.loads(json.dumps(policy))
    other["Statement"][0]["Action"].append(name + "Tagging")
    assert not documents.equivalent(json.dumps(policy), json.dumps(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"Principal": "*"}, {"Principal": {"AWS": ["*"]}}),
        ({"Condition": {"Bool": {"k": True}}}, {"Condition": {"Bool": {"k": ["true"]}}}),
        ({"Sid": ""}, {}),
    ],
)
def test_two_spellings_of_one_meaning(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = ({"Statement": [{"Effect": "Allow", **part}]} for part in (one, other))
    assert documents.equivalent(json.dumps(first), json.dumps(second))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"Effect": "Allow"}, {"Effect": "Deny"}),
        ({"Principal": "*"}, {"Principal": {"AWS": ["arn:aws:iam:::user/u"]}}),
        ({"Condition": {"Bool": {"k": "true"}}}, {"Condition": {"Bool": {"k": "false"}}}),
        ({"Action": ["a"]}, {"NotAction": ["a"]}),
    ],
)
def test_two_meanings_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = ({"Statement": [{"Resource": ["r"], **part}]} for part in (one, other))
    assert not documents.equivalent(json.dumps(first), json.dumps(second))


def test_texts_that_are_no_documents_are_compared_as_texts() -> None:
    assert documents.equivalent(" x", "x ")
    assert not documents.equivalent("x", "{}")


@pytest.mark.parametrize("acl", documents.ACLS[1:])
def test_each_acl_is_recognised_by_its_document_alone(acl: str) -> None:
    document = documents.acl_document(acl, "b")
    assert documents.acl_of(document, "b") == acl
    assert documents.acl_of(document, "other") == "private"


def test_the_kept_form_is_the_servers_order_indented_by_one() -> None:
    assert documents.pretty('{"b":[],"a":["x"]}') == '{\n "b": [],\n "a": [\n  "x"\n ]\n}'
