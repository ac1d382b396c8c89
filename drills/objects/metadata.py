"""What a comparison reads of an object's metadata, whatever an archive holds in its place."""

import datetime
from collections.abc import Mapping


def text(content: Mapping[str, object], name: str, missing: str = "") -> str:
    """A field of the metadata that is a text, such as `uid`; `missing` where there is none."""
    metadata = content.get("metadata")
    value = metadata.get(name) if isinstance(metadata, Mapping) else None
    return value if isinstance(value, str) else missing


def created(content: Mapping[str, object]) -> datetime.datetime:
    """When the object says it was created; long ago if it does not."""
    try:
        found = datetime.datetime.fromisoformat(text(content, "creationTimestamp"))
    except ValueError:
        return datetime.datetime.min.replace(tzinfo=datetime.UTC)
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)
