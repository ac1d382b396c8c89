"""The CRDs of a YAML file or folder, as data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from components import versions
from components.settings import SettingsError
from components.settings.base import sentence
from kube.facts import SNAPSHOT_CRDS

_KEY = "snapshots.crds.path"
# CRDs and controller are released together.
_RELEASE = versions.image("snapshot-controller").rpartition(":")[2]
OFFICIAL = (
    'kubectl kustomize "https://github.com/kubernetes-csi/external-snapshotter//client/config/crd'
    f'?ref={_RELEASE}"'
)


def read(path: str | None) -> dict[str, Mapping[str, Any]]:
    """The snapshot CRDs under `path` by name; {} for None. Others in the file are passed over.

    Raises:
        SettingsError: it cannot be read, is no YAML, or lacks one of the CRDs.
    """
    if path is None:
        return {}
    documents = [one for file in _files(Path(path).expanduser()) for one in _documents(file)]
    found = {_name(one): one for one in documents if _name(one) in SNAPSHOT_CRDS}
    missing = [name for name in SNAPSHOT_CRDS if name not in found]
    if missing:
        raise _fault(f"{path} has no CRD {missing[0]}; write it with {OFFICIAL}")
    return found


def _fault(text: str) -> SettingsError:
    return SettingsError([sentence(_KEY, text)])


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise _fault(f"{path} does not exist; write it with {OFFICIAL}")
    if path.is_dir():
        return sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
    return [path]


def _documents(file: Path) -> list[Mapping[str, Any]]:
    try:
        loaded = list(yaml.safe_load_all(file.read_text()))
    except (OSError, UnicodeDecodeError) as error:
        raise _fault(f"{file} cannot be read ({type(error).__name__})") from error
    except yaml.YAMLError as error:
        raise _fault(f"{file} is no YAML; write it with {OFFICIAL}") from error
    return [
        one
        for one in loaded
        if isinstance(one, dict) and one.get("kind") == "CustomResourceDefinition"
    ]


def _name(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""
