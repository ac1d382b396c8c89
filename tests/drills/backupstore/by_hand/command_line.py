"""The command line in this process, with streams that keep what was printed."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drills.backupstore import commands
from drills.backupstore.by_hand.streams import Streams
from tests.drills.backupstore.samples import FIXTURE

GENUINE = str(FIXTURE / "bucket")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Ended:
    """How a command ended. `data`: what it printed as a file's content."""

    code: int
    out: str
    err: str
    data: bytes

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON object that was printed."""
        (line,) = self.lines
        found: dict[str, Any] = json.loads(line)
        assert found.pop("schema") == 1
        return found


def command(
    *words: str | Path, environ: Mapping[str, str] | None = None, now: datetime = NOW
) -> Ended:
    streams = Streams(io.StringIO(), io.StringIO(), io.BytesIO())
    code = commands.run([*map(str, words)], environ or {}, streams, now)
    assert isinstance(streams.out, io.StringIO)
    assert isinstance(streams.err, io.StringIO)
    assert isinstance(streams.data, io.BytesIO)
    return Ended(code, streams.out.getvalue(), streams.err.getvalue(), streams.data.getvalue())
