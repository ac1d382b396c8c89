"""Replays what the Pulumi engine asked the official plugin, and compares each answer.

The recordings are the official plugin 1.2.1's own answers during a deployment with updates,
replacement, a failing command, refresh and destroy. They lie beside the repository, not in it.
"""

import json
import re
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from pulumi.runtime.proto import provider_pb2

from tests.standins.command.conftest import ROOT
from tests.standins.command.engine import Plugin

RECORDINGS = ROOT.parent / "shared" / "fixtures" / "engine-recordings"

_REQUESTS = {
    "CheckConfig": provider_pb2.CheckRequest,
    "DiffConfig": provider_pb2.DiffRequest,
    "Configure": provider_pb2.ConfigureRequest,
    "Check": provider_pb2.CheckRequest,
    "Diff": provider_pb2.DiffRequest,
    "Create": provider_pb2.CreateRequest,
    "Read": provider_pb2.ReadRequest,
    "Update": provider_pb2.UpdateRequest,
    "Delete": provider_pb2.DeleteRequest,
}


def _entries() -> list[Any]:
    found = []
    for path in sorted(RECORDINGS.glob("*.jsonl")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            entry = json.loads(line)
            urn = entry["request"].get("urn", "")
            if "::command:" in urn or "providers:command::" in urn:
                name = f"{path.stem}:{number}-{entry['method']}-{urn.rsplit('::', 1)[1]}"
                found.append(pytest.param(entry, id=name))
    return found or [
        pytest.param({}, marks=pytest.mark.skip(reason=f"no recordings at {RECORDINGS}"))
    ]


def _asked(plugin: Plugin, entry: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """The answer as JSON, or None and the error in the recordings' form."""
    request = json_format.ParseDict(entry["request"], _REQUESTS[entry["method"]]())
    try:
        answer = getattr(plugin.stub, entry["method"])(request, timeout=30)
    except grpc.RpcError as error:
        code = error.code().name.title()
        return None, f"rpc error: code = {code} desc = {error.details()}"
    return json_format.MessageToDict(answer), ""


def _without_random_id(answer: dict[str, Any] | None, name: str) -> dict[str, Any] | None:
    if answer is not None and re.fullmatch(rf"{name}[0-9a-f]{{8}}", answer.get("id", "")):
        return {**answer, "id": f"{name}<random>"}
    return answer


@pytest.mark.parametrize("entry", _entries())
def test_the_answer_is_the_official_plugins(plugin: Plugin, entry: dict[str, Any]) -> None:
    name = entry["request"]["urn"].rsplit("::", 1)[1]
    answer, error = _asked(plugin, entry)
    assert _without_random_id(answer, name) == _without_random_id(entry["response"], name)
    if not entry.get("errors"):
        assert error == ""
    elif entry["method"] == "DiffConfig":
        assert [error] == entry["errors"]
    else:
        # A listed difference: our error does not repeat the command, which may hold secrets.
        (official,) = entry["errors"]
        assert error.split(":")[:2] == official.split(":")[:2]
        assert error.endswith(official.split(":\n", 1)[1])


def test_the_recordings_hold_every_method_if_they_are_there() -> None:
    if not Path(RECORDINGS).is_dir():
        pytest.skip(f"no recordings at {RECORDINGS}")
    methods = {parameter.values[0]["method"] for parameter in _entries()}
    assert methods == set(_REQUESTS)
