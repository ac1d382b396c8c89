"""What a planted fault writes beside itself, so that anybody can take it away again.

A change of a live object carries its own undoing, in an annotation that comes with the same patch:
there is no moment at which one is there without the other. What is made anew bears the same note
and is deleted. A note ends: after that the run that wrote it is dead.
"""

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kube import marks
from kube.velero.api import Object, moment

LABEL = "backstop.io/planted"
"""On what is made anew; its value is the fault's name."""
NOTE = "backstop.io/planted-fault"
"""The annotation with the note, on what is made and on what is changed."""


class NoteError(Exception):
    """A note of a planted fault cannot be read; the text is one sentence."""


@dataclass(frozen=True)
class Note:
    """One fault in one object. `undo`: the merge patch that takes it away; None: it is deleted."""

    site: str
    fault: str
    until: datetime.datetime
    undo: Mapping[str, Any] | None = None

    def text(self) -> str:
        held = {"site": self.site, "fault": self.fault, "until": self.until.isoformat()}
        return json.dumps({**held, "undo": self.undo}, sort_keys=True)

    def metadata(self) -> dict[str, Any]:
        """Labels and annotations of what is made."""
        return {
            "labels": {**marks.labels(self.site), LABEL: self.fault},
            "annotations": {NOTE: self.text()},
        }


def read(found: Object) -> Note | None:
    """The note on an object, None without one. Raises NoteError."""
    metadata = found.get("metadata") or {}
    text = (metadata.get("annotations") or {}).get(NOTE)
    if text is None:
        return None
    try:
        held = json.loads(text)
        until = moment(held["until"])
        if until is None or until.tzinfo is None:
            raise ValueError(NOTE)
        undo = held["undo"]
        if undo is not None and not isinstance(undo, dict):
            raise TypeError(NOTE)
        return Note(str(held["site"]), str(held["fault"]), until, undo)
    except (ValueError, KeyError, TypeError):
        raise NoteError(
            f"{found.get('kind', 'object')} {metadata.get('name')} bears the annotation {NOTE}, "
            "which cannot be read; put the object right by hand (`up` after a `refresh` does it)"
        ) from None


def inverse(patch: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that puts back what the merge patch `patch` changes in `found`."""
    undo: dict[str, Any] = {}
    for key, value in patch.items():
        held = found.get(key)
        if isinstance(value, Mapping) and (held is None or isinstance(held, Mapping)):
            undo[key] = inverse(value, held or {})
        else:
            undo[key] = held
    return undo


def planting(patch: Mapping[str, Any], found: Object, note: Note) -> dict[str, Any]:
    """`patch` with the note on its undoing; for this very object and no other of its name."""
    annotated = {**patch, "metadata": {"annotations": {NOTE: ""}}}
    kept = Note(note.site, note.fault, note.until, inverse(annotated, found))
    uid = found["metadata"]["uid"]
    return {**patch, "metadata": {"uid": uid, "annotations": {NOTE: kept.text()}}}
