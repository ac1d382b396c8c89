"""The steps around each run of the engine, with the engine and the store replaced."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kube.errors import Cause as Cluster
from kube.errors import ClusterError
from s3.errors import Cause, StoreError
from s3.ownership import BucketFacts
from stack import operations
from stack.errors import StackError
from stack.kubernetes_recovery import Found, Record
from stack.locks import Process
from tests.stack import deployments as made
from tests.stack.fake_engine import FakeEngine, FakeStore, Stage

EMPTY = '{"version": 3, "deployment": {}}'
DOWN = StoreError(Cause.UNREACHABLE, "https://127.0.0.1:9000 cannot be reached")
OURS = BucketFacts({"backstop-site": "dev"}, empty=False, object_lock=False)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    file = tmp_path / ".backstop" / "trust" / "dev-store-ca.pem"
    file.parent.mkdir(parents=True)
    file.write_text("the CA")
    return Stage(FakeEngine([EMPTY]), FakeStore(), tmp_path)


def lock(stage: Stage, pid: int, host: str = "here") -> Path:
    folder = stage.directory / ".pulumi" / "locks" / "organization" / "backstop" / "dev"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{pid}.json"
    content = {"pid": pid, "username": "ann", "hostname": host, "timestamp": "2026-11-21T07:05:29Z"}
    file.write_text(json.dumps(content))
    return file


def hold(stage: Stage, pid: int) -> None:
    lock(stage, pid)
    stage.processes[pid] = Process(datetime(2026, 11, 21, 7, tzinfo=UTC), "pulumi")


def interrupted(*creating: dict[str, Any]) -> str:
    return made.export([made.store_provider()], list(creating))


def test_up_makes_the_stack_and_passes_arguments_on(stage: Stage) -> None:
    stage.engine.exports = [None]
    assert operations.up(stage.session, ["--policy-pack", "policies"]) == 0
    assert stage.engine.named("stack", "init") == [
        ("stack", "init", "dev", "--no-select", "--secrets-provider", "passphrase")
    ]
    assert stage.engine.named("up") == [
        ("up", "-s", "dev", "--yes", "--skip-preview", "--policy-pack", "policies")
    ]
    assert stage.said == ["stack dev created"]


def test_up_can_show_the_preview_first(stage: Stage) -> None:
    operations.up(stage.session, [], preview_first=True)
    assert stage.engine.named("up") == [("up", "-s", "dev", "--yes")]


def test_up_ends_with_the_verdicts(stage: Stage) -> None:
    stage.engine.outputs = json.dumps(
        {"drills": {"store": {"layer": "store", "verdict": "proven"}}}
    )
    assert operations.up(stage.session, []) == 0
    assert stage.said[-1].splitlines()[1].split()[:2] == ["store", "proven"]


def test_a_failed_up_keeps_its_code_and_shows_no_old_verdict(stage: Stage) -> None:
    stage.engine.codes = {"up": 4}
    stage.engine.outputs = json.dumps({"drills": {"store": {"verdict": "proven"}}})
    assert operations.up(stage.session, []) == 4
    assert stage.said == []


def test_a_red_drill_is_shown_from_its_receipt_on_disk(stage: Stage) -> None:
    folder = stage.directory / "receipts"
    folder.mkdir()
    (folder / "20261120T070000Z-store-old.json").write_text('{"verdict": "proven"}')
    red = {"runId": "new", "layer": "store", "verdict": "broken", "reason": "tls-expired"}
    file = folder / "20261121T070000Z-store-new.json"
    stage.engine.codes = {"up": 255}
    stage.engine.during_run = lambda: file.write_text(json.dumps(red))
    assert operations.up(stage.session, []) == 255
    (table,) = stage.said
    assert table.splitlines()[1].split() == ["store", "broken", "tls-expired", *"-----", str(file)]
    assert "proven" not in table


def test_up_meets_a_held_lock_before_the_engine_starts(stage: Stage) -> None:
    hold(stage, 7)
    with pytest.raises(StackError, match=r"locked by ann@here \(pid 7\)"):
        operations.up(stage.session, [])
    assert stage.engine.calls == []


def test_up_that_loses_the_race_for_the_lock_names_the_winner(stage: Stage) -> None:
    stage.engine.codes = {"up": 255}
    stage.engine.during_run = lambda: hold(stage, 8)
    with pytest.raises(StackError, match=r"locked by ann@here \(pid 8\)") as caught:
        operations.up(stage.session, [])
    assert caught.value.code == 1


def test_up_removes_a_stale_lock_and_says_so(stage: Stage) -> None:
    file = lock(stage, 9)
    assert operations.up(stage.session, []) == 0
    assert not file.exists()
    assert stage.said == [
        "stale lock removed: ann@here (pid 9) since 2026-11-21T07:05:29Z, that process is gone"
    ]


def test_up_repairs_the_state_first(stage: Stage) -> None:
    stage.engine.exports = [
        interrupted(made.bucket("dev-velero"), made.resource(made.COMMAND, "c"))
    ]
    stage.store.buckets["dev-velero"] = OURS
    assert operations.up(stage.session, []) == 0
    assert stage.said == [
        "an earlier run was interrupted while 2 resources were being created; recovering",
        "  adopt: dev-velero: bucket dev-velero carries our mark",
        "  clear: c: the command runs again",
    ]
    words = [call[:2] for call in stage.engine.calls]
    assert words.index(("stack", "import")) < words.index(("refresh", "--yes"))
    assert words.index(("refresh", "--yes")) < words.index(("up", "-s"))
    target = made.urn(made.BUCKET, "dev-velero")
    assert stage.engine.named("refresh")[0][-2:] == ("--target", target)
    (document,) = (json.loads(text) for text in stage.engine.imported)
    assert "pending_operations" not in document["deployment"]
    (access,) = stage.store.opened
    assert (access.url, access.password, access.ca_pem) == (
        "https://127.0.0.1:9000",
        "a password",
        "the CA",
    )
    assert "a password" not in repr(access)


def test_clearing_alone_needs_no_refresh_and_no_store(stage: Stage) -> None:
    stage.engine.exports = [interrupted(made.resource(made.COMMAND, "c"))]
    stage.store.failure = DOWN
    assert operations.up(stage.session, []) == 0
    assert stage.engine.named("refresh") == []
    assert len(stage.engine.imported) == 1


def test_a_foreign_bucket_stops_up_before_anything_changes(stage: Stage) -> None:
    stage.engine.exports = [interrupted(made.bucket("shared"))]
    stage.store.buckets["shared"] = BucketFacts({}, empty=False, object_lock=False)
    with pytest.raises(StackError, match="bucket shared holds data and not our mark"):
        operations.up(stage.session, [])
    assert stage.engine.imported == []
    assert stage.engine.named("up") == []


def test_recovery_waits_for_the_store_to_come_back(stage: Stage) -> None:
    stage.engine.exports = [interrupted(made.bucket("dev-velero"))]
    stage.store.failure = DOWN
    with pytest.raises(StackError, match=r"cannot be told: .*cannot be reached; bring the store"):
        operations.up(stage.session, [])
    assert stage.engine.imported == []


def test_a_state_that_moves_during_recovery_is_not_overwritten(stage: Stage) -> None:
    first = interrupted(made.resource(made.COMMAND, "c"))
    stage.engine.exports = [first, first, EMPTY]
    with pytest.raises(StackError, match="changed by another run meanwhile"):
        operations.up(stage.session, [])
    assert stage.engine.imported == []


def in_cluster(*resources: dict[str, Any], **operations: list[dict[str, Any]]) -> str:
    return made.export([made.cluster_provider(), *resources], **operations)


def test_up_adopts_an_object_of_ours_and_leaves_the_rest_to_the_update(stage: Stage) -> None:
    creating = [made.kube_secret("store-1"), made.kube_secret("store-2")]
    stage.engine.exports = [in_cluster(creating=creating)]
    stage.cluster.objects["Secret velero/store-1"] = Found("dev", namespaced=True)
    assert operations.up(stage.session, []) == 0
    assert stage.said == [
        "an earlier run was interrupted while 2 resources were being created; recovering",
        "  adopt: store-1: Secret velero/store-1 carries our mark",
        "  clear: store-2: Secret velero/store-2 does not exist, so it is created again",
    ]
    assert stage.engine.named("refresh") == []
    (document,) = (json.loads(text) for text in stage.engine.imported)
    assert document["deployment"]["resources"][-1]["id"] == "velero/store-1"
    (access,) = stage.cluster.opened  # opened once for both
    assert (access.kubeconfig, access.context) == ("a kubeconfig", "here")
    assert "a kubeconfig" not in repr(access)


def test_an_unfinished_record_of_helm_goes_before_the_state_is_mended(stage: Stage) -> None:
    stage.engine.exports = [in_cluster(creating=[made.release()])]
    stage.cluster.records["velero/velero"] = Record("dev", "pending-install", 1)
    assert operations.recover(stage.session, {}, check=True) == 0
    assert stage.cluster.removed == []
    assert operations.up(stage.session, []) == 0
    assert stage.cluster.removed == ["velero/sh.helm.release.v1.velero.v1"]
    assert len(stage.engine.imported) == 1


def test_a_cut_short_upgrade_is_made_possible_again(stage: Stage) -> None:
    there = made.release(id="velero/velero")
    stage.engine.exports = [in_cluster(there, updating=[there])]
    stage.cluster.records["velero/velero"] = Record("dev", "pending-upgrade", 2)
    assert operations.up(stage.session, []) == 0
    assert stage.said[0].endswith("while 1 resource was being changed; recovering")
    assert stage.cluster.removed == ["velero/sh.helm.release.v1.velero.v2"]


def test_a_removal_that_had_begun_is_carried_through_before_the_update(stage: Stage) -> None:
    there = made.kube_secret("store-1", id="velero/store-1")
    stage.engine.exports = [in_cluster(there, deleting=[there])]
    assert operations.up(stage.session, []) == 0
    (destroyed,) = stage.engine.named("destroy")
    assert destroyed[-2:] == ("--target", there["urn"])
    words = [call[0] for call in stage.engine.calls]
    assert words.index("destroy") < words.index("up")


def test_recovery_waits_for_the_cluster_to_come_back(stage: Stage) -> None:
    stage.engine.exports = [in_cluster(creating=[made.kube_secret("store-1")])]
    stage.cluster.failure = ClusterError(Cluster.UNREACHABLE, "the API server does not answer")
    with pytest.raises(StackError, match=r"left of store-1 cannot be told: the API server does "):
        operations.up(stage.session, [])
    assert stage.engine.imported == []


def test_a_provider_without_a_kubeconfig_is_one_sentence(stage: Stage) -> None:
    provider = made.cluster_provider(kubeconfig="")
    creating = [made.kube_secret("store-1")]
    stage.engine.exports = [made.export([provider], creating=creating)]
    with pytest.raises(StackError, match="kubernetes provider holds no kubeconfig"):
        operations.up(stage.session, [])


def fails_once(stage: Stage) -> None:
    stage.engine.codes = {"up": 255}
    runs: list[int] = []

    def run() -> None:
        runs.append(1)
        if len(runs) > 1:
            stage.engine.codes = {}

    stage.engine.during_run = run


def test_an_update_that_meets_an_object_of_ours_takes_it_over_and_tries_again(stage: Stage) -> None:
    stage.engine.exports = [in_cluster()]
    stage.engine.planned = json.dumps(
        {"steps": [{"op": "create", "newState": made.kube_secret("store-1")}]}
    )
    stage.cluster.objects["Secret velero/store-1"] = Found("dev", namespaced=True)
    fails_once(stage)
    assert operations.up(stage.session, []) == 0
    assert len(stage.engine.named("up")) == 2
    assert stage.said == [
        "  adopt: store-1: Secret velero/store-1 carries our mark",
        "what was there already is ours and now in the state; updating once more",
    ]
    (document,) = (json.loads(text) for text in stage.engine.imported)
    assert document["deployment"]["resources"][-1]["id"] == "velero/store-1"


def test_an_update_that_fails_for_another_reason_is_not_tried_again(stage: Stage) -> None:
    stage.engine.exports = [in_cluster()]
    fails_once(stage)
    assert operations.up(stage.session, []) == 255
    assert len(stage.engine.named("up")) == 1
    assert stage.engine.imported == []


def test_a_cluster_that_does_not_answer_leaves_the_failure_as_it_was(stage: Stage) -> None:
    stage.engine.exports = [in_cluster()]
    stage.engine.planned = json.dumps(
        {"steps": [{"op": "create", "newState": made.kube_secret("store-1")}]}
    )
    stage.cluster.failure = ClusterError(Cluster.UNREACHABLE, "the API server does not answer")
    fails_once(stage)
    assert operations.up(stage.session, []) == 255
    assert stage.said[0].startswith("not tried again: what an interrupted run left of store-1")


def test_a_stack_without_a_cluster_pays_no_second_preview(stage: Stage) -> None:
    stage.engine.exports = [made.export([made.store_provider()])]
    fails_once(stage)
    assert operations.up(stage.session, []) == 255
    assert stage.engine.named("preview") == []


def test_recover_check_only_tells(stage: Stage) -> None:
    stage.engine.exports = [interrupted(made.bucket("dev-velero"), made.bucket("shared"))]
    stage.store.buckets = {
        "dev-velero": OURS,
        "shared": BucketFacts({}, empty=False, object_lock=False),
    }
    assert operations.recover(stage.session, {}, check=True) == 1
    assert [line.split(":")[0] for line in stage.said] == ["adopt", "refuse"]
    assert stage.engine.imported == []


def test_recover_takes_the_operators_word(stage: Stage) -> None:
    release = made.resource("kubernetes:helm.sh/v3:Release", "velero")
    stage.engine.exports = [interrupted(release)]
    assert operations.recover(stage.session, {release["urn"]: "velero/velero"}) == 0
    (document,) = (json.loads(text) for text in stage.engine.imported)
    assert document["deployment"]["resources"][-1]["id"] == "velero/velero"


def test_recover_refuses_a_urn_that_is_not_pending(stage: Stage) -> None:
    with pytest.raises(StackError, match="urn:x was not being created"):
        operations.recover(stage.session, {"urn:x": ""})


def deployed(**fields: Any) -> str:
    bucket = made.bucket("dev-velero", id="dev-velero", protect=True, **fields)
    return made.export([made.store_provider(), bucket], outputs={"storeCaPem": "the CA"})


def test_refresh_asks_the_store_for_each_bucket_first(stage: Stage) -> None:
    stage.engine.exports = [deployed()]
    (stage.directory / ".backstop/trust/dev-store-ca.pem").unlink()
    assert operations.refresh(stage.session, []) == 0
    assert stage.store.checked == ["dev-velero"]
    assert stage.engine.named("refresh") == [("refresh", "-s", "dev", "--yes", "--skip-preview")]
    assert (stage.directory / ".backstop/trust/dev-store-ca.pem").read_text() == "the CA"


@pytest.mark.parametrize("command", [["refresh"], ["up", "--refresh"], ["preview", "-r"]])
def test_nothing_is_refreshed_while_the_store_is_down(stage: Stage, command: list[str]) -> None:
    stage.engine.exports = [deployed()]
    stage.store.failure = DOWN
    run = getattr(operations, command[0])
    with pytest.raises(StackError) as caught:
        run(stage.session, command[1:])
    assert str(caught.value) == (
        "no refresh, because it would drop the buckets from the state: "
        "https://127.0.0.1:9000 cannot be reached; bring the store back first"
    )
    assert stage.engine.named(command[0]) == []


def test_a_trust_file_that_is_there_may_be_newer_and_stays(stage: Stage) -> None:
    stage.engine.exports = [deployed()]
    file = stage.directory / ".backstop/trust/dev-store-ca.pem"
    file.write_text("a newer CA")
    operations.refresh(stage.session, [])
    assert file.read_text() == "a newer CA"
    assert stage.store.opened[0].ca_pem == "a newer CA"


def test_a_refresh_preview_is_not_confirmed(stage: Stage) -> None:
    stage.engine.exports = [deployed()]
    operations.refresh(stage.session, ["--preview-only"])
    assert stage.engine.named("refresh") == [("refresh", "-s", "dev", "--preview-only")]


def test_a_stack_that_is_not_there_has_the_engines_code(stage: Stage) -> None:
    stage.engine.exports = [None]
    with pytest.raises(StackError, match="`python -m stack up -s dev` creates it") as caught:
        operations.refresh(stage.session, [])
    assert caught.value.code == 6


def test_destroy_leaves_what_is_protected_and_says_so(stage: Stage) -> None:
    stage.engine.exports = [deployed()]
    assert operations.destroy(stage.session, [], confirmed=True) == 0
    assert stage.said == [f"stays: dev-velero ({made.BUCKET})"]
    assert stage.engine.named("destroy") == [
        ("destroy", "-s", "dev", "--exclude-protected", "--yes")
    ]


def test_destroy_refuses_to_touch_an_unprotected_bucket(stage: Stage) -> None:
    stage.engine.exports = [made.export([made.store_provider(), made.bucket("open", id="open")])]
    with pytest.raises(StackError, match="open would be deleted or changed on the store"):
        operations.destroy(stage.session, [], confirmed=True)
    assert stage.engine.named("destroy") == []


def test_destroy_without_a_terminal_wants_a_yes(stage: Stage) -> None:
    with pytest.raises(StackError, match="pass --yes"):
        operations.destroy(stage.session, [])


def test_the_engines_own_error_is_passed_on_as_one_sentence(stage: Stage) -> None:
    stage.engine.exports = [interrupted(made.resource(made.COMMAND, "c"))]
    stage.engine.codes = {"stack": 255}
    with pytest.raises(StackError, match="was not accepted: the engine's own words") as caught:
        operations.up(stage.session, [])
    assert caught.value.code == 255
