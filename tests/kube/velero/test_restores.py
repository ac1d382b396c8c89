"""A restore is made once, watched phase by phase, and its end told as what it was."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from urllib3.exceptions import ProtocolError

from kube.client import Clock, connect
from kube.errors import Cause, ClusterError
from kube.kubeconfig import parse
from kube.velero.api import Velero, VeleroError
from kube.velero.restores import (
    Outcome,
    RestoreResult,
    create_restore,
    wait_restore,
)
from kube.velero.volumes import Method, volume_restores
from kube.waiting import OUTAGE_SECONDS
from kube.writer import ExistsError, open_writer
from tests.kube.fakes import Answer, Server, chunks, event, items, ok, status
from tests.kube.velero.conftest import KINDS, NAMESPACE, Hands
from tests.kube.velero.server_pods import server_pod
from tests.support.kube_api import KubeApi

RUN = {"backstop-run": "r1"}
MANIFEST = {
    "apiVersion": "velero.io/v1",
    "kind": "Restore",
    "metadata": {"name": "drill-1", "namespace": NAMESPACE, "labels": RUN},
    "spec": {"backupName": "daily-1", "namespaceMapping": {"app": "drill-app"}},
}
BROKEN = ProtocolError("reset")
# In the words of a 1.18 server that starts.
RESTARTED = (
    'found a restore with status "InProgress" during the server starting, mark it as "Failed"'
)


def restore(phase: str = "", uid: str = "u1", **more: Any) -> dict[str, Any]:
    metadata = {"name": "drill-1", "uid": uid, "labels": RUN}
    return {"metadata": metadata, "status": {**({"phase": phase} if phase else {}), **more}}


def velero_of(server: Server) -> Velero:
    return Velero(server.client(), server.writer(), NAMESPACE, server.time.clock())


def course(*steps: tuple[float, dict[str, Any]]) -> Server:
    """A restore that is New, and becomes each state after so many seconds more."""
    server = Server([items(restore())])

    def body() -> Iterator[bytes]:
        for seconds, found in steps:
            server.time.pass_by(seconds)
            yield event("MODIFIED", found)

    server.streams = [body]
    return server


def result_of(server: Server, seconds: float = 600, **more: Any) -> RestoreResult:
    return wait_restore(velero_of(server), restore(), seconds=seconds, **more)


def test_each_phase_is_timed_and_told() -> None:
    progress = {"totalItems": 9, "itemsRestored": 4}
    server = course(
        (1.5, restore("InProgress")),
        (2, restore("InProgress", progress=progress)),
        (3, restore("WaitingForPluginOperations", progress=progress)),
        (4, restore("Finalizing", progress=progress)),
        (0.25, restore("Completed", warnings=2, progress={"itemsRestored": 9, "totalItems": 9})),
    )
    said: list[str] = []
    found = result_of(server, say=said.append)
    assert found.timings == {
        "New": 1.5, "InProgress": 5, "WaitingForPluginOperations": 4, "Finalizing": 0.25,
    }  # fmt: skip
    assert (found.outcome, found.phase, found.seconds) == (Outcome.COMPLETED, "Completed", 10.75)
    assert (found.warnings, found.errors, found.items) == (2, 0, 9)
    assert found.faultless
    assert said[1:4] == [
        "restore drill-1: InProgress",
        "restore drill-1: InProgress, 4 of 9 items",
        "restore drill-1: WaitingForPluginOperations, 4 of 9 items",
    ]


def test_a_long_phase_is_counted_now_and_then() -> None:
    """A line for each second of a restore of 100,000 objects would be half an hour of lines."""
    counts = [(1.0, {"totalItems": 90, "itemsRestored": done}) for done in range(1, 31)]
    steps = [(seconds, restore("InProgress", progress=progress)) for seconds, progress in counts]
    said: list[str] = []
    result_of(course(*steps, (1, restore("Completed"))), say=said.append)
    assert said == [
        "restore drill-1: New",
        *(f"restore drill-1: InProgress, {done} of 90 items" for done in (1, 11, 21)),
        "restore drill-1: Completed",
    ]


def test_what_stands_still_is_asked_what_it_waits_for_and_its_end_says_so() -> None:
    """Again and again, for it may be another thing later; and not while it goes on."""
    counts = {"totalItems": 9, "itemsRestored": 4}
    asked, said = list[float](), list[str]()
    server = Server([
        items(restore("InProgress")), items(restore("InProgress", progress=counts)),
        items(restore("Finalizing", progress=counts)),
    ])  # fmt: skip

    def silent() -> Iterator[bytes]:
        server.time.pass_by(20)
        yield from ()

    server.streams = [silent]

    def waits_for() -> str:
        asked.append(server.time.now)
        return "claim shop/data has no volume" if len(asked) > 1 else ""

    found = result_of(server, seconds=200, say=said.append, waits_for=waits_for)
    assert asked == [80, 120, 160, 200]
    assert (
        found.message == "after 200 s still Finalizing, 4 of 9 items; claim shop/data has no volume"
    )
    assert said[-2:] == [
        "restore drill-1: Finalizing, 4 of 9 items",
        "restore drill-1: Finalizing, 4 of 9 items; claim shop/data has no volume",
    ]


@pytest.mark.parametrize(
    ("end", "outcome", "message"),
    [
        (restore("PartiallyFailed", errors=3), Outcome.PARTIALLY_FAILED, ""),
        (restore("Failed", failureReason="error downloading\nbackup"), Outcome.FAILED,
         "error downloading backup"),
        (restore("Failed", failureReason=RESTARTED), Outcome.SERVER_RESTARTED, RESTARTED),
        (restore("FailedValidation", validationErrors=["no such backup", "no such location"]),
         Outcome.FAILED_VALIDATION, "no such backup; no such location"),
    ],
)  # fmt: skip
def test_each_end_is_its_own(end: dict[str, Any], outcome: Outcome, message: str) -> None:
    found = result_of(course((1, end)))
    assert (found.outcome, found.message) == (outcome, message)
    assert not found.faultless


@pytest.mark.parametrize(
    "more",
    [
        {"errors": 1},
        {"hookStatus": {"hooksAttempted": 2, "hooksFailed": 1}},
        {"restoreItemOperationsAttempted": 3, "restoreItemOperationsFailed": 1},
    ],
)
def test_a_completed_restore_with_a_fault_is_not_faultless(more: dict[str, Any]) -> None:
    found = result_of(course((1, restore("Completed", **more))))
    assert found.outcome is Outcome.COMPLETED
    assert not found.faultless
    assert found.hooks_failed + found.operations_failed + found.errors == 1


def test_a_restart_is_told_with_how_the_server_ended() -> None:
    server = course((1, restore("Failed", failureReason=RESTARTED)))
    server.answers.append(items(server_pod("OOMKilled", 137)))
    found = result_of(server)
    assert found.outcome is Outcome.SERVER_RESTARTED
    assert found.message.startswith(f"{RESTARTED}; its server ended as OOMKilled (exit code 137)")


def test_time_that_is_up_is_an_outcome_with_what_was_seen() -> None:
    counts = {"totalItems": 9, "itemsRestored": 4}
    server = course((5, restore("InProgress", progress=counts)))
    server.answers = [items(restore()), items(restore("InProgress", progress=counts))]
    found = result_of(server, seconds=60)
    assert (found.outcome, found.phase) == (Outcome.TIMED_OUT, "InProgress")
    assert found.message == "after 60 s still InProgress, 4 of 9 items"
    assert found.timings["New"] == 5
    assert sum(found.timings.values()) == pytest.approx(found.seconds)
    untouched = result_of(Server([items(restore())], [chunks()]), seconds=10)
    assert untouched.message == "after 10 s still New"


def test_a_restore_that_somebody_deletes_is_told() -> None:
    server = Server([items(restore())], [chunks(event("DELETED", restore("InProgress")))])
    assert result_of(server).outcome is Outcome.VANISHED
    another = Server([items(restore("Completed", uid="u2"))])
    assert result_of(another).outcome is Outcome.VANISHED


def test_an_api_server_that_comes_back_is_waited_for_and_one_that_does_not_is_an_error() -> None:
    server = Server([items(restore("InProgress")), BROKEN, BROKEN, items(restore("Completed"))])
    server.streams = [BROKEN]
    assert result_of(server).outcome is Outcome.COMPLETED
    away = Server([items(restore("InProgress")), BROKEN], [BROKEN])
    with pytest.raises(ClusterError) as caught:
        result_of(away, seconds=10_000)
    assert caught.value.cause is Cause.UNREACHABLE
    assert away.time.now < OUTAGE_SECONDS + 10


def test_time_that_is_up_while_the_api_server_is_away_says_so() -> None:
    away = Server([items(restore("InProgress")), BROKEN], [BROKEN])
    found = result_of(away, seconds=20)
    assert found.outcome is Outcome.TIMED_OUT
    assert "does not answer" in found.message


@pytest.mark.parametrize(
    ("answers", "made"),
    [
        ([ok(restore())], True),
        ([BROKEN, ok(restore())], True),
        ([status(500, "etcd timed out"), ok(restore())], True),
        ([BROKEN, status(404, "none")], False),
        ([BROKEN, BROKEN], False),
        ([BROKEN, ok({"metadata": {"name": "drill-1", "uid": "x"}})], False),
        ([status(422, "bad", "Invalid")], False),
    ],
)
def test_a_restore_whose_answer_was_lost_is_known_by_its_labels(
    answers: Sequence[Answer], made: bool
) -> None:
    velero = velero_of(Server(list(answers)))
    if made:
        assert create_restore(velero, MANIFEST)["metadata"]["uid"] == "u1"
    else:
        with pytest.raises(ClusterError):
            create_restore(velero, MANIFEST)


def test_a_restore_of_that_name_is_never_taken_over() -> None:
    server = Server([status(409, "exists", "AlreadyExists"), ok(restore())])
    with pytest.raises(ExistsError):
        create_restore(velero_of(server), MANIFEST)


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {**MANIFEST, "kind": "Backup"},
        {**MANIFEST, "metadata": {"name": "a"}},
        {**MANIFEST, "metadata": {"labels": RUN}},
        {**MANIFEST, "metadata": {"name": "a", "labels": RUN, "namespace": "elsewhere"}},
    ],
)
def test_a_manifest_that_is_none_is_refused_before_anything_is_sent(
    manifest: dict[str, Any],
) -> None:
    server = Server([ok({})])
    with pytest.raises(VeleroError):
        create_restore(velero_of(server), manifest)
    assert server.asked == []


def volume(**status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "drill-1-x"},
        "spec": {
            "pod": {"namespace": "drill-app", "name": "db-0"},
            "volume": "data",
            "sourceNamespace": "app",
            "snapshotID": "abc",
        },
        "status": status,
    }


def test_volumes_of_a_restore_are_told_by_their_method() -> None:
    moved = {
        "metadata": {"name": "drill-1-y"},
        "spec": {
            "targetVolume": {"namespace": "drill-app", "pvc": "data"},
            "sourceNamespace": "app",
            "snapshotID": "def",
        },
        "status": {"phase": "Failed", "message": "no\nspace", "node": "n1"},
    }
    done = volume(
        phase="Completed",
        startTimestamp="2026-11-21T12:00:00Z",
        completionTimestamp="2026-11-21T12:00:07Z",
        progress={"bytesDone": 5, "totalBytes": 5},
    )
    server = Server([items(done), items(moved)])
    by_mover, by_files = volume_restores(velero_of(server), "u1")
    assert (by_files.method, by_files.namespace, by_files.volume, by_files.source) == (
        Method.FILE_SYSTEM, "drill-app", "db-0/data", "app",
    )  # fmt: skip
    assert (by_files.bytes_done, by_files.bytes_total, by_files.seconds) == (5, 5, 7)
    assert (by_mover.method, by_mover.volume, by_mover.message, by_mover.node) == (
        Method.DATA_MOVER, "data", "no\nspace", "n1",
    )  # fmt: skip
    assert by_mover.bytes_done is None
    assert by_mover.ended
    assert {query["labelSelector"] for _, _, query in server.asked} == {"velero.io/restore-uid=u1"}
    assert [path.split("/")[3] for _, path, _ in server.asked] == ["v1", "v2alpha1"]


def test_a_volume_nobody_has_looked_at_is_new() -> None:
    found = volume_restores(velero_of(Server([items(volume()), items()])), "u1")
    assert [(one.phase, one.ended, one.seconds) for one in found] == [("New", False, None)]


def test_a_volume_tells_the_version_of_its_record() -> None:
    one = volume()
    one["metadata"]["resourceVersion"] = "11"
    found = volume_restores(velero_of(Server([items(one), items(volume())])), "u1")
    assert sorted(one.version for one in found) == ["", "11"]


# On a real API server with Velero's definitions: what its server would write, the test writes.


@pytest.fixture
def real(api: KubeApi, hands: Hands) -> Velero:
    assert hands.api is api
    cluster = parse(api.kubeconfig)
    # A server that has just started knows its custom kinds a moment later.
    return Velero(connect(cluster), open_writer(cluster, patience=20), NAMESPACE, Clock())


def later(*deeds: Callable[[], Any], each: float = 0.4) -> threading.Thread:
    def work() -> None:
        for deed in deeds:
            time.sleep(each)
            deed()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.tools
def test_a_real_restore_is_watched_to_its_end(real: Velero, hands: Hands) -> None:
    made = create_restore(real, MANIFEST)
    with pytest.raises(ExistsError):
        create_restore(real, MANIFEST)

    told = threading.Semaphore(0)

    def answer(phase: str, **more: Any) -> Callable[[], None]:
        def act() -> None:
            assert told.acquire(timeout=30), "the state before it was not seen"
            time.sleep(0.4)
            hands.answer("restores", "drill-1", phase=phase, **more)

        return act

    worker = later(
        answer("InProgress"),
        answer("Finalizing", progress={"totalItems": 3, "itemsRestored": 3}),
        answer("Completed", warnings=1, hookStatus={"hooksAttempted": 1}),
        each=0,
    )
    found = wait_restore(real, made, seconds=60, say=lambda _: told.release())
    worker.join()
    assert (found.outcome, found.warnings, found.items) == (Outcome.COMPLETED, 1, 3)
    assert found.hooks_attempted == 1
    assert list(found.timings) == ["New", "InProgress", "Finalizing"]
    assert 0.2 < found.timings["InProgress"] < found.seconds


@pytest.mark.tools
def test_a_real_restart_of_the_api_server_is_no_end_of_a_restore(
    real: Velero, hands: Hands, api: KubeApi
) -> None:
    made = create_restore(real, MANIFEST)

    def restart() -> None:
        # The controllers too: one that is just starting does not survive it.
        api.stop("kube-controller-manager", "kube-apiserver")
        api.start()

    worker = later(
        lambda: hands.answer("restores", "drill-1", phase="InProgress"),
        restart,
        lambda: hands.answer("restores", "drill-1", phase="PartiallyFailed", errors=1),
    )
    found = wait_restore(real, made, seconds=120)
    worker.join()
    assert (found.outcome, found.errors) == (Outcome.PARTIALLY_FAILED, 1)
    for kind in KINDS:
        real.client.list(real.collection(kind))


@pytest.mark.tools
def test_real_volume_records_are_found_by_the_restores_uid(real: Velero, hands: Hands) -> None:
    made = create_restore(real, MANIFEST)
    uid = made["metadata"]["uid"]
    spec = {
        "pod": {"namespace": "drill-app", "name": "db-0"}, "volume": "data", "snapshotID": "s",
        "backupStorageLocation": "default", "repoIdentifier": "", "sourceNamespace": "app",
        "uploaderType": "kopia",
    }  # fmt: skip
    for name, owner in (("ours", uid), ("theirs", "other")):
        metadata = {"labels": {"velero.io/restore-uid": owner}}
        hands.make("podvolumerestores", "PodVolumeRestore", name, metadata=metadata, spec=spec)
    try:
        assert [one.name for one in volume_restores(real, uid)] == ["ours"]
    finally:
        for name in ("ours", "theirs"):
            hands.api.request("DELETE", hands.path("podvolumerestores", name))
