"""Controls: every planted fault turns the drill red with exactly its reason."""

import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drills.frame import Clock
from drills.payload import parse
from drills.store import scratch_controls
from drills.store.controls import CONTROLS, Control, Rigged, choose, run_control
from drills.store.payload import StorePayload
from drills.store.scratch import scratch_site
from drills.store.scratch_removal import KEY_MARK, MARK
from drills.verdict import Reason
from s3.client import Credential
from tests.support.store_site import StoreSite, policy

ROOT = Path(__file__).resolve().parents[3]
EXPECTED = {
    "wrong-region": Reason.REGION_MISMATCH,
    "expired-certificate": Reason.TLS_EXPIRED,
    "swapped-credential": Reason.POLICY_TOO_BROAD,
    "flipped-truth": Reason.CONTENT_DIFFERS,
}


def parsed(site: StoreSite, **changes: Any) -> StorePayload:
    return parse(StorePayload, site.text(**changes))


@pytest.mark.tools
@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name)
def test_a_control_is_killed_with_its_own_reason(store_site: StoreSite, control: Control) -> None:
    rigged = control.rig(parsed(store_site), Clock())
    assert rigged is not None
    result = run_control(control, rigged, "ctl")
    assert result.killed, result
    assert result.reason == EXPECTED[control.name]


@pytest.mark.tools
@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name)
def test_a_control_without_its_fault_survives(store_site: StoreSite, control: Control) -> None:
    """The positive twin: it is the fault that turns the drill red, not the smaller site."""
    rigged = control.rig(parsed(store_site), Clock())
    assert rigged is not None
    honest = parsed(store_site)
    keys = {client.name: client for client in honest.clients}
    clients = tuple(keys[client.name] for client in rigged.payload.clients)
    healed = rigged.payload.model_copy(update={"clients": clients, "region": honest.region})
    result = run_control(control, Rigged(healed, Clock()), "twin")
    assert (result.verdict, result.killed) == ("proven", False)


def test_rotation_reaches_every_control_and_moves_with_receipts_and_days() -> None:
    payload = _site_without_a_store()
    day = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)

    def turn(receipts: int, days: int) -> str:
        clock = Clock(now=lambda: day + datetime.timedelta(days=days))
        chosen = choose("rotate", payload, clock, receipts)
        assert chosen is not None
        return chosen[0].name

    assert {turn(receipts, 0) for receipts in range(4)} == set(EXPECTED)
    assert {turn(0, days) for days in range(4)} == set(EXPECTED)
    assert turn(3, 5) == turn(3, 5)


def test_a_site_with_one_writer_never_gets_the_swap() -> None:
    payload = _site_without_a_store()
    alone = payload.model_copy(update={"clients": payload.clients[1:]})
    names = {
        chosen[0].name
        for receipts in range(12)
        if (chosen := choose("rotate", alone, Clock(), receipts)) is not None
    }
    assert names == set(EXPECTED) - {"swapped-credential"}
    assert choose("swapped-credential", alone, Clock(), 0) is None


@pytest.mark.tools
def test_scratch_controls_are_all_killed_and_leave_nothing(store_site: StoreSite) -> None:
    before = _inventory(store_site)
    said: list[str] = []
    root = Credential(store_site.server.root_user, store_site.server.root_password)
    score = scratch_controls.run_all(parsed(store_site), root, Clock(), said.append)
    assert score.complete, [result for result in score.controls if not result.killed]
    assert {result.name: result.reason for result in score.controls} == {
        "over-broad-policy": "policy-too-broad",
        "version-purging-policy": "policy-too-broad",
        "anonymous-bucket": "anonymous-access",
        "unversioned-bucket": "versioning-off",
        **EXPECTED,
    }
    assert _inventory(store_site) == before


@pytest.mark.tools
def test_scratch_debris_of_a_killed_run_is_swept_and_young_or_foreign_things_stay(
    store_site: StoreSite,
) -> None:
    root, admin = store_site.root, store_site.admin
    now = int(datetime.datetime.now(datetime.UTC).timestamp())
    old, young = f"{now - 7200:08x}", f"{now - 60:08x}"
    kept = [f"{MARK}-{young}-aaaaaa-a", f"{MARK}-of-somebody"]
    for bucket in [f"{MARK}-{old}-aaaaaa-a", *kept]:
        root.make_bucket(bucket)
        admin.policy_add(bucket, policy=policy(_READ))
    admin.user_add(f"{KEY_MARK}{old}aaaaaa", "debrissecret")
    admin.user_add(f"{KEY_MARK}{young}aaaaaa", "debrissecret")
    credential = Credential(store_site.server.root_user, store_site.server.root_password)
    with scratch_site(parsed(store_site), credential, Clock()):
        pass
    inventory = _inventory(store_site)
    assert f"{MARK}-{old}-aaaaaa-a" not in inventory
    assert f"{KEY_MARK}{old}aaaaaa" not in inventory
    assert {*kept, f"{KEY_MARK}{young}aaaaaa"} <= inventory
    for bucket in kept:
        root.remove_bucket(bucket)
        admin.policy_remove(bucket)
    admin.user_remove(f"{KEY_MARK}{young}aaaaaa")


@pytest.mark.tools
def test_a_killed_control_run_is_cleaned_by_the_next(store_site: StoreSite) -> None:
    """SIGKILL in the middle, then a run whose clock is two hours on."""
    before = _inventory(store_site)
    root = {"accessKey": store_site.server.root_user, "secretKey": store_site.server.root_password}
    with subprocess.Popen(
        [sys.executable, "-m", "drills", "control", "store"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(store_site.text(admin=root))
        process.stdin.close()
        assert any("stands" in line for line in process.stderr)
        process.kill()
    assert _inventory(store_site) != before
    later = Clock(now=lambda: datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=2))
    credential = Credential(root["accessKey"], root["secretKey"])
    with scratch_site(parsed(store_site), credential, later):
        pass
    assert _inventory(store_site) == before


_READ = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::nothing/*"]}


def _inventory(site: StoreSite) -> set[str]:
    buckets = {bucket.name for bucket in site.root.list_buckets()}
    policies, users = json.loads(site.admin.policy_list()), json.loads(site.admin.user_list())
    return buckets | set(policies) | set(users)


def _site_without_a_store() -> StorePayload:
    keys = {"accessKey": "k", "secretKey": "s"}
    buckets = [
        {"name": name, "versioning": True, "objectLock": None, "noncurrentDays": None,
         "quotaBytes": None}
        for name in ("one-bucket", "two-bucket")
    ]  # fmt: skip
    fields: dict[str, Any] = {
        "schema_version": 1, "layer": "store", "site": "dev", "endpoint": "https://store:1",
        "region": "r", "ca_pem": "", "tls_names": (), "evidence": None, "receipts_dir": None,
        "on_red": "fail", "control": "rotate", "admin": None,
        "limits": {"certificateMinDays": 1, "clockSkewSeconds": 1, "rtoSeconds": 1},
        "buckets": buckets,
        "clients": [
            {"name": "one", "role": "velero", "bucket": "one-bucket", **keys},
            {"name": "two", "role": "longhorn", "bucket": "two-bucket", **keys},
            {"name": "reader", "role": "drill", "bucket": "", **keys},
        ],
    }  # fmt: skip
    return StorePayload.model_validate(fields)
