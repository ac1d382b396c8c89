"""Why the data of a volume did not come back, by what Velero says of it.

A PodVolumeRestore, a DataDownload, a BackupRepository and a restore's results hand on what Velero's
repository and kopia said, in several layers of words with the decisive ones last. So the whole
message has to be given: one that was cut for people says nothing. The texts are those of Velero
1.18 (pkg/repository, pkg/uploader) and of the kopia in it.
"""

import re
from enum import StrEnum

from kube.errors import one_line


class Cause(StrEnum):
    """What is wrong with the data that was to be restored.

    CONTENT_DAMAGED, CONTENT_MISSING: the repository's packs. SNAPSHOT_MISSING: the repository does
    not know of this restore point; its index is lost, or the snapshot was deleted.
    """

    KEY_WRONG = "key-wrong"
    REPOSITORY_VANISHED = "repository-vanished"
    REPOSITORY_DAMAGED = "repository-damaged"
    SNAPSHOT_MISSING = "snapshot-missing"
    CONTENT_MISSING = "content-missing"
    CONTENT_DAMAGED = "content-damaged"


# In this order: a message that says two of them says the first one's as the cause of the other.
_SAID = (
    (Cause.KEY_WRONG, "invalid repository password"),
    # A location that is read-only makes no repository where there is none, and says so; one that is
    # not makes an empty one, or finds that the one it knew is gone.
    (Cause.REPOSITORY_VANISHED, "cannot create new backup repo for read-only backup storage"),
    (Cause.REPOSITORY_VANISHED, "repository not initialized in the provided storage"),
    (Cause.REPOSITORY_DAMAGED, "invalid format blob"),
    (Cause.REPOSITORY_DAMAGED, "invalid udm repo blob"),
    (Cause.REPOSITORY_DAMAGED, "unable to decrypt repository"),
    (Cause.REPOSITORY_DAMAGED, "unique ID doesn't match"),
    (Cause.SNAPSHOT_MISSING, r"unable to load snapshot \S+: snapshot not found"),
    (Cause.CONTENT_MISSING, "BLOB not found"),
    (Cause.CONTENT_MISSING, "(content|object) not found"),
    (Cause.CONTENT_DAMAGED, "message authentication failed"),
    (Cause.CONTENT_DAMAGED, "invalid checksum at"),
)
_PATTERNS = tuple((cause, re.compile(pattern, re.IGNORECASE)) for cause, pattern in _SAID)
# What each layer puts before the words of the next one, and nobody needs.
_WRAPPING = re.compile(
    r"pod volume restore failed: |error from restore item operation: |data path restore failed: "
    r"|failed to run data path service for \S+ [^:]+: |data path for [^:]+ failed: "
    r"|failed to run kopia restore: |error to initialize data path: ",
    re.IGNORECASE,
)


def cause_of(message: str) -> Cause | None:
    """The cause in a message; None for an empty one, and for what says nothing of the data."""
    return next((cause for cause, pattern in _PATTERNS if pattern.search(message)), None)


def essence(message: str, limit: int = 400) -> str:
    """The message for people: without its wrapping, on one line, and cut in the middle.

    Its end is what matters most.
    """
    whole = one_line(_WRAPPING.sub("", message), limit=max(len(message), 1))
    if len(whole) <= limit:
        return whole
    half = (limit - 5) // 2
    return f"{whole[:half]} ... {whole[-half:]}"
