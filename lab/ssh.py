"""Keys of the lab and connections to its hosts, whose own keys are pinned from the start."""

import json
import shutil
import subprocess
import time
from pathlib import Path

from lab import durable
from lab.errors import LabError
from lab.hosts import HostSpec
from lab.instance import Instance
from lab.run import attempt, run

HOST_KEY = "ssh_host_ed25519_key"
CLIENT_KEY = "id_ed25519"
CONNECT_SECONDS = 10
"""A busy machine may take a few seconds over a handshake."""
_KNOCK_SECONDS = 3
READY_SECONDS = 240.0
BOOTED = {"running", "degraded"}


def make_key(folder: Path, name: str, comment: str) -> None:
    """An Ed25519 pair in a folder of its own, which appears whole or not at all."""
    if folder.exists():
        return
    partial = folder.with_name(f".partial-{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700, parents=True)
    key = str(partial / name)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", key])
    durable.publish(partial, folder)


def write_known_hosts(lab: Instance, keys: dict[str, str]) -> None:
    """Pins the hosts' keys (address -> type and key) for everything that uses the client key."""
    text = "".join(f"{address} {key}\n" for address, key in keys.items())
    durable.write(lab.known_hosts, text, 0o600)


def command(
    lab: Instance, host: HostSpec, remote: list[str], connect_seconds: int = CONNECT_SECONDS
) -> list[str]:
    """The ssh command line that runs `remote` on the host and trusts nothing but the pinned key."""
    options = {
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(lab.known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "ConnectTimeout": str(connect_seconds),
        "LogLevel": "ERROR",
    }
    flags = [flag for name, value in options.items() for flag in ("-o", f"{name}={value}")]
    target = f"root@{lab.address(host)}"
    return ["ssh", "-F", "/dev/null", "-i", str(lab.private_key), *flags, target, *remote]


def ask(
    lab: Instance, host: HostSpec, remote: list[str], seconds: float = 20.0
) -> "subprocess.CompletedProcess[str]":
    """Runs a short command on the host."""
    return attempt(command(lab, host, remote), seconds=seconds)


def wait_ready(lab: Instance, host: HostSpec) -> list[str]:
    """Waits until the host has booted and answers with its pinned key; names its failed units.

    Raises LabError after READY_SECONDS, or at once when the answering key is not the pinned one.
    """
    deadline = time.monotonic() + READY_SECONDS
    question = ["systemctl", "is-system-running", "--wait"]
    while True:
        knock = command(lab, host, question, _KNOCK_SECONDS)
        answer = attempt(knock, seconds=READY_SECONDS)
        if answer.stdout.strip() in BOOTED:
            return failed_units(lab, host) if answer.stdout.strip() == "degraded" else []
        if "Host key verification failed" in answer.stderr:
            raise LabError(
                f"{host.name} ({lab.address(host)}) answers with another host key than the pinned "
                "one: take the lab down and up again (python3 -m lab down; python3 -m lab up)"
            )
        if time.monotonic() > deadline:
            said = answer.stderr.strip() or answer.stdout.strip() or "no answer"
            log = lab.host_folder(host) / "console.log"
            raise LabError(
                f"{host.name} was not ready after {READY_SECONDS:.0f} s ({said}): "
                f"its console is in {log}"
            )
        time.sleep(0.2)


def failed_units(lab: Instance, host: HostSpec) -> list[str]:
    """The names of the host's failed systemd units."""
    answer = ask(lab, host, ["systemctl", "list-units", "--failed", "--output=json"])
    if answer.returncode != 0 or not answer.stdout.strip():
        return []
    return [str(unit["unit"]) for unit in json.loads(answer.stdout)]
