"""What a command printed: captured, streamed to the log, and never with a secret in it."""

from collections.abc import Callable, Iterable
from enum import Enum

# How much of the output an error repeats: enough for a cause, too little to flood a terminal.
TAIL_CHARACTERS = 4000
_SHORTEST_LINE = 8
_REDACTED = "[secret]"


class Stream(Enum):
    STDOUT = "stdout"
    STDERR = "stderr"


class Redactor:
    """Removes known secret texts, and the longer lines of those with several, from a message."""

    def __init__(self, secrets: Iterable[str]) -> None:
        texts: set[str] = set()
        for secret in secrets:
            texts.add(secret.strip())
            texts.update(line for line in secret.splitlines() if len(line) >= _SHORTEST_LINE)
        # The longest first: a secret may lie inside another one.
        self._texts = sorted((text for text in texts if text), key=len, reverse=True)

    def __call__(self, message: str) -> str:
        for text in self._texts:
            message = message.replace(text, _REDACTED)
        return message


def logged_streams(logging: object) -> frozenset[Stream]:
    """The streams that the input `logging` asks to show; both when it is not given."""
    return {
        None: frozenset(Stream),
        "stdoutAndStderr": frozenset(Stream),
        "stdout": frozenset({Stream.STDOUT}),
        "stderr": frozenset({Stream.STDERR}),
    }.get(logging if isinstance(logging, str) else None, frozenset())


class Output:
    """Collects both streams of one command. `show` gets each full line of the streams to log."""

    def __init__(
        self, redact: Redactor, streams: frozenset[Stream], show: Callable[[str], None]
    ) -> None:
        self._redact = redact
        self._streams = streams
        self._show = show
        self._captured = {stream: bytearray() for stream in Stream}
        self._both = bytearray()
        self._unfinished = dict.fromkeys(Stream, b"")

    def write(self, stream: Stream, data: bytes) -> None:
        self._captured[stream] += data
        self._both += data
        if stream in self._streams:
            *lines, self._unfinished[stream] = (self._unfinished[stream] + data).split(b"\n")
            for line in lines:
                self._show(self._redact(_text(line)))

    def finish(self) -> None:
        """Show last lines that had no newline."""
        for stream, rest in self._unfinished.items():
            if rest:
                self._show(self._redact(_text(rest)))
            self._unfinished[stream] = b""

    def text(self, stream: Stream) -> str:
        """All of a stream without the one newline that ends it, as the official plugin has it."""
        return _text(bytes(self._captured[stream])).removesuffix("\n")

    def tail(self) -> str:
        """The end of both streams as they came, for an error; secrets removed."""
        text = self._redact(_text(bytes(self._both))).strip("\n")
        return text if len(text) <= TAIL_CHARACTERS else "[...] " + text[-TAIL_CHARACTERS:]


def _text(data: bytes) -> str:
    # The engine takes UTF-8 only; a stray byte must not fail a command that worked.
    return data.decode("utf-8", errors="replace")
