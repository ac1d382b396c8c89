"""Several layers in one run: what is read from stdin, what is printed, and the worst exit code."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from drills import __main__ as command_line
from drills import bundle
from drills.controls import Score
from drills.frame import Clock, Phase, Progress
from drills.payload import Payload, PayloadError, parse
from drills.receipt import ControlResult
from drills.run import Kept, Ready, ReadyControls, run_drill
from drills.verdict import Reason
from kube.errors import Cause, ClusterError
from s3.client import StoreEndpoint
from tests.support.toy_drill import ToyDrill, check, fields, finds

PROVEN, BROKEN, UNPROVEN = None, Reason.OBJECT_LOST, Reason.RESTORE_POINT_MISSING
LAYERS = ("store", "kube-objects", "volumes")


class ToyPayload(Payload):
    """Of a store that nobody asks."""

    def endpoints(self) -> Sequence[StoreEndpoint]:
        return ()


class Toy:
    """A layer whose drill finds `reason`, and whose controls end as `score` says or fails."""

    def __init__(self, layer: str, reason: Reason | None, ran: list[str]) -> None:
        self.layer = layer
        self.reason = reason
        self.ran = ran

    def ready(self, text: str) -> Ready:
        payload = self._read(text)
        phases: list[Phase] = [finds(check(self.reason))]

        def run(clock: Clock, progress: Progress, directory: Path) -> Kept:
            self.ran.append(self.layer)
            drill = ToyDrill(phases, layer=self.layer)
            return run_drill(
                drill, payload, clock, progress, directory=directory, control=lambda _record: None
            )

        return Ready(payload, run)

    def ready_controls(self, text: str) -> ReadyControls:
        payload = self._read(text)

        def run(_clock: Clock, _progress: Progress) -> Score:
            self.ran.append(self.layer)
            if self.reason is UNPROVEN:
                raise ClusterError(Cause.UNREACHABLE, "the cluster is away")
            twin = ControlResult("none", "nothing", killed=True)
            return Score(twin, [ControlResult("c", "a fault", killed=self.reason is None)])

        return ReadyControls(payload, run)

    def _read(self, text: str) -> Payload:
        payload = parse(ToyPayload, text)
        if payload.control == "unknown":
            raise PayloadError("control: 'unknown' is unknown")
        return payload


class Stage:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self._patch = monkeypatch
        self._receipts = str(tmp_path)
        self.ran: list[str] = []
        self.reasons: dict[str, Reason | None] = {}
        monkeypatch.setattr(command_line, "_layer", self._layer)

    def _layer(self, name: str) -> Toy:
        return Toy(name, self.reasons.get(name), self.ran)

    def payload(self, layer: str, **changes: Any) -> dict[str, Any]:
        return fields(layer=layer, receiptsDir=self._receipts, **changes)

    def every(self, **changes: Any) -> dict[str, dict[str, Any]]:
        return {layer: self.payload(layer, **changes) for layer in LAYERS}

    def run(self, *arguments: str, stdin: object) -> int:
        text = stdin if isinstance(stdin, str) else json.dumps(stdin)
        self._patch.setattr("sys.stdin", io.StringIO(text))
        return command_line.main(arguments)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stage:
    return Stage(monkeypatch, tmp_path)


Captured = pytest.CaptureFixture[str]


def lines(captured: Captured) -> tuple[list[dict[str, Any]], str]:
    """The JSON lines on stdout, and what was said."""
    out, err = captured.readouterr()
    return [json.loads(line) for line in out.splitlines()], err


def test_each_layer_prints_one_line_in_the_order_given(stage: Stage, capsys: Captured) -> None:
    assert stage.run("run", "volumes", "store", stdin=stage.every()) == 0
    receipts, said = lines(capsys)
    assert [receipt["layer"] for receipt in receipts] == ["volumes", "store"]
    assert stage.ran == ["volumes", "store"]
    assert [line for line in said.splitlines() if " drill of site dev at " in line] == [
        "volumes drill of site dev at https://store:1",
        "store drill of site dev at https://store:1",
    ]
    assert "volumes: proven: " in said


def test_a_summary_of_several_is_one_line_each(stage: Stage, capsys: Captured) -> None:
    assert stage.run("run", *LAYERS, "--summary", stdin=stage.every()) == 0
    receipts, _ = lines(capsys)
    assert [receipt["checks"]["total"] for receipt in receipts] == [1, 1, 1]


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ((PROVEN, PROVEN, PROVEN), 0),
        ((PROVEN, UNPROVEN, PROVEN), 21),
        ((UNPROVEN, BROKEN, PROVEN), 20),
        ((BROKEN, PROVEN, UNPROVEN), 20),
    ],
)
def test_the_worst_verdict_is_the_exit_code_and_every_layer_has_run(
    stage: Stage, capsys: Captured, found: tuple[Reason | None, ...], code: int
) -> None:
    stage.reasons = dict(zip(LAYERS, found, strict=True))
    assert stage.run("run", *LAYERS, stdin=stage.every()) == code
    receipts, _ = lines(capsys)
    assert [receipt["reason"] for receipt in receipts] == [str(reason or "") for reason in found]


def test_a_layer_that_only_warns_does_not_hide_one_that_fails(stage: Stage) -> None:
    stage.reasons = {"store": BROKEN, "volumes": UNPROVEN}
    given = {**stage.every(), "store": stage.payload("store", onRed="warn")}
    assert stage.run("run", *LAYERS, stdin=given) == 21


def test_nothing_runs_where_one_payload_is_bad(stage: Stage, capsys: Captured) -> None:
    stage.reasons = {"store": BROKEN}
    given = {**stage.every(), "volumes": stage.payload("volumes", control="unknown")}
    assert stage.run("run", *LAYERS, stdin=given) == 2
    assert stage.ran == []
    assert lines(capsys) == ([], "drills: volumes: control: 'unknown' is unknown\n")


def test_a_layer_that_is_missing_is_named(stage: Stage, capsys: Captured) -> None:
    given = {"store": stage.payload("store")}
    assert stage.run("run", "store", "volumes", stdin=given) == 2
    assert lines(capsys)[1] == (
        "drills: stdin: volumes is missing (there: store); give {layer: payload} with all of "
        "store, volumes\n"
    )
    assert stage.ran == []


@pytest.mark.parametrize("text", ["", "[]", "no JSON", '"store"'])
def test_what_is_no_object_is_no_input_for_several(
    stage: Stage, capsys: Captured, text: str
) -> None:
    assert stage.run("run", "store", "volumes", stdin=text) == 2
    assert lines(capsys)[1] == "drills: stdin is no JSON object: give {layer: payload}\n"


def test_one_layer_takes_its_payload_or_the_object_of_all(stage: Stage) -> None:
    assert stage.run("run", "store", stdin=stage.payload("store")) == 0
    assert stage.run("run", "store", stdin=stage.every()) == 0
    assert stage.ran == ["store", "store"]


def test_what_is_wrong_in_one_layers_payload_is_said_as_ever(
    stage: Stage, capsys: Captured
) -> None:
    assert stage.run("run", "store", stdin="{") == 2
    assert lines(capsys)[1].startswith("drills: stdin is no JSON (line 1)")
    assert stage.run("run", "store", stdin={"layer": "store"}) == 2
    assert "schema: " in lines(capsys)[1]
    assert stage.run("run", "store", stdin={"volumes": stage.payload("volumes")}) == 2
    assert lines(capsys)[1].startswith("drills: stdin: store is missing (there: volumes); give")


def test_layers_that_were_not_asked_for_are_not_even_read(stage: Stage) -> None:
    given = {**stage.every(), "volumes": "not a payload"}
    assert stage.run("run", "store", "kube-objects", stdin=given) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",), ("run", "--json"), ("run", "store", "store"), ("run", "store", "host-files"),
        ("run", "--json", "store"), ("run", "store", "--json", "--summary"), ("control",),
        ("control", "store", "--json"), (),
    ],
)  # fmt: skip
def test_other_words_end_in_the_usage(
    stage: Stage, capsys: Captured, arguments: tuple[str, ...]
) -> None:
    assert stage.run(*arguments, stdin=stage.every()) == 2
    assert lines(capsys)[1].startswith("usage: python -m drills run store|kube-objects|volumes")
    assert stage.ran == []


def test_controls_of_several_layers_end_in_the_worst_of_them(
    stage: Stage, capsys: Captured
) -> None:
    stage.reasons = {"kube-objects": UNPROVEN, "volumes": BROKEN}
    assert stage.run("control", *LAYERS, stdin=stage.every()) == 20
    scores, said = lines(capsys)
    # What could not run has no score, and the others run all the same.
    assert [(one["layer"], one["killed"], one["planted"]) for one in scores] == [
        ("store", 1, 1),
        ("volumes", 0, 1),
    ]
    assert "control kube-objects: could not run: the cluster is away" in said
    assert "control volumes: 0 of 1 planted faults noticed" in said
    assert stage.run("control", "store", "kube-objects", stdin=stage.every()) == 21
    assert stage.run("control", "store", stdin=stage.every()) == 0


def test_every_layer_has_a_module_of_its_own() -> None:
    assert tuple(command_line.LAYERS) == (*LAYERS, "longhorn")
    assert len(set(command_line.LAYERS.values())) == len(command_line.LAYERS)


def test_the_texts_of_a_bundle_are_in_the_order_asked_for() -> None:
    given: Mapping[str, Any] = {"store": {"schema": 1, "site": "ä"}, "volumes": {}}
    found = bundle.texts(json.dumps(given), ("volumes", "store"))
    assert list(found) == ["volumes", "store"]
    assert json.loads(found["store"]) == given["store"]
