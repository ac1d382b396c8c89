"""The drills' command line.

    python -m drills run LAYER... [--json]     payload on stdin; receipt as JSON on stdout; LAYER is
                                               store, kube-objects, volumes or longhorn
    python -m drills run LAYER... --summary    the same without the checks that came out as
                                               expected, which is what a Command keeps in the state
    python -m drills control LAYER...          payload on stdin; every control. Those of store need
                                               "admin", and a scratch site on the same store
    python -m drills backup kube-objects [SCHEDULE]
                                               payload on stdin; a backup now, by the schedule's
                                               template, with the truth to hold against it
    python -m drills first-backup              order on stdin; the same, unless there is one
    python -m drills list [DIRECTORY]          receipts kept on this machine, newest last
    python -m drills longhorn COMMAND TARGET   reads, verifies and restores Longhorn's backups
                                               without Longhorn; `longhorn --help` tells more

Of several layers stdin holds one object {layer: payload}, which one layer may have as well; they
run in the order given, and each prints one line of JSON. None runs if a payload is bad.

Exit codes: 0 proven (or all controls killed), 20 broken (or a control survived), 21 unproven,
2 bad input; of several layers the worst, in the order 2, 20, 21, 0. With `"onRed": "warn"` a red
drill exits 0 and the verdict stands in the receipt. A backup exits 0 when it completed and its
truth is kept, else 21.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from drills import bundle, listing
from drills.evidence import receipts_dir
from drills.frame import Clock
from drills.payload import PayloadError
from drills.receipt import Receipt
from drills.run import Ready, ReadyControls
from drills.verdict import EXIT_BAD_INPUT, EXIT_CODES, Verdict, reason_of_error, verdict_of
from kube.errors import ClusterError
from kube.velero.api import VeleroError
from s3.errors import StoreError

if TYPE_CHECKING:
    from drills.backup.order import BackupOrder
    from drills.backup.recorded import Recording

T = TypeVar("T")


class Layer(Protocol):
    """The module behind a layer: reads a payload's text. Both raise PayloadError."""

    def ready(self, text: str) -> Ready: ...

    def ready_controls(self, text: str) -> ReadyControls: ...


LAYERS: Mapping[str, str] = {
    "store": "drills.store.run",
    "kube-objects": "drills.kube_objects.run",
    "volumes": "drills.volumes.run",
    "longhorn": "drills.longhorn.run",
}
WORST_FIRST = (
    EXIT_BAD_INPUT,
    EXIT_CODES[Verdict.BROKEN],
    EXIT_CODES[Verdict.UNPROVEN],
    EXIT_CODES[Verdict.PROVEN],
)


def _layer(name: str) -> Layer:
    """Loads one layer alone: what the others import takes longer than a short drill."""
    return cast(Layer, import_module(LAYERS[name]))


USAGE = (
    f"usage: python -m drills run {'|'.join(LAYERS)}... [--json | --summary]"
    f" | control {'|'.join(LAYERS)}... | backup kube-objects [SCHEDULE] | first-backup"
    " | list [DIRECTORY] | longhorn --help"
)

Form = Callable[[Receipt], dict[str, object]]
FORMS: Mapping[str, Form] = {"--json": Receipt.to_json, "--summary": Receipt.summary}


def main(arguments: Sequence[str]) -> int:
    command = _command(arguments)
    if command is None:
        _say(USAGE)
        return EXIT_BAD_INPUT
    try:
        return command()
    except PayloadError as error:
        _say(f"drills: {error}")
        return EXIT_BAD_INPUT


def _command(arguments: Sequence[str]) -> Callable[[], int] | None:
    """What the words ask for; what it returns is the exit code, and it raises PayloadError."""
    found: Callable[[], int] | None = None
    match list(arguments):
        case ["run", *words] if _are_layers(words[:-1]) and words[-1] in FORMS:
            found = partial(_run_all, words[:-1], FORMS[words[-1]])
        case ["run", *words] if _are_layers(words):
            found = partial(_run_all, words, Receipt.to_json)
        case ["control", *words] if _are_layers(words):
            found = partial(_control_all, words)
        case ["backup", "kube-objects", *words] if len(words) <= 1:
            found = partial(_backup, words[0] if words else None)
        case ["first-backup"]:
            found = _first_backup
        case ["list", *words] if len(words) <= 1:
            found = partial(_list, Path(words[0]) if words else _default_directory())
        case ["longhorn", *words]:
            found = partial(_longhorn, words)
    return found


def worst(codes: Iterable[int]) -> int:
    """The exit code of several drills."""
    return min(codes, key=WORST_FIRST.index)


def _are_layers(words: Sequence[str]) -> bool:
    return bool(words) and len(set(words)) == len(words) and set(words) <= set(LAYERS)


def _run_all(layers: Sequence[str], form: Form) -> int:
    """Reads every payload before the first drill runs. Raises PayloadError."""
    given = bundle.texts(sys.stdin.read(), layers)
    ready = _each(given, lambda layer, text: _layer(layer).ready(text))
    return worst([_run(one, form) for one in ready])


def _control_all(layers: Sequence[str]) -> int:
    """As `_run_all`. Raises PayloadError."""
    given = bundle.texts(sys.stdin.read(), layers)
    ready = _each(given, lambda layer, text: _layer(layer).ready_controls(text))
    return worst([_control(one) for one in ready])


def _each(given: Mapping[str, str], read: Callable[[str, str], T]) -> list[T]:
    """Every payload read; of several, an error says whose it is. Raises PayloadError."""
    found = []
    for layer, text in given.items():
        try:
            found.append(read(layer, text))
        except PayloadError as error:
            raise (PayloadError(f"{layer}: {error}") if len(given) > 1 else error) from None
    return found


def _run(ready: Ready, form: Form) -> int:
    payload = ready.payload
    directory = receipts_dir(payload, os.environ, Path.home())
    _say(f"{payload.layer} drill of site {payload.site} at {payload.endpoint}")
    receipt, place = ready.run(Clock(), _say, directory)
    # Flushed, for a drill that follows may take long.
    print(json.dumps(form(receipt), sort_keys=True), flush=True)
    judgement = receipt.judgement
    reason = f" ({judgement.reason})" if judgement.reason else ""
    kept = f"receipt: {place}" if place is not None else "no receipt on disk"
    _say(f"{payload.layer}: {judgement.verdict}{reason}: {judgement.detail}; {kept}")
    if payload.on_red == "warn":
        return EXIT_CODES[Verdict.PROVEN]
    return EXIT_CODES[judgement.verdict]


def _control(ready: ReadyControls) -> int:
    payload = ready.payload
    _say(f"controls of the {payload.layer} drill of site {payload.site} at {payload.endpoint}")
    try:
        score = ready.run(Clock(), _say)
    except (StoreError, ClusterError) as error:
        _say(f"control {payload.layer}: could not run: {error}")
        return EXIT_CODES[verdict_of(reason_of_error(error))]
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
        ),
        flush=True,
    )
    if not score.twin.killed:
        why = score.twin.reason
        _say(f"control {payload.layer}: the drill is red without any planted fault ({why})")
        return EXIT_CODES[Verdict.UNPROVEN]
    _say(f"control {payload.layer}: {score.killed} of {planted} planted faults noticed")
    return EXIT_CODES[Verdict.PROVEN if score.complete else Verdict.BROKEN]


def _backup(schedule: str | None) -> int:
    """Raises PayloadError."""
    from drills.backup import order  # noqa: PLC0415  (as for layers)

    given = bundle.texts(sys.stdin.read(), ["kube-objects"])
    asked = order.by_hand(given["kube-objects"], schedule)
    _say(f"backup of schedule {asked.schedule} of site {asked.site}, with its truth")
    return _recorded(asked, lambda recording: recording.make(asked.schedule))


def _first_backup() -> int:
    """Raises PayloadError."""
    from drills.backup import order  # noqa: PLC0415  (as for layers)

    asked = order.first(sys.stdin.read())
    return _recorded(asked, lambda recording: recording.first(asked.schedule))


def _recorded(asked: "BackupOrder", make: Callable[["Recording"], dict[str, object]]) -> int:
    from drills.backup.truths import NotKeptError  # noqa: PLC0415  (as for layers)

    directory = receipts_dir(asked, os.environ, Path.home())
    try:
        made = make(asked.recording(Clock(), _say, directory))
    except (VeleroError, StoreError, ClusterError, NotKeptError) as error:
        _say(f"backup: {error}")
        return EXIT_CODES[Verdict.UNPROVEN]
    print(json.dumps({"schema": 1, "site": asked.site, **made}, sort_keys=True), flush=True)
    return EXIT_CODES[Verdict.PROVEN]


def _longhorn(words: Sequence[str]) -> int:
    from drills.backupstore import commands  # noqa: PLC0415  (as for layers)

    return commands.main(words)


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
        _say("drills: interrupted; nothing is proven, and what was made is removed, or named above")
        sys.exit(EXIT_CODES[Verdict.UNPROVEN])
