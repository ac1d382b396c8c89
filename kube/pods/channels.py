"""The websocket of a running command: numbered channels of bytes in both directions.

The protocol is the API server's remote command protocol, versions 4 and 5: each binary message is
the number of a channel and bytes of it. Version 5 adds the end of a channel, 255 and its number.
The official client's stream is not used: it keeps what it reads in memory, stalls on what TLS has
already decrypted, and takes a connection that broke for one that ended.
"""

import select
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlencode

from kube.connection import READ_SECONDS, api_client, tls_context
from kube.errors import ClusterError, classify, refused
from kube.kubeconfig import Kubeconfig

STDIN, STDOUT, STDERR, ERROR = range(4)
_END = 255
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
PING_SECONDS = 5.0
# As long as kubectl waits for the answer to a ping.
SILENCE_SECONDS = 60.0


class BrokenError(Exception):
    """The connection ended or went silent; the text says which, as a clause."""


class Channels(Protocol):
    """A live connection. `unsent`: bytes that wait to be sent. `ends_input`: version 5 or later."""

    @property
    def ends_input(self) -> bool: ...

    @property
    def unsent(self) -> int: ...

    def send(self, channel: int, data: bytes) -> None:
        """Puts bytes of a channel behind those that wait to be sent; they go while receiving."""

    def end(self, channel: int) -> None:
        """Puts the end of a channel behind what waits to be sent."""

    def receive(self, seconds: float) -> tuple[int, bytes] | None:
        """The next message; None if none comes within `seconds`, or once all is sent that waited.

        Raises:
            BrokenError: the connection ended or went silent.
        """

    def close(self) -> None: ...


Dial = Callable[[str, Sequence[tuple[str, str]]], Channels]
"""(path, query) -> connection. Raises ClusterError if the API server is not reached or refuses."""


class WebSocketChannels:
    """Channels over a websocket that is connected; `socket` is a websocket.WebSocket.

    One thread reads and writes, without blocking in either: a command that does not read its input
    before its output was read would else block both ends for ever.
    """

    def __init__(self, socket: Any, now: Callable[[], float] = time.monotonic) -> None:  # noqa: ANN401
        self._socket = socket
        self._wire = socket.sock
        self._wire.setblocking(False)
        self._now = now
        self._outgoing = bytearray()
        self._unfinished: int | None = None  # channel of a message that comes in several frames
        self._pinged = now()
        self._unanswered: float | None = None  # since when

    @property
    def ends_input(self) -> bool:
        return str(self._socket.getsubprotocol()) == PROTOCOLS[0]

    @property
    def unsent(self) -> int:
        return len(self._outgoing)

    def send(self, channel: int, data: bytes) -> None:
        self._put(bytes((channel,)) + data)

    def end(self, channel: int) -> None:
        self._put(bytes((_END, channel)))

    def receive(self, seconds: float) -> tuple[int, bytes] | None:
        deadline = self._now() + seconds
        while True:
            # First what is there: a reader that took its time must not call the other end silent.
            frame = self._frame()
            if frame is not None:
                self._unanswered = None
                message = self._message(frame)
                if message is not None:
                    return message
                continue
            self._beat()
            drained = self._flush()
            left = deadline - self._now()
            if drained or left <= 0:
                return None
            wanted = [self._wire] if self._outgoing else []
            select.select([self._wire], wanted, [], min(left, PING_SECONDS))

    def close(self) -> None:
        self._wire.close()

    def _put(self, payload: bytes, opcode: int | None = None) -> None:
        from websocket import ABNF  # noqa: PLC0415  (with the first connection)

        kind = ABNF.OPCODE_BINARY if opcode is None else opcode
        self._outgoing += ABNF.create_frame(payload, kind).format()

    def _frame(self) -> Any | None:  # noqa: ANN401
        from websocket import WebSocketException  # noqa: PLC0415

        try:
            return self._socket.recv_frame()
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except (WebSocketException, OSError) as error:
            raise BrokenError(f"it broke ({type(error).__name__})") from error

    def _message(self, frame: Any) -> tuple[int, bytes] | None:  # noqa: ANN401
        from websocket import ABNF  # noqa: PLC0415

        data = bytes(frame.data)
        if frame.opcode == ABNF.OPCODE_CLOSE:
            raise BrokenError("the other end closed it")
        if frame.opcode == ABNF.OPCODE_PING:
            self._put(data, ABNF.OPCODE_PONG)
            return None
        if frame.opcode == ABNF.OPCODE_PONG:
            return None
        if frame.opcode == ABNF.OPCODE_CONT and self._unfinished is not None:
            channel, content = self._unfinished, data
        elif data:
            channel, content = data[0], data[1:]
        else:
            return None
        self._unfinished = None if frame.fin else channel
        return channel, content

    def _beat(self) -> None:
        from websocket import ABNF  # noqa: PLC0415

        now = self._now()
        # While input waits, the other end may be held up by the command, and not read pings.
        silent = 0.0 if self._unanswered is None else now - self._unanswered
        if silent > SILENCE_SECONDS and not self._outgoing:
            raise BrokenError(f"nothing came for {SILENCE_SECONDS:.0f} s")
        if now - self._pinged >= PING_SECONDS:
            self._pinged = now
            self._put(b"", ABNF.OPCODE_PING)
            self._unanswered = now if self._unanswered is None else self._unanswered

    def _flush(self) -> bool:
        """Sends what goes; whether that was the last of what waited."""
        waited = bool(self._outgoing)
        try:
            while self._outgoing:
                del self._outgoing[: self._wire.send(self._outgoing)]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError as error:
            raise BrokenError(f"it broke ({type(error).__name__})") from error
        return waited


def open_dial(kubeconfig: Kubeconfig) -> Dial:
    """Connections with the kubeconfig's credential and CA. Nothing is sent yet.

    Raises:
        ClusterError: the credential cannot be loaded.
    """
    api = api_client(kubeconfig)
    trust = tls_context(api.configuration)

    def dial(path: str, query: Sequence[tuple[str, str]]) -> Channels:
        headers: dict[str, str] = {}
        api.update_params_for_auth(headers, [], ["BearerToken"])
        host = str(api.configuration.host).replace("https://", "wss://", 1)
        url = f"{host}{path}?{urlencode(query)}"
        name = api.configuration.tls_server_name
        return WebSocketChannels(_connected(url, trust, name, headers, kubeconfig.server))

    return dial


def _connected(
    url: str, trust: ssl.SSLContext, name: str | None, headers: Mapping[str, str], at: str
) -> Any:  # noqa: ANN401
    from websocket import (  # noqa: PLC0415  (only who runs commands pays for it)
        WebSocket,
        WebSocketBadStatusException,
        WebSocketException,
    )

    options = {"context": trust, **({"server_hostname": name} if name else {})}
    socket = WebSocket(sslopt=options, enable_multithread=False)
    try:
        socket.connect(  # type: ignore[no-untyped-call]
            url,
            header=[f"{key}: {value}" for key, value in headers.items()],
            subprotocols=list(PROTOCOLS),
            timeout=READ_SECONDS,
            redirect_limit=0,
        )
    except WebSocketBadStatusException as error:
        raise _refusal(error, at) from None  # its text repeats headers
    except (WebSocketException, OSError) as error:
        raise classify(error, at) from error
    return socket


def _refusal(error: Any, at: str) -> ClusterError:  # noqa: ANN401
    body = error.resp_body or b""
    return refused(int(error.status_code), body if isinstance(body, bytes) else body.encode(), at)
