"""What can be wrong with a backup store's content, one fault each.

Faults of the store itself (unreachable, access denied, clock skew) are `s3.errors.StoreError`.
"""

from enum import StrEnum

from drills.backupstore.layout import BLOCK_SUFFIX

_SHOWN = 120


class Fault(StrEnum):
    """What is wrong. The values appear in receipts and messages."""

    URL = "url-malformed"
    NAME = "name-malformed"
    RECORD_MISSING = "record-missing"
    RECORD = "record-malformed"
    BLOCK_MISSING = "block-missing"
    BLOCK_UNDECODABLE = "block-undecodable"
    BLOCK_DIFFERS = "block-differs"
    TOO_LARGE = "too-large"
    UNSUPPORTED = "unsupported"
    UNFINISHED = "unfinished"


class BackupStoreError(Exception):
    """Content that cannot be used; the text is one sentence that names the object.

    fault: for decisions. object: its key below the target (or the URL, for faults of one).
    detail: the sentence without the object.
    """

    def __init__(self, fault: Fault, object: str, detail: str) -> None:
        super().__init__(fault, object, detail)
        self.fault = fault
        self.object = object
        self.detail = detail

    def __str__(self) -> str:
        return f"{shown(self.object)}: {self.detail}"


class KeyMissing(BackupStoreError):  # noqa: N818 (what happened, as the store says it)
    """No object has this key: BLOCK_MISSING for the key of a block, else RECORD_MISSING."""

    def __init__(self, key: str) -> None:
        block = key.endswith(BLOCK_SUFFIX)
        fault = Fault.BLOCK_MISSING if block else Fault.RECORD_MISSING
        super().__init__(fault, key, "the backup store has no such object")


def shown(text: str) -> str:
    """Text from a store, fit to be printed: ASCII only, not longer than a line."""
    short = text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
    return ascii(short)[1:-1]
