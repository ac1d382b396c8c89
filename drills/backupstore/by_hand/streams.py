"""Where a command prints."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, TextIO


@dataclass(frozen=True)
class Streams:
    """`out` for results, `err` for what is on the way to them, `data` for the content of files."""

    out: TextIO
    err: TextIO
    data: BinaryIO

    def say(self, lines: Iterable[str]) -> None:
        for line in lines:
            print(printable(line), file=self.out, flush=True)

    def tell(self, document: Mapping[str, object]) -> None:
        """One line of JSON, for machines."""
        print(json.dumps({"schema": 1, **document}, sort_keys=True), file=self.out, flush=True)

    def note(self, line: str) -> None:
        print(printable(line), file=self.err, flush=True)


def printable(text: str) -> str:
    """Without what a terminal would obey: names come out of stores and images of strangers."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
