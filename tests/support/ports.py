"""Ports for the servers that tests run."""

import contextlib
import secrets
import socket


def free_port() -> int:
    """A port that is free, and that the kernel gives to nobody who asks for any.

    Its own range begins higher (ip_local_port_range); until a server has bound the port, every
    listener of other tests may draw from that one.
    """
    while True:
        port = 20000 + secrets.randbelow(10000)
        with contextlib.suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            return port
