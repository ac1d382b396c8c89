"""Asks from inside a sandbox: `python3 -I -c <this file> <JSON>`; one line of JSON is the answer.

One file, standard library only, CPython 3.9 or later. What a workload answers is never printed.

    {"ask": "http", "scheme", "host", "port", "path", "header", "expected", "contains", "seconds"}
        -> {"status": 200 or null, "found": true, false or null, "error": "", "tries": 1}
    {"ask": "name-server", "seconds"}   whether the first name server takes a TCP connection
        -> {"server": "10.96.0.10" or "", "reached": true or false}

No answer and answers from 500 on are asked for again until the time is over: a Service gets to know
its pods a little after they are ready. Any other answer stands. `found`: whether `contains` is in
the first MiB of the body.
"""

from __future__ import annotations

import http.client
import json
import pathlib
import signal
import socket
import ssl
import sys
import time
from typing import Any

ATTEMPT_SECONDS = 10.0
PAUSE_SECONDS = 1.0
BODY_BYTES = 1 << 20
PIECE_BYTES = 1 << 16
SERVER_ERROR = 500
DNS_PORT = 53
RESOLV_CONF = "/etc/resolv.conf"
# The special ones first: some are kinds of later ones.
WORDS: tuple[tuple[Any, str], ...] = (
    (socket.gaierror, "its name does not resolve"),
    (socket.timeout, "no answer in time"),
    (TimeoutError, "no answer in time"),
    (ssl.SSLError, "no TLS"),
    (ConnectionRefusedError, "connection refused"),
    (http.client.RemoteDisconnected, "the connection ended without an answer"),
    (http.client.HTTPException, "no HTTP, or a part of it"),
)


class LateError(Exception):
    """The time is over."""


def ring(*_: object) -> None:
    raise LateError


def word(error: Exception) -> str:
    """What went wrong, without anything that the other end has said."""
    for kind, told in WORDS:
        if isinstance(error, kind):
            return told
    return f"no connection ({type(error).__name__})"


def connected(asked: dict[str, Any], seconds: float) -> http.client.HTTPConnection:
    host, port = asked["host"], asked["port"]
    if asked["scheme"] == "http":
        return http.client.HTTPConnection(host, port, timeout=seconds)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=seconds, context=context)


def once(asked: dict[str, Any], seconds: float) -> tuple[int, bool | None]:
    """Status, and whether the text is there. Raises OSError, HTTPException, LateError."""
    connection = connected(asked, seconds)
    headers = {"User-Agent": "backstop", "Accept-Encoding": "identity", "Connection": "close"}
    if asked["header"]:
        headers["Host"] = asked["header"]
    try:
        connection.request("GET", asked["path"], headers=headers)
        answer = connection.getresponse()
        if asked["contains"] is None:
            return answer.status, None
        return answer.status, asked["contains"].encode() in body(answer)
    finally:
        connection.close()


def body(answer: http.client.HTTPResponse) -> bytes:
    """The beginning of the body. Raises IncompleteRead if it ends before its length."""
    whole = b""
    while len(whole) < BODY_BYTES:
        piece = answer.read(min(PIECE_BYTES, BODY_BYTES - len(whole)))
        if not piece:
            if answer.length:
                raise http.client.IncompleteRead(b"", answer.length)
            break
        whole += piece
    return whole


def http_answer(asked: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + asked["seconds"]
    answer: dict[str, Any] = {"status": None, "found": None, "error": "no answer in time"}
    tries = 0
    signal.signal(signal.SIGALRM, ring)
    # A server that sends a byte now and then would outlast every timeout of a socket.
    signal.setitimer(signal.ITIMER_REAL, asked["seconds"])
    try:
        while True:
            tries += 1
            try:
                left = max(0.1, deadline - time.monotonic())
                status, found = once(asked, min(ATTEMPT_SECONDS, left))
            except (OSError, http.client.HTTPException) as error:
                answer = {"status": None, "found": None, "error": word(error)}
            else:
                answer = {"status": status, "found": found, "error": ""}
                if status < SERVER_ERROR or status == asked["expected"]:
                    break
            if time.monotonic() + PAUSE_SECONDS >= deadline:
                break
            time.sleep(PAUSE_SECONDS)
    except LateError:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return {**answer, "tries": tries}


def name_server(path: str) -> str:
    with pathlib.Path(path).open() as lines:
        for line in lines:
            parts = line.split()
            if parts[:1] == ["nameserver"] and parts[1:]:
                return parts[1]
    return ""


def reach(seconds: float, path: str = RESOLV_CONF, port: int = DNS_PORT) -> dict[str, Any]:
    server = name_server(path)
    if not server:
        return {"server": "", "reached": False}
    try:
        socket.create_connection((server, port), timeout=seconds).close()
    except OSError:
        return {"server": server, "reached": False}
    return {"server": server, "reached": True}


def main(given: list[str]) -> int:
    asked = json.loads(given[0])
    found = http_answer(asked) if asked["ask"] == "http" else reach(asked["seconds"])
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
