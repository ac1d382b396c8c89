"""Paths, phases and times of Velero's objects."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kube.client import Client, Clock
from kube.errors import one_line
from kube.writer import Writer

GROUP = "velero.io/v1"
SCHEDULE_LABEL = "velero.io/schedule-name"
LOCATION_LABEL = "velero.io/storage-location"
EXCLUDE_LABEL = "velero.io/exclude-from-backup"
# Every other phase of a backup goes on by itself.
ENDED = frozenset({"Completed", "PartiallyFailed", "Failed", "FailedValidation"})

Object = Mapping[str, Any]


class VeleroError(Exception):
    """Velero does not do what it was asked for; the text is one sentence with the cure."""


@dataclass(frozen=True)
class Velero:
    """One installation: how to read and change its objects, and the time."""

    client: Client
    writer: Writer
    namespace: str
    clock: Clock

    def collection(self, kind: str, group: str = GROUP) -> str:
        """Path of the objects of a kind ("backups")."""
        return f"/apis/{group}/namespaces/{self.namespace}/{kind}"

    def path(self, kind: str, name: str, group: str = GROUP) -> str:
        return f"{self.collection(kind, group)}/{name}"


def name(found: Object) -> str:
    return str((found.get("metadata") or {}).get("name", ""))


def labels(found: Object) -> Mapping[str, str]:
    held: Mapping[str, str] = (found.get("metadata") or {}).get("labels") or {}
    return held


def status(found: Object) -> Mapping[str, Any]:
    held: Mapping[str, Any] = found.get("status") or {}
    return held


def reasons(found: Object, limit: int = 400) -> str:
    """Why a backup or restore failed, in Velero's words on one line, "" if it gives none."""
    held = status(found)
    texts = [*(held.get("validationErrors") or []), held.get("failureReason") or ""]
    return one_line("; ".join(str(text) for text in texts if text), limit)


def phase(found: Object) -> str:
    """The phase, "" before Velero has looked at the object."""
    return str(status(found).get("phase") or "")


def moment(text: object) -> datetime.datetime | None:
    """A time as the API server writes it; None for anything else."""
    try:
        return datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None


def last_change(found: Object, part: str) -> datetime.datetime | None:
    """When somebody last changed `part` ("spec") of an object, by the API server's own notes."""
    metadata = found.get("metadata") or {}
    times = [
        moment(entry.get("time"))
        for entry in metadata.get("managedFields") or []
        if f"f:{part}" in (entry.get("fieldsV1") or {})
    ]
    known = [time for time in times if time is not None]
    return max(known) if known else moment(metadata.get("creationTimestamp"))
