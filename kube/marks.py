"""The mark by which an object in the cluster is told to be a site's own."""

from collections.abc import Mapping
from typing import Any

# The same key as the ownership tag of a bucket. The second label is for people and decides nothing.
SITE_LABEL = "backstop-site"
_FOR_PEOPLE = {"app.kubernetes.io/managed-by": "backstop"}


def labels(site: str) -> dict[str, str]:
    """What every object that the program creates carries in `metadata.labels`."""
    return {**_FOR_PEOPLE, SITE_LABEL: site}


def owner(found: Mapping[str, Any]) -> str | None:
    """The site that an object (as the API server gives it) belongs to, None if to none."""
    marked = ((found.get("metadata") or {}).get("labels") or {}).get(SITE_LABEL)
    return None if marked is None else str(marked)
