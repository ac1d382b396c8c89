"""The driver on the real engine: locks that meet, interrupted runs, exit codes."""

import json
import os
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.real_engine import Site, site_in, wait_until
from tests.support.authority import make_authority
from tests.support.ports import free_port

pytestmark = pytest.mark.tools


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = site_in(tmp_path)
    yield made
    made.end()


def hold_in_slow(site: Site) -> "subprocess.Popen[str]":
    """An `up` that stands in the creation of `slow`."""
    (site.directory / "hold").touch()
    running = site.begin("up")
    wait_until(lambda: site.pending() == ["slow"] and (site.directory / "began").exists())
    return running


def test_up_then_up_changes_nothing_and_shows_the_verdicts(site: Site) -> None:
    first = site.stack("up")
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.splitlines()[-1].split()[:2] == ["store", "proven"]
    second = site.stack("up", "--expect-no-changes")
    assert second.returncode == 0, second.stdout
    assert site.stack("preview", "--expect-no-changes").returncode == 0
    assert site.stack("refresh").returncode == 0
    assert site.locks() == []


def test_the_engines_exit_codes_are_passed_on(site: Site) -> None:
    assert site.stack("up").returncode == 0
    site.write((site.directory / "__main__.py").read_text().replace("echo quick", "exit 3"))
    assert site.stack("preview", "--expect-no-changes").returncode == 7
    failed = site.stack("up")
    assert failed.returncode != 0
    table = [line for line in failed.stdout.splitlines() if line.startswith("layer ")]
    assert table == []  # the state still holds the verdicts of the run before


def test_a_drill_by_hand_gets_its_payload_out_of_the_secret_output(
    site: Site, tmp_path: Path
) -> None:
    """Nulls and whole numbers of the payload survive the engine, or the drill would refuse it."""
    authority = make_authority(tmp_path)
    payload = json.dumps(
        {
            "schema": 1, "layer": "store", "site": "dev", "region": "r", "tlsNames": [],
            "endpoint": f"https://127.0.0.1:{free_port()}", "nodes": [], "buckets": [],
            "caPem": authority.certificate_file.read_text(), "evidence": None, "admin": None,
            "clients": [{"name": "velero", "role": "velero", "bucket": "b", "prefix": "",
                         "accessKey": "a", "secretKey": "SENTINEL"}],
            "limits": {"certificateMinDays": 14, "clockSkewSeconds": 60, "rtoSeconds": 300},
            "receiptsDir": None, "onRed": "fail", "control": "rotate",
        }
    )  # fmt: skip
    (site.directory / "payload.json").write_text(payload)
    program = (site.directory / "__main__.py").read_text()
    site.write(
        program
        + "import json, pathlib\n"
        + "payload = json.loads(pathlib.Path('payload.json').read_text())\n"
        + "pulumi.export('drillPayloads', pulumi.Output.secret({'store': payload}))\n"
    )
    early = site.stack("drill")
    assert early.returncode == 6
    assert site.stack("up").returncode == 0
    site.env["BACKSTOP_RECEIPTS"] = str(tmp_path / "receipts")
    done = site.stack("drill", "run", "store")
    assert done.returncode == 21, done.stderr
    header, row = done.stdout.splitlines()[-2:]
    assert header.split()[:3] == ["layer", "verdict", "reason"]
    assert row.split()[:3] == ["store", "unproven", "store-unreachable"]
    (receipt,) = (tmp_path / "receipts").glob("*.json")
    assert str(receipt) in row
    shown = site.stack("drill", "--json")
    assert json.loads(shown.stdout)["reason"] == "store-unreachable"
    assert "SENTINEL" not in done.stdout + done.stderr + shown.stdout + shown.stderr


def test_two_at_once_the_second_names_the_first(site: Site) -> None:
    first = hold_in_slow(site)
    second = site.stack("up")
    holder = f"@{socket.gethostname()} (pid {site.engine_pid()}) since "
    assert second.returncode == 1
    assert second.stderr.splitlines()[-1].startswith("error: stack dev is locked by ")
    assert holder in second.stderr
    (site.directory / "hold").unlink()
    assert first.wait(timeout=60) == 0
    assert (site.directory / "began").read_text().split() == ["x"]


def test_a_killed_up_is_repaired_by_the_next(site: Site) -> None:
    running = hold_in_slow(site)
    site.kill_engine()
    assert running.wait(timeout=60) != 0
    (site.directory / "hold").unlink()
    assert len(site.locks()) == 1
    told = site.stack("recover", "--check")
    assert told.stdout.splitlines()[-1] == "clear: slow: the command runs again"
    assert site.pending() == ["slow"]
    again = site.stack("up")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "stale lock removed: " in again.stdout
    assert "1 resource was being created; recovering" in again.stdout
    assert site.pending() == []
    assert site.stack("preview", "--expect-no-changes").returncode == 0


def test_recover_alone_leaves_nothing_pending(site: Site) -> None:
    running = hold_in_slow(site)
    site.kill_engine()
    running.wait(timeout=60)
    assert site.stack("recover").returncode == 0
    assert (site.pending(), site.locks()) == ([], [])
    assert site.stack("recover", "--check").stdout.endswith("nothing to recover\n")


def test_a_lock_of_another_host_is_never_touched(site: Site) -> None:
    assert site.stack("up").returncode == 0
    before = site.state_file.read_bytes()
    folder = site.directory.parent / "state/.pulumi/locks/organization/tiny/dev"
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "pid": 1,
        "username": "ann",
        "hostname": "elsewhere",
        "timestamp": "2026-11-21T07:05:29Z",
    }
    (folder / "foreign.json").write_text(json.dumps(content))
    refused = site.stack("up")
    assert refused.returncode == 1
    assert "locked by ann@elsewhere (pid 1) since 2026-11-21T07:05:29Z" in refused.stderr
    assert len(site.locks()) == 1
    assert site.state_file.read_bytes() == before


def test_an_interrupt_lets_the_engine_end_its_own_way(site: Site) -> None:
    running = hold_in_slow(site)
    running.send_signal(signal.SIGINT)
    (site.directory / "hold").unlink()
    assert running.wait(timeout=60) not in (0, -signal.SIGINT)
    assert site.locks() == []
    assert site.stack("up").returncode == 0
    assert site.stack("preview", "--expect-no-changes").returncode == 0


def test_plain_pulumi_commands_work_in_the_printed_environment(site: Site) -> None:
    assert site.stack("up").returncode == 0
    exports = site.stack("env").stdout
    done = subprocess.run(
        ["sh", "-c", f"{exports}\npulumi preview --expect-no-changes -s dev"],
        cwd=site.directory,
        env={k: v for k, v in site.env.items() if not k.startswith("BACKSTOP_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    first = shlex.split(exports.splitlines()[0])[1].removeprefix("PATH=").split(os.pathsep)[0]
    assert Path(first).is_dir()


def test_destroy_says_what_stays_and_removes_the_rest(site: Site) -> None:
    program = (site.directory / "__main__.py").read_text()
    site.write(program.replace("depends_on=[quick]", "protect=True"))
    assert site.stack("up").returncode == 0
    done = site.stack("destroy", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "stays: slow (command:local:Command)" in done.stdout
    left = [r["urn"].rsplit("::", 1)[-1] for r in site.latest()["resources"] if r.get("custom")]
    assert "slow" in left
    assert "quick" not in left


def test_a_stack_that_is_not_there_is_one_sentence(site: Site) -> None:
    refused = site.stack("refresh")
    assert refused.returncode == 6
    assert refused.stderr.splitlines()[-1].startswith("error: stack dev does not exist in file://")
