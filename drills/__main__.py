"""The drills' command line.

    python -m drills run store [--json]     payload on stdin; receipt as JSON on stdout
    python -m drills run store --summary    the same without the checks that came out as expected,
                                            which is what a Command keeps in the state
    python -m drills control store          payload with "admin" on stdin; every control, planted
                                            in a scratch site on the same store
    python -m drills list [DIRECTORY]       receipts kept on this machine, newest last

Exit codes: 0 proven (or all controls killed), 20 broken (or a control survived), 21 unproven,
2 bad input. With `"onRed": "warn"` a red drill exits 0 and the verdict stands in the receipt.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from drills import controls, listing, scratch_controls
from drills.frame import Clock
from drills.payload import Payload, PayloadError, parse
from drills.receipt import Receipt, receipts_dir
from drills.run import run_store
from drills.verdict import EXIT_BAD_INPUT, EXIT_CODES, Verdict, reason_of, verdict_of
from s3.errors import StoreError

USAGE = "usage: python -m drills run store [--json | --summary] | control store | list [DIRECTORY]"

FORMS: dict[tuple[str, ...], Callable[[Receipt], dict[str, object]]] = {
    (): Receipt.to_json,
    ("--json",): Receipt.to_json,
    ("--summary",): Receipt.summary,
}


def main(arguments: Sequence[str]) -> int:
    try:
        match list(arguments):
            case ["run", "store", *form] if tuple(form) in FORMS:
                return _run(parse(sys.stdin.read()), FORMS[tuple(form)])
            case ["control", "store"]:
                return _control(parse(sys.stdin.read()))
            case ["list"]:
                return _list(_default_directory())
            case ["list", directory]:
                return _list(Path(directory))
    except PayloadError as error:
        _say(f"drills: {error}")
        return EXIT_BAD_INPUT
    _say(USAGE)
    return EXIT_BAD_INPUT


def _run(payload: Payload, form: Callable[[Receipt], dict[str, object]]) -> int:
    if payload.admin is not None:
        raise PayloadError("admin: a drill takes no administrator; only `control store` does")
    controls.check_name(payload.control)
    directory = receipts_dir(payload, os.environ, Path.home())
    _say(f"store drill of site {payload.site} at {payload.endpoint}")
    receipt, place = run_store(payload, Clock(), _say, directory)
    print(json.dumps(form(receipt), sort_keys=True))
    judgement = receipt.judgement
    reason = f" ({judgement.reason})" if judgement.reason else ""
    kept = f"receipt: {place}" if place is not None else "no receipt on disk"
    _say(f"store: {judgement.verdict}{reason}: {judgement.detail}; {kept}")
    if payload.on_red == "warn":
        return EXIT_CODES[Verdict.PROVEN]
    return EXIT_CODES[judgement.verdict]


def _control(payload: Payload) -> int:
    if payload.admin is None:
        raise PayloadError("admin: missing; give the key pair of an administrator of the store")
    try:
        score = scratch_controls.run_all(payload, payload.admin.credential(), Clock(), _say)
    except StoreError as error:
        _say(f"control: could not run: {error}")
        return EXIT_CODES[verdict_of(reason_of(error.cause))]
    planted = len(score.controls)
    print(
        json.dumps(
            {
                "schema": 1,
                "layer": payload.layer,
                "site": payload.site,
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
