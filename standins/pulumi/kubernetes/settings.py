"""The provider's configuration: checked, and turned into `Settings`.

Values arrive as text ("true") from the program's SDK, or as what they are.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from standins.pulumi.kubernetes.values import Props, Unknown, Value

_TEXTS = ("cluster", "clusterIdentifier", "context", "kubeconfig", "namespace")
_FLAGS = (
    "enableConfigMapMutable",
    "enablePatchForce",
    "enableSecretMutable",
    "enableServerSideApply",
    "strictMode",
    "upsertExistingObjects",
    # These change warnings that the stand-in does not have.
    "suppressDeprecationWarnings",
    "suppressHelmHookWarnings",
)
_OBJECTS = ("helmReleaseSettings", "kubeClientSettings")
_HELM_SETTINGS = (
    "driver",
    "pluginsPath",
    "registryConfigPath",
    "repositoryCache",
    "repositoryConfigPath",
    "suppressBetaWarning",
)
_CLIENT_SETTINGS = ("burst", "qps", "timeout")
_NOT_HERE = {
    "deleteUnreachable": "a cluster that cannot be reached never makes it forget a resource",
    "skipUpdateUnreachable": "a cluster that cannot be reached is an error",
    "renderYamlToDirectory": "it writes to clusters only",
    "alwaysRender": "it writes to clusters only",
}
# Keys the engine adds to a provider's inputs for itself.
_ENGINE_KEYS = ("version", "pluginDownloadURL", "parameterization")


@dataclass(frozen=True)
class Failure:
    """One setting that is wrong, and a sentence about it."""

    property: str
    reason: str


@dataclass(frozen=True)
class Settings:
    """Which cluster, and how the plugin behaves.

    `kubeconfig` is the text of the file, never a path; "" if there is none, and then
    `kubeconfig_problem` says where it was looked for. `helm` holds the helmReleaseSettings.
    """

    kubeconfig: str = field(repr=False)
    context: str = ""
    cluster: str = ""
    namespace: str = ""
    server_side_apply: bool = True
    patch_force: bool = False
    config_map_mutable: bool = False
    secret_mutable: bool = False
    upsert_existing: bool = False
    client_timeout: float | None = None
    helm: Mapping[str, str] = field(default_factory=dict)
    kubeconfig_problem: str = ""


def check(config: Mapping[str, Value]) -> list[Failure]:
    """What is wrong with a provider's inputs, as far as they are known."""
    failures: list[Failure] = []
    known = {key: value for key, value in config.items() if not isinstance(value, Unknown)}
    for key, value in known.items():
        reason = _mistake(key, value)
        if reason is not None:
            failures.append(Failure(key, f"kubernetes provider: {reason}"))
    if known.get("enableServerSideApply") is not None and not _flag(
        known["enableServerSideApply"], absent=True
    ):
        reason = "enableServerSideApply is false; the stand-in updates by server-side apply only"
        failures.append(Failure("enableServerSideApply", f"kubernetes provider: {reason}"))
    if _flag(known.get("strictMode")):
        for key in ("kubeconfig", "context"):
            if not config.get(key):
                reason = f"kubernetes provider: strictMode is on, so {key} must be set"
                failures.append(Failure(key, reason))
    return failures


def _mistake(key: str, value: Value) -> str | None:
    if key in _ENGINE_KEYS or key.startswith("__") or value is None:
        return None
    if key in _NOT_HERE:
        on = value not in (False, "", "false")
        return (
            f"{key} is not supported by the stand-in: {_NOT_HERE[key]}; remove it" if on else None
        )
    if key in _OBJECTS:
        return _object_mistake(key, value)
    if key in _FLAGS:
        fits, kind = value in (True, False, "true", "false", ""), "a boolean"
    elif key in _TEXTS:
        fits = isinstance(value, str) or (key == "kubeconfig" and isinstance(value, dict))
        kind = "a string"
    else:
        names = ", ".join(sorted((*_TEXTS, *_FLAGS, *_OBJECTS)))
        return f"{key} is not one of its settings: {names}"
    return None if fits else f"{key} must be {kind}"


def _object_mistake(key: str, value: Value) -> str | None:
    found = _parsed(value)
    if found is None:
        return f"{key} must be an object"
    allowed = _HELM_SETTINGS if key == "helmReleaseSettings" else _CLIENT_SETTINGS
    for name in found:
        if name not in allowed:
            return f"{key}.{name} is not one of its settings: {', '.join(allowed)}"
    return None


def load(config: Mapping[str, Value], environ: Mapping[str, str], home: Path) -> Settings:
    """The settings of a provider whose inputs are known and were checked.

    Reads the kubeconfig where a path stands for it. Without one, KUBECONFIG and then
    ~/.kube/config are read, as kubectl does. Raises ValueError in one sentence when a file that
    was named cannot be read.
    """
    text, problem = _kubeconfig(config.get("kubeconfig"), environ, home)
    client = _parsed(config.get("kubeClientSettings")) or {}
    timeout = client.get("timeout")
    helm = _parsed(config.get("helmReleaseSettings")) or {}
    return Settings(
        kubeconfig=text,
        context=_text(config, "context"),
        cluster=_text(config, "cluster"),
        namespace=_text(config, "namespace"),
        patch_force=_flag(config.get("enablePatchForce")),
        config_map_mutable=_flag(config.get("enableConfigMapMutable")),
        secret_mutable=_flag(config.get("enableSecretMutable")),
        upsert_existing=_flag(config.get("upsertExistingObjects")),
        client_timeout=float(timeout) if isinstance(timeout, int | float) else None,
        helm={key: value for key, value in helm.items() if isinstance(value, str)},
        kubeconfig_problem=problem,
    )


def kubeconfig_text(value: Value, home: Path) -> str:
    """The text of the `kubeconfig` input: itself, the file it names, or an object as JSON."""
    if isinstance(value, dict):
        return json.dumps(value)
    if not isinstance(value, str) or not value:
        return ""
    if "\n" in value or value.lstrip().startswith("{"):
        return value
    path = home / value[2:] if value.startswith("~/") else Path(value)
    try:
        return path.read_text()
    except FileNotFoundError:
        return value  # a text after all; parsing it says what is wrong with it
    except (OSError, ValueError) as error:
        raise ValueError(
            f"kubernetes provider: the kubeconfig {path} cannot be read ({error}); "
            "correct the setting kubeconfig"
        ) from error


def _kubeconfig(value: Value, environ: Mapping[str, str], home: Path) -> tuple[str, str]:
    text = kubeconfig_text(value, home)
    if text:
        return text, ""
    named = environ.get("KUBECONFIG", "")
    path = Path(named) if named else home / ".kube" / "config"
    try:
        return path.read_text(), ""
    except OSError:
        return "", f"kubernetes provider: kubeconfig is not set and {path} cannot be read; set it"


def _parsed(value: Value) -> Props | None:
    if isinstance(value, str):
        if not value:
            return {}
        try:
            found = json.loads(value)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None
    if value is None:
        return {}
    return value if isinstance(value, dict) else None


def _flag(value: Value, *, absent: bool = False) -> bool:
    return absent if value in (None, "") else value in (True, "true")


def _text(config: Mapping[str, Value], key: str) -> str:
    value = config.get(key)
    return value if isinstance(value, str) else ""
