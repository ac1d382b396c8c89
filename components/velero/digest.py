"""Digests of plain data, by which a change of what was declared is seen."""

import hashlib
import json


def digest(data: object) -> str:
    """16 hex digits; never of a secret, for digests stand in clear."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
