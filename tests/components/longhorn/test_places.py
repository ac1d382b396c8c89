"""Where a target lies: one form for every way of writing it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.longhorn.places import Place, folder, parse, same

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,5}", fullmatch=True)
FOLDERS = st.lists(NAMES, max_size=3)
SLASHES = st.integers(1, 3).map(lambda count: "/" * count)


@pytest.mark.parametrize(
    ("written", "prefix"),
    [
        ("s3://b-1@eu-west-1", ""),
        ("s3://b-1@eu-west-1/", ""),
        ("s3://b-1@eu-west-1/dev", "dev/"),
        ("s3://b-1@eu-west-1//dev//a/", "dev/a/"),
    ],
)
def test_a_url_has_one_form(written: str, prefix: str) -> None:
    assert parse(written) == Place("b-1", "eu-west-1", prefix)
    assert parse(parse(written).url).url == f"s3://b-1@eu-west-1/{prefix}"


@pytest.mark.parametrize(
    "written",
    [
        "", "nfs://10.0.0.5:/export", "s3://bucket/prefix/", "s3://@r/", "s3://b@r/",
        "s3://bucket@/", "s3://bucket@r/a?backup=b", "s3://bucket@r/$x/", "s3://bucket@r/a,b",
        "s3://bucket@r/../x", "s3://bucket@r/.a", "S3://bucket@r/", "s3://bucket@r/a b",
        "s3://bucket@r/a\n",
    ],
)  # fmt: skip
def test_what_a_part_of_longhorn_would_not_read_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"no (place|folder).*; (write|use) "):
        parse(written)


@given(FOLDERS, st.data())
def test_slashes_make_no_difference(parts: list[str], data: st.DataObject) -> None:
    written = "".join(data.draw(SLASHES) + part for part in parts) + data.draw(SLASHES)
    assert folder(written) == "".join(f"{part}/" for part in parts)


@given(st.text(max_size=30))
def test_any_text_is_a_place_or_one_sentence(text: str) -> None:
    said = ""
    try:
        found = parse(text)
    except ValueError as error:
        found, said = Place("b", "r", ""), str(error)
    assert "\n" not in said
    assert parse(f"s3://bucket@r/{found.prefix}").prefix == found.prefix
    assert found.prefix == "" or found.prefix.endswith("/")


def test_two_spellings_of_one_place_are_the_same() -> None:
    assert same("s3://bucket@r/a", "s3://bucket@r/a/")
    assert not same("s3://bucket@r/a/", "s3://bucket@r/b/")
    assert same("nfs://x:/y", "nfs://x:/y")
    assert not same("nfs://x:/y", "s3://bucket@r/a/")


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("", "", True), ("", "a/", True), ("a/", "a/b/", True), ("A/", "a/", True),
        ("a/", "ab/", False), ("a/", "b/", False),
    ],
)  # fmt: skip
def test_one_folder_in_another_is_met(one: str, other: str, meet: bool) -> None:
    first, second = Place("b", "r", one), Place("b", "q", other)
    assert first.meets(second) is meet
    assert second.meets(first) is meet
    assert not first.meets(Place("another", "r", other))
