"""What Velero itself says of a restore: the warnings and errors it keeps beside the backup.

`restores/<restore>/restore-<restore>-results.gz` holds one JSON object with `warnings` and
`errors`, each by `velero`, `cluster` and `namespaces` (velero pkg/util/results/result.go;
pkg/controller/restore_controller.go putResults). A warning is red unless a row below says why it is
harmless; an error always is.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from drills.objects.canonical import NotJSONError, loads
from drills.objects.gunzip import Fault, GunzipError, Source, unpacked
from drills.objects.keys import printable
from kube.velero.volume_faults import Cause, cause_of

RESULTS_BYTES = 64 * 1024 * 1024
MESSAGE_CHARACTERS = 300
VELERO, CLUSTER = "Velero itself", "cluster-scoped"
_LOGIN = re.compile(r"(://)[^/\s@]*:[^/\s]*@")


class Severity(StrEnum):
    """As Velero sorts its messages."""

    WARNING = "warning"
    ERROR = "error"


class ResultsError(Exception):
    """Results that cannot be read; the text says what is wrong with them."""


@dataclass(frozen=True)
class Harmless:
    """A warning that says nothing about the restore.

    text: a regular expression that must take in the whole message.
    """

    text: str
    why: str
    source: str


@dataclass(frozen=True)
class Message:
    """One warning or error. place: VELERO, CLUSTER, or a namespace of the sandbox.

    harmless: why it is nothing, empty if it is something. cause: what it says of a volume's data,
    read before the text was shortened.
    """

    severity: Severity
    place: str
    text: str
    harmless: str = ""
    cause: Cause | None = None

    def __str__(self) -> str:
        return f"{self.severity} ({self.place}): {self.text}"


@dataclass(frozen=True)
class RestoreResults:
    """Every message; `red` are those that count."""

    messages: tuple[Message, ...]

    @property
    def red(self) -> tuple[Message, ...]:
        return tuple(one for one in self.messages if not one.harmless)

    def count(self, severity: Severity) -> int:
        return sum(1 for one in self.messages if one.severity is severity)


_EXISTS = (
    r"could not restore, {what} already exists\. Warning: the in-cluster version is different than"
    r" the backed-up version"
)
_EXISTS_SOURCE = "velero pkg/restore/restore.go restoreItem"


def _exists(kind: str, name: str) -> str:
    """Velero writes `Kind:name`, or `Kind "name"` where the restore has a policy."""
    return _EXISTS.format(what=rf'{kind}(?::{name}| "{name}")')


HARMLESS: tuple[Harmless, ...] = (
    Harmless(
        _exists("ConfigMap", r"kube-root-ca\.crt"),
        "every namespace gets the cluster's CA from its controller before Velero comes to it",
        _EXISTS_SOURCE,
    ),
    Harmless(
        _exists("Endpoints", ".+"),
        "the controller made it for the restored service; it follows the pods there",
        _EXISTS_SOURCE,
    ),
    Harmless(
        _exists("EndpointSlice", ".+"),
        "the controller made it for the restored service; it follows the pods there",
        _EXISTS_SOURCE,
    ),
    Harmless(
        r'endpointslices\.discovery\.k8s\.io "[^"]+" not found',
        "its controller took the restored one away and made its own before Velero could put back"
        " who had managed its fields",
        "velero pkg/restore/restore.go restoreItem, the patch of managed fields",
    ),
    Harmless(
        _exists("Lease", ".+"),
        "whoever leads in the sandbox took it first",
        _EXISTS_SOURCE,
    ),
    Harmless(
        r"failed to list stub VolumeGroupSnapshotContents: no matches for kind"
        r' "VolumeGroupSnapshotContent" in version ".+"',
        "the cluster has no group snapshots, so that there is nothing to tidy up after",
        "velero pkg/controller/restore_finalizer_controller.go",
    ),
)  # fmt: skip
"""Warnings of restores that lost nothing. What they speak of, the comparison leaves out too."""


def read(source: Source, harmless: tuple[Harmless, ...] = HARMLESS) -> RestoreResults:
    """The results in the file as it lies in the store.

    Raises:
        ResultsError: no gzip, cut off, damaged, or no results.
    """
    try:
        text = b"".join(unpacked(source, RESULTS_BYTES))
    except GunzipError as error:
        hint = "" if error.fault is Fault.TOO_LARGE else "; look into the restore's log instead"
        raise ResultsError(f"the restore's results file {error}{hint}") from None
    return parse(text, harmless)


def parse(text: bytes, harmless: tuple[Harmless, ...] = HARMLESS) -> RestoreResults:
    """The results in the file's unpacked text. Raises ResultsError."""
    try:
        content = loads(text)
    except NotJSONError as error:
        raise ResultsError(f"the restore's results cannot be read: {error}") from None
    if not isinstance(content, dict) or not content.keys() <= {"warnings", "errors"}:
        raise ResultsError("the restore's results are not what Velero writes")
    rows = [(re.compile(row.text), row.why) for row in harmless]
    messages = [
        *_messages(Severity.ERROR, content.get("errors"), []),
        *_messages(Severity.WARNING, content.get("warnings"), rows),
    ]
    return RestoreResults(tuple(messages))


def _messages(
    severity: Severity, result: object, rows: list[tuple[re.Pattern[str], str]]
) -> Iterator[Message]:
    if result is None:
        return
    if not isinstance(result, dict):
        raise ResultsError("the restore's results are not what Velero writes")
    namespaces = result.get("namespaces")
    namespaces = {} if namespaces is None else namespaces
    if not isinstance(namespaces, Mapping):
        raise ResultsError("the restore's results name no namespaces where they should")
    # A list, for a namespace may be called `cluster`, and Velero itself puts messages under it.
    places = [
        (VELERO, result.get("velero")),
        (CLUSTER, result.get("cluster")),
        *namespaces.items(),
    ]
    for place, texts in places:
        if texts is None:
            continue
        if not isinstance(texts, list):
            raise ResultsError("the restore's results hold no list of messages where they should")
        for text in texts:
            line = " ".join(str(text).split())
            why = next((why for pattern, why in rows if pattern.fullmatch(line)), "")
            yield Message(severity, printable(str(place)), _shown(line), why, cause_of(line))


def _shown(line: str) -> str:
    """Without a login in an address, and shortened in the middle."""
    safe = printable(_LOGIN.sub(r"\1…@", line), len(line) + 1)
    if len(safe) <= MESSAGE_CHARACTERS:
        return safe
    # What is wrong stands at the end; Velero begins with where.
    return f"{safe[: MESSAGE_CHARACTERS // 2]}…{safe[-MESSAGE_CHARACTERS // 2 :]}"
