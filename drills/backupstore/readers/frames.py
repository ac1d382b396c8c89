"""What is said about one block, as one packet each way.

A reader says yes, or no. Why not is found out by who asked: it reads the block itself, and meets
the same fault. So nothing but a whole block is ever believed of a reader.
"""

import struct
from typing import NamedTuple

from drills.backupstore.blocks import limit
from drills.backupstore.one_block import Wanted
from drills.backupstore.records import Compression

# Number, compression, whether the content is wanted, block size, checksum.
_REQUEST = struct.Struct("!IB?Q32s")
# Number, bytes in the store.
_ANSWER = struct.Struct("!IQ")
_COMPRESSIONS = tuple(Compression)
MOST_BYTES = 64
"""Longer than any packet, so that one that is too long is not taken for a shorter one."""


class FrameError(Exception):
    """Not what a reader or its owner says."""


class Request(NamedTuple):
    """number: of the packets on one socket, from 1. content: whether to hand that over too."""

    number: int
    wanted: Wanted
    content: bool


class Answer(NamedTuple):
    """stored: bytes the block takes in the store; 0 where it could not be had. Number 0: ready."""

    number: int
    stored: int


READY = Answer(0, 0)


def encode_request(request: Request) -> bytes:
    checksum, compression, block_size = request.wanted
    kind, digest = _COMPRESSIONS.index(compression), bytes.fromhex(checksum)
    return _REQUEST.pack(request.number, kind, request.content, block_size, digest)


def decode_request(packet: bytes) -> Request:
    """Raises FrameError."""
    try:
        number, kind, content, block_size, digest = _REQUEST.unpack(packet)
        wanted = Wanted(digest.hex(), _COMPRESSIONS[kind], block_size)
    except (struct.error, IndexError):
        raise FrameError from None
    return Request(number, wanted, content)


def encode_answer(answer: Answer) -> bytes:
    return _ANSWER.pack(*answer)


def decode_answer(packet: bytes, request: Request | None) -> int:
    """The bytes that the block of this request takes in the store, 0 where it could not be had.

    Without a request the answer has to be READY. Raises FrameError.
    """
    try:
        answer = Answer(*_ANSWER.unpack(packet))
    except struct.error:
        raise FrameError from None
    if request is None:
        if answer != READY:
            raise FrameError
    elif answer.number != request.number or answer.stored > limit(request.wanted.block_size):
        raise FrameError
    return answer.stored
