"""A reader process: reads the blocks it is asked for, until whoever started it is gone.

Started by process.py, with a greeting on its standard input, which stays open as long as the
process that holds its other end lives.
"""

import os
import signal
import socket
import sys
import threading

from drills.backupstore import memory
from drills.backupstore.objects import Objects
from drills.backupstore.one_block import read_once
from drills.backupstore.readers import greeting
from drills.backupstore.readers.frames import (
    MOST_BYTES,
    READY,
    Answer,
    Request,
    decode_request,
    encode_answer,
)


def main() -> None:
    # Ctrl-C is for who started this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    memory.keep()
    greeted = greeting.decode(sys.stdin.buffer.readline())
    objects = greeted.recipe.open(len(greeted.places))
    for packets, shared in greeted.places:
        words = (socket.socket(fileno=packets), shared, objects, greeted.volume)
        threading.Thread(target=_serve, args=words, daemon=True).start()
    sys.stdin.buffer.read()
    # At once: threads may hang in a dead connection.
    os._exit(0)


def _serve(packets: socket.socket, shared: int, objects: Objects, volume: str) -> None:
    try:
        packets.send(encode_answer(READY))
        while packet := packets.recv(MOST_BYTES):
            request = decode_request(packet)
            stored = _stored(request, shared, objects, volume)
            packets.send(encode_answer(Answer(request.number, stored)))
    finally:
        # Nobody asks anything more, or something that cannot be: either way it is over.
        os._exit(0)


def _stored(request: Request, shared: int, objects: Objects, volume: str) -> int:
    try:
        found = read_once(objects, volume, request.wanted)
        if request.content and os.pwrite(shared, found.content, 0) != len(found.content):
            return 0
    except Exception:  # noqa: BLE001  (who asked reads the block itself, and learns why)
        return 0
    return found.stored


if __name__ == "__main__":
    main()
