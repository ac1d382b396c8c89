"""Check: a program's object, named, with its defaults, or what is wrong with it."""

import hashlib

from standins.pulumi.kubernetes import annotations
from standins.pulumi.kubernetes.kinds import Type
from standins.pulumi.kubernetes.objects import metadata_of, normalize
from standins.pulumi.kubernetes.values import Props, Unknown, mapping, text

_SUFFIX_DIGITS = 8


def completed(kind: Type, name: str, old: Props, given: Props, seed: bytes) -> Props:
    """The inputs to keep for the resource called `name`.

    `old` are those of the last update (an automatic name is kept), `seed` makes a new name.
    Raises ValueError, one sentence, where the object cannot be named.
    """
    wanted: Props = {"apiVersion": kind.kind.api_version, "kind": kind.kind.name, **given}
    wanted = normalize(wanted)
    if isinstance(wanted.get("metadata"), Unknown):
        return wanted
    metadata = metadata_of(wanted)
    if metadata.get("name"):
        return wanted
    if kind.patch:
        raise ValueError("metadata.name is not set; a Patch resource names the object it patches")
    if metadata.get("generateName"):
        raise ValueError("metadata.generateName is not supported; set metadata.name, or neither")
    if mapping(old, "metadata", "annotations").get(annotations.AUTONAMED) == "true":
        metadata["name"] = text(old, "metadata", "name")
    else:
        metadata["name"] = f"{name}-{hashlib.sha256(seed).hexdigest()[:_SUFFIX_DIGITS]}"
    annotations.mark_autonamed(metadata)
    return wanted


def failures(wanted: Props) -> list[tuple[str, str]]:
    """Property and sentence for each mistake that can be known without the server."""
    found = [("metadata.annotations", reason) for reason in annotations.mistakes(wanted)]
    metadata = wanted.get("metadata")
    if metadata is not None and not isinstance(metadata, dict | Unknown):
        found.append(("metadata", "metadata must be an object"))
    return found
