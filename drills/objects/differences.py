"""Where two objects differ, field by field, in words that may be kept.

A finding goes into a receipt that outlives the cluster, so no value that may be a secret is shown:
the data of Secrets and ConfigMaps, values of environment variables, the annotation that repeats a
whole object, whatever stands under a name that speaks of a secret, and texts that hold such a name
or a login. Of these a finding shows 12 hexadecimal digits of a digest, salted for this run.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from drills.objects.canonical import NotJSONError, canonical, shown_digest
from drills.objects.keys import printable
from drills.objects.paths import ABSENT, under

FIELDS_SHOWN = 20
VALUE_CHARACTERS = 60
_ABSENT_TEXT = "absent"

_CONFIDENTIAL_FIELDS: Mapping[str, frozenset[str]] = {
    "secrets": frozenset({"data", "stringData"}),
    "configmaps": frozenset({"data", "binaryData"}),
}
_CONFIDENTIAL_NAME = re.compile(
    r"passw|secret|token|credential|private|apikey|api[_-]key|access[_-]?key|last-applied",
    re.IGNORECASE,
)
# A name of a thing is no secret, though its field's name speaks of one: secretName, secretKeyRef.
_HARMLESS_NAME = re.compile(
    r"(name|ref|refs|secrets|namespace|seconds|serviceaccounttoken)\Z", re.IGNORECASE
)
_ENVIRONMENT = re.compile(r"\benv(\[\d+\](\.value)?)?\Z")
_LOGIN = re.compile(r"://[^/\s@]*:[^/\s]*@")


@dataclass(frozen=True)
class FieldChange:
    """One field: its path, and what was expected and observed, shortened or as a digest."""

    path: str
    expected: str
    observed: str

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, observed {self.observed}"


@dataclass(frozen=True)
class Differences:
    """The first fields that differ, in the order of their names, and how many there are."""

    fields: tuple[FieldChange, ...]
    count: int


def differences(
    resource: str, expected: object, observed: object, salt: bytes, limit: int = FIELDS_SHOWN
) -> Differences:
    """Every leaf, or missing part, in which two JSON values differ; at most `limit` are described.

    Raises:
        NotJSONError: one of the two is no JSON value.
    """
    fields: list[FieldChange] = []
    count = 0
    try:
        for path, before, after in _leaves("", expected, observed):
            count += 1
            if len(fields) < limit:
                fields.append(_change(resource, path, before, after, salt))
    except RecursionError:
        raise NotJSONError("it is nested too deeply") from None
    return Differences(tuple(fields), count)


def _change(resource: str, path: str, before: object, after: object, salt: bytes) -> FieldChange:
    hide = confidential(resource, path)
    expected, observed = (shown(value, salt, hide=hide) for value in (before, after))
    return FieldChange(printable(path), expected, observed)


def confidential(resource: str, path: str) -> bool:
    """Whether the value at this path of such an object may be a secret."""
    top = re.split(r"[.\[]", path, maxsplit=1)[0]
    if top in _CONFIDENTIAL_FIELDS.get(resource, ()):
        return True
    if resource == "secrets" and path.startswith("metadata.annotations"):
        return True
    if _ENVIRONMENT.search(path):
        return True
    return any(
        _CONFIDENTIAL_NAME.search(part) and not _HARMLESS_NAME.search(part) for part in _parts(path)
    )


def shown(value: object, salt: bytes, *, hide: bool) -> str:
    """A value for people: compact JSON, shortened; a digest if it is to be hidden."""
    if value is ABSENT:
        return _ABSENT_TEXT
    if isinstance(value, bool):
        return str(value).lower()
    if hide or _holds_confidential(value):
        return f"digest {shown_digest(value, salt)}"
    text = json.dumps(value, separators=(",", ":"), sort_keys=True)
    if len(text) <= VALUE_CHARACTERS:
        return text
    return f"{text[:VALUE_CHARACTERS]}… ({len(text)} characters)"


def _leaves(path: str, expected: object, observed: object) -> Iterator[tuple[str, object, object]]:
    if isinstance(expected, Mapping) and isinstance(observed, Mapping):
        for key in sorted(expected.keys() | observed.keys()):
            # A null says the same as no key at all.
            before, after = expected.get(key), observed.get(key)
            yield from _leaves(
                under(path, key),
                ABSENT if before is None else before,
                ABSENT if after is None else after,
            )
    elif isinstance(expected, list) and isinstance(observed, list):
        for position in range(max(len(expected), len(observed))):
            yield from _leaves(
                under(path, position),
                expected[position] if position < len(expected) else ABSENT,
                observed[position] if position < len(observed) else ABSENT,
            )
    elif not _equal(expected, observed):
        yield path, expected, observed


def _equal(expected: object, observed: object) -> bool:
    if expected is ABSENT or observed is ABSENT:
        return expected is observed
    return expected is observed or canonical(expected) == canonical(observed)


def _holds_confidential(value: object) -> bool:
    """Whether a value, or a whole part such as an added container, holds what is to be hidden."""
    if isinstance(value, Mapping):
        return any(
            key in ("env", "data", "stringData")
            or (_CONFIDENTIAL_NAME.search(str(key)) and not _HARMLESS_NAME.search(str(key)))
            or _holds_confidential(held)
            for key, held in value.items()
        )
    if isinstance(value, list):
        return any(_holds_confidential(held) for held in value)
    if isinstance(value, str):
        return bool(_CONFIDENTIAL_NAME.search(value) or _LOGIN.search(value))
    return False


def _parts(path: str) -> list[str]:
    return [part for part in re.split(r"[\[\]]|\.(?![^\[]*\])", path) if part]
