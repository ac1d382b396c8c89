"""Property values keep what the wire form holds: secrets, unknowns, hashes, outputs."""

import pytest
from google.protobuf import json_format, struct_pb2
from hypothesis import given
from hypothesis import strategies as st
from pulumi.provider.experimental.property_value import PropertyValue

from standins.pulumi.values import (
    SIGNATURE,
    UNKNOWN_MARKS,
    UNKNOWN_TEXT,
    WireAsset,
    contains_unknown,
    decode_map,
    encode_map,
    is_unknown,
    plain,
    same_secrecy,
    secret_texts,
    unknown,
    wrap,
)

_SECRET = "1b47061264138c4ac30d75fd1eb44270"
_ASSET = "c44067f5952c0a294b673a41bacd8c17"
_ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"

_words = st.text(min_size=1, max_size=5).filter(lambda t: t not in UNKNOWN_MARKS)
_files = st.fixed_dictionaries({SIGNATURE: st.just(_ASSET), "hash": _words, "path": _words})
_archives = st.fixed_dictionaries(
    {
        SIGNATURE: st.just(_ARCHIVE),
        "hash": _words,
        "assets": st.dictionaries(_words, _files, max_size=2),
    }
)
_leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40).map(float)
    | _words
    | st.just(UNKNOWN_TEXT)
    | _files
    | _archives
)


def _branches(children: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return (
        st.lists(children, max_size=3)
        | st.dictionaries(_words, children, max_size=3)
        | children.filter(lambda v: not _is_secret(v)).map(
            lambda v: {SIGNATURE: _SECRET, "value": v}
        )
    )


def _is_secret(value: object) -> bool:
    return isinstance(value, dict) and value.get(SIGNATURE) == _SECRET


_wire = st.dictionaries(_words, st.recursive(_leaves, _branches, max_leaves=8), max_size=4)


def _struct(value: dict[str, object]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(value)
    return struct


@given(_wire)
def test_what_comes_in_goes_out_unchanged(value: dict[str, object]) -> None:
    struct = _struct(value)
    assert json_format.MessageToDict(encode_map(decode_map(struct))) == json_format.MessageToDict(
        struct
    )


@pytest.mark.parametrize("mark", sorted(UNKNOWN_MARKS))
def test_every_mark_of_an_unknown_value_is_known(mark: str) -> None:
    assert is_unknown(decode_map(_struct({"x": mark}))["x"])


def test_an_output_value_is_its_content_with_secrecy_and_dependencies() -> None:
    known = {SIGNATURE: _OUTPUT, "value": "v", "secret": True, "dependencies": ["urn:a"]}
    waiting = {SIGNATURE: _OUTPUT, "dependencies": []}
    decoded = decode_map(_struct({"known": known, "waiting": waiting}))
    assert decoded["known"] == PropertyValue("v", is_secret=True, dependencies=["urn:a"])
    assert is_unknown(decoded["waiting"])


def test_an_unknown_signature_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown signature 'nonsense'"):
        decode_map(_struct({"x": {SIGNATURE: "nonsense"}}))


def test_an_asset_keeps_its_hash() -> None:
    value = decode_map(_struct({"x": {SIGNATURE: _ASSET, "hash": "h", "path": "p"}}))["x"].value
    assert value == WireAsset(hash="h", path="p")


def test_plain_data_has_no_marks_and_refuses_the_unknown() -> None:
    value = wrap({"a": [1, "x", wrap("s").with_secret(True)], "b": None})
    assert plain(value) == {"a": [1.0, "x", "s"], "b": None}
    with pytest.raises(ValueError, match="not known yet"):
        plain(wrap({"a": [unknown()]}))
    assert contains_unknown(wrap({"a": [unknown()]}))
    assert not contains_unknown(value)


def test_secret_texts_are_found_at_any_depth() -> None:
    inside = wrap({"key": "inner", "number": 1})
    properties = {
        "open": wrap("open"),
        "deep": wrap({"list": [wrap("deep").with_secret(True)]}),
        "whole": inside.with_secret(True),
        "empty": wrap("").with_secret(True),
    }
    assert secret_texts(properties) == {"deep", "inner"}


def test_secrecy_flows_by_name_only() -> None:
    outputs = same_secrecy(
        {"stdin": wrap("a"), "stdout": wrap("a")}, {"stdin": wrap("a").with_secret(True)}
    )
    assert outputs["stdin"].is_secret
    assert not outputs["stdout"].is_secret
