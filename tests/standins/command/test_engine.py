"""The table of input changes under the real engine with the real SDK: what an operator sees.

The old inputs are put into the stack's state as a deployment would have left them, so that no host
has to answer; then one preview says what the engine would do with the new ones.
"""

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.standins.command.engine import SIGNATURE, Plugin, file_asset, text_asset
from tests.standins.command.test_input_changes import (
    ABSENT,
    COPY,
    COPY_FILE,
    LOCAL,
    REMOTE,
    TABLE,
    Change,
    required_with,
)
from tests.standins.project import Project, new_project

pytestmark = [pytest.mark.tools]

_SECRET = "1b47061264138c4ac30d75fd1eb44270"

_PROGRAM = """
import json, re, pulumi, pulumi_command as c
CLASSES = {
    "command:local:Command": c.local.Command,
    "command:remote:Command": c.remote.Command,
    "command:remote:CopyToRemote": c.remote.CopyToRemote,
    "command:remote:CopyFile": c.remote.CopyFile,
}
MARK = "4dabf18193072939515e22adb298388d"

def snake(name):
    return re.sub("([A-Z])", lambda m: "_" + m.group().lower(), name)

def value(v):
    if isinstance(v, dict) and v.get(MARK) == "1b47061264138c4ac30d75fd1eb44270":
        return pulumi.Output.secret(value(v["value"]))
    if isinstance(v, dict) and MARK in v:
        return pulumi.FileAsset(v["path"]) if "path" in v else pulumi.StringAsset(v["text"])
    return v

def connection(v):
    fields = {snake(k): w for k, w in v.items()}
    if "proxy" in fields:
        proxy = {snake(k): w for k, w in v["proxy"].items()}
        fields["proxy"] = c.remote.ProxyConnectionArgs(**proxy)
    return c.remote.ConnectionArgs(**fields)

for i, (token, inputs) in enumerate(json.load(open("resources.json"))):
    given = {snake(k): connection(v) if k == "connection" else value(v) for k, v in inputs.items()}
    CLASSES[token](f"r{i}", **given)
"""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _in_state(value: Any) -> Any:
    """Wire form to the form of a state file, where a secret's value is JSON text."""
    if isinstance(value, dict) and value.get(SIGNATURE) == _SECRET:
        return {SIGNATURE: _SECRET, "plaintext": json.dumps(_in_state(value["value"]))}
    if isinstance(value, dict):
        return {name: _in_state(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_in_state(item) for item in value]
    return value


def _changes(folder: Path) -> list[Change]:
    """The table, with sources that exist: the engine hashes them itself."""
    for name, text in (("one", "1"), ("same", "1"), ("two", "2")):
        (folder / name).write_text(text)
    one, same, two = (
        file_asset(folder / name, _digest(text))
        for name, text in (("one", "1"), ("same", "1"), ("two", "2"))
    )
    return [
        *(change for change in TABLE if change.name != "source"),
        Change(COPY, "source", one, same, "nothing"),
        Change(COPY, "source", one, two),
        Change(COPY, "source", text_asset("1", _digest("1")), one, "nothing"),
        Change(COPY, "source", text_asset("1", _digest("1")), text_asset("2", _digest("2"))),
    ]


def _inputs(change: Change, value: Any, source: dict[str, Any]) -> dict[str, Any]:
    inputs = required_with(change, value)
    if change.token == COPY and change.name != "source":
        inputs["source"] = source
    return inputs


def _write_state(project: Project, plugin: Plugin, changes: list[Change], source: Any) -> None:
    deployment = json.loads(project.must("stack", "export").stdout)
    resources = deployment["deployment"]["resources"]
    pattern = next(r for r in resources if r["type"] == LOCAL)
    resources.remove(pattern)
    for number, change in enumerate(changes):
        inputs, failures = plugin.check(change.token, _inputs(change, change.old, source))
        assert failures == {}
        ran = {"stdout": "", "stderr": ""} if change.token in (LOCAL, REMOTE) else {}
        resource = copy.deepcopy(pattern)
        resource.update(
            urn=f"urn:pulumi:dev::throwaway::{change.token}::r{number}",
            type=change.token,
            id=f"r{number}",
            inputs=_in_state(inputs),
            outputs=_in_state({**inputs, **ran}),
        )
        resources.append(resource)
    state = project.folder / "state.json"
    state.write_text(json.dumps(deployment))
    project.must("stack", "import", "--file", str(state))


def test_every_change_of_the_table_is_what_the_engine_does(plugin: Plugin, tmp_path: Path) -> None:
    project = new_project(tmp_path, _PROGRAM)
    resources = project.folder / "resources.json"
    resources.write_text(json.dumps([[LOCAL, {"create": "true"}]]))
    project.up()
    changes = _changes(project.folder)
    source = text_asset("content", _digest("content"))
    _write_state(project, plugin, changes, source)
    resources.write_text(
        json.dumps([[change.token, _inputs(change, change.new, source)] for change in changes])
    )
    preview = json.loads(project.must("preview", "--json").stdout)
    steps = preview["steps"]
    done = {step["urn"].rsplit("::", 1)[1]: step["op"] for step in steps}
    # The engine lists no step for a resource it leaves alone, but counts it.
    seen = {f"{n} {change}": done.get(f"r{n}", "nothing") for n, change in enumerate(changes)}
    expected = {f"{number} {change}": change.answer for number, change in enumerate(changes)}
    assert seen == expected
    quiet = sum(change.answer == "nothing" for change in changes)
    assert preview["changeSummary"]["same"] >= quiet


def test_the_table_covers_each_resource() -> None:
    assert {change.token for change in TABLE} == {LOCAL, REMOTE, COPY, COPY_FILE}
    assert any(change.old is ABSENT for change in TABLE)
