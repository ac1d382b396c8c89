"""Objects in the cluster that a failed update could not create, because they are there already.

The answer to a create may be lost (the API server or a plugin ended meanwhile), and then the engine
notes nothing; or the state is new and the cluster is not. A preview tells what the next update
would create. What of that exists and bears the site's mark goes into the state, as unfinished.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from stack import kubernetes_recovery as kubernetes
from stack.checkpoint import IN_CLUSTER, Checkpoint, Resource, provider_urn
from stack.recovery import Look
from stack.steps import Action, Step

# How the engine's preview writes what it does not know yet, and what it may not show.
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_HIDDEN = "[secret]"
_KEPT = ("urn", "custom", "type", "parent", "provider", "protect", "retainOnDelete")


def candidates(preview: str, checkpoint: Checkpoint) -> list[Resource]:
    """What a preview (as JSON) would create in a cluster, with the inputs that it shows.

    Only what can stand in the state: its provider and its parent are there.
    """
    try:
        steps = json.loads(preview).get("steps") or []
    except (ValueError, AttributeError):
        return []
    planned = [step["newState"] for step in steps if step.get("op") == "create"]
    known = {str(r["urn"]) for r in checkpoint.resources}
    return [
        _standing(resource, known)
        for resource in planned
        if str(resource.get("type", "")).startswith(IN_CLUSTER)
        and resource.get("custom")
        and {resource.get("parent"), provider_urn(resource)} <= known
    ]


def found(resources: Iterable[Resource], site: str, look: Look) -> list[tuple[Resource, Step]]:
    """Those that exist and are the site's, each with its step.

    A foreign one is left out: the engine's own error names it. So is one without a readable name.
    """
    pairs = []
    for resource in resources:
        if kubernetes.is_patch(resource):
            continue
        step = _judged(resource, site, look)
        if step is not None and (step.action is Action.ADOPT or step.record):
            pairs.append((resource, step))
    return pairs


def added(checkpoint: Checkpoint, pairs: Iterable[tuple[Resource, Step]]) -> str:
    """The export with the adopted ones at its end."""
    document = json.loads(checkpoint.text)
    document["deployment"]["resources"] += [
        {**resource, **step.fields} for resource, step in pairs if step.action is Action.ADOPT
    ]
    return json.dumps(document)


def _judged(resource: Resource, site: str, look: Look) -> Step | None:
    inputs = resource["inputs"]
    if resource["type"] == kubernetes.RELEASE:
        if not inputs.get("name"):
            return None
        return kubernetes.created_release(resource, site, look.release(resource))
    if not (inputs.get("metadata") or {}).get("name"):
        return None
    return kubernetes.created_object(resource, site, *look.object(resource))


def _standing(resource: Mapping[str, Any], known: set[str]) -> Resource:
    needed = [urn for urn in resource.get("dependencies") or [] if urn in known]
    inputs = {
        key: value
        for key, value in (resource.get("inputs") or {}).items()
        if not _holds(value, (_UNKNOWN, _HIDDEN))
    }
    kept = {key: resource[key] for key in _KEPT if key in resource}
    return {**kept, "inputs": inputs, "dependencies": needed}


def _holds(value: object, words: tuple[str, ...]) -> bool:
    if isinstance(value, Mapping):
        return any(_holds(each, words) for each in value.values())
    if isinstance(value, list):
        return any(_holds(each, words) for each in value)
    return isinstance(value, str) and value in words
