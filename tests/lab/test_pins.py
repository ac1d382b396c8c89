"""A pin's hash changes with everything that decides the binary, and with nothing else."""

import dataclasses
from pathlib import Path

import pytest

from lab import pins
from lab.errors import LabError
from lab.paths import ROOT
from lab.tools import build_command

TOOL = pins.Tool(
    name="thing",
    wrapper="lab/wrappers/thing",
    version="1.2.3",
    module="example.org/thing",
    module_version="v1.2.3",
    package="example.org/thing/cmd",
    binary="thing",
    tags="a,b",
    stamps={"example.org/thing.Version": "v1.2.3"},
    version_command=("version",),
    version_output="v1.2.3",
)
CHANGES: dict[str, object] = {
    "version": "1.2.4",
    "module_version": "v1.2.4",
    "package": "example.org/thing/other",
    "tags": "a",
    "stamps": {"example.org/thing.Version": "v9"},
    "version_output": "v1.2.4",
}


def test_the_hash_is_stable() -> None:
    first = pins.pin_hash(TOOL, [b"mod", b"sum"], "Linux-x86_64")
    assert first == pins.pin_hash(TOOL, [b"mod", b"sum"], "Linux-x86_64")
    assert len(first) == 12


@pytest.mark.parametrize("field", CHANGES)
def test_each_setting_changes_the_hash(field: str) -> None:
    changed = dataclasses.replace(TOOL, **{field: CHANGES[field]})  # type: ignore[arg-type]
    assert pins.pin_hash(changed, [b"m", b"s"], "x") != pins.pin_hash(TOOL, [b"m", b"s"], "x")


def test_where_the_module_lies_does_not_matter() -> None:
    moved = dataclasses.replace(TOOL, wrapper="elsewhere")
    assert pins.pin_hash(moved, [b"m"], "x") == pins.pin_hash(TOOL, [b"m"], "x")


def test_the_modules_and_the_machine_change_the_hash() -> None:
    hashes = {
        pins.pin_hash(TOOL, [mod, total], machine)
        for mod, total, machine in [
            (b"m", b"s", "x"),
            (b"m2", b"s", "x"),
            (b"m", b"s2", "x"),
            (b"m", b"s", "y"),
            (b"ms", b"", "x"),
        ]
    }
    assert len(hashes) == 5


def test_every_wrapper_builds_a_pinned_tool() -> None:
    tools, _ = pins.load()
    used = {pins.wrapper(tool) for tool in tools.values()}
    assert {path for path in (ROOT / "lab" / "wrappers").iterdir() if path.is_dir()} <= used


def test_an_unknown_tool_is_a_sentence_naming_the_known_ones() -> None:
    with pytest.raises(LabError, match=r"no tool called 'mini'.*minio"):
        pins.tool("mini")


def test_a_broken_table_names_its_key() -> None:
    with pytest.raises(LabError, match=r"tools\.x\.version must be a text"):
        pins.tool_from("x", {"version": 3, "version_command": ["v"]})
    table = {**dataclasses.asdict(TOOL), "version_command": "version"}
    with pytest.raises(LabError, match=r"tools\.x\.version_command"):
        pins.tool_from("x", table)


def test_the_build_is_static_stripped_stamped_and_pathless() -> None:
    line = build_command(Path("/go"), TOOL, Path("/out"))
    assert line[:2] == ["/go", "build"]
    assert "-trimpath" in line
    assert line[line.index("-tags") + 1] == "a,b"
    assert line[line.index("-ldflags") + 1] == "-s -w -X example.org/thing.Version=v1.2.3"
    assert line[-3:] == ["-o", "/out", "example.org/thing/cmd"]


def test_a_tool_that_cannot_say_its_version_needs_no_version_output() -> None:
    table = dataclasses.asdict(TOOL)
    del table["version_command"], table["version_output"]
    assert pins.tool_from("thing", table).version_command == ()
