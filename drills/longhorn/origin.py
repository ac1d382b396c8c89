"""Whose data a volume of the store holds, by what Longhorn noted in its record."""

import json
from collections.abc import Mapping

LABEL = "KubernetesStatus"


def claim_of(labels: Mapping[str, str]) -> tuple[str, str] | None:
    """Namespace and name of the claim; None if the record names none.

    Source: longhorn-manager types KubernetesStatus, which Longhorn keeps as JSON in this label.
    """
    try:
        held = json.loads(labels.get(LABEL, ""))
    except (ValueError, RecursionError):
        return None
    if not isinstance(held, dict):
        return None
    namespace, claim = held.get("namespace"), held.get("pvcName")
    if not (isinstance(namespace, str) and isinstance(claim, str) and namespace and claim):
        return None
    return namespace, claim
