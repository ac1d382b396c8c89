"""The part of an order for a backup that says which volumes are read around it."""

from typing import Any

from components.settings.drills import Drills, Volumes


def digests_order(drills: Drills, volumes: Volumes | None) -> dict[str, Any] | None:
    """None where no volume is to be read. `volumes`: the site's drill of that name, None if off."""
    if volumes is None or not volumes.digests:
        return None
    return {
        "claims": [one.model_dump(mode="json") for one in volumes.digests],
        "reader": reader(drills),
        "readSeconds": volumes.read_seconds,
    }


def reader(drills: Drills) -> dict[str, Any]:
    """What runs in the pods that read volumes."""
    image = drills.reader_image
    return {"image": image.reference, "pullPolicy": image.pull_policy, "pullSecrets": []}
