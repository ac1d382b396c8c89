"""A stand-in for Velero's resource modifiers: parses as strictly and applies the rules as it does.

Written after internal/resourcemodifiers of Velero 1.18, quirks included: every rule is matched
against the object as it was before the first one, and a patch's value is put into it as text.
"""

import copy
import json
import re
from typing import Any

import yaml

_RULE = {"conditions", "patches", "mergePatches", "strategicPatches"}
_CONDITIONS = {"namespaces", "groupResource", "resourceNameRegex", "labelSelector", "matches"}
_OPERATION = {"operation", "from", "path", "value"}


class RefusedError(Exception):
    """Velero would not take the ConfigMap."""


def parse(config_map: dict[str, Any]) -> list[dict[str, Any]]:
    """The rules. Raises RefusedError."""
    if len(config_map["data"]) != 1:
        raise RefusedError("more than one key")
    (text,) = config_map["data"].values()
    document = yaml.safe_load(text)
    _only(document, {"version", "resourceModifierRules"})
    if document["version"].lower() != "v1" or not document["resourceModifierRules"]:
        raise RefusedError("version or rules")
    for rule in document["resourceModifierRules"]:
        _check(rule)
    rules: list[dict[str, Any]] = document["resourceModifierRules"]
    return rules


def _check(rule: dict[str, Any]) -> None:
    _only(rule, _RULE)
    _only(rule["conditions"], _CONDITIONS)
    if not rule["conditions"]["groupResource"]:
        raise RefusedError("no groupResource")
    for match in rule["conditions"].get("matches", []):
        _only(match, {"path", "value"})
    if sum(1 for kind in _RULE - {"conditions"} if rule.get(kind)) != 1:
        raise RefusedError("not one kind of patch")
    for one in rule.get("patches", []):
        _only(one, _OPERATION)
        if one["operation"] not in {"add", "remove", "replace", "test", "move", "copy"}:
            raise RefusedError(one["operation"])
    for one in rule.get("mergePatches", []):
        _only(one, {"patchData"})


def _only(found: dict[str, Any], known: set[str]) -> None:
    if set(found) - known:
        raise RefusedError(f"unknown field {min(set(found) - known)}")


def apply(rules: list[dict[str, Any]], kind: str, found: dict[str, Any]) -> tuple[Any, list[str]]:
    """The object that is created, and the errors: after one, the rule changed nothing."""
    origin, result, errors = copy.deepcopy(found), copy.deepcopy(found), []
    for rule in rules:
        if not _matches(rule["conditions"], kind, origin):
            continue
        try:
            result = _patched(rule, result)
        except (KeyError, IndexError, TypeError) as error:
            errors.append(f"{kind}: {error!r}")
    return result, errors


def _matches(conditions: dict[str, Any], kind: str, found: dict[str, Any]) -> bool:
    namespace = found["metadata"].get("namespace", "")
    wanted = conditions.get("namespaces")
    if namespace and wanted and namespace not in wanted:
        return False
    # No rule of ours has a glob.
    if conditions["groupResource"] != kind:
        return False
    pattern = conditions.get("resourceNameRegex", "")
    if pattern and not re.search(pattern, found["metadata"]["name"]):
        return False
    return all(_holds(found, one) for one in conditions.get("matches", []))


def _holds(found: dict[str, Any], match: dict[str, Any]) -> bool:
    try:
        return bool(_get(found, match["path"]) == json.loads(_value(match.get("value", ""))))
    except (KeyError, IndexError, TypeError):
        return False


def _patched(rule: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(found)
    for one in rule.get("mergePatches", []):
        result = merge(result, yaml.safe_load(one["patchData"]))
    for one in rule.get("patches", []):
        _operate(result, one)
    return result


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def _value(text: str) -> str:
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        return f'"{text[1:-1]}"'
    if text in {"null", "true", "false"} or text[:1] in {"{", "["}:
        return text
    try:
        float(text)
    except ValueError:
        return f'"{text}"'
    return text


def _operate(found: dict[str, Any], one: dict[str, Any]) -> None:
    match one["operation"]:
        case "move":
            value = _get(found, one["from"])
            _remove(found, one["from"])
            _add(found, one["path"], value)
        case "copy":
            _add(found, one["path"], copy.deepcopy(_get(found, one["from"])))
        case "remove":
            _remove(found, one["path"])
        case "replace":
            _get(found, one["path"])
            _add(found, one["path"], json.loads(_value(one["value"])))
        case "add":
            _add(found, one["path"], json.loads(_value(one["value"])))


def _keys(path: str) -> list[str]:
    return [key.replace("~1", "/").replace("~0", "~") for key in path.split("/")[1:]]


def _step(found: Any, key: str) -> Any:
    return found[int(key)] if isinstance(found, list) else found[key]


def _get(found: Any, path: str) -> Any:
    for key in _keys(path):
        found = _step(found, key)
    return found


def _parent(found: Any, path: str) -> tuple[Any, str]:
    *above, last = _keys(path)
    for key in above:
        found = _step(found, key)
    return found, last


def _remove(found: Any, path: str) -> None:
    parent, key = _parent(found, path)
    del parent[int(key) if isinstance(parent, list) else key]


def _add(found: Any, path: str, value: Any) -> None:
    parent, key = _parent(found, path)
    if not isinstance(parent, list):
        parent[key] = value
    elif key == "-":
        parent.append(value)
    else:
        parent.insert(int(key), value)
