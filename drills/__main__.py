"""The drills' command line.

    python -m drills run LAYER [--json]     payload on stdin; receipt as JSON on stdout; LAYER is
                                            store or kube-objects
    python -m drills run LAYER --summary    the same without the checks that came out as expected,
                                            which is what a Command keeps in the state
    python -m drills control LAYER          payload on stdin; every control. Those of store need
                                            "admin", and a scratch site on the same store
    python -m drills list [DIRECTORY]       receipts kept on this machine, newest last

Exit codes: 0 proven (or all controls killed), 20 broken (or a control survived), 21 unproven,
2 bad input. With `"onRed": "warn"` a red drill exits 0 and the verdict stands in the receipt.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Protocol, cast

from drills import listing
from drills.evidence import receipts_dir
from drills.frame import Clock
from drills.payload import PayloadError
from drills.receipt import Receipt
from drills.run import Ready, ReadyControls
from drills.verdict import EXIT_BAD_INPUT, EXIT_CODES, Verdict, reason_of_error, verdict_of
from kube.errors import ClusterError
from s3.errors import StoreError


class Layer(Protocol):
    """The module behind a layer: reads a payload's text. Both raise PayloadError."""

    def ready(self, text: str) -> Ready: ...

    def ready_controls(self, text: str) -> ReadyControls: ...


LAYERS: Mapping[str, str] = {"store": "drills.store.run", "kube-objects": "drills.kube_objects.run"}


def _layer(name: str) -> Layer:
    """Loads one layer alone: what the others import takes longer than a short drill."""
    return cast(Layer, import_module(LAYERS[name]))


USAGE = (
    f"usage: python -m drills run {'|'.join(LAYERS)} [--json | --summary]"
    f" | control {'|'.join(LAYERS)} | list [DIRECTORY]"
)

FORMS: Mapping[tuple[str, ...], Callable[[Receipt], dict[str, object]]] = {
    (): Receipt.to_json,
    ("--json",): Receipt.to_json,
    ("--summary",): Receipt.summary,
}


def main(arguments: Sequence[str]) -> int:
    try:
        match list(arguments):
            case ["run", layer, *form] if layer in LAYERS and tuple(form) in FORMS:
                return _run(_layer(layer).ready(sys.stdin.read()), FORMS[tuple(form)])
            case ["control", layer] if layer in LAYERS:
                return _control(_layer(layer).ready_controls(sys.stdin.read()))
            case ["list"]:
                return _list(_default_directory())
            case ["list", directory]:
                return _list(Path(directory))
    except PayloadError as error:
        _say(f"drills: {error}")
        return EXIT_BAD_INPUT
    _say(USAGE)
    return EXIT_BAD_INPUT


def _run(ready: Ready, form: Callable[[Receipt], dict[str, object]]) -> int:
    payload = ready.payload
    directory = receipts_dir(payload, os.environ, Path.home())
    _say(f"{payload.layer} drill of site {payload.site} at {payload.endpoint}")
    receipt, place = ready.run(Clock(), _say, directory)
    print(json.dumps(form(receipt), sort_keys=True))
    judgement = receipt.judgement
    reason = f" ({judgement.reason})" if judgement.reason else ""
    kept = f"receipt: {place}" if place is not None else "no receipt on disk"
    _say(f"{payload.layer}: {judgement.verdict}{reason}: {judgement.detail}; {kept}")
    if payload.on_red == "warn":
        return EXIT_CODES[Verdict.PROVEN]
    return EXIT_CODES[judgement.verdict]


def _control(ready: ReadyControls) -> int:
    try:
        score = ready.run(Clock(), _say)
    except (StoreError, ClusterError) as error:
        _say(f"control: could not run: {error}")
        return EXIT_CODES[verdict_of(reason_of_error(error))]
    planted = len(score.controls)
    print(
        json.dumps(
            {
                "schema": 1,
                "layer": ready.payload.layer,
                "site": ready.payload.site,
                "planted": planted,
                "killed": score.killed,
                "twin": asdict(score.twin),
                "controls": [asdict(result) for result in score.controls],
            },
            sort_keys=True,
        )
    )
    if not score.twin.killed:
        _say(f"control: the drill is red on a healthy scratch site ({score.twin.reason})")
        return EXIT_CODES[Verdict.UNPROVEN]
    _say(f"control: {score.killed} of {planted} planted faults noticed")
    return EXIT_CODES[Verdict.PROVEN if score.complete else Verdict.BROKEN]


def _list(directory: Path) -> int:
    for line in listing.lines(directory):
        print(line)
    return 0


def _default_directory() -> Path:
    configured = os.environ.get("BACKSTOP_RECEIPTS")
    return Path(configured) if configured else Path.home() / ".local" / "state" / "backstop"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # Whoever cancels an update sends SIGTERM; the drill must still remove what it wrote.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        _say("drills: interrupted; what was written has been removed, and nothing is proven")
        sys.exit(EXIT_CODES[Verdict.UNPROVEN])
