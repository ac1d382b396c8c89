"""Access control lists as getxattr tells them, which is not how either file system keeps them.

Sources: include/uapi/linux/posix_acl_xattr.h, fs/ext4/acl.h, fs/xfs/libxfs/xfs_format.h.
"""

import struct

from drills.images.errors import ImageError, damaged

_TOLD_VERSION, _EXT_VERSION = 2, 1
_TOLD = struct.Struct("<HHI")
_EXT_SHORT, _EXT_ID = struct.Struct("<HH"), struct.Struct("<I")
_XFS_COUNT, _XFS = struct.Struct(">I"), struct.Struct(">IIHH")
_NAMED = frozenset({0x02, 0x08})  # a user's or a group's, by its number
_NOBODY = 0xFFFFFFFF

Acl = list[tuple[int, int, int]]
"""Tag, permissions, number of each entry."""


def from_ext(value: bytes, where: str) -> bytes:
    """Raises ImageError."""
    if len(value) < _EXT_ID.size or _EXT_ID.unpack_from(value)[0] != _EXT_VERSION:
        raise _odd(where)
    at, found = _EXT_ID.size, Acl()
    try:
        while at < len(value):
            tag, permissions = _EXT_SHORT.unpack_from(value, at)
            at += _EXT_SHORT.size
            number = _NOBODY
            if tag in _NAMED:
                number = int(_EXT_ID.unpack_from(value, at)[0])
                at += _EXT_ID.size
            found.append((tag, permissions, number))
    except struct.error:
        raise _odd(where) from None
    return _told(found)


def from_xfs(value: bytes, where: str) -> bytes:
    """Raises ImageError."""
    try:
        count = int(_XFS_COUNT.unpack_from(value)[0])
        found = [
            (tag, permissions, number if tag in _NAMED else _NOBODY)
            for tag, number, permissions, _ in _XFS.iter_unpack(
                value[_XFS_COUNT.size : _XFS_COUNT.size + count * _XFS.size]
            )
        ]
    except struct.error:
        raise _odd(where) from None
    if len(found) != count:
        raise _odd(where)
    return _told(found)


def _told(found: Acl) -> bytes:
    head = _EXT_ID.pack(_TOLD_VERSION)
    return head + b"".join(_TOLD.pack(*entry) for entry in found)


def _odd(where: str) -> ImageError:
    return damaged(where, "its access control list is not whole")
