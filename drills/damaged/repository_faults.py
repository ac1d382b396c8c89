"""Faults in the kopia repositories of a copy: packs, indexes, the key, all of it.

Names of blobs are kopia's (repo/content/content_manager.go, internal/epoch/epoch_manager.go): `p`
packs of files' content, `q` packs of folders and manifests, `x` and, before epochs, `n` indexes.
"""

import base64
import binascii
import json
from collections.abc import Callable

from drills.damaged.copy import REPOSITORY_BLOB, UDM_BLOB, Copy, NothingToPlantError

_CONTENT_PACKS = ("p",)
_INDEXES = ("x", "n")
_UNIQUE_ID = "uniqueID"
# The least that a content takes in a pack: one byte and what AES-GCM adds, a nonce of 12 bytes and
# a tag of 16 (kopia repo/encryption). A flip in every stretch of this length meets every content.
_SMALLEST_CONTENT = 29
_FLIPPED = bytes(byte ^ 1 for byte in range(256))

Plant = Callable[[Copy], None]
"""Raises NothingToPlantError, StoreError."""


def flip_packs(copy: Copy) -> None:
    """One bit of every content of files is another one.

    Which of a pack's bytes belong to this restore point is known to the repository's index alone,
    which is encrypted; so no content is left out.
    """
    _each(copy, _CONTENT_PACKS, lambda key: copy.objects.put(key, flipped(copy.objects.get(key))))


def flipped(pack: bytes) -> bytes:
    """The pack with one bit flipped in every stretch as long as the smallest content."""
    damaged = bytearray(pack)
    places = slice(0, None, _SMALLEST_CONTENT)
    damaged[places] = damaged[places].translate(_FLIPPED)
    return bytes(damaged)


def delete_packs(copy: Copy) -> None:
    """No pack of files' content is there; what points into them is."""
    _each(copy, _CONTENT_PACKS, copy.objects.delete)


def delete_indexes(copy: Copy) -> None:
    """Every pack is there, and nothing says what is in it."""
    _each(copy, _INDEXES, copy.objects.delete)


def delete_repositories(copy: Copy) -> None:
    """The backup knows of data whose repository is gone."""
    _each(copy, ("",), copy.objects.delete)


def cut_formats(copy: Copy) -> None:
    """The description of every repository ends in its middle."""
    for key in _formats(copy):
        content = copy.objects.get(key)
        copy.objects.put(key, content[: len(content) // 2])


def change_keys(copy: Copy) -> None:
    """The right password derives another key, as a wrong password would.

    The key comes from the password and `uniqueID`, which is its salt. Velero compares the salt with
    a note of its own, so both are changed alike.
    """
    for key in _formats(copy):
        copy.objects.put(key, with_other_salt(copy.objects.get(key)))
        note = key.removesuffix(REPOSITORY_BLOB) + UDM_BLOB
        if copy.objects.keys(note):
            copy.objects.put(note, with_other_salt(copy.objects.get(note)))


def with_other_salt(blob: bytes) -> bytes:
    """The same JSON with one bit of its `uniqueID` flipped. Raises NothingToPlantError."""
    try:
        held = json.loads(blob)
        salt = base64.b64decode(held[_UNIQUE_ID], validate=True)
        other = bytes([salt[0] ^ 1]) + salt[1:]
    except (ValueError, KeyError, TypeError, IndexError, binascii.Error):
        raise NothingToPlantError(
            f"a repository's description has no {_UNIQUE_ID}; is it kopia's?"
        ) from None
    return json.dumps({**held, _UNIQUE_ID: base64.b64encode(other).decode()}, indent=2).encode()


def _formats(copy: Copy) -> list[str]:
    found = [
        key
        for folder in copy.repositories()
        for key in copy.objects.keys(f"{folder}{REPOSITORY_BLOB}")
        if key == f"{folder}{REPOSITORY_BLOB}"
    ]
    return found or _nothing(copy)


def _each(copy: Copy, blobs: tuple[str, ...], deed: Callable[[str], None]) -> None:
    found = [
        key for folder in copy.repositories() for blob in blobs
        for key in copy.objects.keys(f"{folder}{blob}")
    ]  # fmt: skip
    for key in found or _nothing(copy):
        deed(key)


def _nothing(copy: Copy) -> list[str]:
    raise NothingToPlantError(
        f"backup {copy.backup} has no data of volumes in a kopia repository; name one that has"
    )


PLANTS: tuple[Plant, ...] = (
    flip_packs, delete_packs, delete_indexes, delete_repositories, cut_formats, change_keys,
)  # fmt: skip
