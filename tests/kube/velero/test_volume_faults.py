"""What a 1.18.1 Velero said of damaged copies on a real store leads to the right cause."""

import pytest

from kube.velero.volume_faults import Cause, cause_of, essence

PVR = (
    "data path restore failed: Failed to run data path service for PVR r-85nz7: Data path for PVR "
    "r-85nz7 failed: Failed to run kopia restore: "
)
DOWNLOAD = (
    "data path restore failed: Failed to run data path service for DataDownload r-rfj72: Data path "
    "for data download r-rfj72 failed: Failed to run kopia restore: "
)
COPYING = (
    "Failed to copy snapshot data to the target: restore error: copy file: error creating file: "
)
OPENING = (
    "unable to open snapshot file for /2c75f236-fec3-4857-9bfa-2206f2986d58/small: unable to open "
    "object: d5a7a4c3fd64849badb52e4dd9875da9: failed to open object with id "
    "d5a7a4c3fd64849badb52e4dd9875da9: error to open object: "
)
FLIPPED = (
    "unexpected content error: invalid checksum at "
    "pead0914294ac4db8a01a0bb240f35c23-sebc462e733e5ad06147 offset 32 length 34/34: decrypt: "
    "unable to decrypt content: cipher: message authentication failed"
)
DELETED = (
    "unexpected content error: error getting cached content from blob "
    '"p95011febc7a1c99eae08d3965e2bcdc1-s5403718f94753ab6147": failed to get blob with ID '
    "p95011febc7a1c99eae08d3965e2bcdc1-s5403718f94753ab6147: BLOB not found"
)
WRITING = 'cannot write data to file "/abedb1f7-3cb2-4105-8444-3425673ad46a/big": '
NOT_CONNECTED = (
    "data path restore failed: Failed to run data path service for PVR r-6dxv2: error to "
    "initialize data path: error to boost backup repository connection copy-files-kopia: error to "
    "connect backup repo: error to connect repo with storage: error to connect to repository: "
)
NO_REPOSITORY = (
    "cannot create new backup repo for read-only backup storage location velero/"
    "backstop-drill-51bac9a5aa9a-copy"
)
CUT_OFF = "error to check backup repo: invalid format blob: unexpected end of JSON input"
NOT_READY = "failed to wait BackupRepository, errored early: backup repository is not ready: "
NOT_ENSURED = (
    "data path restore failed: Failed to run data path service for DataDownload r-gg9tn: error to "
    "initialize data path: error to ensure backup repository copy-shop-kopia: "
)

SEEN = [
    (PVR + COPYING + OPENING + FLIPPED, Cause.CONTENT_DAMAGED),
    (DOWNLOAD + COPYING + OPENING + FLIPPED, Cause.CONTENT_DAMAGED),
    (PVR + COPYING + WRITING + DELETED, Cause.CONTENT_MISSING),
    (DOWNLOAD + COPYING + OPENING + DELETED, Cause.CONTENT_MISSING),
    (
        PVR + "Unable to load snapshot 4b776b8f6af5646a9c356159a8e2cc2b: snapshot not found",
        Cause.SNAPSHOT_MISSING,
    ),
    (
        NOT_CONNECTED + "unable to create format manager: invalid repository password",
        Cause.KEY_WRONG,
    ),
    (
        NOT_CONNECTED + "repository not initialized in the provided storage",
        Cause.REPOSITORY_VANISHED,
    ),
    (NO_REPOSITORY, Cause.REPOSITORY_VANISHED),
    (NOT_READY + NO_REPOSITORY, Cause.REPOSITORY_VANISHED),
    (NOT_ENSURED + NOT_READY + NO_REPOSITORY, Cause.REPOSITORY_VANISHED),
    (
        NOT_CONNECTED + "invalid format blob: unexpected end of JSON input",
        Cause.REPOSITORY_DAMAGED,
    ),
    (CUT_OFF, Cause.REPOSITORY_DAMAGED),
    (NOT_READY + CUT_OFF, Cause.REPOSITORY_DAMAGED),
    (NOT_ENSURED + NOT_READY + CUT_OFF, Cause.REPOSITORY_DAMAGED),
]
# What a restore's results put before the message of a volume.
RESULTS = ["", "pod volume restore failed: ", "error from restore item operation: "]


@pytest.mark.parametrize(("message", "cause"), SEEN)
@pytest.mark.parametrize("before", RESULTS)
def test_each_message_has_its_cause(message: str, cause: Cause, before: str) -> None:
    assert cause_of(before + message) is cause


@pytest.mark.parametrize(
    "message",
    [
        "", "pod volume restore canceled: ", "found a PVR velero/r with expose error",
        "timeout on preparing data download", "dial tcp 10.0.0.5:9091: connect: connection refused",
        "namespaces \"shop\" not found",
    ],
)  # fmt: skip
def test_what_says_nothing_of_the_data_has_none(message: str) -> None:
    assert cause_of(message) is None


def test_the_cause_stands_last_so_a_message_cut_for_people_has_lost_it() -> None:
    whole = PVR + COPYING + OPENING + FLIPPED
    assert cause_of(whole[:400]) is None


@pytest.mark.parametrize(("message", "cause"), SEEN)
def test_what_people_are_told_keeps_the_cause(message: str, cause: Cause) -> None:
    told = essence(message)
    assert len(told) <= 400
    assert cause_of(told) is cause
    assert "Failed to run" not in told


def test_a_short_message_is_told_whole_on_one_line() -> None:
    assert essence("pod volume restore failed: no\n space") == "no space"
    assert essence("") == ""
