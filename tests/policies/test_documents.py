"""Policy documents are read as the server reads them."""

import pytest

from policies.documents import bucket_part, matches, readable_statements, wildcard_principal


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "", True),
        ("s3:*", "s3:PutObject", True),
        ("s3:Put*", "s3:GetObject", False),
        ("s3:PutObjec?", "s3:PutObject", True),
        ("s3:putobject", "s3:PutObject", False),
        ("arn:aws:s3:::a.b/*", "arn:aws:s3:::aXb/k", False),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/x/*", True),
        ("arn:aws:s3:::b/x/*", "arn:aws:s3:::b/*", False),
        ("a*c", "a\nc", True),
        ("[ab]", "a", False),
    ],
)
def test_patterns(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


def test_keys_are_read_without_regard_to_case_and_single_values_as_lists() -> None:
    [statement] = readable_statements('{"STATEMENT": {"effect": "Allow", "aCTION": "s3:*"}}')
    assert statement.allows
    assert statement.actions == ("s3:*",)


@pytest.mark.parametrize("text", ["", "x", "[]", "7", "null", '{"Statement": []}', None, 3.0])
def test_what_is_no_document_has_no_statements(text: object) -> None:
    assert readable_statements(text) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ('"Principal": "*"', True),
        ('"Principal": {"AWS": ["*"]}', True),
        ('"Principal": {"AWS": "arn:aws:iam:::user/a"}', False),
        ('"NotPrincipal": {"AWS": "arn:aws:iam:::user/a"}', True),
        ('"Principal": null', False),
        ('"Principal": 7', False),
    ],
)
def test_principals(fields: str, expected: bool) -> None:
    [statement] = readable_statements('{"Statement": {"Effect": "Allow", ' + fields + "}}")
    assert wildcard_principal(statement) is expected


def test_bucket_part_of_a_resource_name() -> None:
    assert bucket_part("arn:aws:s3:::b/x/*") == "b"
    assert bucket_part("arn:aws:s3:::b") == "b"
    assert bucket_part("*") == "*"
