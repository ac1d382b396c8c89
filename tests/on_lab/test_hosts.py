"""The lab's hosts: up from any state, down to nothing, and ssh with pinned keys only."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lab import cgroups
from tests.on_lab.machine_state import snapshot
from tests.on_lab.site import ROOT, Lab

pytestmark = pytest.mark.lab

HOME = Path(os.environ.get("BACKSTOP_LAB_HOME") or "/var/lib/backstop-lab")
READ_ONLY_STATES = {"running", "degraded"}


def up(lab: Lab, *options: str) -> str:
    """Brings the hosts up and returns what was said on the way."""
    done = lab.lab("up", "--no-tools", *options)
    assert done.code == 0, done.text
    return done.stderr


def inventory(lab: Lab) -> dict[str, Any]:
    text = (HOME / lab.instance / "inventory.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def status(lab: Lab) -> dict[str, dict[str, Any]]:
    done = lab.lab("status", "--json")
    assert done.code == 0, done.text
    return {host["name"]: host for host in json.loads(done.stdout)["hosts"]}


def processes(lab: Lab, host: str) -> dict[int, list[str]]:
    """Every process of a host as this machine sees it: id -> arguments."""
    found: dict[int, list[str]] = {}
    for one in cgroups.processes(f"{lab.instance}/{host}"):
        # A process may end between the listing and the look at it.
        with suppress(FileNotFoundError, ProcessLookupError):
            found[one] = Path(f"/proc/{one}/cmdline").read_text().split("\0")
    return found


def leader(lab: Lab, host: str) -> int:
    found = [one for one, line in processes(lab, host).items() if line[0] == "systemd-nspawn"]
    assert len(found) == 1, found
    return found[0]


@pytest.fixture(scope="module")
def hosts() -> Iterator[Lab]:
    lab = Lab(f"hosts-{os.getpid()}")
    try:
        up(lab)
        yield lab
    finally:
        lab.down()


@pytest.fixture
def own(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """An instance for one test that makes or breaks it itself."""
    lab = Lab(f"own-{os.getpid()}-{abs(hash(request.node.name)) % 1000}")
    try:
        yield lab
    finally:
        lab.down()


def test_the_hosts_have_booted_and_answer_with_their_pinned_keys(hosts: Lab) -> None:
    assert {name: host["ssh"] for name, host in status(hosts).items()} == {
        "store1": "running",
        "cp1": "running",
    }
    for name in ("store1", "cp1"):
        assert hosts.on(name, "systemctl is-system-running; hostname") == f"running\n{name}\n"


def test_the_inventory_has_what_the_program_needs_and_only_root_reads_it(hosts: Lab) -> None:
    document = inventory(hosts)
    path = HOME / hosts.instance / "inventory.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert document["schema"] == 1
    assert document["instance"] == hosts.instance
    assert list(document["hosts"]) == ["store1", "cp1"]
    for name, host in document["hosts"].items():
        assert host["user"] == "root"
        assert host["port"] == 22
        own_key = hosts.on(name, "cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2]
        assert host["hostKey"].split() == own_key
    key = Path(document["sshPrivateKeyFile"])
    assert key.stat().st_mode & 0o777 == 0o600


def test_hosts_know_and_reach_each_other_and_the_gateway_and_nothing_else(hosts: Lab) -> None:
    hosts.on("cp1", "ping -c 1 -W 2 store1 >/dev/null && ping -c 1 -W 2 gateway >/dev/null")
    route = hosts.on("store1", "ip -4 route").splitlines()
    assert len(route) == 2
    forwarded = Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()
    if forwarded == "0":
        # An address for documentation: it is nobody's, and the gateway must not carry it.
        assert "lost" in hosts.on("cp1", "ping -c 1 -W 1 203.0.113.1 2>&1 || echo lost")


def test_the_stores_data_path_is_a_mounted_drive(hosts: Lab) -> None:
    found = hosts.on("store1", "findmnt --noheadings -o FSTYPE,SOURCE /storage").split()
    assert found[0] in {"xfs", "ext4"}
    assert found[1].startswith("/dev/loop")
    assert set(status(hosts)["store1"]["drives"]) == {"/storage"}


def test_passwords_are_refused(hosts: Lab) -> None:
    settings = hosts.on("cp1", "sshd -T").splitlines()
    assert "passwordauthentication no" in settings
    assert "kbdinteractiveauthentication no" in settings
    assert "permitrootlogin without-password" in settings


def test_a_host_runs_in_a_session_of_its_own(hosts: Lab) -> None:
    process = leader(hosts, "cp1")
    assert os.getsid(process) != os.getsid(0)
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    assert fields[4] == "0", "no terminal can take it down"


def test_a_second_up_changes_nothing(hosts: Lab) -> None:
    before = {name: leader(hosts, name) for name in ("store1", "cp1")}
    listed = inventory(hosts)
    assert up(hosts) == ""
    assert {name: leader(hosts, name) for name in before} == before
    assert inventory(hosts) == listed


def test_two_ups_at_once_take_turns(hosts: Lab) -> None:
    command = ["python3", "-m", "lab", "up", "--no-tools"]
    runs = [
        subprocess.Popen(
            command, cwd=ROOT, env=hosts.environment, stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    said = "".join(run.communicate(timeout=120)[1] for run in runs)
    assert [run.returncode for run in runs] == [0, 0]
    assert said in {"", f"another run works on the lab {hosts.instance}; waiting for it to end\n"}


def test_a_killed_nspawn_is_recovered_with_its_data_and_its_neighbour_untouched(
    hosts: Lab,
) -> None:
    hosts.on("store1", "echo kept > /storage/file; echo kept > /etc/file; sync")
    neighbour = leader(hosts, "cp1")
    os.kill(leader(hosts, "store1"), signal.SIGKILL)
    time.sleep(0.3)
    assert status(hosts)["store1"]["state"] in {"broken", "stopped"}
    said = up(hosts)
    assert "store1: starting" in said
    assert "cp1" not in said
    assert hosts.on("store1", "cat /storage/file /etc/file") == "kept\nkept\n"
    assert leader(hosts, "cp1") == neighbour


def test_a_reboot_is_recovered_with_keys_addresses_and_data(hosts: Lab) -> None:
    hosts.on("store1", "echo kept > /storage/reboot; sync")
    listed = inventory(hosts)
    for name in ("store1", "cp1"):
        for process in processes(hosts, name):
            with suppress(ProcessLookupError):  # the end of another one may have been its own
                os.kill(process, signal.SIGKILL)
    for name in [*listed["hosts"], "switch"]:
        namespace = f"{hosts.instance}-{name}"
        subprocess.run(["ip", "netns", "delete", namespace], check=True)
        # Where /run is no tmpfs, the names survive a reboot as plain files.
        Path("/run/netns", namespace).touch()
    up(hosts)
    assert inventory(hosts) == listed
    assert hosts.on("store1", "cat /storage/reboot") == "kept\n"


def test_a_namespace_that_was_deleted_under_a_running_host_is_noticed(hosts: Lab) -> None:
    subprocess.run(["ip", "netns", "delete", f"{hosts.instance}-cp1"], check=True)
    assert status(hosts)["cp1"]["state"] == "broken"
    said = up(hosts)
    assert "cp1: ending what a crash left of it" in said
    assert hosts.on("cp1", "hostname") == "cp1\n"


def test_another_key_than_the_pinned_one_is_refused_in_a_sentence(hosts: Lab) -> None:
    hosts.on(
        "cp1",
        "cd /etc/ssh && cp -p ssh_host_ed25519_key kept && cp -p ssh_host_ed25519_key.pub kept.pub"
        " && rm ssh_host_ed25519_key && ssh-keygen -q -t ed25519 -N '' -f ssh_host_ed25519_key"
        " && systemctl restart ssh",
    )
    done = hosts.lab("up", "--no-tools")
    try:
        assert done.code == 1
        assert "cp1" in done.stderr
        assert "answers with another host key than the pinned one" in done.stderr
        assert "Traceback" not in done.stderr
    finally:
        files = HOME / hosts.instance / "hosts" / "cp1" / "root" / "etc" / "ssh"
        (files / "kept").rename(files / "ssh_host_ed25519_key")
        (files / "kept.pub").rename(files / "ssh_host_ed25519_key.pub")
        os.kill(leader(hosts, "cp1"), signal.SIGKILL)
        up(hosts)


def test_a_stop_keeps_the_files_and_up_brings_them_back(own: Lab) -> None:
    before = snapshot(own.instance)
    up(own, "--host", "cp1")
    own.on("cp1", "echo kept > /root/file")
    done = own.lab("down", "--keep")
    assert done.code == 0, done.text
    assert snapshot(own.instance) == before
    up(own, "--host", "cp1")
    assert own.on("cp1", "cat /root/file") == "kept\n"


def test_four_drives_and_down_leaves_the_machine_as_it_was(own: Lab) -> None:
    before = snapshot(own.instance)
    up(own, "--host", "edge1")
    mounted = own.on("edge1", "findmnt --noheadings -o SOURCE -t xfs,ext4 | grep loop | sort -u")
    assert len(mounted.splitlines()) == 4
    for number in range(1, 5):
        own.on("edge1", f"mountpoint /mnt/disk{number}")
    assert list(inventory(own)["hosts"]) == ["edge1"]
    during = snapshot(own.instance)
    assert during["mounts"] == before["mounts"], "drives are mounted for the host alone"
    assert len(during["loops"]) == 4
    assert during["processes"]
    own.down()
    assert snapshot(own.instance) == before
    assert not (HOME / own.instance).exists()
    own.down()


def test_a_host_is_added_to_a_running_lab(own: Lab) -> None:
    up(own, "--host", "cp1")
    first = leader(own, "cp1")
    up(own, "--host", "store1")
    assert list(inventory(own)["hosts"]) == ["store1", "cp1"]
    assert leader(own, "cp1") == first
    own.on("cp1", "ping -c 1 -W 2 store1 >/dev/null")


def test_up_killed_anywhere_is_finished_by_the_next_one(own: Lab) -> None:
    before = snapshot(own.instance)
    command = ["python3", "-m", "lab", "up", "--no-tools"]
    began = time.monotonic()
    pause = 0.15
    kills = 0
    while True:
        run = subprocess.Popen(
            command, cwd=ROOT, env=own.environment, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            code = run.wait(timeout=pause)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.wait()
            kills += 1
            # Longer each time: every step, from the first to the last, is the one that is hit.
            pause *= 1.35
            assert time.monotonic() - began < 300, "up does not get further"
            continue
        assert code == 0, f"after {kills} kills"
        break
    assert kills > 5
    assert {host["ssh"] for host in status(own).values()} <= READ_ONLY_STATES
    assert up(own) == ""
    own.down()
    assert snapshot(own.instance) == before


def living(text: str) -> list[str]:
    """The command lines that hold a text, without those of processes that have ended."""
    lines = subprocess.check_output(["ps", "-eo", "stat,args"], text=True).splitlines()
    return [line for line in lines if text in line and not line.startswith("Z")]


def test_a_killed_image_build_leaves_no_process_and_no_image(own: Lab, tmp_path: Path) -> None:
    environment = {**own.environment, "BACKSTOP_CACHE": str(tmp_path)}
    run = subprocess.Popen(
        ["python3", "-m", "lab", "up", "--no-tools"], cwd=ROOT, env=environment,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    # Its first package is unpacked: debootstrap, its downloads and its mounts are there.
    while not list(tmp_path.glob("rootfs/.partial-*/var/cache/apt/archives/*.deb")):
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run.send_signal(signal.SIGKILL)
    run.wait()
    # The kernel ends the rest of its family, one after the other.
    deadline = time.monotonic() + 30
    while (left := living(str(tmp_path))) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []
    assert not any(str(tmp_path) in line for line in Path("/proc/mounts").read_text().splitlines())
    assert list(tmp_path.glob("rootfs/bookworm-*[0-9a-f]")) == []


def test_down_killed_anywhere_is_finished_by_the_next_one(own: Lab) -> None:
    before = snapshot(own.instance)
    up(own, "--host", "cp1")
    for pause in (0.15, 0.25, 0.4, 0.7):
        run = subprocess.Popen(
            ["python3", "-m", "lab", "down"], cwd=ROOT, env=own.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(pause)
        run.send_signal(signal.SIGKILL)
        run.wait()
    own.down()
    assert snapshot(own.instance) == before
    assert not (HOME / own.instance).exists()
    assert not list(HOME.glob(f".removing-{own.instance}*"))


def test_a_command_on_a_host_that_is_not_running_is_a_sentence(own: Lab) -> None:
    done = own.lab("exec", "cp1", "true")
    assert done.code == 1
    assert f"there is no lab {own.instance} on this machine" in done.stderr
