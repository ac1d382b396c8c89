"""Objects as the program wants them, as the server has them, and as the state keeps them."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from pulumi.provider.experimental.property_value import PropertyValue

from standins.pulumi.kubernetes import quantities
from standins.pulumi.kubernetes.kinds import Kind, kind_of
from standins.pulumi.kubernetes.values import (
    Props,
    Value,
    contains_unknown,
    copy,
    encoded,
    from_wire,
    mapping,
    mark_secrets,
    text,
    to_wire,
)
from standins.pulumi.values import PropertyMap

INPUTS = "__inputs"
API_VERSION = "__initialApiVersion"
FIELD_MANAGER = "__fieldManager"

# What the server writes and no program can.
_READ_ONLY = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
)
# Fields that the server keeps even when they are false, zero or empty; it drops most others.
_KEPT_ZEROS = frozenset(
    {
        "allocateLoadBalancerNodePorts",
        "allowPrivilegeEscalation",
        "allowVolumeExpansion",
        "attachRequired",
        "automountServiceAccountToken",
        "backoffLimit",
        "blockOwnerDeletion",
        "completions",
        "controller",
        "defaultMode",
        "emptyDir",
        "enableServiceLinks",
        "failedJobsHistoryLimit",
        "fsGroup",
        "immutable",
        "maxSurge",
        "maxUnavailable",
        "minAvailable",
        "optional",
        "parallelism",
        "partition",
        "podInfoOnMount",
        "podSelector",
        "privileged",
        "readOnlyRootFilesystem",
        "replicas",
        "runAsGroup",
        "runAsNonRoot",
        "runAsUser",
        "shareProcessNamespace",
        "storageClassName",
        "successfulJobsHistoryLimit",
        "suspend",
        "terminationGracePeriodSeconds",
        "tolerationSeconds",
        "ttlSecondsAfterFinished",
    }
)


@dataclass(frozen=True)
class Kept:
    """What the state of a resource holds: the last inputs, the object then, who wrote it."""

    inputs: Props
    live: Props
    api_version: str = ""
    field_manager: str = ""


def checkpoint(
    inputs: Props, live: Props, given: Mapping[str, PropertyValue], kept: Kept
) -> PropertyMap:
    """The state for the engine. Secret marks come from `given`, the inputs as they arrived."""
    state = mark_secrets(to_wire(live, underscores=True), given)
    last = mark_secrets(to_wire(inputs, underscores=True), given)
    return {
        **state,
        INPUTS: PropertyValue(last),
        API_VERSION: PropertyValue(kept.api_version),
        FIELD_MANAGER: PropertyValue(kept.field_manager),
    }


def parse_checkpoint(state: Mapping[str, PropertyValue]) -> Kept:
    props = from_wire(state)
    inputs = mapping(props, INPUTS)
    live = {name: value for name, value in props.items() if not name.startswith("__")}
    api_version = text(props, API_VERSION) or text(inputs, "apiVersion")
    return Kept(inputs, live, api_version, text(props, FIELD_MANAGER))


def normalize(props: Props) -> Props:
    """Inputs in the form the server gives back, as far as it is known without asking it."""
    kind = kind_of(props)
    changed = copy(props)
    if kind.known and not contains_unknown(changed):
        changed = _typed(kind, changed)
    metadata = changed.get("metadata")
    if isinstance(metadata, dict):
        for name in _READ_ONLY:
            metadata.pop(name, None)
    return changed


def _typed(kind: Kind, props: Props) -> Props:
    if kind.group == "" and kind.name == "Secret":
        return _secret(props)
    if kind.is_crd:
        props.pop("status", None)
        spec = mapping(props, "spec")
        if spec.get("preserveUnknownFields") is False:
            del spec["preserveUnknownFields"]
        return props
    if kind.group == "" and kind.name == "ConfigMap":
        return props
    return {
        name: value if name == "metadata" else quantities.normalized(value)
        for name, value in props.items()
    }


def _secret(props: Props) -> Props:
    data: Props = {name: _reencoded(value) for name, value in mapping(props, "data").items()}
    clear = mapping(props, "stringData")
    if not clear:
        return {**props, "data": data} if data else props
    for name, value in clear.items():
        data[name] = encoded(value) if isinstance(value, str) else value
    return {**{name: value for name, value in props.items() if name != "stringData"}, "data": data}


def _reencoded(value: Value) -> Value:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64encode(base64.b64decode(value)).decode()
    except (binascii.Error, ValueError):
        return value  # the server will say so


def prune(live: Props, shape: Props) -> Props:
    """The part of `live` that `shape` names: what others added is left out."""
    return {name: _pruned(live[name], shape[name]) for name in live if name in shape}


def _pruned(live: Value, shape: Value) -> Value:
    if isinstance(live, dict) and isinstance(shape, dict):
        return prune(live, shape)
    if isinstance(live, list) and isinstance(shape, list):
        return [_pruned(one, other) for one, other in zip(live, shape, strict=False)]
    return live


def with_dropped_zeros(found: Props, inputs: Props) -> Props:
    """`found` with the zeros of `inputs` that the server drops: they are no difference."""
    result = dict(found)
    for name, wanted in inputs.items():
        if name not in found:
            if is_dropped_zero(name, wanted):
                result[name] = wanted
        else:
            result[name] = _with_zeros(found[name], wanted)
    return result


def _with_zeros(found: Value, wanted: Value) -> Value:
    if isinstance(found, dict) and isinstance(wanted, dict):
        return with_dropped_zeros(found, wanted)
    if isinstance(found, list) and isinstance(wanted, list):
        rest = found[len(wanted) :]
        return [_with_zeros(a, b) for a, b in zip(found, wanted, strict=False)] + rest
    return found


def is_dropped_zero(name: str, value: Value) -> bool:
    """Whether the server leaves a typed field with this value out of what it gives back."""
    zero = value is False or value in ("", 0, [], {})
    return zero and value is not None and name not in _KEPT_ZEROS


def identity(live: Props) -> str:
    """The resource's id: `namespace/name`, or `name` where there are no namespaces."""
    namespace = text(live, "metadata", "namespace")
    name = text(live, "metadata", "name")
    return f"{namespace}/{name}" if namespace else name


def parse_identity(resource_id: str) -> tuple[str, str]:
    """Namespace ("" if none) and name."""
    namespace, _, name = resource_id.rpartition("/")
    return namespace, name


def title(props: Props) -> str:
    """How messages name an object: `the Secret velero/keys`."""
    return f"the {text(props, 'kind')} {identity(props)}"


def metadata_of(props: Props) -> Props:
    """The object's metadata, made if it is missing; a new one where it is not known yet."""
    found = props.get("metadata")
    if found is None:
        found = props["metadata"] = {}
    return found if isinstance(found, dict) else {}


def without_internal(props: Props) -> Props:
    """What is sent to the server: the program's fields only."""
    return {name: value for name, value in props.items() if not name.startswith("__")}
