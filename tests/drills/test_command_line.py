"""The command line: exit codes, receipts in both places, one sentence for bad input, no secret."""

import base64
import json
import os
import stat
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_port
from tests.support.store_site import StoreSite, policy, statement

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.tools


def drills(
    *arguments: str, stdin: str = "", receipts: Path | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("BACKSTOP_RECEIPTS", None)
    if receipts is not None:
        environment["BACKSTOP_RECEIPTS"] = str(receipts)
    return subprocess.run(
        [sys.executable, "-m", "drills", *arguments],
        input=stdin, capture_output=True, text=True, cwd=ROOT, env=environment, check=False,
        timeout=300,
    )  # fmt: skip


def assert_no_secret(site: StoreSite, text: str) -> None:
    for secret in site.secrets:
        encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
        for form in (secret, encoded, urllib.parse.quote(secret, safe="")):
            assert form not in text


def test_a_proven_run_exits_0_and_its_receipt_is_on_disk_and_in_evidence(
    store_site: StoreSite, tmp_path: Path
) -> None:
    done = drills("run", "store", stdin=store_site.text(control="rotate"), receipts=tmp_path)
    assert done.returncode == 0, done.stderr
    receipt = json.loads(done.stdout)
    assert (receipt["schema"], receipt["verdict"], receipt["reason"]) == (2, "proven", "")
    assert [phase["name"] for phase in receipt["phases"]] == [
        "find", "plant", "restore", "compare", "deny", "clean up", "sweep", "control",
    ]  # fmt: skip
    assert receipt["control"]["killed"] is True
    assert all(check["ok"] for check in receipt["checks"])
    assert receipt["compared"][0]["count"] > 0
    assert receipt["versions"]["drill"] == "store/2"
    (place,) = tmp_path.glob("*.json")
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert json.loads(place.read_text()) == receipt
    evidence = receipt["evidence"]
    assert evidence["key"].startswith("receipts/dev/store/")
    stored = store_site.root.get_object(evidence["bucket"], evidence["key"]).data
    assert json.loads(stored) == receipt
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("store: proven: all ")
    assert str(place) in last


def test_a_summary_is_the_receipt_with_only_the_failed_checks(
    store_site: StoreSite, tmp_path: Path
) -> None:
    site = store_site.text(region="us-east-1", receiptsDir=str(tmp_path))
    done = drills("run", "store", "--summary", stdin=site)
    assert done.returncode == 20
    summary = json.loads(done.stdout)
    whole = json.loads((tmp_path / summary["file"]).read_text())
    for key in ("schema", "runId", "layer", "site", "verdict", "reason", "detail", "control"):
        assert summary[key] == whole[key]
    failed = [check for check in whole["checks"] if not check["ok"]]
    assert summary["checks"]["total"] == len(whole["checks"])
    assert [check["check"] for check in summary["checks"]["failed"]] == [
        check["check"] for check in failed
    ][:10]
    assert len(done.stdout) < 8000


def test_a_broken_run_exits_20_and_a_warning_site_exits_0(
    store_site: StoreSite, tmp_path: Path
) -> None:
    wrong = {"region": "us-east-1", "receiptsDir": str(tmp_path)}
    done = drills("run", "store", "--json", stdin=store_site.text(**wrong))
    assert done.returncode == 20
    assert json.loads(done.stdout)["reason"] == "region-mismatch"
    assert "broken (region-mismatch)" in done.stderr
    warned = drills("run", "store", stdin=store_site.text(**wrong, onRed="warn"))
    assert warned.returncode == 0
    assert json.loads(warned.stdout)["verdict"] == "broken"


def test_an_unreachable_store_exits_21_and_still_leaves_a_receipt(
    store_site: StoreSite, tmp_path: Path
) -> None:
    nowhere = f"https://127.0.0.1:{free_port()}"
    done = drills("run", "store", stdin=store_site.text(endpoint=nowhere), receipts=tmp_path)
    assert done.returncode == 21
    receipt = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert (receipt["verdict"], receipt["reason"]) == ("unproven", "store-unreachable")
    assert receipt["evidence"]["stored"] is False
    assert nowhere in receipt["detail"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"regoin": "x"}, "regoin: unknown key"),
        ({"schema": 2}, "schema: "),
        ({"control": "no-such"}, "control: 'no-such' is unknown"),
        ({"endpoint": "http://127.0.0.1:1"}, "must be https"),
        ({"caPem": "not a certificate"}, "no PEM certificate"),
        ({"admin": {"accessKey": "a", "secretKey": "b"}}, "admin: a drill takes no administrator"),
        ({"evidence": {"bucket": "b", "prefix": "", "client": "nobody"}}, "evidence.client"),
    ],
)
def test_bad_input_exits_2_with_one_sentence(
    store_site: StoreSite, change: dict[str, Any], sentence: str
) -> None:
    done = drills("run", "store", stdin=store_site.text(**change))
    assert done.returncode == 2
    assert done.stdout == ""
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert_no_secret(store_site, done.stderr)


def test_a_surviving_control_makes_a_green_drill_red(
    store_site: StoreSite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The fault is not planted at all here: the drill cannot notice it, and must say so."""
    from drills.frame import Clock  # noqa: PLC0415
    from drills.payload import parse  # noqa: PLC0415
    from drills.store import controls, run  # noqa: PLC0415
    from drills.store.payload import StorePayload  # noqa: PLC0415
    from drills.verdict import Reason, Verdict  # noqa: PLC0415

    blunt = controls.Control("wrong-region", "nothing", Reason.REGION_MISMATCH, controls.Rigged)
    monkeypatch.setattr(controls, "CONTROLS", (blunt,))
    payload = parse(StorePayload, store_site.text(control="rotate"))
    receipt, _ = run.run_store(payload, Clock(), lambda _line: None, tmp_path)
    assert receipt.judgement.verdict is Verdict.BROKEN
    assert receipt.judgement.reason is Reason.CONTROL_SURVIVED


def test_evidence_that_cannot_be_written_is_unproven_in_every_place(
    store_site: StoreSite, tmp_path: Path
) -> None:
    """Everything is green but the receipt's own prefix."""
    evidence = {**store_site.payload["evidence"], "prefix": "elsewhere/"}
    done = drills("run", "store", stdin=store_site.text(evidence=evidence), receipts=tmp_path)
    assert done.returncode == 21
    receipt = json.loads(done.stdout)
    assert (receipt["verdict"], receipt["reason"]) == ("unproven", "evidence-unwritable")
    assert json.loads(next(tmp_path.glob("*.json")).read_text()) == receipt


def test_a_receipts_folder_that_cannot_be_made_is_unproven(
    store_site: StoreSite, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    done = drills("run", "store", stdin=store_site.text(receiptsDir=str(tmp_path / "file" / "r")))
    assert done.returncode == 21
    receipt = json.loads(done.stdout)
    assert receipt["reason"] == "evidence-unwritable"
    stored = store_site.root.get_object(receipt["evidence"]["bucket"], receipt["evidence"]["key"])
    assert json.loads(stored.data)["verdict"] == "unproven"


def test_no_secret_is_in_any_output_of_green_red_and_bad_runs(
    store_site: StoreSite, tmp_path: Path
) -> None:
    broad = policy({"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]})
    said = [drills("run", "store", stdin=store_site.text(control="rotate"), receipts=tmp_path)]
    store_site.set_policy("velero", broad)
    try:
        said.append(drills("run", "store", stdin=store_site.text(), receipts=tmp_path))
    finally:
        store_site.set_policy("velero", store_site.healthy_policy("velero"))
    broken = store_site.copy()
    broken["clients"][0]["secretKey"] = store_site.secrets[3]
    broken["clients"][2]["prefix"] = store_site.secrets[1]
    said.append(drills("run", "store", stdin=json.dumps(broken), receipts=tmp_path))
    swapped = store_site.copy()
    swapped["clients"][0]["secretKey"] = store_site.secrets[3]
    said.append(drills("run", "store", stdin=json.dumps(swapped), receipts=tmp_path))
    root = {"accessKey": store_site.server.root_user, "secretKey": "testrootsecretwrong"}
    said.append(drills("control", "store", stdin=store_site.text(admin=root)))
    assert [done.returncode for done in said] == [0, 20, 2, 20, 20]
    for done in said:
        assert_no_secret(store_site, done.stdout + done.stderr)
    for place in tmp_path.iterdir():
        assert_no_secret(store_site, place.read_text())


@pytest.mark.parametrize(
    "arguments",
    [(), ("run",), ("run", "no-such"), ("run", "store", "--loud"), ("control", "no-such")],
)
def test_another_command_exits_2_with_the_usage(arguments: tuple[str, ...]) -> None:
    done = drills(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: python -m drills run store")


def test_list_shows_verdicts_and_unreadable_receipts(store_site: StoreSite, tmp_path: Path) -> None:
    drills("run", "store", stdin=store_site.text(receiptsDir=str(tmp_path)))
    (tmp_path / "zz-broken.json").write_text("{}")
    done = drills("list", str(tmp_path))
    first, second = done.stdout.strip().splitlines()
    assert "dev  store  proven  -" in first
    assert "no readable receipt" in second
    assert drills("list", str(tmp_path / "none")).stdout.startswith("no receipts in ")


def test_control_needs_an_administrator_and_counts_what_it_killed(store_site: StoreSite) -> None:
    missing = drills("control", "store", stdin=store_site.text())
    assert missing.returncode == 2
    assert "admin: missing" in missing.stderr
    root = {"accessKey": store_site.server.root_user, "secretKey": store_site.server.root_password}
    done = drills("control", "store", stdin=store_site.text(admin=root))
    assert done.returncode == 0, done.stderr
    score = json.loads(done.stdout)
    assert (score["planted"], score["killed"]) == (8, 8)
    assert "8 of 8 planted faults noticed" in done.stderr


def test_a_policy_hole_shows_in_the_final_sentence(store_site: StoreSite, tmp_path: Path) -> None:
    healthy = store_site.healthy_policy("longhorn")
    hole = statement("Allow", ["s3:GetObject"], "dev-velero/*")
    store_site.set_policy("longhorn", policy(*healthy["Statement"], hole))
    try:
        done = drills("run", "store", stdin=store_site.text(), receipts=tmp_path)
    finally:
        store_site.set_policy("longhorn", healthy)
    assert done.returncode == 20
    last = done.stderr.strip().splitlines()[-1]
    assert "broken (policy-too-broad): longhorn: get dev-velero/" in last
    assert "expected refused, observed allowed (200)" in last


def test_a_cancelled_drill_removes_its_probes_and_proves_nothing(store_site: StoreSite) -> None:
    """SIGTERM after the probes were planted."""
    with subprocess.Popen(
        [sys.executable, "-m", "drills", "run", "store"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stderr is not None
        assert process.stdout is not None
        process.stdin.write(store_site.text())
        process.stdin.close()
        while "plant" not in (line := process.stderr.readline()):
            assert line
        process.terminate()
        output, said = process.stdout.read(), process.stderr.read()
    assert process.returncode == 21, said
    assert output == ""
    assert "clean up" in said
    assert said.strip().splitlines()[-1].startswith("drills: interrupted;")
    keys = [str(o.object_name) for o in store_site.root.list_objects("dev-velero", recursive=True)]
    assert [key for key in keys if key.startswith(".backstop-probe/")] == []
