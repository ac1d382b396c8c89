"""Volumes read through pods: whole, or named with the reason why not."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drills.sandbox.hold import Idle
from drills.verdict import Reason, Verdict, judge
from drills.volumes import reading
from drills.volumes.reader_pod import ReaderPod, manifest, pod_name
from drills.volumes.readers import PAUSE_SECONDS, Readers
from drills.volumes.reading import Reading
from drills.volumes.sources import Source
from drills.volumes.tree import TreeError
from drills.volumes.unread import Unread
from kube.errors import Cause, ClusterError
from kube.pods.channels import BrokenError
from tests.drills.sandbox.runs import run
from tests.drills.volumes.reader_cluster import BOUND, Cluster, Message, Shell
from tests.drills.volumes.trees import ROOT as ROOT_ENTRY
from tests.drills.volumes.trees import file, text_of
from tests.drills.volumes.volumes import make_volume, read
from tests.kube.fakes import status
from tests.kube.pods.command_server import SUCCESS, failed

SANDBOX = "backstop-drill-1-shop"
POD = ReaderPod("shop", SANDBOX, "data")
ROOT = "/backstop/volume"
HELD = Source("shop", "db", "db-0", "disk", SANDBOX, held=True)


def source_of(pod: ReaderPod = POD) -> Source:
    found = pod.source(run())
    assert found is not None
    return found


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    return make_volume(tmp_path / "volume")


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(claims={(SANDBOX, "data"): BOUND})


@pytest.fixture
def shell(cluster: Cluster, volume: Path) -> Shell:
    return Shell({ROOT: volume}, cluster.time)


@pytest.fixture
def readers(cluster: Cluster, shell: Shell, tmp_path: Path) -> Readers:
    folder = tmp_path / "trees"
    folder.mkdir()
    return cluster.readers(shell, folder)


def result(readers: Readers, *pods: ReaderPod, **more: Any) -> Reading | Unread:
    """What comes of the first volume of started pods."""
    pods = pods or (POD,)
    readers.start(pods)
    given = {"ready_seconds": 60.0, "read_seconds": 900.0, **more}
    return next(readers.read_all([source_of(pods[0])], **given))


def unread(readers: Readers, *pods: ReaderPod, **more: Any) -> Unread:
    found = result(readers, *pods, **more)
    assert isinstance(found, Unread)
    assert "\n" not in found.sentence
    assert judge([found.check()]).verdict is not Verdict.PROVEN
    # Half a tree is never left for anybody to take for one.
    assert list(readers.folder.iterdir()) == []
    return found


def whole(readers: Readers, *pods: ReaderPod, **more: Any) -> Reading:
    found = result(readers, *pods, **more)
    assert isinstance(found, Reading), found
    return found


# A volume that can be read


def test_a_volume_is_read_as_the_reader_prints_it(
    readers: Readers, shell: Shell, volume: Path, cluster: Cluster
) -> None:
    found = whole(readers)
    entries, trailer = read(volume)
    assert list(found.tree()) == entries
    assert found.trailer.digest == trailer.digest
    assert found.trailer.files == trailer.files
    assert found.printed == found.spool.stat().st_size
    ((path, query),) = shell.asked
    assert path == f"/api/v1/namespaces/{SANDBOX}/pods/{source_of().pod}/exec"
    assert ("container", "idle") in query
    assert "stdin" not in dict(query)
    assert all(one.closed for one in shell.connections)
    assert cluster.said[-1].startswith(f"volume shop/data: {len(entries)} entries, ")


def test_a_tree_can_be_taken_many_times(readers: Readers) -> None:
    found = whole(readers)
    first = list(found.tree())
    half = iter(found.tree())
    next(half)
    assert list(found.tree()) == first
    assert found.tree().header.volume == "data"


def test_a_tree_that_was_changed_on_the_disk_is_none(readers: Readers) -> None:
    found = whole(readers)
    found.spool.write_bytes(found.spool.read_bytes().replace(b'"mode":"0644"', b'"mode":"0645"'))
    with pytest.raises(TreeError):
        list(found.tree())


def of_data(lines: list[bytes]) -> bytes:
    return b"".join(lines).replace(b'"volume": "volume"', b'"volume": "data"', 1)


def test_memory_does_not_grow_with_the_volume(readers: Readers, shell: Shell) -> None:
    names = [b"%08d" % number for number in range(20_000)]
    told = of_data(text_of([ROOT_ENTRY, *(file(one) for one in names)]))

    def act(messages: list[Message]) -> list[Message]:
        (_, last) = messages[-3]  # type: ignore[misc]
        pieces: list[Message] = [(1, told[at : at + 4096]) for at in range(0, len(told), 4096)]
        tracemalloc.start()
        return [*pieces, (1, last[-32:]), (3, SUCCESS)]

    shell.acts = [act]
    try:
        found = whole(readers)
        assert sum(1 for _ in found.tree()) == len(names) + 1
        assert tracemalloc.get_traced_memory()[1] < len(told) / 4
    finally:
        tracemalloc.stop()


def test_extended_attributes_are_read_where_they_are_asked_for(
    cluster: Cluster, shell: Shell, tmp_path: Path
) -> None:
    assert whole(cluster.readers(shell, tmp_path, xattrs=True)).tree().header.xattrs
    assert not whole(cluster.readers(shell, tmp_path)).tree().header.xattrs


def test_a_volume_that_only_its_pod_knows_is_read(
    readers: Readers, shell: Shell, cluster: Cluster, volume: Path
) -> None:
    shell.volumes = {"/backstop/scratch": volume}
    scratch = Source("shop", "", "db-0", "scratch", SANDBOX, held=True)
    cluster.put(pod_object("db-0"))
    found = readers.read(scratch, ready_seconds=10, read_seconds=10)
    assert isinstance(found, Reading), found
    assert found.tree().header.volume == "db-0:scratch"


def pod_object(name: str, labels: Any = None) -> dict[str, Any]:
    marks = run().labels() if labels is None else labels
    return {"metadata": {"namespace": SANDBOX, "name": name, "labels": marks}, "spec": {}}


def test_volumes_are_read_in_one_order_and_one_fault_stops_no_other(
    readers: Readers, cluster: Cluster, volume: Path, shell: Shell
) -> None:
    shell.volumes = {ROOT: volume, "/backstop/disk": volume}
    pods = [ReaderPod("shop", SANDBOX, one) for one in ("c", "a", "b")]
    cluster.claims |= {(SANDBOX, one): BOUND for one in "abc"}
    cluster.fates["reader-b"] = {"containerStatuses": [waiting("ErrImageNeverPull")]}
    cluster.put(pod_object("db-0"))
    readers.start(pods)
    sources = [HELD, *(source_of(one) for one in pods), HELD]
    found = list(readers.read_all(sources, ready_seconds=60, read_seconds=60))
    assert [(str(one.source), type(one)) for one in found] == [
        ("shop/a", Reading), ("shop/b", Unread), ("shop/c", Reading), ("shop/db", Reading),
    ]  # fmt: skip
    spools = {one.spool for one in found if isinstance(one, Reading)}
    assert len(spools) == 3


def test_all_pods_together_have_the_time_to_become_ready(
    readers: Readers, cluster: Cluster
) -> None:
    pods = [ReaderPod("shop", SANDBOX, f"claim-{number}") for number in range(5)]
    cluster.claims |= {(SANDBOX, one.claim): BOUND for one in pods}
    cluster.fates["reader"] = {}
    readers.start(pods)
    found = list(
        readers.read_all([source_of(one) for one in pods], ready_seconds=60, read_seconds=60)
    )
    assert len(found) == 5
    assert cluster.time.now <= 61


# A reader that does not do its work


def cut(size: int) -> Callable[[list[Message]], list[Message]]:
    """The connection is cut after some messages."""
    return lambda messages: [*messages[:size], BrokenError("it was cut")]


def shortened(keep: int) -> Callable[[list[Message]], list[Message]]:
    """Output that ends early, and is said to have ended well."""
    return lambda messages: [*messages[:keep], (3, SUCCESS)]


@pytest.mark.parametrize("act", [cut(2), cut(0), shortened(2), shortened(0)])
def test_output_that_was_cut_is_read_once_more(
    readers: Readers, shell: Shell, cluster: Cluster, act: Any
) -> None:
    shell.acts = [act]
    found = whole(readers)
    assert len(shell.asked) == 2
    assert len(list(found.tree())) == found.trailer.entries
    assert any("once more" in line for line in cluster.said)
    assert cluster.time.now == PAUSE_SECONDS


@pytest.mark.parametrize("act", [cut(2), cut(0), shortened(2), shortened(0)])
def test_output_that_is_cut_twice_is_no_volume(readers: Readers, shell: Shell, act: Any) -> None:
    shell.acts = [act, act]
    found = unread(readers)
    assert found.reason is Reason.DRILL_FAILED
    assert "the connection to it was lost" in found.sentence or "cut off" in found.sentence
    assert len(shell.asked) == 2


def rewritten(change: Callable[[bytes], bytes]) -> Callable[[list[Message]], list[Message]]:
    """The output changed on its way, its mark and its end as they were."""

    def act(messages: list[Message]) -> list[Message]:
        pieces = [one for one in messages if isinstance(one, tuple)]
        out = b"".join(data for channel, data in pieces if channel == 1)
        told, mark = out[:-32], out[-32:]
        return [(1, change(told) + mark), *(one for one in pieces if one[0] != 1)]

    return act


def without_trailer(told: bytes) -> bytes:
    return b"".join(told.splitlines(keepends=True)[:-1])


def of_another_volume(told: bytes) -> bytes:
    return told.replace(b'"volume":"data"', b'"volume":"other"', 1)


def one_line_less(told: bytes) -> bytes:
    lines = told.splitlines(keepends=True)
    return b"".join([*lines[:5], *lines[6:]])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_trailer, "cut off after"),
        (one_line_less, "not those that its trailer names"),
        (of_another_volume, "another volume"),
        (lambda told: told + told, "follows the trailer"),
        (lambda told: b"welcome to the image\n" + told, "is no JSON object"),
        (lambda _told: b"", "cut off after 0 entries"),
        (lambda _told: b"x" * (3 << 20), "longer than"),
    ],
)
def test_output_that_is_no_whole_tree_is_no_volume(
    readers: Readers, shell: Shell, change: Any, said: str
) -> None:
    shell.acts = [rewritten(change), rewritten(change)]
    found = unread(readers)
    assert found.reason is Reason.DRILL_FAILED
    assert said in found.sentence
    assert len(shell.asked) == 2


def test_a_reader_of_another_version_is_not_asked_again(readers: Readers, shell: Shell) -> None:
    def other(told: bytes) -> bytes:
        return told.replace(b"backstop-tree/1", b"backstop-tree/9", 1)

    shell.acts = [rewritten(other)]
    assert "does not begin as backstop-tree/1" in unread(readers).sentence
    assert len(shell.asked) == 1


def ending(code: int, said: bytes = b"") -> Callable[[list[Message]], list[Message]]:
    """The command printed half of the tree and ended like this."""

    def act(messages: list[Message]) -> list[Message]:
        (_, first), (_, last) = messages[0], messages[-3]  # type: ignore[misc]
        return [(1, first + last[-32:]), (2, said), (3, failed(code))]

    return act


@pytest.mark.parametrize("code", [1, 137])
def test_a_reader_that_was_killed_is_asked_once_more(
    readers: Readers, shell: Shell, code: int
) -> None:
    said = b"tree_reader: a process\ntree_reader: was memory short?\n"
    shell.acts = [ending(code, said), ending(code, said)]
    found = unread(readers)
    assert found.reason is Reason.DRILL_FAILED
    assert f"exit code {code} (tree_reader: was memory short?)" in found.sentence
    assert len(shell.asked) == 2


def test_a_root_that_is_not_there_is_told_by_the_real_reader(
    readers: Readers, shell: Shell, tmp_path: Path
) -> None:
    shell.volumes = {ROOT: tmp_path / "nowhere"}
    found = unread(readers)
    assert found.reason is Reason.DRILL_FAILED
    assert "exit code 2" in found.sentence
    assert "cannot be read (vanished)" in found.sentence
    assert len(shell.asked) == 1


def test_an_image_without_python_is_told(readers: Readers, shell: Shell) -> None:
    shell.python = "no-such-python3"
    found = unread(readers)
    assert "exit code 127" in found.sentence
    assert "reader image with sh and with python3" in found.sentence
    assert len(shell.asked) == 1


def test_a_whole_tree_of_a_reader_that_failed_counts_for_nothing(
    readers: Readers, shell: Shell
) -> None:
    def act(messages: list[Message]) -> list[Message]:
        return [*messages[:-1], (3, failed(1))]

    shell.acts = [act, act]
    assert "exit code 1 (it said nothing)" in unread(readers).sentence


def not_run(_messages: list[Message]) -> list[Message]:
    said = {"status": "Failure", "message": 'exec: "sh": executable file not found in $PATH'}
    return [(3, json.dumps(said).encode())]


def test_a_command_that_is_not_run_is_told(readers: Readers, shell: Shell) -> None:
    shell.acts = [not_run, not_run]
    found = unread(readers)
    assert found.reason is Reason.DRILL_FAILED
    assert 'it was not run: exec: "sh"' in found.sentence


def test_a_volume_that_takes_too_long_is_not_begun_again(readers: Readers, shell: Shell) -> None:
    shell.acts = [lambda messages: [messages[0], 901.0, *messages[1:]]]
    found = unread(readers)
    assert found.reason is Reason.DRILL_FAILED
    assert "was not read within 900 s" in found.sentence
    assert len(shell.asked) == 1


def test_a_second_try_has_what_is_left_of_the_time(readers: Readers, shell: Shell) -> None:
    shell.acts = [lambda messages: [messages[0], 890.0, BrokenError("it was cut")]]
    whole(readers)
    shell.acts = [lambda messages: [messages[0], 896.0, BrokenError("it was cut")]]
    assert "was lost" in unread_again(readers).sentence
    assert len(shell.asked) == 3


def unread_again(readers: Readers) -> Unread:
    found = readers.read(source_of(), ready_seconds=10, read_seconds=900)
    assert isinstance(found, Unread)
    return found


@pytest.mark.parametrize(
    ("cause", "reason", "tries"),
    [
        (Cause.UNREACHABLE, Reason.CLUSTER_UNREACHABLE, 2),
        (Cause.BUSY, Reason.CLUSTER_UNREACHABLE, 2),
        (Cause.FORBIDDEN, Reason.POLICY_TOO_NARROW, 1),
        (Cause.MISSING, Reason.DRILL_FAILED, 1),
    ],
)
def test_an_exec_that_is_refused_has_the_reason_of_its_cause(
    readers: Readers, shell: Shell, cause: Cause, reason: Reason, tries: int
) -> None:
    shell.acts = [ClusterError(cause, "refused"), ClusterError(cause, "refused")]
    assert unread(readers).reason is reason
    assert len(shell.asked) == tries


def test_an_api_server_that_was_away_for_a_moment_is_asked_again(
    readers: Readers, shell: Shell
) -> None:
    shell.acts = [ClusterError(Cause.UNREACHABLE, "away")]
    whole(readers)


def test_a_full_disk_here_is_told(
    readers: Readers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    readers.folder.rmdir()
    found = result(readers)
    assert isinstance(found, Unread)
    assert found.reason is Reason.DRILL_FAILED
    assert "make room there, or set TMPDIR" in found.sentence
    readers.folder.mkdir()
    monkeypatch.setattr(reading, "MOST_BYTES", 100)
    assert "is longer than" in unread_again(readers).sentence
    assert list((tmp_path / "trees").iterdir()) == []


# Pods that do not come


def waiting(reason: str, name: str = "idle") -> dict[str, Any]:
    return {"name": name, "image": "helper:1", "state": {"waiting": {"reason": reason}}}


def condition(message: str) -> dict[str, Any]:
    scheduled = {"type": "PodScheduled", "status": "False", "message": message}
    return {"conditions": [scheduled]}


def event(reason: str) -> dict[str, Any]:
    return {"type": "Warning", "reason": reason, "message": "duplicate UUID", "metadata": {}}


@pytest.mark.parametrize(
    ("pod", "reason", "said"),
    [
        (({"containerStatuses": [waiting("ImagePullBackOff")]}, []), Reason.DRILL_FAILED,
         "give the drill a reader image that the nodes can get"),
        (({"containerStatuses": [waiting("CreateContainerError")]}, []), Reason.DRILL_FAILED,
         "container runtime"),
        ((condition("0/1 nodes are available"), []), Reason.TARGET_REFUSED, "make room on a node"),
        (({}, [event("FailedMount")]), Reason.RESTORE_FAILED, "duplicate UUID"),
        (({}, [event("FailedAttachVolume")]), Reason.RESTORE_FAILED, "storage driver"),
        (({}, []), Reason.DRILL_FAILED, "has not started yet"),
        (({"phase": "Succeeded"}, []), Reason.DRILL_FAILED, "has ended"),
        (({"phase": "Failed", "reason": "Evicted"}, []), Reason.DRILL_FAILED, "Evicted"),
    ],
)  # fmt: skip
def test_a_pod_that_is_never_ready_has_a_reason(
    readers: Readers, cluster: Cluster, pod: Any, reason: Reason, said: str
) -> None:
    cluster.fates["reader-data"], cluster.events = pod
    found = unread(readers)
    assert found.reason is reason
    assert said in found.sentence
    assert found.sentence.startswith("volume shop/data cannot be read: pod ")


@pytest.mark.parametrize(
    ("claim", "reason", "said"),
    [
        (None, Reason.VOLUME_LOST, "does not exist"),
        ({"status": {"phase": "Lost"}}, Reason.VOLUME_LOST, "is gone"),
        ({"status": {"phase": "Pending"}}, Reason.RESTORE_FAILED, "has no volume (Pending)"),
        ({}, Reason.RESTORE_FAILED, "has no volume (Pending)"),
    ],
)
def test_a_claim_without_a_volume_speaks_against_the_restore(
    readers: Readers, cluster: Cluster, claim: Any, reason: Reason, said: str
) -> None:
    cluster.claims = {} if claim is None else {(SANDBOX, "data"): {"metadata": {}, **claim}}
    for fate in ({}, condition("unbound immediate PersistentVolumeClaims")):
        cluster.fates["reader-data"] = fate
        cluster.pods.clear()
        found = unread(readers)
        assert found.reason is reason
        assert said in found.sentence


def test_a_claim_that_nobody_may_see_changes_nothing(readers: Readers, cluster: Cluster) -> None:
    cluster.fates["reader-data"] = condition("0/1 nodes are available")
    cluster.forbidden = {"persistentvolumeclaims"}
    assert unread(readers).reason is Reason.TARGET_REFUSED


def test_pods_that_nobody_may_see_are_told(readers: Readers, cluster: Cluster) -> None:
    cluster.forbidden = {"pods"}
    assert unread(readers).reason is Reason.POLICY_TOO_NARROW


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (None, Reason.RESTORE_FAILED),
        ({"initContainerStatuses": [{"name": "restore-wait", "state": {"running": {}}}]},
         Reason.RESTORE_FAILED),
        ({"containerStatuses": [waiting("ImagePullBackOff")]}, Reason.DRILL_FAILED),
    ],
)  # fmt: skip
def test_a_held_pod_that_the_restore_does_not_finish_speaks_against_it(
    readers: Readers, cluster: Cluster, state: Any, reason: Reason
) -> None:
    cluster.claims[SANDBOX, "db"] = BOUND
    if state is not None:
        cluster.put(pod_object("db-0"), state)
    (found,) = readers.read_all([HELD], ready_seconds=10, read_seconds=10)
    assert isinstance(found, Unread)
    assert found.reason is reason


@pytest.mark.parametrize("labels", [{}, {"app": "db"}, run("ffff").labels()])
def test_a_pod_that_nobody_holds_is_not_read(
    readers: Readers, cluster: Cluster, shell: Shell, labels: dict[str, str]
) -> None:
    cluster.put(pod_object("db-0", labels))
    (found,) = readers.read_all([HELD], ready_seconds=10, read_seconds=10)
    assert isinstance(found, Unread)
    assert found.reason is Reason.RESTORE_FAILED
    assert "does not bear the marks of this run" in found.sentence
    assert shell.asked == []


# Making pods


NO_ACCOUNT = status(403, 'pods "x" is forbidden: error looking up service account: not found')


def test_a_namespace_that_has_no_account_yet_is_waited_for(
    readers: Readers, cluster: Cluster
) -> None:
    cluster.refusals = [NO_ACCOUNT, NO_ACCOUNT]
    whole(readers)
    assert cluster.time.now == pytest.approx(0.25 + 0.5)


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (status(403, 'pods "x" is forbidden: violates PodSecurity'), Reason.RESTORE_FAILED),
        (status(403, 'pods "x" is forbidden: exceeded quota'), Reason.RESTORE_FAILED),
        (status(403, 'pods is forbidden: User "x" cannot create'), Reason.POLICY_TOO_NARROW),
        (status(422, "invalid"), Reason.DRILL_FAILED),
        (OSError("gone"), Reason.CLUSTER_UNREACHABLE),
    ],
)
def test_a_pod_that_is_not_made_is_told_and_not_waited_for(
    readers: Readers, cluster: Cluster, refusal: Any, reason: Reason
) -> None:
    cluster.refusals = [refusal] * 100
    readers.start([POD])
    made = cluster.time.now
    found = unread_again(readers)
    assert found.reason is reason
    assert cluster.time.now == made
    assert cluster.said[0].startswith("no reader for volume shop/data: ")


def test_one_refused_pod_keeps_no_other_from_being_made(readers: Readers, cluster: Cluster) -> None:
    cluster.refusals = [status(422, "invalid")]
    readers.start([POD, ReaderPod("shop", SANDBOX, "logs")])
    assert [name for _, name in cluster.pods] == [pod_name(run(), "logs")]


def test_a_pod_whose_answer_was_lost_is_the_runs_own(readers: Readers, cluster: Cluster) -> None:
    cluster.put(manifest(run(), POD, Idle("helper:1")))
    whole(readers)


def test_a_pod_of_somebody_else_is_not_taken_over(readers: Readers, cluster: Cluster) -> None:
    cluster.put(pod_object(pod_name(run(), "data"), {}))
    assert unread(readers).reason is Reason.TARGET_REFUSED


def test_a_consumer_of_a_raw_device_is_made_too(readers: Readers, cluster: Cluster) -> None:
    readers.start([ReaderPod("shop", SANDBOX, "disk", during=True, block=True)])
    assert list(cluster.pods) == [(SANDBOX, pod_name(run(), "disk"))]
