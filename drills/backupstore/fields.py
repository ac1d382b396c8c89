"""JSON as Longhorn writes it, read without trust: size first, then shape, then each field.

Go's encoder writes numbers tagged `,string` in quotes, and texts so tagged in quotes within quotes;
an unset map is null. Raised is BackupStoreError and nothing else.
"""

import json
import re
from array import array
from collections.abc import Callable
from datetime import UTC, datetime

from drills.backupstore.block_list import Blocks
from drills.backupstore.errors import BackupStoreError, Fault, shown
from drills.backupstore.layout import is_checksum, is_name

MOST_TEXT = 1 << 20
_MOST_NUMBER = (1 << 63) - 1
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
# RFC 3339, as Go writes and reads it; datetime alone would take a dozen more forms.
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})"
)
_BLOCK_KEYS = {"Offset", "BlockChecksum"}

Object = dict[str, object]


class _RefusedError(ValueError):
    """JSON that is refused while it is parsed."""


class _Block:
    """Stands in the list of blocks for one that was taken out of the document."""


_BLOCK = _Block()


def loads(key: str, content: bytes, most: int) -> Object:
    """The JSON object in a record of at most `most` bytes. Raises BackupStoreError."""
    document = _parsed(key, content, most, _no_doubles)
    if not isinstance(document, dict):
        raise _malformed(key, "it is no JSON object")
    return document


def loads_with_blocks(key: str, content: bytes, most: int) -> tuple[Object, Blocks]:
    """Like `loads`, the list `Blocks` taken out while it is parsed, so that memory holds it once.

    Of a block only its form is checked: a whole offset below 2^63, a checksum.
    """
    offsets, digests = array("Q"), bytearray()

    def take(pairs: list[tuple[str, object]]) -> object:
        if len(pairs) == len(_BLOCK_KEYS) and {pairs[0][0], pairs[1][0]} == _BLOCK_KEYS:
            offset, checksum = _block(dict(pairs))
            offsets.append(offset)
            digests.extend(bytes.fromhex(checksum))
            return _BLOCK
        return _no_doubles(pairs)

    document = _parsed(key, content, most, take)
    if not isinstance(document, dict):
        raise _malformed(key, "it is no JSON object")
    listed = document.pop("Blocks", None)
    if listed is not None and not isinstance(listed, list):
        raise _malformed(key, "its Blocks are no list")
    items = listed or []
    if any(item is not _BLOCK for item in items):
        raise _malformed(key, "its Blocks are no list of offsets and checksums")
    if len(items) != len(offsets):
        raise _malformed(key, "blocks stand in it elsewhere than in Blocks")
    return document, Blocks(offsets, bytes(digests))


def _parsed(
    key: str, content: bytes, most: int, take: Callable[[list[tuple[str, object]]], object]
) -> object:
    if len(content) > most:
        raise BackupStoreError(
            Fault.TOO_LARGE, key, f"the record has {len(content)} bytes, at most {most} are read"
        )
    try:
        # Left to itself the reader also takes UTF-16, which Longhorn does not write.
        text = content.decode("utf-8")
        found: object = json.loads(text, object_pairs_hook=take, parse_constant=_no_constant)
    except RecursionError:
        raise _malformed(key, "it is nested too deeply") from None
    except UnicodeDecodeError:
        raise _malformed(key, "it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _malformed(key, f"it is no JSON from character {error.pos} on") from None
    except _RefusedError as error:
        raise _malformed(key, str(error)) from None
    except ValueError:
        # The one that is left: more digits than Python turns into a number.
        raise _malformed(key, "it holds a number without end") from None
    return found


def _no_doubles(pairs: list[tuple[str, object]]) -> Object:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _RefusedError("it says a field twice")
    return found


def _no_constant(word: str) -> object:
    raise _RefusedError(f"it holds {word}, which is no JSON")


def _block(block: Object) -> tuple[int, str]:
    offset, checksum = block["Offset"], block["BlockChecksum"]
    if type(offset) is not int or not 0 <= offset <= _MOST_NUMBER:
        raise _RefusedError("a block's offset is no whole number of bytes")
    if not isinstance(checksum, str) or not is_checksum(checksum):
        raise _RefusedError("a block's checksum is not 64 hex digits")
    return offset, checksum


def _malformed(key: str, what: str) -> BackupStoreError:
    return BackupStoreError(Fault.RECORD, key, f"the record cannot be read: {what}")


class Fields:
    """The fields of one record. Every method raises BackupStoreError that names key and field."""

    def __init__(self, key: str, document: Object) -> None:
        self._key = key
        self._document = document

    def fault(self, what: str, fault: Fault = Fault.RECORD) -> BackupStoreError:
        return BackupStoreError(fault, self._key, f"the record cannot be used: {what}")

    def text(self, field: str, default: str | None = None) -> str:
        """A text; `default` for an absent one."""
        found = self._document.get(field, default)
        if not isinstance(found, str) or not _is_text(found):
            raise self.fault(f"its {field} is no text")
        return found

    def quoted(self, field: str) -> str:
        """A text that Go writes in quotes within quotes, "" if absent; plain ones are taken too."""
        outer = self.text(field, default="")
        if not outer.startswith('"'):
            return outer
        try:
            inner = json.loads(outer)
        except (ValueError, RecursionError):
            inner = None
        if not isinstance(inner, str) or not _is_text(inner):
            raise self.fault(f"its {field} is no text in quotes")
        return inner

    def name(self, field: str, *, empty: bool = False) -> str:
        """A name that Longhorn takes; with `empty` also none."""
        found = self.text(field)
        if not is_name(found) and not (empty and not found):
            raise self.fault(f"its {field} {shown(found)!r} is no name that Longhorn takes")
        return found

    def number(self, field: str, *, default: int | None = None, most: int = _MOST_NUMBER) -> int:
        """A number of zero or more that stands in quotes; `default` for an absent one."""
        found = self._document.get(field)
        if found is None and default is not None and field not in self._document:
            return default
        if not isinstance(found, str) or not _NUMBER.fullmatch(found):
            raise self.fault(f"its {field} is no whole number in quotes")
        if int(found) > most:
            raise self.fault(f"its {field} {found} is more than {most}", Fault.TOO_LARGE)
        return int(found)

    def plain_number(self, field: str) -> int:
        """A number without quotes."""
        found = self._document.get(field)
        if type(found) is not int:
            raise self.fault(f"its {field} is no whole number")
        return found

    def flag(self, field: str) -> bool:
        """True or false, false if absent."""
        found = self._document.get(field, False)
        if not isinstance(found, bool):
            raise self.fault(f"its {field} is neither true nor false")
        return found

    def time(self, field: str) -> datetime | None:
        """A time, aware, UTC; None if absent or empty."""
        found = self.text(field, default="")
        if not found:
            return None
        try:
            if _TIME.fullmatch(found):
                return datetime.fromisoformat(found).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise self.fault(f"its {field} {shown(found)!r} is no time like 2026-01-31T12:00:00Z")

    def time_given(self, field: str) -> datetime:
        """A time that must be there."""
        found = self.time(field)
        if found is None:
            raise self.fault(f"it has no {field}")
        return found

    def checksum(self, field: str) -> str:
        """64 lower-case hex digits."""
        found = self.text(field)
        if not is_checksum(found):
            raise self.fault(f"its {field} is not 64 hex digits")
        return found

    def texts(self, field: str) -> dict[str, str]:
        """Texts by name; an unset map is null."""
        found = self._document.get(field)
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise self.fault(f"its {field} are no texts by name")
        for name, value in found.items():
            if not _is_text(name) or not isinstance(value, str) or not _is_text(value):
                raise self.fault(f"its {field} are no texts by name")
        return dict(found)

    def fields(self, field: str) -> "Fields":
        """The fields of an object within, an empty one's if absent or null."""
        found = self._document.get(field)
        if found is not None and not isinstance(found, dict):
            raise self.fault(f"its {field} is no object")
        return Fields(self._key, found or {})


def _is_text(text: str) -> bool:
    """Not endless, and no half of a character, which could not be printed later."""
    if len(text) > MOST_TEXT:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
