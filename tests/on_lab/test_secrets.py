"""Seeded secrets during a whole first `up`: traced on controller and host, found nowhere in clear.

strace follows every process that the driver starts here and every process that sshd starts on the
host (both run on this kernel), and keeps the argument lists of each execve.
"""

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.on_lab.site import Lab, Site, copy_of_checkout, run

pytestmark = pytest.mark.lab

TRACE = ["strace", "-f", "-qq", "-e", "trace=execve", "-e", "signal=none", "-s", "1000000"]


@pytest.fixture(scope="module")
def strace() -> None:
    if shutil.which("strace") is None:
        subprocess.run(["apt-get", "install", "-y", "-q", "strace"], check=True)


def forms(secret: str) -> set[str]:
    """A secret raw, base64 (at each of its three alignments) and URL-encoded."""
    raw = secret.encode()
    found = {secret, quote(secret, safe="")}
    for shift in range(3):
        encoded = base64.b64encode(b"x" * shift + raw).decode()
        # The first and last characters depend on the neighbours; the middle is the secret's own.
        found.add(encoded[4 : len(encoded) - 4])
    return {form for form in found if len(form) >= 12}


def private_key_lines(pem: str) -> list[str]:
    return [line for line in pem.splitlines() if len(line) >= 40]


@pytest.fixture(scope="module")
def fresh() -> Iterator[Lab]:
    """A lab whose host nothing was ever deployed on."""
    lab = Lab(f"trace-{os.getpid()}")
    try:
        lab.up("edge1")
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="module")
def traced(
    fresh: Lab, strace: None, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Site, dict[str, str], dict[str, list[str]]]:
    """A fresh stack on a fresh host, and everything that was to be seen of its first `up`."""
    del strace
    lab = fresh
    tmp = tmp_path_factory.mktemp("traced")
    site = Site(lab, copy_of_checkout(tmp / "checkout"), stack="edge")
    backend = Path(site.environment["PULUMI_BACKEND_URL"].removeprefix("file://"))
    host_trace = subprocess.Popen(
        [*TRACE, "-o", str(tmp / "host.trace"), "-p", str(pid_on_this_kernel(lab))],
        start_new_session=True,
    )
    try:
        time.sleep(1)
        python = site.environment["BACKSTOP_PYTHON"]
        done = run(
            [
                *(*TRACE, "-o", str(tmp / "controller.trace")),
                *(python, "-m", "stack", "up", "-s", "edge"),
            ],
            cwd=site.directory,
            env=site.environment,
        )
    finally:
        host_trace.send_signal(signal.SIGINT)
        host_trace.wait(timeout=30)
    assert done.code == 0, done.text[-3000:]
    preview = site.pulumi("preview", "--diff")
    shown = {
        "controller's command lines": [(tmp / "controller.trace").read_text(errors="replace")],
        "host's command lines": [(tmp / "host.trace").read_text(errors="replace")],
        "what up printed": [done.text],
        "what preview printed": [preview.text],
        "state": [path.read_text(errors="replace") for path in backend.rglob("*.json*")],
        "host's journal": [lab.on("edge1", "journalctl --no-pager --output cat")],
        "receipts": [
            path.read_text() for path in Path(site.environment["BACKSTOP_RECEIPTS"]).glob("*.json")
        ],
    }
    outputs = site.outputs()
    inventory = json.loads(Path(site.environment["BACKSTOP_INVENTORY"]).read_text())
    key = Path(inventory["sshPrivateKeyFile"]).read_text()
    secrets = {
        "root password": outputs["storeRootPassword"],
        "root user": outputs["storeRootUser"],
        "escrow passphrase": "backstop-lab-escrow",
        **{
            f"secret key of {name}": pair["secretKey"]
            for name, pair in outputs["credentials"].items()
        },
        **{f"line {n} of the SSH key": line for n, line in enumerate(private_key_lines(key))},
    }
    return site, secrets, shown


def pid_on_this_kernel(lab: Lab) -> int:
    """The pid, here, of the host's sshd: the process whose PID namespace view is the host's one."""
    marker = f"backstop-trace-{os.getpid()}"
    session = subprocess.Popen(
        ["python3", "-m", "lab", "exec", "edge1", "--", "sh", "-c", f"'sleep 30; : {marker}'"],
        cwd=Path(__file__).resolve().parents[2], env=lab.environment,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 25
        while time.monotonic() < deadline:
            for entry in Path("/proc").glob("[0-9]*"):
                try:
                    words = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if marker.encode() in words and b"lab" not in words and in_another_namespace(entry):
                    return ancestor_named(int(entry.name), "sshd")
            time.sleep(0.1)
    finally:
        session.terminate()
        session.wait(timeout=20)
    raise AssertionError("the host's sshd was not found on this kernel")


def in_another_namespace(entry: Path) -> bool:
    try:
        return (entry / "ns" / "pid").readlink() != Path("/proc/self/ns/pid").readlink()
    except OSError:
        return False


def ancestor_named(pid: int, name: str) -> int:
    """The topmost ancestor of `pid` that runs `name`: the listener, not one session of it."""
    found = 0
    while pid > 1:
        fields = (Path("/proc") / str(pid) / "stat").read_text()
        if fields.split("(", 1)[1].rsplit(")", 1)[0] == name:
            found = pid
        pid = int(fields.rsplit(")", 1)[1].split()[1])
    assert found, f"no ancestor runs {name}"
    return found


def test_the_traces_saw_what_ran(
    traced: tuple[Site, dict[str, str], dict[str, list[str]]],
) -> None:
    _, secrets, shown = traced
    assert "drills" in shown["controller's command lines"][0]
    assert "openssl" in shown["host's command lines"][0]
    assert "minio" in shown["host's command lines"][0]
    assert len(secrets) > 8


@pytest.mark.parametrize(
    "place",
    [
        "controller's command lines",
        "host's command lines",
        "what up printed",
        "what preview printed",
        "state",
        "host's journal",
        "receipts",
    ],
)
def test_no_secret_of_any_class_is_there(
    traced: tuple[Site, dict[str, str], dict[str, list[str]]], place: str
) -> None:
    _, secrets, shown = traced
    texts = shown[place]
    assert any(texts), f"nothing was seen of: {place}"
    leaked = [
        name
        for name, secret in secrets.items()
        # An access key ID is the user's resource id, which a state cannot encrypt.
        if not (place == "state" and name == "root user")
        for form in forms(secret)
        if any(form in text for text in texts)
    ]
    assert leaked == []
