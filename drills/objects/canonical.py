"""One spelling for each content: JSON that does not depend on who wrote it, and digests of it.

What counts as the same:

- the order of keys does not matter, the order of a list does;
- a key whose value is null is a key that is not there (Go writes null for an unset time); a null in
  a list keeps its place;
- `1`, `1.0` and `1e0` are the same number, below 1e16; integers of any size are kept exactly;
- empty labels, annotations, finalizers and owner references are absent ones, as the API server
  drops them. Any other empty map or list is itself: `emptyDir: {}` and `podSelector: {}` mean
  something that their absence does not.
"""

import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

DIGEST_BYTES = 16
# Section digests only name the place of a difference; the object's digest has the full length.
SECTION_BYTES = 8
SHOWN_HEX = 12
SALT_BYTES = 16

METADATA_SECTIONS = ("labels", "annotations", "finalizers", "ownerReferences")

_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False
).encode
# Objects of a kind have the same sections: one tuple serves all of them.
_NAMES: dict[tuple[str, ...], tuple[str, ...]] = {}
# From here on a float's text has an exponent; no writer of Kubernetes' spells such a number as an
# integer, and to look for exponents in every text would cost as much as its digest.
_WHOLE_BELOW = 1e16


class NotJSONError(ValueError):
    """A text that is no JSON value; the message never repeats it."""


def loads(text: bytes | str) -> object:
    """A JSON value, numbers spelled one way. Raises NotJSONError."""
    try:
        # Left to itself the reader also takes UTF-16, which no part of Kubernetes writes.
        given = text if isinstance(text, str) else text.decode("utf-8")
        found: object = _decode(given)
    except RecursionError:
        raise NotJSONError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise NotJSONError("it is not UTF-8") from None
    except NotJSONError:
        raise
    except ValueError as error:
        at = error.pos if isinstance(error, json.JSONDecodeError) else 0
        raise NotJSONError(f"it is no JSON from character {at} on") from None
    return found


def canonical(value: object) -> bytes:
    """The one spelling of a JSON value, ASCII. Raises NotJSONError for what is no JSON value."""
    try:
        text = _encode(value)
        if isinstance(value, float) or _may_hold_other_spellings(text):
            text = _encode(_plain(value))
    except RecursionError:
        raise NotJSONError("it is nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise NotJSONError(f"it holds what JSON cannot ({type(error).__name__})") from None
    return text.encode("ascii")


def digest(value: object, salt: bytes, size: int = DIGEST_BYTES) -> bytes:
    """A keyed digest (BLAKE2b) over the canonical form; `salt` is up to 64 bytes.

    Two records with salts of their own cannot be compared by somebody who has both, and a table of
    digests of likely secrets made beforehand is of no use.
    """
    return hashlib.blake2b(canonical(value), digest_size=size, key=salt).digest()


def shown_digest(value: object, salt: bytes) -> str:
    """What a finding shows in place of a secret value: 12 hexadecimal digits."""
    return digest(value, salt, SHOWN_HEX // 2).hex()


def sections(content: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The parts of an object by name: `metadata.labels`, …, and every other top-level field.

    The rest of metadata is left out: the API server writes it, apart from namespace and name, which
    the object's key holds.
    """
    for name, value in content.items():
        if name != "metadata":
            if value is not None:
                yield name, value
        elif isinstance(value, Mapping):
            for part in METADATA_SECTIONS:
                held = value.get(part)
                if held:
                    yield f"metadata.{part}", held


class Digests(NamedTuple):
    """Digests of one object: of all of it, and of its sections in the order of `names`.

    Packed, because a truth holds tens of thousands: `parts` is SECTION_BYTES for each name.
    """

    whole: bytes
    names: tuple[str, ...]
    parts: bytes

    def by_name(self) -> dict[str, bytes]:
        return {
            name: self.parts[place : place + SECTION_BYTES]
            for name, place in zip(self.names, itertools.count(0, SECTION_BYTES), strict=False)
        }


def section_digests(content: Mapping[str, object], salt: bytes) -> Digests:
    """The digests of an object. Raises NotJSONError."""
    found = sorted(sections(content), key=_name)
    parts = [_part(value, salt) for _name, value in found]
    names = tuple(name for name, _value in found)
    whole = hashlib.blake2b(
        canonical(names) + b"".join(parts), digest_size=DIGEST_BYTES, key=salt
    ).digest()
    shortened = b"".join([part[:SECTION_BYTES] for part in parts])
    return Digests(whole, _NAMES.setdefault(names, names), shortened)


def _part(value: object, salt: bytes) -> bytes:
    if isinstance(value, str):
        return _short_part(value, salt)
    return hashlib.blake2b(canonical(value), digest_size=DIGEST_BYTES, key=salt).digest()


@lru_cache(maxsize=1024)
def _short_part(value: str, salt: bytes) -> bytes:
    """Texts at the top of an object are its kind, its apiVersion, its type: a few, ever again."""
    return hashlib.blake2b(canonical(value), digest_size=DIGEST_BYTES, key=salt).digest()


def _name(section: tuple[str, object]) -> str:
    return section[0]


def _may_hold_other_spellings(text: str) -> bool:
    """Whether the text may hold a null to drop or a number to respell."""
    if ":null" in text:
        return True
    return ".0" in text and (".0," in text or ".0}" in text or ".0]" in text)


def _plain(value: object) -> object:
    """Nulls in maps dropped, whole floats as integers."""
    if isinstance(value, dict):
        # Most values are texts: to call for each of them would double the time.
        return {
            key: held if held.__class__ is str else _plain(held)
            for key, held in value.items()
            if held is not None
        }
    if isinstance(value, list | tuple):
        return [held if held.__class__ is str else _plain(held) for held in value]
    return _whole(value) if isinstance(value, float) else value


def _whole(value: float) -> float | int:
    return int(value) if value.is_integer() and abs(value) < _WHOLE_BELOW else value


def _number(text: str) -> float | int:
    value = float(text)
    if not math.isfinite(value):
        raise NotJSONError("it holds a number beyond what JSON readers keep")
    return _whole(value)


def _refuse(_constant: str) -> float:
    raise NotJSONError("it holds NaN or Infinity")


_decode = json.JSONDecoder(parse_float=_number, parse_constant=_refuse).decode
