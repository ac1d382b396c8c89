"""Charts rendered by the real helm, and fields of what came out, by name."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = ROOT / "standins/charts/velero"
TIMEOUT_SECONDS = 120

Objects = dict[str, dict[str, Any]]


class RefusedError(Exception):
    """helm rendered nothing; the text is what it said."""


def helm() -> Path:
    """The pinned helm; skips the test without it."""
    from lab.tools import find  # noqa: PLC0415  (the lab is needed by these tests only)

    found = find("helm")
    if found is None:
        pytest.skip("the pinned helm is not built: run `python -m lab tools helm`")
    return found


def render(chart: Path, values: Mapping[str, Any], release: str = "velero") -> Objects:
    """What `helm template` makes of the chart, hooks included, by "Kind/name"."""
    done = subprocess.run(
        [str(helm()), "template", release, str(chart), "--namespace", "velero", "--values", "-"],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    if done.returncode:
        raise RefusedError(done.stderr)
    found = [each for each in yaml.safe_load_all(done.stdout) if each]
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in found}


def field(objects: Objects, name: str, path: Sequence[str]) -> Any:
    """A field of an object; None where the object or the field is absent.

    A step into a list of objects is the `name` of one, a step into a list of texts is a flag
    (`--log-level`), whose value it gives ("true" for a bare flag).
    """
    found: Any = objects.get(name)
    for step in path:
        if isinstance(found, list):
            found = _of_list(found, step)
        elif isinstance(found, dict):
            found = found.get(step)
        else:
            return None
    return found


def _of_list(items: list[Any], step: str) -> Any:
    for item in items:
        if isinstance(item, dict) and item.get("name") == step:
            return item
        if isinstance(item, str) and item.split("=", 1)[0] == step:
            return item.partition("=")[2] or "true"
    return None


def merged(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """`more` laid over `base` as Helm does it: maps part by part, anything else whole."""
    result = dict(base)
    for key, value in more.items():
        old = result.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = merged(old, value) if both else value  # type: ignore[arg-type]
    return result


def nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    """The values in which only this key is set."""
    for step in reversed(path):
        value = {step: value}
    return dict(value)
