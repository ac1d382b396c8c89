"""Drills by hand: with the payloads that the last complete update left in the stack's outputs.

The payloads hold secrets. They go from the engine's pipe into the drill's, and are neither written
to disk nor put on a command line.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stack import verdicts
from stack.engine import Result, forwarding
from stack.errors import StackError

PAYLOADS = "drillPayloads"
RUN, CONTROL, BACKUP = "run", "control", "backup"
# Whose payload says where a backup is made, and where its truth is kept.
BACKED_UP = "kube-objects"
CONTROL_HEADER = ("layer", "control", "must lead to", "led to", "")

RunDrills = Callable[[Sequence[str], str], Result]
"""Runs `python -m drills` with these arguments and this stdin; its stderr goes to the operator."""


@dataclass(frozen=True)
class Process:
    """The drills of this checkout, run with `env`."""

    env: Mapping[str, str]
    checkout: Path

    def __call__(self, arguments: Sequence[str], stdin: str) -> Result:
        """An interrupt reaches the drills once, and what they take away again is waited for."""
        on_terminal = sys.stdin.isatty()
        process = subprocess.Popen(
            [sys.executable, "-m", "drills", *arguments],
            cwd=self.checkout,
            env=dict(self.env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # See PulumiEngine.run.
            process_group=None if on_terminal else 0,
        )
        with forwarding(process, on_terminal):
            out, _ = process.communicate(stdin)
        return Result(process.returncode, out, "")


def request(verb: str, layers: Sequence[str], outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The payloads of `layers` (none named: of all that are configured), in the order to drill.

    For controls, the store's administrator is added where a payload has a place for one. Raises
    StackError if the outputs hold no payload of a layer.
    """
    given = outputs.get(PAYLOADS)
    if not isinstance(given, Mapping) or not given:
        raise StackError(
            "the stack has no payloads of drills yet: they are there when an `up` has come to its "
            "end, so run `python -m stack up` first"
        )
    for layer in layers:
        if layer not in given:
            there = ", ".join(verdicts.in_order(given))
            raise StackError(
                f"{layer} is no layer that this stack drills (there: {there}): correct the name, "
                "or configure backstop:drills and run `python -m stack up`"
            )
    chosen = {layer: given[layer] for layer in layers or verdicts.in_order(given)}
    return chosen if verb == RUN else _with_administrator(chosen, outputs)


def _with_administrator(
    payloads: Mapping[str, Any], outputs: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    names = {"accessKey": "storeRootUser", "secretKey": "storeRootPassword"}
    pair = {key: outputs.get(name) for key, name in names.items()}
    return {
        layer: {**payload, "admin": pair} if "admin" in payload else dict(payload)
        for layer, payload in payloads.items()
    }


def with_surroundings(
    payloads: Mapping[str, dict[str, Any]], cluster: str
) -> dict[str, dict[str, Any]]:
    """The payloads, which then ask for faults in the live surroundings as well.

    `cluster`: the uid of the cluster that whoever asks means; a lab's, for while they stand nothing
    is backed up there. Raises StackError if it is not the stack's.
    """
    there = {layer: one for layer, one in payloads.items() if "cluster" in one}
    if not there:
        raise StackError("--surroundings: none of these layers is drilled in a cluster; name one")
    for layer, payload in there.items():
        if payload["cluster"].get("uid") != cluster:
            raise StackError(
                f"--surroundings plants faults in a live cluster, and {layer} is not drilled in "
                f"{cluster!r}: in a lab, give the uid that `kubectl get namespace kube-system -o "
                "jsonpath={.metadata.uid}` prints; elsewhere leave it out"
            )
    return {
        layer: {**one, "surroundings": True} if layer in there else one
        for layer, one in payloads.items()
    }


def shown(verb: str, stdout: str, receipts: Path) -> str:
    """The table of what the drills printed: verdicts, or controls; "" for nothing."""
    found = [json.loads(line) for line in stdout.splitlines() if line.strip()]
    if not found:
        return ""
    if verb == RUN:
        return verdicts.table(verdicts.of_receipts(found, receipts))
    rows = [row for score in found for row in _control_rows(score)]
    return verdicts.aligned([CONTROL_HEADER, *rows])


def made(stdout: str) -> str:
    """What was made, out of what `backup` printed."""
    found = json.loads(stdout)
    truth = found["truth"]
    return (
        f"backup {found['backup']}: {found['phase']}, {found['items']} items; its truth has "
        f"{truth['objects']} objects, {truth['strict']} of them unchanged while it ran"
    )


def _control_rows(score: Mapping[str, Any]) -> list[tuple[str, ...]]:
    layer, twin = str(score["layer"]), score["twin"]
    if not twin["killed"]:
        return [(layer, "none", "proven", _outcome(twin), "RED WITHOUT A FAULT")]
    return [
        (
            layer,
            str(one["name"]),
            str(one["expected"]),
            _outcome(one),
            "killed" if one["killed"] else "SURVIVED",
        )
        for one in score["controls"]
    ]


def _outcome(control: Mapping[str, Any]) -> str:
    return str(control["reason"] or control["verdict"] or "-")
