"""The annotations by which a program steers this plugin: `pulumi.com/...`."""

import json

from standins.pulumi.kubernetes.conditions import Condition, parse_condition
from standins.pulumi.kubernetes.kinds import Kind
from standins.pulumi.kubernetes.values import Props, mapping

PREFIX = "pulumi.com/"
AUTONAMED = PREFIX + "autonamed"

_PROPAGATION = {"orphan": "Orphan", "background": "Background"}
# Kinds whose deletion is not waited for with skipAwait, as in the official plugin.
_UNAWAITED_DELETION = frozenset(
    {
        ("", "Namespace"),
        ("", "Pod"),
        ("", "ReplicationController"),
        ("apps", "DaemonSet"),
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("batch", "Job"),
    }
)


def value(props: Props, name: str) -> str:
    """The annotation `pulumi.com/NAME`, "" where it is not set or not known."""
    found = mapping(props, "metadata", "annotations").get(PREFIX + name)
    return found if isinstance(found, str) else ""


def is_true(props: Props, name: str) -> bool:
    return value(props, name) == "true"


def mark_autonamed(metadata: Props) -> None:
    annotations = metadata.setdefault("annotations", {})
    if isinstance(annotations, dict):
        annotations[AUTONAMED] = "true"


def conditions(props: Props) -> list[Condition]:
    """What `pulumi.com/waitFor` asks for, all to hold. Raises ValueError, one sentence."""
    text = value(props, "waitFor")
    if not text:
        return []
    try:
        found = json.loads(text)
    except ValueError:
        found = text
    words = found if isinstance(found, list) else [text]
    if not words:
        raise ValueError("the annotation pulumi.com/waitFor is an empty list; name a condition")
    return [parse_condition(str(word)) for word in words]


def timeout(props: Props, custom: float | None, default: float) -> float:
    """Seconds to wait: the resource's customTimeouts, the annotation, the default."""
    if custom:
        return custom
    text = value(props, "timeoutSeconds")
    return float(text) if text.isdecimal() else default


def propagation(props: Props) -> str:
    return _PROPAGATION.get(value(props, "deletionPropagationPolicy").lower(), "Foreground")


def deletes_unawaited(kind: Kind, props: Props) -> bool:
    return is_true(props, "skipAwait") and (kind.group, kind.name) in _UNAWAITED_DELETION


def mistakes(props: Props) -> list[str]:
    """What is wrong with the annotations of a program's object."""
    found = []
    try:
        conditions(props)
    except ValueError as error:
        found.append(str(error))
    seconds = value(props, "timeoutSeconds")
    if seconds and not seconds.isdecimal():
        found.append(
            f"the annotation pulumi.com/timeoutSeconds is {seconds!r}; write whole seconds"
        )
    return found
