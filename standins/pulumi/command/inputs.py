"""The inputs of each resource and how Check judges them. Names and types: the 1.2.1 schema.

Check keeps what it was given, adds the defaults that the official plugin adds (those of a
connection), marks what the schema calls secret, and lets values that are not known yet pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import CheckFailure

from standins.pulumi.values import PropertyMap, WireArchive, WireAsset, is_unknown, unknown

LOCAL_COMMAND = "command:local:Command"
REMOTE_COMMAND = "command:remote:Command"
COPY_TO_REMOTE = "command:remote:CopyToRemote"
COPY_FILE = "command:remote:CopyFile"
LOCAL_RUN = "command:local:run"


class Kind(Enum):
    """What a value may be; the text names it in a failure."""

    STRING = "a string"
    BOOLEAN = "true or false"
    NUMBER = "a number"
    INTEGER = "a whole number"
    STRINGS = "a list of strings"
    STRING_MAP = "a map of strings"
    ANYTHING = "a list"
    OBJECT = "an object"
    CONTENT = "a file, text or archive asset"


@dataclass(frozen=True)
class Field:
    """One input. `default` fills it in where the official plugin does; `fields` are an object's."""

    kind: Kind
    required: bool = False
    secret: bool = False
    default: str | float | None = None
    choices: tuple[str, ...] = ()
    fields: "Mapping[str, Field] | None" = None


_TEXT = Field(Kind.STRING)
_FLAG = Field(Kind.BOOLEAN)
_TEXTS = Field(Kind.STRINGS)
_SECRET_TEXT = Field(Kind.STRING, secret=True)
_LOGGING = Field(Kind.STRING, choices=("stdout", "stderr", "stdoutAndStderr", "none"))

_ENDPOINT = {
    "host": Field(Kind.STRING, required=True),
    "user": Field(Kind.STRING, default="root"),
    "port": Field(Kind.NUMBER, default=22.0),
    "password": _SECRET_TEXT,
    "privateKey": _SECRET_TEXT,
    "privateKeyPassword": _SECRET_TEXT,
    "agentSocketPath": _TEXT,
    "hostKey": _TEXT,
    "dialErrorLimit": Field(Kind.INTEGER, default=10.0),
    "perDialTimeout": Field(Kind.INTEGER, default=15.0),
}
_CONNECTION = Field(
    Kind.OBJECT,
    required=True,
    secret=True,
    fields={**_ENDPOINT, "proxy": Field(Kind.OBJECT, fields=_ENDPOINT)},
)

_LIFE_CYCLE = {
    "create": _TEXT,
    "update": _TEXT,
    "delete": _TEXT,
    "triggers": Field(Kind.ANYTHING),
}
_LOCAL = {
    "stdin": _TEXT,
    "logging": _LOGGING,
    "interpreter": _TEXTS,
    "dir": _TEXT,
    "environment": Field(Kind.STRING_MAP),
    "assetPaths": _TEXTS,
    "archivePaths": _TEXTS,
    "addPreviousOutputInEnv": _FLAG,
}

INPUTS: Mapping[str, Mapping[str, Field]] = {
    LOCAL_COMMAND: {**_LIFE_CYCLE, **_LOCAL},
    LOCAL_RUN: {"command": replace(_TEXT, required=True), **_LOCAL},
    REMOTE_COMMAND: {
        **_LIFE_CYCLE,
        "stdin": _TEXT,
        "logging": _LOGGING,
        "environment": Field(Kind.STRING_MAP),
        "addPreviousOutputInEnv": _FLAG,
        "connection": _CONNECTION,
    },
    COPY_TO_REMOTE: {
        "connection": _CONNECTION,
        "triggers": Field(Kind.ANYTHING),
        "source": Field(Kind.CONTENT, required=True),
        "remotePath": Field(Kind.STRING, required=True),
    },
    COPY_FILE: {
        "connection": _CONNECTION,
        "triggers": Field(Kind.ANYTHING),
        "localPath": Field(Kind.STRING, required=True),
        "remotePath": Field(Kind.STRING, required=True),
    },
}


def check(token: str, inputs: PropertyMap) -> tuple[PropertyMap, list[CheckFailure]]:
    """The inputs for the state and one failure a mistake. `token` is a key of INPUTS."""
    failures: list[CheckFailure] = []
    checked = _check_fields("", INPUTS[token], inputs, failures)
    return checked, failures


def _check_fields(
    prefix: str,
    fields: Mapping[str, Field],
    given: Mapping[str, PropertyValue],
    failures: list[CheckFailure],
) -> PropertyMap:
    for name in sorted(given.keys() - fields.keys()):
        known = ", ".join(sorted(fields))
        reason = f"{prefix}{name} is not an input of this resource; it has: {known}"
        failures.append(CheckFailure(prefix + name, reason))
    checked: PropertyMap = {}
    for name, field in fields.items():
        value = given.get(name)
        if value is None or (value.value is None and not is_unknown(value)):
            if field.required:
                failures.append(CheckFailure(prefix + name, f"{prefix}{name} is missing"))
            elif field.default is not None:
                checked[name] = PropertyValue(field.default)
            continue
        checked[name] = _check_value(prefix + name, field, value, failures)
    return checked


def _check_value(
    path: str, field: Field, value: PropertyValue, failures: list[CheckFailure]
) -> PropertyValue:
    secret = field.secret or value.is_secret
    if is_unknown(value):
        return unknown(secret=secret)
    reason = _mistake(field, value)
    if reason is not None:
        failures.append(CheckFailure(path, f"{path} {reason}"))
        return value.with_secret(secret)
    content = value.value
    if field.fields is not None and isinstance(content, Mapping):
        content = _check_fields(f"{path}.", field.fields, content, failures)
    return PropertyValue(content, is_secret=secret)


def _mistake(field: Field, value: PropertyValue) -> str | None:
    content = value.value
    if not _fits(field.kind, value):
        return f"must be {field.kind.value}"
    if field.choices and content not in field.choices:
        return f"must be one of {', '.join(field.choices)}"
    if isinstance(content, WireAsset) and content.uri is not None:
        return "must be a file or text asset; this plugin's version does not fetch a URL"
    if isinstance(content, WireArchive) and content.path is None:
        return "must be an archive made from the path of a file or directory"
    return None


def _fits(kind: Kind, value: PropertyValue) -> bool:
    content = value.value
    parts: list[PropertyValue] = []
    if isinstance(content, tuple):
        parts = list(content)
    elif isinstance(content, Mapping):
        parts = list(content.values())
    all_text = all(isinstance(part.value, str) or is_unknown(part) for part in parts)
    fits = {
        Kind.STRING: isinstance(content, str),
        Kind.BOOLEAN: isinstance(content, bool),
        Kind.NUMBER: isinstance(content, float) and not isinstance(content, bool),
        Kind.INTEGER: isinstance(content, float) and content.is_integer(),
        Kind.STRINGS: isinstance(content, tuple) and all_text,
        Kind.STRING_MAP: isinstance(content, Mapping) and all_text,
        Kind.ANYTHING: isinstance(content, tuple),
        Kind.OBJECT: isinstance(content, Mapping),
        Kind.CONTENT: isinstance(content, (WireAsset, WireArchive)),
    }
    return fits[kind]
