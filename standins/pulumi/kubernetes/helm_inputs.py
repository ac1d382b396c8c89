"""A release as the program wants it: checked, completed, and without what has no value."""

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import yaml

from standins.pulumi.kubernetes.helm_values import Data, merged
from standins.pulumi.values import WireAsset

DEFAULT_TIMEOUT_SECONDS = 300
DEFAULT_NAMESPACE = "default"

_FLAGS = (
    "allowNullValues",
    "atomic",
    "cleanupOnFail",
    "createNamespace",
    "dependencyUpdate",
    "devel",
    "disableCRDHooks",
    "disableOpenapiValidation",
    "disableWebhooks",
    "forceUpdate",
    "lint",
    "recreatePods",
    "renderSubchartNotes",
    "replace",
    "resetValues",
    "reuseValues",
    "skipAwait",
    "skipCrds",
    "verify",
    "waitForJobs",
)
_TEXTS = ("chart", "description", "keyring", "name", "namespace", "postrender", "version")
_NUMBERS = ("maxHistory", "timeout")
_REPOSITORY = ("repo", "caFile", "certFile", "keyFile", "password", "username")
# Helm's command line shows these to everybody on the machine, or they need what it has not got.
_NOT_HERE = ("keyring", "lint", "postrender", "recreatePods", "verify")
_CURE = "install the official plugin with `pulumi plugin install resource kubernetes 4.34.2`"

Failures = list[tuple[str, str]]


def failures(inputs: Mapping[str, object], known: Callable[[str], bool]) -> Failures:
    """What is wrong with the program's inputs: (property, sentence). `known(name)` says whether
    a property has a value yet."""
    found: Failures = []
    for name, value in inputs.items():
        if value is not None and known(name):
            found += _wrong(name, value)
    if known("chart") and not inputs.get("chart"):
        found.append(("chart", "`chart` is missing: name a chart, or the path of one"))
    return found


def _wrong(name: str, value: object) -> Failures:
    if name in _PARTS:
        return _PARTS[name](value)
    if name in _NUMBERS:
        return _wrong_number(name, value)
    sentence = None
    if name in _FLAGS and not isinstance(value, bool):
        sentence = f"`{name}` must be true or false"
    elif name in _TEXTS and not isinstance(value, str):
        sentence = f"`{name}` must be a text"
    elif name in _NOT_HERE and value:
        sentence = f"`{name}` is not in this repository's stand-in for helm; {_CURE}"
    return [(name, sentence)] if sentence else []


def _wrong_values(value: object) -> Failures:
    good = isinstance(value, Mapping)
    return [] if good else [("values", "`values` must be a map of the chart's values")]


def _wrong_number(name: str, value: object) -> Failures:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return [(name, f"`{name}` must be a whole number that is not negative")]
    return []


def _wrong_repository(value: object) -> Failures:
    name = "repositoryOpts"
    if not isinstance(value, Mapping):
        return [(name, f"`{name}` must be a map")]
    for key, part in value.items():
        if key not in _REPOSITORY or (part is not None and not isinstance(part, str)):
            return [(f"{name}.{key}", f"`{name}.{key}` is no setting of a repository, or no text")]
    if value.get("password") or value.get("username"):
        sentence = "a login would be seen in the process list; put the chart beside the program"
        return [(name, f"`{name}.username` and `password`: {sentence}, or {_CURE}")]
    return []


def _wrong_files(value: object) -> Failures:
    name = "valueYamlFiles"
    if not isinstance(value, list):
        return [(name, f"`{name}` must be a list of assets")]
    for index, asset in enumerate(value):
        if asset is None:
            continue  # not known yet
        here = f"{name}[{index}]"
        if not isinstance(asset, WireAsset) or asset.uri:
            return [(here, f"`{here}` must be a file asset or a string asset")]
        try:
            content = _values_of(asset)
        except (OSError, ValueError) as error:
            return [(here, f"`{here}` cannot be read: {error}")]
        if not isinstance(content, Mapping):
            return [(here, f"`{here}` must hold a map of values")]
    return []


_PARTS: dict[str, Callable[[object], Failures]] = {
    "values": _wrong_values,
    "repositoryOpts": _wrong_repository,
    "valueYamlFiles": _wrong_files,
}


def _values_of(asset: WireAsset) -> object:
    text = Path(asset.path).read_text() if asset.path else asset.text or ""
    try:
        return yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        # Its own text quotes the file, which may hold secrets.
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = "" if line is None else f" (line {line + 1})"
        raise ValueError(f"it is not YAML{where}") from None


def completed(
    inputs: Mapping[str, object], old: Mapping[str, object], resource: str, namespace: str
) -> Data:
    """Inputs with name, namespace and timeout. `namespace` is the provider's, may be empty.

    A release without a name keeps the one it has, or gets one from the resource's name.
    """
    result = dict(inputs)
    if "name" not in result and old.get("name"):
        result["name"] = old["name"]
    elif result.get("name", "") == "":
        result["name"] = f"{resource}-{secrets.token_hex(4)}"
    return with_defaults(result, namespace)


def with_defaults(inputs: Mapping[str, object], namespace: str) -> Data:
    result = dict(inputs)
    if "namespace" not in result or result["namespace"] == "":
        result["namespace"] = namespace or DEFAULT_NAMESPACE
    if not result.get("skipAwait") and "timeout" not in result:
        result["timeout"] = DEFAULT_TIMEOUT_SECONDS
    return result


def with_files(inputs: Mapping[str, object]) -> Data:
    """`values` over the content of `valueYamlFiles`, which are then gone; the later file wins."""
    values: Data = {}
    for asset in cast("list[object]", inputs.get("valueYamlFiles") or []):
        if isinstance(asset, WireAsset):
            values = merged(values, cast("Data", _values_of(asset)))
    values = merged(values, cast("Data", inputs.get("values") or {}))
    return {**inputs, "values": values}


def kept(inputs: Mapping[str, object], known: Callable[[str], bool]) -> Data:
    """The known properties of a release that say something: none empty, false or zero.

    Only `maxHistory` 0 is something: no limit.
    """
    names = (*_FLAGS, *_TEXTS, *_NUMBERS, "values", "repositoryOpts")
    result: Data = {}
    for name in names:
        value = inputs.get(name)
        if name == "repositoryOpts" and isinstance(value, Mapping):
            value = {key: part for key, part in value.items() if part}
        if value or not known(name) or (name == "maxHistory" and value == 0):
            result[name] = value
    return result
