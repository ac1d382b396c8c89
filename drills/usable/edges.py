"""The ways into the cluster for the user's checks, and questions to the drill's own checker."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drills.frame import Clock, Progress
from drills.usable import http_probe
from drills.usable.objects import CHECKER
from kube.client import Client
from kube.client import Clock as KubeClock
from kube.errors import one_line
from kube.pods.channels import Dial
from kube.pods.container import Container
from kube.pods.execution import ExecError, capture, sealed
from kube.writer import Writer

SHOWN = 196  # and what one_line puts behind a text that it cuts: 200 characters
_ANSWER_BYTES = 4096
_BEYOND_SECONDS = 30.0


@dataclass(frozen=True)
class Edges:
    """`dial`: commands in pods. `waits`: time for waiting; `clock`: time for the receipt."""

    client: Client
    writer: Writer
    dial: Dial
    waits: KubeClock
    clock: Clock
    progress: Progress


class CheckerError(Exception):
    """The drill's own checker did not do its work; the text is one sentence."""


def shown(text: object) -> str:
    """For a receipt: one line of at most 200 characters."""
    return one_line(text, SHOWN)


def asked(edges: Edges, sandbox: str, question: dict[str, Any]) -> dict[str, Any]:
    """What the checker in a sandbox found out; the form is in http_probe.

    `question` has the `seconds` that it may take. Raises CheckerError, ClusterError.
    """
    script = Path(http_probe.__file__).read_text()
    command, mark = sealed(["python3", "-I", "-c", script, json.dumps(question)])
    try:
        out, ended = capture(
            edges.dial, Container(sandbox, CHECKER, "checker"), command,
            seconds=question["seconds"] + _BEYOND_SECONDS, limit=_ANSWER_BYTES, mark=mark,
            clock=edges.waits,
        )  # fmt: skip
    except ExecError as error:
        raise CheckerError(f"{error}; it is run with the reader's image") from error
    if ended.exit_code:
        raise CheckerError(
            f"the checker in {sandbox} ended with exit code {ended.exit_code}; give a reader.image "
            "that has sh and python3 of 3.9 or later"
        )
    return _answer(out, sandbox)


def _answer(out: bytes, sandbox: str) -> dict[str, Any]:
    try:
        found = json.loads(out)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CheckerError(f"the checker in {sandbox} gave no answer that can be read")
    return found


Ask = Callable[[Edges, str, dict[str, Any]], dict[str, Any]]
