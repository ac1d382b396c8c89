"""A command in a running container: its output as it comes, and how it ended.

Nothing that broke ever looks like an end: an execution ends only with the status that the API
server sends last. That status alone is no proof, though. Where the connection breaks between the
API server and the node, the server can report success for output that was cut (its reader of the
node's error stream takes an empty one for success). `sealed` closes that hole: the command itself
ends its output with a mark.

A command goes on when its connection ends: nothing here can kill it.
"""

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

from kube.client import Clock
from kube.errors import one_line
from kube.pods.channels import ERROR, STDERR, STDIN, STDOUT, BrokenError, Channels, Dial
from kube.pods.container import Container

STDERR_BYTES = 16384
_STATUS_BYTES = 65536
_INPUT_CHUNK = 16384
_INPUT_AHEAD = 65536
_LOOK_SECONDS = 1.0


class ExecCause(StrEnum):
    """Why an execution came to no end."""

    NOT_STARTED = "not-started"
    BROKEN = "broken"
    TIMEOUT = "timeout"
    TOO_MUCH = "too-much-output"
    NO_INPUT_END = "no-input-end"


class ExecError(Exception):
    """A command that did not run to its end. `received`: bytes of its output that came."""

    def __init__(self, cause: ExecCause, sentence: str, received: int) -> None:
        super().__init__(sentence)
        self.cause = cause
        self.received = received


@dataclass(frozen=True)
class Ended:
    """How a command ended. `stderr`: the last STDERR_BYTES of it; `stderr_cut`: there was more.

    `received`: bytes of stdout.
    """

    exit_code: int
    stderr: bytes
    stderr_cut: bool
    received: int
    seconds: float


def sealed(command: Sequence[str]) -> tuple[list[str], bytes]:
    """The command, made to end its output with a mark, and that mark. The container needs sh."""
    mark = secrets.token_hex(16)
    return ["sh", "-c", '"$@"; code=$?; printf %s "$0"; exit $code', mark, *command], mark.encode()


def execute(
    dial: Dial,
    container: Container,
    command: Sequence[str],
    *,
    seconds: float,
    stdin: bytes | None = None,
    mark: bytes = b"",
    clock: Clock | None = None,
) -> "Execution":
    """Starts `command`. Iterate over the result for stdout, then ask it how the command ended.

    `stdin` None: the command has no input. `mark`: what ends stdout, as `sealed` gives it; it is
    taken off. Use as a context manager, which closes the connection.

    Raises:
        ClusterError: the API server is not reached, or refuses (no such pod, no right).
        ExecError: of cause NO_INPUT_END: a server before Kubernetes 1.30 cannot end an input.
    """
    query = [("stdout", "true"), ("stderr", "true")]
    query += [("container", container.name)] if container.name else []
    query += [("stdin", "true")] if stdin is not None else []
    query += [("command", part) for part in command]
    used = clock or Clock()
    channels = dial(f"{container.path}/exec", query)
    if stdin is not None and not channels.ends_input:
        channels.close()
        raise ExecError(
            ExecCause.NO_INPUT_END,
            f"the command in {container} needs an end of its input, which this API server cannot "
            "send; it must be of Kubernetes 1.30 or later",
            0,
        )
    return Execution(channels, container, seconds=seconds, stdin=stdin, mark=mark, clock=used)


def capture(
    dial: Dial,
    container: Container,
    command: Sequence[str],
    *,
    seconds: float,
    limit: int,
    stdin: bytes | None = None,
    mark: bytes = b"",
    clock: Clock | None = None,
) -> tuple[bytes, Ended]:
    """stdout of a command that says little, whole, and how it ended.

    Raises:
        ClusterError, ExecError: as `execute`; of cause TOO_MUCH beyond `limit` bytes.
    """
    parts: list[bytes] = []
    with execute(
        dial, container, command, seconds=seconds, stdin=stdin, mark=mark, clock=clock
    ) as running:
        for chunk in running:
            parts.append(chunk)
            if running.received > limit + len(mark):
                raise ExecError(
                    ExecCause.TOO_MUCH,
                    f"the command in {container} says more than {limit} bytes",
                    running.received,
                )
        return b"".join(parts), running.ended()


class Execution:
    """A running command. `received`: bytes of stdout so far, the mark included."""

    def __init__(
        self,
        channels: Channels,
        container: Container,
        *,
        seconds: float,
        stdin: bytes | None,
        mark: bytes,
        clock: Clock,
    ) -> None:
        self.received = 0
        self._channels = channels
        self._container = container
        self._stdin: memoryview | None = None if stdin is None else memoryview(stdin)
        self._mark = mark
        self._clock = clock
        self._seconds = seconds
        self._started = clock.now()
        self._stderr = b""
        self._stderr_cut = False
        self._said = b""
        self._ended: Ended | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._channels.close()

    def __iter__(self) -> Iterator[bytes]:
        """stdout in chunks as it comes, without the mark.

        Raises:
            ExecError: it did not run to its end within its time, or not at all.
        """
        held, keep = b"", len(self._mark)
        exit_code = None
        while exit_code is None:
            message = self._next()
            if message is None:
                continue
            channel, data = message
            if channel == STDOUT and data:
                self.received += len(data)
                held += data
                if len(held) > keep:
                    yield held[: len(held) - keep]
                    held = held[len(held) - keep :]
            elif channel == STDERR:
                self._hear(data)
            elif channel == ERROR:
                exit_code = self._status(data)
        if held != self._mark:
            raise self._error(
                ExecCause.BROKEN, "its output was cut off before the end, though it was said to end"
            )
        self._ended = Ended(
            exit_code,
            self._stderr,
            self._stderr_cut,
            self.received - keep,
            self._clock.now() - self._started,
        )

    def ended(self) -> Ended:
        """How the command ended. Raises ExecError if its output was not read to the end."""
        if self._ended is None:
            raise self._error(ExecCause.BROKEN, "its output was not read to the end")
        return self._ended

    def _next(self) -> tuple[int, bytes] | None:
        left = self._started + self._seconds - self._clock.now()
        if left <= 0:
            raise self._error(ExecCause.TIMEOUT, f"it did not end within {self._seconds:.0f} s")
        self._feed()
        try:
            return self._channels.receive(min(left, _LOOK_SECONDS))
        except BrokenError as error:
            raise self._error(
                ExecCause.BROKEN, f"the connection to it was lost: {error}"
            ) from error

    def _feed(self) -> None:
        while self._stdin is not None and self._channels.unsent < _INPUT_AHEAD:
            if self._stdin:
                self._channels.send(STDIN, bytes(self._stdin[:_INPUT_CHUNK]))
                self._stdin = self._stdin[_INPUT_CHUNK:]
            else:
                self._channels.end(STDIN)
                self._stdin = None

    def _hear(self, data: bytes) -> None:
        whole = self._stderr + data
        self._stderr = whole[-STDERR_BYTES:]
        self._stderr_cut = self._stderr_cut or len(whole) > STDERR_BYTES

    def _status(self, data: bytes) -> int | None:
        """The exit code, None while the status is not complete."""
        self._said += data
        try:
            status = json.loads(self._said)
        except ValueError:
            if len(self._said) > _STATUS_BYTES:
                raise self._error(ExecCause.BROKEN, "its status cannot be read") from None
            return None
        code = exit_code(status)
        if code is None:
            raise self._error(ExecCause.NOT_STARTED, f"it was not run: {_reason(status)}")
        return code

    def _error(self, cause: ExecCause, clause: str) -> ExecError:
        return ExecError(cause, f"the command in {self._container}: {clause}", self.received)


def exit_code(status: Any) -> int | None:  # noqa: ANN401  (what the server sent)
    """The exit code in a Status object of the error channel, None if the command was not run."""
    if not isinstance(status, dict):
        return None
    if status.get("status") == "Success":
        return 0
    if status.get("reason") != "NonZeroExitCode":
        return None
    causes = (status.get("details") or {}).get("causes") or []
    codes = [str(one.get("message")) for one in causes if one.get("reason") == "ExitCode"]
    return int(codes[0]) if codes and codes[0].isdigit() else None


def _reason(status: Any) -> str:  # noqa: ANN401
    held = status if isinstance(status, dict) else {}
    return one_line(held.get("message") or held.get("reason") or "no reason given")
