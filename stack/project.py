"""What is known of a project without asking the engine: its name, its backend, its files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from stack.errors import StackError


@dataclass(frozen=True)
class Project:
    """A project on disk. `backend` is the URL of the state's home, "" if the engine decides."""

    name: str
    directory: Path
    backend: str

    def lock_directory(self, stack: str) -> Path | None:
        """Where the engine's locks of a stack are, or None if the state is not in local files.

        Layout of the file backend: `.pulumi/locks/organization/<project>/<stack>/<id>.json`.
        """
        root = backend_directory(self.backend, self.directory)
        if root is None:
            return None
        return root / ".pulumi" / "locks" / "organization" / self.name / short_name(stack)

    def site(self, stack: str) -> str:
        """The site of a stack: its config key `site`, else the stack's own name."""
        file = self.directory / f"Pulumi.{short_name(stack)}.yaml"
        config = _mapping(file).get("config", {}) if file.is_file() else {}
        value = config.get(f"{self.name}:site") if isinstance(config, dict) else None
        return value if isinstance(value, str) and value else short_name(stack)


def load(directory: Path, env: Mapping[str, str], home: Path) -> Project:
    """Reads Pulumi.yaml of a project; raises StackError if there is none or it has no name."""
    file = directory / "Pulumi.yaml"
    if not file.is_file():
        raise StackError(
            f"{directory} holds no Pulumi.yaml: run in the project's folder or pass -C"
        )
    content = _mapping(file)
    name = content.get("name")
    if not isinstance(name, str) or not name:
        raise StackError(f"{file} has no `name`: give the project one")
    declared = content.get("backend")
    url = declared.get("url", "") if isinstance(declared, dict) else ""
    return Project(name, directory, env.get("PULUMI_BACKEND_URL") or url or _logged_in(env, home))


def short_name(stack: str) -> str:
    """`dev` of `organization/backstop/dev`."""
    return stack.rsplit("/", 1)[-1]


def backend_directory(url: str, directory: Path) -> Path | None:
    """The folder of a `file://` backend (`~` is the home folder), None for any other backend."""
    if not url.startswith("file://"):
        return None
    path = Path(unquote(urlsplit(url).netloc + urlsplit(url).path)).expanduser()
    return path if path.is_absolute() else directory / path


def _logged_in(env: Mapping[str, str], home: Path) -> str:
    pulumi_home = Path(env["PULUMI_HOME"]) if env.get("PULUMI_HOME") else home / ".pulumi"
    file = pulumi_home / "credentials.json"
    if not file.is_file():
        return ""
    current = json.loads(file.read_text()).get("current", "")
    return current if isinstance(current, str) else ""


def _mapping(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        raise StackError(f"{file} is no valid YAML: {' '.join(str(error).split())}") from error
    return content if isinstance(content, dict) else {}
