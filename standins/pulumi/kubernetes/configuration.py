"""DiffConfig: whether a changed provider configuration means another cluster."""

from collections.abc import Mapping
from pathlib import Path

from standins.pulumi.kubernetes.kubeconfig import active_cluster
from standins.pulumi.kubernetes.settings import kubeconfig_text
from standins.pulumi.kubernetes.values import Unknown, Value

IDENTIFIER = "clusterIdentifier"
_WHERE = ("kubeconfig", "context", "cluster")


def changed(
    old: Mapping[str, Value], new: Mapping[str, Value], home: Path
) -> tuple[list[str], list[str]]:
    """The settings that differ, and those of them that replace every resource of the provider.

    With `clusterIdentifier` on both sides only its own change replaces; without it another active
    cluster in the kubeconfig does, and so does one that is not known yet.
    """
    differing = [
        key
        for key in sorted({*old, *new})
        if isinstance(new.get(key), Unknown) or old.get(key) != new.get(key)
    ]
    before, after = old.get(IDENTIFIER), new.get(IDENTIFIER)
    if before and after and before == after:
        return differing, []
    if before and after:
        return differing, [IDENTIFIER]
    unknown = [key for key in _WHERE if isinstance(new.get(key), Unknown)]
    if unknown:
        return differing, unknown
    moved = [key for key in _WHERE if key in differing]
    one, other = _cluster(old, home), _cluster(new, home)
    if moved and one is not None and other is not None and one != other:
        return differing, moved
    return differing, []


def _cluster(config: Mapping[str, Value], home: Path) -> object:
    try:
        text = kubeconfig_text(config.get("kubeconfig"), home)
    except ValueError:
        return None
    return active_cluster(text, _text(config, "context"), _text(config, "cluster"))


def _text(config: Mapping[str, Value], key: str) -> str:
    value = config.get(key)
    return value if isinstance(value, str) else ""
