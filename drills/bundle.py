"""The payloads of several layers in one JSON object, by layer."""

import json
from collections.abc import Mapping, Sequence

from drills.payload import PayloadError


def texts(text: str, layers: Sequence[str]) -> Mapping[str, str]:
    """The payload's text for each of `layers`, in their order.

    Of one layer, stdin may hold its payload alone, which is then handed on as it is, errors in it
    included. Raises PayloadError: `text` is no object, or has no payload for one of `layers`.
    """
    content = _content(text)
    if len(layers) == 1 and not _is_bundle(content):
        return {layers[0]: text}
    if not isinstance(content, dict):
        raise PayloadError("stdin is no JSON object: give {layer: payload}")
    for layer in layers:
        if layer not in content:
            there = ", ".join(sorted(map(str, content))) or "nothing"
            raise PayloadError(
                f"stdin: {layer} is missing (there: {there}); give {{layer: payload}} with all of "
                f"{', '.join(layers)}"
            )
    return {layer: json.dumps(content[layer]) for layer in layers}


def _content(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _is_bundle(content: object) -> bool:
    """Whether it is an object by layer: it has no key by which a payload says what it is."""
    return isinstance(content, dict) and bool(content) and not {"schema", "layer"} & set(content)
