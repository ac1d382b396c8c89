"""Velero's own definitions, made strict: a field that they do not have is a fault.

The API server would prune it without a word.
"""

import json
from typing import Any

import jsonschema
import pytest
import yaml

from tests.standins.charts.conftest import upstream


def definition(plural: str) -> dict[str, Any]:
    """A CustomResourceDefinition of the official chart; skips the test where it is not here."""
    path = upstream() / "crds" / f"{plural}.yaml"
    if not path.exists():
        pytest.skip(f"the official chart's definitions are not here: {path.name}")
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def check(plural: str, manifest: dict[str, Any]) -> None:
    """Raises jsonschema.ValidationError."""
    (version,) = definition(plural)["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    schema["properties"]["metadata"] = {"type": "object"}
    jsonschema.Draft7Validator(_strict(schema)).validate(json.loads(json.dumps(manifest)))


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _strict(value) for key, value in schema.items()}
    if isinstance(found.get("properties"), dict):
        found.setdefault("additionalProperties", False)
    if found.get("nullable") and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    return found
