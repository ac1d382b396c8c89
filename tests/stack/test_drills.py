"""Drills by hand: whose payloads are taken, where they go, and what is shown."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from stack import __main__ as command_line
from stack import drills, operations
from stack.engine import Result
from stack.errors import StackError
from tests.stack.fake_engine import FakeEngine, FakeStore, Stage

CHECKOUT = Path(__file__).resolve().parents[2]
SECRET = "SENTINEL-of-the-store"
OUTPUTS: dict[str, Any] = {
    "drillPayloads": {
        "volumes": {"layer": "volumes", "secret": SECRET, "admin": None},
        "kube-objects": {"layer": "kube-objects"},
        "store": {"layer": "store", "admin": None},
    },
    "storeRootUser": "root",
    "storeRootPassword": "SENTINEL-of-root",
}
RED = {
    "layer": "store", "verdict": "broken", "reason": "tls-name", "runId": "r1",
    "phases": [{"name": "find", "seconds": 1.5}],
}  # fmt: skip


@dataclass
class FakeDrills:
    """Prints `receipts`, one a line, and ends with `code`."""

    receipts: Sequence[dict[str, Any]] = ()
    code: int = 0
    asked: list[tuple[list[str], dict[str, Any]]] = field(default_factory=list)

    def __call__(self, arguments: Sequence[str], stdin: str) -> Result:
        self.asked.append((list(arguments), json.loads(stdin)))
        return Result(self.code, "".join(f"{json.dumps(one)}\n" for one in self.receipts), "")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(FakeEngine([None], outputs=json.dumps(OUTPUTS)), FakeStore(), tmp_path)


def test_all_layers_are_drilled_in_order_with_the_last_payloads(stage: Stage) -> None:
    run = FakeDrills()
    assert operations.drill(stage.session, "run", [], run) == 0
    ((arguments, payloads),) = run.asked
    assert arguments == ["run", "store", "kube-objects", "volumes"]
    assert payloads == OUTPUTS["drillPayloads"]
    assert stage.engine.calls == [("stack", "output", "--json", "--show-secrets", "-s", "dev")]
    assert stage.said == []


def test_layers_that_are_named_are_drilled_alone_and_as_named(stage: Stage) -> None:
    run = FakeDrills()
    operations.drill(stage.session, "run", ["volumes", "store"], run)
    ((arguments, payloads),) = run.asked
    assert arguments == ["run", "volumes", "store"]
    assert list(payloads) == ["volumes", "store"]


def test_secrets_go_by_stdin_alone(stage: Stage) -> None:
    run = FakeDrills()
    operations.drill(stage.session, "control", [], run)
    ((arguments, payloads),) = run.asked
    assert SECRET in json.dumps(payloads)
    assert "SENTINEL" not in " ".join([*arguments, *stage.said, *map(str, stage.engine.calls)])


def test_controls_get_the_stores_administrator_where_they_take_one(stage: Stage) -> None:
    run = FakeDrills()
    operations.drill(stage.session, "control", [], run)
    ((_, payloads),) = run.asked
    root = {"accessKey": "root", "secretKey": "SENTINEL-of-root"}
    assert (payloads["store"]["admin"], payloads["volumes"]["admin"]) == (root, root)
    # Another key would be an error there.
    assert payloads["kube-objects"] == {"layer": "kube-objects"}


def test_a_drill_that_only_runs_gets_no_administrator(stage: Stage) -> None:
    run = FakeDrills()
    operations.drill(stage.session, "run", ["store"], run)
    assert run.asked[0][1]["store"]["admin"] is None


def test_the_verdicts_end_it_and_the_worst_code_is_passed_on(stage: Stage) -> None:
    assert operations.drill(stage.session, "run", ["store"], FakeDrills([RED], 20)) == 20
    (table,) = stage.said
    assert table.splitlines()[1].split() == ["store", "broken", "tls-name", "1.5", *"-----"]


def test_receipts_are_printed_as_they_are_for_programs(stage: Stage) -> None:
    run = FakeDrills([RED, {"layer": "volumes"}], 20)
    assert operations.drill(stage.session, "run", [], run, as_json=True) == 20
    assert [json.loads(line) for line in stage.said[0].splitlines()] == [*run.receipts]


def test_controls_end_in_a_table_of_what_each_led_to(stage: Stage) -> None:
    scores = [
        {
            "layer": "store",
            "twin": {"killed": True},
            "controls": [
                {"name": "a", "expected": "tls-expired", "verdict": "broken",
                 "reason": "tls-expired", "killed": True},
                {"name": "b", "expected": "tls-name", "verdict": "proven", "reason": "",
                 "killed": False},
            ],
        },
        {
            "layer": "volumes",
            "twin": {"killed": False, "reason": "over-rpo", "verdict": "broken"},
            "controls": [],
        },
    ]  # fmt: skip
    operations.drill(stage.session, "control", [], FakeDrills(scores, 20))
    assert [line.split() for line in stage.said[0].splitlines()[1:]] == [
        ["store", "a", "tls-expired", "tls-expired", "killed"],
        ["store", "b", "tls-name", "proven", "SURVIVED"],
        ["volumes", "none", "proven", "over-rpo", "RED", "WITHOUT", "A", "FAULT"],
    ]


MADE = {
    "backup": "nightly-1", "phase": "Completed", "items": 40,
    "truth": {"objects": 41, "strict": 39},
}  # fmt: skip


@pytest.mark.parametrize("schedules", [[], ["nightly"]])
def test_a_backup_is_made_with_the_payload_of_the_drill_of_objects(
    stage: Stage, schedules: list[str]
) -> None:
    run = FakeDrills([MADE])
    assert operations.backup(stage.session, schedules, run) == 0
    ((arguments, payloads),) = run.asked
    assert arguments == ["backup", "kube-objects", *schedules]
    assert payloads == {"kube-objects": {"layer": "kube-objects"}}
    (said,) = stage.said
    assert said.startswith("backup nightly-1: Completed, 40 items; its truth has 41 objects, 39 of")


def test_what_a_backup_printed_is_given_on_for_programs(stage: Stage) -> None:
    operations.backup(stage.session, [], FakeDrills([MADE]), as_json=True)
    assert [json.loads(one) for one in stage.said] == [MADE]


def test_a_backup_that_failed_passes_its_code_on(stage: Stage) -> None:
    assert operations.backup(stage.session, [], FakeDrills(code=21)) == 21
    assert stage.said == []


def test_a_backup_is_of_one_schedule(stage: Stage) -> None:
    with pytest.raises(StackError, match="name one schedule"):
        operations.backup(stage.session, ["a", "b"], FakeDrills())


@pytest.mark.parametrize("outputs", [{}, {"drillPayloads": {}}, {"drillPayloads": "[secret]"}])
def test_a_stack_that_never_came_to_its_end_says_so(stage: Stage, outputs: Any) -> None:
    stage.engine.outputs = json.dumps(outputs)
    run = FakeDrills()
    with pytest.raises(StackError, match=r"no payloads of drills yet: .* run `python -m st"):
        operations.drill(stage.session, "run", [], run)
    assert run.asked == []


def test_a_layer_that_is_not_drilled_is_named_with_those_that_are(stage: Stage) -> None:
    with pytest.raises(StackError, match=r"longhorn is no .* \(there: store, kube-objects, vol"):
        operations.drill(stage.session, "run", ["store", "longhorn"], FakeDrills())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ("run", [])),
        (["run"], ("run", [])),
        (["control"], ("control", [])),
        (["store"], ("run", ["store"])),
        (["control", "store", "volumes"], ("control", ["store", "volumes"])),
        (["backup", "nightly"], ("backup", ["nightly"])),
    ],
)
def test_the_first_word_may_say_what_to_do(
    words: list[str], expected: tuple[str, list[str]]
) -> None:
    parsed = command_line._parser().parse_args(["drill", *words, "-s", "dev"])
    assert command_line._verb(parsed.words) == expected


def test_the_drills_of_this_checkout_are_run(capfd: pytest.CaptureFixture[str]) -> None:
    process = drills.Process({"PATH": "/usr/bin:/bin"}, CHECKOUT)
    done = process(["run", "store"], '{"store": {"schema": 1, "secretKey": "SENTINEL"}}')
    assert (done.code, done.stdout) == (2, "")
    said = capfd.readouterr().err
    assert said.startswith("drills: ")
    assert "SENTINEL" not in said


# A drill that says when it has begun, and counts what interrupts it.
SLOW = """
import signal, sys
sys.stdin.read()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
print("began", file=sys.stderr, flush=True)
signal.sigwait({signal.SIGINT})
print(1 + (signal.SIGINT in signal.sigpending()))
sys.exit(21)
"""
CALLER = """
import sys
from stack import drills
from pathlib import Path
done = drills.Process({}, Path.cwd())(["run"], "{}")
print(done.code, done.stdout.strip(), flush=True)
"""


def test_an_interrupt_reaches_a_drill_once_and_its_end_is_waited_for(tmp_path: Path) -> None:
    package = tmp_path / "drills"
    package.mkdir()
    (package / "__main__.py").write_text(SLOW)
    with subprocess.Popen(
        [sys.executable, "-c", CALLER],
        cwd=tmp_path, env={"PYTHONPATH": str(CHECKOUT)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as caller:  # fmt: skip
        assert caller.stderr is not None
        assert caller.stderr.readline() == "began\n"
        caller.send_signal(signal.SIGTERM)
        out, said = caller.communicate(timeout=60)
    assert out.split() == ["21", "1"], said


IN_A_CLUSTER = {
    **OUTPUTS,
    "drillPayloads": {
        "store": {"layer": "store", "admin": None},
        "volumes": {"layer": "volumes", "admin": None, "cluster": {"uid": "uid-of-the-lab"}},
    },
}


@pytest.fixture
def in_a_cluster(tmp_path: Path) -> Stage:
    engine = FakeEngine([None], outputs=json.dumps(IN_A_CLUSTER))
    return Stage(engine, FakeStore(), tmp_path)


def test_faults_in_a_live_cluster_are_asked_for_by_its_uid(in_a_cluster: Stage) -> None:
    run = FakeDrills()
    operations.drill(in_a_cluster.session, "control", [], run, surroundings="uid-of-the-lab")
    ((_, payloads),) = run.asked
    assert payloads["volumes"]["surroundings"] is True
    assert "surroundings" not in payloads["store"]


def test_unless_they_are_asked_for_no_payload_says_so(in_a_cluster: Stage) -> None:
    run = FakeDrills()
    operations.drill(in_a_cluster.session, "control", [], run)
    ((_, payloads),) = run.asked
    assert not any("surroundings" in one for one in payloads.values())


@pytest.mark.parametrize(
    ("verb", "layers", "uid", "said"),
    [
        ("control", [], "uid-of-production", "is not drilled in 'uid-of-production'"),
        ("control", ["store"], "uid-of-the-lab", "none of these layers is drilled in a cluster"),
        ("run", ["volumes"], "uid-of-the-lab", "only `drill control` plants faults"),
    ],
)
def test_a_wrong_word_plants_nothing(
    in_a_cluster: Stage, verb: str, layers: list[str], uid: str, said: str
) -> None:
    run = FakeDrills()
    with pytest.raises(StackError, match=said):
        operations.drill(in_a_cluster.session, verb, layers, run, surroundings=uid)
    assert run.asked == []
