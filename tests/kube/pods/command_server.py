"""A TLS server on loopback that speaks the remote command protocol, as a test tells it to."""

import base64
import contextlib
import hashlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from kube.kubeconfig import Kubeconfig, parse
from tests.support.kube_api import Authority, kubeconfig

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
SUCCESS = b'{"kind":"Status","status":"Success"}'


def failed(code: int) -> bytes:
    """The status of a command that ended with an exit code, as the API server writes it."""
    return (
        b'{"kind":"Status","status":"Failure","reason":"NonZeroExitCode","details":{"causes":['
        b'{"reason":"ExitCode","message":"%d"}]}}' % code
    )


@dataclass
class Peer:
    """One client. `headers` have names in small letters."""

    wire: ssl.SSLSocket
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]

    def say(self, channel: int, data: bytes) -> None:
        self.frame(BINARY, bytes((channel,)) + data)

    def frame(self, opcode: int, data: bytes, *, last: bool = True) -> None:
        size = len(data)
        head = bytes(((0x80 if last else 0) | opcode,))
        if size < 126:
            head += bytes((size,))
        else:
            head += struct.pack("!BH", 126, size) if size < 65536 else struct.pack("!BQ", 127, size)
        self.wire.sendall(head + data)

    def hear(self) -> tuple[int, bytes]:
        """The next frame, unmasked. Raises EOFError when the client is gone."""
        first, second = self._exactly(2)
        size = second & 127
        if size >= 126:
            size = int.from_bytes(self._exactly(2 if size == 126 else 8), "big")
        mask = self._exactly(4)
        data = self._exactly(size)
        return first & 15, bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))

    def input(self) -> bytes:
        """All of stdin, up to the client's sign of its end."""
        parts = []
        while True:
            opcode, data = self.hear()
            if opcode != BINARY:
                continue
            if data == bytes((255, 0)):
                return b"".join(parts)
            assert data[0] == 0
            parts.append(data[1:])

    def cut(self) -> None:
        """Ends the connection without a word, as a machine that dies."""
        with contextlib.suppress(OSError):
            self.wire.shutdown(socket.SHUT_RDWR)

    def _exactly(self, size: int) -> bytes:
        parts = b""
        while len(parts) < size:
            part = self.wire.recv(size - len(parts))
            if not part:
                raise EOFError
            parts += part
        return parts


@dataclass
class CommandServer:
    """`act`: what happens to each client after the upgrade. `refusal`: what all get instead."""

    cluster: Kubeconfig
    act: Callable[[Peer], None]
    protocol: str = "v5.channel.k8s.io"
    refusal: bytes = b""
    peers: list[Peer] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)

    def serve(self, wire: ssl.SSLSocket) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += wire.recv(65536)
        first, *lines = request.decode().strip().splitlines()
        headers = {key.lower(): value for key, _, value in (x.partition(": ") for x in lines)}
        target = urlsplit(first.split()[1])
        peer = Peer(wire, target.path, parse_qsl(target.query), headers)
        self.peers.append(peer)
        if self.refusal:
            wire.sendall(self.refusal)
            return
        digest = hashlib.sha1(headers["sec-websocket-key"].encode() + _KEY).digest()  # noqa: S324
        answer = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\n"
            f"Sec-WebSocket-Protocol: {self.protocol}\r\n\r\n"
        )
        wire.sendall(answer.encode())
        self.act(peer)


@contextlib.contextmanager
def command_server(folder: Path, act: Callable[[Peer], None]) -> Iterator[CommandServer]:
    """A server for as long as the context lasts; what `act` raises, leaving it raises again."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(folder)
    authority.issue("server", "server", server=True)
    authority.issue("admin", "admin")
    trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.crt"))
    trust.verify_mode = ssl.CERT_REQUIRED
    trust.load_cert_chain(folder / "server.crt", folder / "server.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        server = CommandServer(parse(kubeconfig(folder, url, "admin")), act)
        workers = [threading.Thread(target=_accept, args=(listener, trust, server, []))]
        workers[0].start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            workers[0].join(30)
    if server.faults:
        raise server.faults[0]


def _accept(
    listener: socket.socket,
    trust: ssl.SSLContext,
    server: CommandServer,
    workers: list[threading.Thread],
) -> None:
    while True:
        try:
            wire, _ = listener.accept()
        except OSError:
            break
        workers.append(threading.Thread(target=_serve, args=(wire, trust, server)))
        workers[-1].start()
    for worker in workers:
        worker.join(30)


def _serve(plain: socket.socket, trust: ssl.SSLContext, server: CommandServer) -> None:
    try:
        with plain, trust.wrap_socket(plain, server_side=True) as wire:
            wire.settimeout(30)
            server.serve(wire)
    except (OSError, EOFError):
        pass  # the client left, or did not trust us
    except BaseException as error:  # noqa: BLE001  (a fault of the test, for the test)
        server.faults.append(error)
