"""Pinned versions, read from versions.toml at the top of the repository."""

import tomllib
from functools import cache
from pathlib import Path

VERSIONS_FILE = Path(__file__).resolve().parent.parent / "versions.toml"


@cache
def _table() -> dict[str, dict[str, object]]:
    return tomllib.loads(VERSIONS_FILE.read_text())


def plugin(name: str) -> str:
    """Version of the official provider plugin `name` (minio, command).

    Raises:
        KeyError: `name` is not pinned.
    """
    return str(_table()["plugins"][name])


def tool(name: str) -> str:
    """Version of the tool `name` (pulumi, minio), as its own version command prints it.

    Raises:
        KeyError: `name` is not pinned.
    """
    tools = _table()["tools"]
    pin = tools[name]
    if not isinstance(pin, dict):
        raise TypeError(f"versions.toml: tools.{name} is not a table")
    return str(pin["version"])


def image(name: str) -> str:
    """Reference of the image `name` (velero), with its tag.

    Raises:
        KeyError: `name` is not pinned.
    """
    return str(_table()["images"][name])


def chart(name: str) -> str:
    """Version of the official Helm chart `name` (velero).

    Raises:
        KeyError: `name` is not pinned.
    """
    return str(_table()["charts"][name])
