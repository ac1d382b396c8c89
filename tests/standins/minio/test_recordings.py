"""Replays what the Pulumi engine asked the official plugin, and compares the answers.

The recordings are of the official plugins of one deployment: create, update, replace, refresh after
edits by hand, destroy. The plugin under test gets the same requests in the same order, against a
real server.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from minio.versioningconfig import ENABLED, VersioningConfig
from pulumi.runtime.proto import provider_pb2

from tests.standins.minio.conftest import ByHand, by_hand_at
from tests.standins.minio.harness import REPOSITORY, Plugin, running_plugin
from tests.support.minio_server import MinioServer

pytestmark = [pytest.mark.tools]

RECORDINGS = REPOSITORY.parent / "shared/fixtures/engine-recordings"
RECORDED_SERVER = "127.0.0.1:9191"

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
# Answers that only help the official plugin's own bridge or the engine's naming of resources.
_NOT_COMPARED = ("__pulumi_raw_state_delta", "supportsAutonamingConfiguration")

# (file, method, resource) -> why the answer is another one; every one is in the stand-in's page.
EXPECTED_DIFFERENCES: dict[tuple[str, str, str], str] = {
    ("03-update", "Diff", "lifecycle"): "the official diff also lists tags going from null to {}",
    ("08-bucket-exists", "Create", "again"): "the stand-in's sentence adds the cure",
}


def _between_files(name: str, by_hand: ByHand) -> None:
    """What was done to the server by hand before a file was recorded."""
    if name == "08-bucket-exists":
        by_hand.s3.make_bucket("foreign")
    if name == "09-refresh-after-edits":
        by_hand.s3.set_bucket_versioning("velero-two", VersioningConfig(status=ENABLED))


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        urn = (entry.get("request") or {}).get("urn", "")
        if "::minio:" in urn or "providers:minio::" in urn:
            yield entry


def _mapped(value: Any, replace: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _mapped(item, replace) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, replace) for item in value]
    if isinstance(value, str):
        for old, new in replace.items():
            value = value.replace(old, new)
    return value


def _comparable(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("{\n"):
        # A policy as the server tells it: its lists come in another order each time.
        return sorted(line.rstrip(",") for line in value.splitlines())
    if isinstance(value, dict):
        return {k: _comparable(v) for k, v in value.items() if k not in _NOT_COMPARED}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    return value


def _ask(plugin: Plugin, method: str, request: Any) -> Any:
    message = json_format.ParseDict(request, _REQUESTS[method](), ignore_unknown_fields=True)
    try:
        return json_format.MessageToDict(plugin.call(method, message))
    except grpc.RpcError as error:
        return {"error": str(error.details())}


def _recorded_answer(entry: dict[str, Any]) -> Any:
    if entry.get("errors"):
        return {"error": entry["errors"][0].partition("desc = ")[2]}
    return entry["response"]


class Replay:
    """One pass over all files; `differences` are the answers that are not the recorded ones."""

    def __init__(self, plugin: Plugin, server: MinioServer) -> None:
        self.plugin = plugin
        # The recorded value on the left becomes ours on the right, in requests and answers alike.
        self.ours = {
            RECORDED_SERVER: server.endpoint,
            "../ca.crt": str(server.ca_file),
            "rootadmin": server.root_user,
            "rootsecret123": server.root_password,
        }
        self.answers = 0
        self.differences: dict[tuple[str, str, str], list[str]] = {}

    def file(self, path: Path) -> None:
        for entry in _entries(path):
            method, request = entry["method"], _mapped(entry["request"], self.ours)
            answer = _ask(self.plugin, method, request)
            wanted = _recorded_answer(entry)
            if method == "Create" and "id" in answer and wanted["id"] != answer["id"]:
                self.ours[wanted["id"]] = answer["id"]  # ids with a time in them
            self.answers += 1
            wanted = _comparable(_mapped(wanted, self.ours))
            if _comparable(answer) != wanted:
                key = (path.stem, method, request["name"])
                text = f"answered {json.dumps(answer)}, recorded {json.dumps(wanted)}"
                self.differences.setdefault(key, []).append(text)


@pytest.fixture(scope="module")
def replay(server: MinioServer) -> Iterator[Replay]:
    if not RECORDINGS.is_dir():
        pytest.skip(f"the recordings of the official plugins are not at {RECORDINGS}")
    by_hand = by_hand_at(server)
    with running_plugin() as plugin:
        done = Replay(plugin, server)
        for path in sorted(RECORDINGS.glob("*.jsonl")):
            _between_files(path.stem, by_hand)
            done.file(path)
        yield done


def test_every_answer_is_the_recorded_one_but_for_the_listed_differences(replay: Replay) -> None:
    unexpected = {
        key: texts for key, texts in replay.differences.items() if key not in EXPECTED_DIFFERENCES
    }
    assert unexpected == {}
    assert replay.answers > 100


@pytest.mark.stand_in
def test_every_listed_difference_still_exists(replay: Replay) -> None:
    assert set(replay.differences) == set(EXPECTED_DIFFERENCES)


@pytest.mark.stand_in
def test_the_refusal_of_a_bucket_that_exists_begins_with_the_recorded_words(replay: Replay) -> None:
    (text,) = replay.differences[("08-bucket-exists", "Create", "again")][:1]
    assert '"[FATAL] bucket already exists! (foreign): ' in text


def test_nothing_of_the_deployment_is_left_on_the_server(
    replay: Replay, server: MinioServer
) -> None:
    assert replay.answers
    by_hand = by_hand_at(server)
    assert [bucket.name for bucket in by_hand.s3.list_buckets()] == ["foreign"]
    assert by_hand.admin.user_list().strip() in ("{}", "")
    assert "velero-policy" not in by_hand.admin.policy_list()
