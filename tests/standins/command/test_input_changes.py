"""What a change of each input means: update, replace or nothing.

To the plugin one changed trigger is an update, as to the official one: it is the program's SDK that
asks the engine to replace (replaceOnChanges). `answer` is what comes out of the two together;
test_engine.py holds the real engine and SDK to the same table.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from standins.pulumi.command.inputs import INPUTS, LOCAL_RUN
from tests.standins.command.engine import (
    UNKNOWN,
    Plugin,
    archive,
    file_asset,
    secret,
    text_asset,
)

LOCAL = "command:local:Command"
REMOTE = "command:remote:Command"
COPY = "command:remote:CopyToRemote"
COPY_FILE = "command:remote:CopyFile"


@dataclass(frozen=True)
class Change:
    """`answer`: update, replace or nothing. `paths`: the plugin's detailed diff."""

    token: str
    name: str
    old: Any
    new: Any
    answer: str = "update"
    paths: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.token.split(':', 1)[1]}-{self.name}-{self.answer}-{'+'.join(self.paths)}"


ABSENT = object()


def _scalar(token: str, name: str, old: Any, new: Any, answer: str = "update") -> list[Change]:
    """Changed, added, removed and unchanged."""
    return [
        Change(token, name, old, new, answer, {name: "UPDATE"}),
        Change(token, name, ABSENT, new, answer, {name: "ADD"}),
        Change(token, name, old, ABSENT, answer, {name: "DELETE"}),
        Change(token, name, old, old, "nothing"),
    ]


def _life_cycle(token: str) -> list[Change]:
    replace = "replace"
    return [
        *_scalar(token, "create", "true", ": 2"),
        *_scalar(token, "update", ": 1", ": 2"),
        *_scalar(token, "delete", ": 1", ": 2"),
        *_scalar(token, "stdin", "a", "b"),
        *_scalar(token, "logging", "none", "stderr"),
        *_scalar(token, "addPreviousOutputInEnv", True, False),
        Change(token, "stdin", "a", secret("a"), "update", {"stdin": "UPDATE"}),
        Change(token, "stdin", secret("a"), secret("b"), "update", {"stdin": "UPDATE"}),
        Change(token, "stdin", secret("a"), secret("a"), "nothing"),
        Change(token, "triggers", ["a"], ["b"], replace, {"triggers[0]": "UPDATE"}),
        Change(token, "triggers", ["a"], ["a", "b"], replace, {"triggers[1]": "ADD"}),
        Change(token, "triggers", ["a", "b"], ["a"], replace, {"triggers[1]": "DELETE"}),
        Change(token, "triggers", ABSENT, ["a"], replace, {"triggers": "ADD_REPLACE"}),
        Change(token, "triggers", ["a"], ABSENT, replace, {"triggers": "DELETE_REPLACE"}),
        Change(token, "triggers", ["a", 1, {"x": True}], ["a", 1, {"x": True}], "nothing"),
    ]


def _environment(token: str) -> list[Change]:
    name = "environment"
    return [
        Change(
            token,
            name,
            {"ALLOWED_A": "1"},
            {"ALLOWED_A": "2"},
            paths={f"{name}.ALLOWED_A": "UPDATE"},
        ),
        Change(
            token,
            name,
            {"ALLOWED_A": "1"},
            {"ALLOWED_B": "1"},
            paths={f"{name}.ALLOWED_A": "DELETE", f"{name}.ALLOWED_B": "ADD"},
        ),
        Change(token, name, ABSENT, {"ALLOWED_A": "1"}, paths={name: "ADD"}),
        Change(token, name, {"ALLOWED_A": "1"}, {"ALLOWED_A": "1"}, "nothing"),
    ]


def _connection(token: str, answer: str = "update") -> list[Change]:
    """Every field of `connection`; all of it is secret, so only its whole can be named."""
    kind = "UPDATE_REPLACE" if answer == "replace" else "UPDATE"
    host = {"host": "127.0.0.1"}
    changed = [
        {"host": "localhost"},
        {**host, "user": "other"},
        {**host, "port": 2222},
        {**host, "password": "p"},
        {**host, "privateKey": "k"},
        {**host, "privateKeyPassword": "p"},
        {**host, "agentSocketPath": "/run/agent"},
        {**host, "hostKey": "ssh-ed25519 AAAA"},
        {**host, "dialErrorLimit": 3},
        {**host, "perDialTimeout": 3},
        {**host, "proxy": {"host": "127.0.0.2"}},
    ]
    same = [host, {**host, "user": "root"}, {**host, "port": 22}, {**host, "dialErrorLimit": 10}]
    return [
        *(Change(token, "connection", host, new, answer, {"connection": kind}) for new in changed),
        *(Change(token, "connection", host, new, "nothing") for new in same),
    ]


_ONE, _TWO = "1" * 64, "2" * 64
TABLE = [
    *_life_cycle(LOCAL),
    *_environment(LOCAL),
    *_scalar(LOCAL, "dir", "/", "/tmp"),
    Change(
        LOCAL,
        "interpreter",
        ["/bin/sh", "-c"],
        ["/bin/bash", "-c"],
        paths={"interpreter[0]": "UPDATE"},
    ),
    Change(LOCAL, "interpreter", ABSENT, ["/bin/sh", "-c"], paths={"interpreter": "ADD"}),
    Change(LOCAL, "assetPaths", ["*.a"], ["*.b"], paths={"assetPaths[0]": "UPDATE"}),
    Change(LOCAL, "archivePaths", ["*.a"], ["*.b"], paths={"archivePaths[0]": "UPDATE"}),
    *_life_cycle(REMOTE),
    *_environment(REMOTE),
    *_connection(REMOTE),
    *_connection(COPY),
    Change(COPY, "remotePath", "/tmp/a", "/tmp/b", paths={"remotePath": "UPDATE"}),
    Change(
        COPY, "source", file_asset("a", _ONE), file_asset("a", _TWO), paths={"source": "UPDATE"}
    ),
    Change(COPY, "source", file_asset("a", _ONE), file_asset("b", _ONE), "nothing"),
    Change(
        COPY, "source", text_asset("a", _ONE), text_asset("b", _TWO), paths={"source": "UPDATE"}
    ),
    Change(COPY, "source", archive("a", _ONE), archive("a", _TWO), paths={"source": "UPDATE"}),
    Change(COPY, "source", archive("a", _ONE), archive("a", _ONE), "nothing"),
    Change(COPY, "source", file_asset("a", _ONE), archive("a", _TWO), paths={"source": "UPDATE"}),
    Change(COPY, "triggers", ["a"], ["b"], "replace", {"triggers[0]": "UPDATE"}),
    Change(COPY, "triggers", ABSENT, ["a"], "replace", {"triggers": "ADD_REPLACE"}),
    *_connection(COPY_FILE, "replace"),
    Change(
        COPY_FILE, "remotePath", "/tmp/a", "/tmp/b", "replace", {"remotePath": "UPDATE_REPLACE"}
    ),
    Change(COPY_FILE, "localPath", "/tmp/a", "/tmp/b", "replace", {"localPath": "UPDATE_REPLACE"}),
    Change(COPY_FILE, "triggers", ["a"], ["b"], "replace", {"triggers[0]": "UPDATE_REPLACE"}),
]

_REQUIRED: dict[str, dict[str, Any]] = {
    LOCAL: {"create": "true"},
    REMOTE: {"create": "true", "connection": {"host": "127.0.0.1"}},
    COPY: {
        "connection": {"host": "127.0.0.1"},
        "source": file_asset("a", _ONE),
        "remotePath": "/tmp/a",
    },
    COPY_FILE: {"connection": {"host": "127.0.0.1"}, "localPath": "/tmp/a", "remotePath": "/tmp/b"},
}


def required_with(change: Change, value: Any) -> dict[str, Any]:
    """The inputs a resource must have, with the changing one at `value`."""
    rest = {k: given for k, given in _REQUIRED[change.token].items() if k != change.name}
    return rest if value is ABSENT else {**rest, change.name: value}


@pytest.mark.parametrize("change", TABLE, ids=str)
def test_the_plugin_says_which_paths_changed(plugin: Plugin, change: Change) -> None:
    checked = []
    for value in (change.old, change.new):
        inputs, failures = plugin.check(change.token, required_with(change, value))
        assert failures == {}
        checked.append(inputs)
    answer = plugin.diff(change.token, *checked)
    assert plugin.detailed(change.token, *checked) == change.paths
    assert answer.changes == (1 if change.answer == "nothing" else 2)  # DIFF_NONE, DIFF_SOME
    replaced = any("REPLACE" in kind for kind in change.paths.values())
    assert list(answer.replaces) == ([change.name] if replaced else [])
    assert list(answer.diffs) == ([change.name] if change.paths else [])


def test_the_table_has_every_input_of_every_resource() -> None:
    in_table = {(change.token, change.name) for change in TABLE}
    missing = {
        (token, name) for token, fields in INPUTS.items() if token != LOCAL_RUN for name in fields
    } - in_table
    assert missing == set()


def test_ignored_changes_are_no_changes(plugin: Plugin) -> None:
    old = {"create": "true", "stdin": "a"}
    answer = plugin.diff(LOCAL, old, {**old, "stdin": "b"}, ignore=["stdin"])
    assert answer.changes == 1


def test_a_value_not_known_yet_is_a_change(plugin: Plugin) -> None:
    old = {"create": "true", "triggers": ["a"]}
    assert plugin.detailed(LOCAL, old, {**old, "triggers": [UNKNOWN]}) == {"triggers[0]": "UPDATE"}
    assert plugin.detailed(LOCAL, old, {**old, "triggers": UNKNOWN}) == {
        "triggers": "UPDATE_REPLACE"
    }


def test_outputs_are_not_compared(plugin: Plugin) -> None:
    old = {"create": "true"}
    assert plugin.diff(LOCAL, old, old, outputs={"stdout": "x", "stderr": ""}).changes == 1


def test_a_name_with_other_characters_is_quoted_in_its_path(plugin: Plugin) -> None:
    old = {"create": "true", "environment": {"A-B": "1", 'C"D': "1"}}
    new = {"create": "true", "environment": {"A-B": "2", 'C"D': "2"}}
    assert set(plugin.detailed(LOCAL, old, new)) == {
        'environment["A-B"]',
        'environment["C\\"D"]',
    }
