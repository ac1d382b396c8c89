"""Property values between the wire (protobuf structs) and the SDK's `PropertyValue`.

The SDK's own unmarshalling forgets the hash of an asset and takes an unknown value for text; a
provider needs both, so the wire form is read and written here. Unknown values become
`PropertyValue.computed()`, assets and archives become `WireAsset` and `WireArchive`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import pulumi
from google.protobuf import struct_pb2
from pulumi.provider.experimental.property_value import (
    Computed,
    PropertyValue,
    PythonValue,
    ResourceReference,
)

# The engine's marks, part of its wire protocol (sdk/go/common/resource/sig and plugin/rpc.go).
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  (a protocol constant, no secret)
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"

UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# One mark per type; a reader must know them all, for they travel on from other providers' outputs.
UNKNOWN_MARKS = frozenset(
    {
        UNKNOWN_TEXT,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)

PropertyMap = dict[str, PropertyValue]


@dataclass(frozen=True)
class WireAsset(pulumi.Asset):
    """A file, text or URI as the engine sends it. `hash` is the SHA-256 of the content, in hex."""

    hash: str = ""
    path: str | None = None
    text: str | None = None
    uri: str | None = None


@dataclass(frozen=True)
class WireArchive(pulumi.Archive):
    """A directory, archive file, URI or map of assets, with the engine's hash of the content."""

    hash: str = ""
    path: str | None = None
    uri: str | None = None
    assets: "Mapping[str, WireAsset | WireArchive] | None" = None


def decode_map(struct: struct_pb2.Struct) -> PropertyMap:
    """The properties of a message, in the order of their names."""
    return {name: decode(struct.fields[name]) for name in sorted(struct.fields)}


def decode(value: struct_pb2.Value) -> PropertyValue:
    """One wire value. Raises ValueError for a signature this protocol does not have."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text: str = value.string_value
        return PropertyValue.computed() if text in UNKNOWN_MARKS else PropertyValue(text)
    if kind == "bool_value":
        return PropertyValue(bool(value.bool_value))
    if kind == "number_value":
        return PropertyValue(float(value.number_value))
    if kind == "list_value":
        return PropertyValue([decode(item) for item in value.list_value.values])
    if kind == "struct_value":
        return _decode_struct(value.struct_value)
    return PropertyValue.null()


def _decode_struct(struct: struct_pb2.Struct) -> PropertyValue:
    fields = struct.fields
    if SIGNATURE not in fields:
        return PropertyValue(decode_map(struct))
    signature = fields[SIGNATURE].string_value
    if signature == SECRET:
        return decode(fields["value"]).with_secret(True)
    if signature == OUTPUT:
        inner = decode(fields["value"]) if "value" in fields else PropertyValue.computed()
        secret = "secret" in fields and fields["secret"].bool_value
        urns = [item.string_value for item in fields["dependencies"].list_value.values]
        return inner.with_secret(secret or inner.is_secret).with_dependencies(urns)
    if signature in (ASSET, ARCHIVE):
        return PropertyValue(_decode_content(struct))
    if signature == RESOURCE:
        return PropertyValue(
            ResourceReference(
                urn=fields["urn"].string_value,
                resource_id=decode(fields["id"]) if "id" in fields else None,
                package_version=_text(struct, "packageVersion"),
            )
        )
    raise ValueError(f"the engine sent a value with the unknown signature {signature!r}")


def _text(struct: struct_pb2.Struct, name: str) -> str | None:
    return str(struct.fields[name].string_value) if name in struct.fields else None


def _decode_content(struct: struct_pb2.Struct) -> WireAsset | WireArchive:
    content_hash = _text(struct, "hash") or ""
    path, uri = _text(struct, "path"), _text(struct, "uri")
    if struct.fields[SIGNATURE].string_value == ASSET:
        text = _text(struct, "text")
        if text is None and path is None and uri is None:
            text = ""  # the engine leaves an empty text out
        return WireAsset(content_hash, path, text, uri)
    assets = None
    if "assets" in struct.fields:
        entries = struct.fields["assets"].struct_value.fields
        assets = {name: _decode_content(entries[name].struct_value) for name in sorted(entries)}
    return WireArchive(content_hash, path, uri, assets)


def encode_map(properties: Mapping[str, PropertyValue]) -> struct_pb2.Struct:
    return struct_pb2.Struct(fields={name: encode(value) for name, value in properties.items()})


def encode(value: PropertyValue) -> struct_pb2.Value:
    """The wire form. Dependencies are not sent: the engine does not ask resources for them."""
    plain = _encode_plain(value.value)
    if value.is_secret:
        return _signed(SECRET, {"value": plain})
    return plain


def _encode_plain(value: PythonValue) -> struct_pb2.Value:
    if isinstance(value, (bool, int, float, str)) or value is None:
        return _encode_scalar(value)
    if isinstance(value, Computed):
        return _string(UNKNOWN_TEXT)
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=encode_map(value))
    if isinstance(value, (WireAsset, WireArchive)):
        return _encode_content(value)
    if isinstance(value, ResourceReference):
        return _encode_reference(value)
    if isinstance(value, (pulumi.Asset, pulumi.Archive)):
        raise TypeError(f"use WireAsset or WireArchive instead of {type(value).__name__}")
    items = struct_pb2.ListValue(values=[encode(item) for item in value])
    return struct_pb2.Value(list_value=items)


def _encode_scalar(value: bool | float | str | None) -> struct_pb2.Value:
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, str):
        return _string(value)
    return struct_pb2.Value(number_value=value)


def _encode_reference(value: ResourceReference) -> struct_pb2.Value:
    fields = {"urn": _string(value.urn)}
    if value.resource_id is not None:
        fields["id"] = encode(value.resource_id)
    if value.package_version is not None:
        fields["packageVersion"] = _string(value.package_version)
    return _signed(RESOURCE, fields)


def _encode_content(content: WireAsset | WireArchive) -> struct_pb2.Value:
    texts = {"hash": content.hash, "path": content.path, "uri": content.uri}
    signature = ARCHIVE
    if isinstance(content, WireAsset):
        signature, texts["text"] = ASSET, content.text
    fields = {name: _string(text) for name, text in texts.items() if text}
    if isinstance(content, WireArchive) and content.assets is not None:
        entries = {name: _encode_content(entry) for name, entry in content.assets.items()}
        fields["assets"] = struct_pb2.Value(struct_value=struct_pb2.Struct(fields=entries))
    return _signed(signature, fields)


def _signed(signature: str, fields: Mapping[str, struct_pb2.Value]) -> struct_pb2.Value:
    signed = {SIGNATURE: _string(signature), **fields}
    return struct_pb2.Value(struct_value=struct_pb2.Struct(fields=signed))


def _string(text: str) -> struct_pb2.Value:
    return struct_pb2.Value(string_value=text)


def is_unknown(value: PropertyValue) -> bool:
    return isinstance(value.value, Computed)


def contains_unknown(value: PropertyValue) -> bool:
    """True if the value or anything inside it is unknown."""
    return any(is_unknown(part) for part in _parts(value))


def unknown(*, secret: bool = False) -> PropertyValue:
    return PropertyValue(Computed(), is_secret=secret)


def plain(value: PropertyValue) -> object:
    """Ordinary Python data without secret marks: None, bool, float, str, list, dict, assets.

    Raises ValueError where a part is unknown: nothing may act on such a value.
    """
    content = value.value
    if isinstance(content, Computed):
        raise ValueError("the value is not known yet")
    if isinstance(content, Mapping):
        return {name: plain(item) for name, item in content.items()}
    if isinstance(content, tuple):
        return [plain(cast("PropertyValue", item)) for item in content]
    return content


def wrap(value: object) -> PropertyValue:
    """Ordinary Python data as a property value; a `PropertyValue` inside it stays as it is."""
    if isinstance(value, PropertyValue):
        return value
    if isinstance(value, Mapping):
        return PropertyValue({str(name): wrap(item) for name, item in value.items()})
    if isinstance(value, (list, tuple)):
        return PropertyValue([wrap(item) for item in value])
    if isinstance(value, int) and not isinstance(value, bool):
        return PropertyValue(float(value))
    return PropertyValue(cast("PythonValue", value))


def secret_texts(properties: Mapping[str, PropertyValue]) -> frozenset[str]:
    """Every non-empty text that is secret or lies inside a secret value, for redaction."""
    found: set[str] = set()
    for value in properties.values():
        _collect_secrets(value, value.is_secret, found.add)
    return frozenset(text for text in found if text)


def _collect_secrets(value: PropertyValue, secret: bool, add: Callable[[str], None]) -> None:
    secret = secret or value.is_secret
    if secret and isinstance(value.value, str):
        add(value.value)
    for part in _children(value):
        _collect_secrets(part, secret, add)


def same_secrecy(outputs: PropertyMap, inputs: Mapping[str, PropertyValue]) -> PropertyMap:
    """`outputs` where each one named like a secret input is secret too, and no other.

    This is how the official plugins flow secrecy: by name, never from one property to another.
    """
    return {
        name: value.with_secret(True) if name in inputs and inputs[name].is_secret else value
        for name, value in outputs.items()
    }


def _children(value: PropertyValue) -> Iterator[PropertyValue]:
    content = value.value
    if isinstance(content, Mapping):
        yield from content.values()
    elif isinstance(content, tuple):
        yield from cast("tuple[PropertyValue, ...]", content)


def _parts(value: PropertyValue) -> Iterator[PropertyValue]:
    yield value
    for child in _children(value):
        yield from _parts(child)
