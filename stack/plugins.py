"""Which Pulumi plugins a run uses: the official ones, or our stand-ins where those are absent.

Standard library only: the lab asks this before any virtual environment exists.

An executable on PATH beats a plugin that the engine has installed, so a stand-in may go on PATH
only after the official one was looked for and not found. Each stand-in has a folder of its own,
so that each steps aside alone.
"""

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

STANDINS = ("standins", "pulumi", "bin")


@dataclass(frozen=True)
class Plugin:
    """A plugin the program needs: `kind` is language or resource, `version` the pinned one."""

    kind: str
    name: str
    version: str

    @property
    def binary(self) -> str:
        return f"pulumi-{self.kind}-{self.name}"

    @property
    def install(self) -> str:
        """How an operator gets the official one."""
        if self.kind == "language":
            return f"install the official Pulumi {self.version}, which brings it"
        return f"run `pulumi plugin install {self.kind} {self.name} {self.version}`"


class Origin(StrEnum):
    """Where a plugin comes from."""

    OFFICIAL = "official"
    STANDIN = "stand-in"
    MISSING = "missing"


@dataclass(frozen=True)
class Choice:
    """The outcome for one plugin. `on_path` is the folder PATH needs, if any."""

    plugin: Plugin
    origin: Origin
    on_path: Path | None = None

    @property
    def note(self) -> str:
        """What the operator is told; "" for an official plugin."""
        seen = f"the official plugin {self.plugin.version} was not found"
        if self.origin is Origin.STANDIN:
            return f"stand-in: {self.plugin.binary} ({seen})"
        if self.origin is Origin.MISSING:
            return f"missing: {self.plugin.binary} ({seen}, and there is no stand-in for it)"
        return ""


def needed(versions: Path) -> tuple[Plugin, ...]:
    """The plugins of our program at the versions that `versions.toml` pins."""
    pins = tomllib.loads(versions.read_text())
    resources = (Plugin("resource", name, text) for name, text in sorted(pins["plugins"].items()))
    return (Plugin("language", "python", pins["tools"]["pulumi"]["version"]), *resources)


def pulumi_homes(env: Mapping[str, str], home: Path) -> list[Path]:
    """Where plugins are installed: the engine's own Pulumi home first, then the default one."""
    chosen = env.get("PULUMI_HOME")
    return [*([Path(chosen)] if chosen else []), home / ".pulumi"]


def choose(
    plugins: Sequence[Plugin],
    env: Mapping[str, str],
    homes: Sequence[Path],
    cli: Path | None,
    standins: Path,
) -> tuple[Choice, ...]:
    """Looks for each official plugin, then for its stand-in under `standins`/<binary>/.

    `env` gives PATH, `homes` the Pulumi homes (the engine's own first), `cli` the engine's
    executable. Only files are looked at. With BACKSTOP_STANDINS=never a stand-in counts as missing.
    """
    return tuple(_choose_one(plugin, env, homes, cli, standins) for plugin in plugins)


def search_path(choices: Sequence[Choice], path: str) -> str:
    """PATH with the chosen folders in front; stand-ins that nobody chose are taken out, and so are
    plugins of another version than the pinned one.
    """
    wanted = [str(choice.on_path) for choice in choices if choice.on_path is not None]
    rest = [
        part
        for part in path.split(os.pathsep)
        if part
        and part not in wanted
        and not is_standin_folder(Path(part))
        and not any(_is_other_version(choice.plugin, Path(part)) for choice in choices)
    ]
    return os.pathsep.join([*wanted, *rest])


def is_standin_folder(folder: Path) -> bool:
    """Whether a folder holds our stand-ins, of this checkout or any other."""
    parts = folder.parts
    width = len(STANDINS)
    return any(parts[at : at + width] == STANDINS for at in range(len(parts) - width + 1))


def _choose_one(
    plugin: Plugin,
    env: Mapping[str, str],
    homes: Sequence[Path],
    cli: Path | None,
    standins: Path,
) -> Choice:
    if _on_search_path(plugin, env) or _beside(plugin, cli):
        return Choice(plugin, Origin.OFFICIAL)
    for installed in (_installed(plugin, home) for home in homes):
        if _executable(installed):
            # The engine looks into its own home only, so any other one has to be pointed at.
            own = installed == _installed(plugin, homes[0])
            return Choice(plugin, Origin.OFFICIAL, None if own else installed.parent)
    folder = standins / plugin.binary
    if env.get("BACKSTOP_STANDINS") != "never" and _executable(folder / plugin.binary):
        return Choice(plugin, Origin.STANDIN, folder)
    return Choice(plugin, Origin.MISSING)


def _on_search_path(plugin: Plugin, env: Mapping[str, str]) -> bool:
    folders = (Path(part) for part in env.get("PATH", "").split(os.pathsep) if part)
    return any(
        _executable(folder / plugin.binary)
        for folder in folders
        if not is_standin_folder(folder) and not _is_other_version(plugin, folder)
    )


def _is_other_version(plugin: Plugin, folder: Path) -> bool:
    # A plugin of another home was put on PATH by the folder that the engine installed it to.
    name = f"{plugin.kind}-{plugin.name}-v"
    return folder.name.startswith(name) and folder.name != name + plugin.version


def _beside(plugin: Plugin, cli: Path | None) -> bool:
    # The official archive ships the language host in the folder of the CLI.
    return cli is not None and _executable(cli.resolve().parent / plugin.binary)


def _installed(plugin: Plugin, pulumi_home: Path) -> Path:
    # Only the pinned version: the engine asks for exactly the one that the SDK names.
    folder = f"{plugin.kind}-{plugin.name}-v{plugin.version}"
    return pulumi_home / "plugins" / folder / plugin.binary


def _executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
