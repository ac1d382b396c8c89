"""Drills of Velero's backups as a test runs them on a lab: by hand, watched, stopped, killed."""

import json
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from s3.client import Credential, StoreEndpoint, connect
from tests.on_lab.site import Done, Site, run

REMOVAL_SECONDS = 300
NODE_STORAGE = "/var/lib/lab-csi"
LISTED = (
    *("namespaces", "persistentvolumes", "persistentvolumeclaims", "pods", "configmaps"),
    *("leases", "secrets", "serviceaccounts", "services", "deployments", "replicasets"),
    *("networkpolicies", "resourcequotas", "volumesnapshots", "volumesnapshotcontents"),
    *("restores.velero.io", "podvolumerestores.velero.io", "datadownloads.velero.io"),
)


def tool(site: Site, *argv: str, stdin: str = "") -> Done:
    return run(list(argv), cwd=site.directory, env=site.environment, stdin=stdin)


def did(site: Site, *argv: str, stdin: str = "") -> str:
    done = tool(site, *argv, stdin=stdin)
    assert done.code == 0, done.text
    return done.stdout


def backup(site: Site, name: str, *words: str) -> None:
    done = tool(site, "velero", "backup", "create", name, *words, "--wait")
    assert "Backup completed with status: Completed" in done.text, done.text


def backups(site: Site) -> list[str]:
    names = "-o=jsonpath={.items[*].metadata.name}"
    return did(site, "kubectl", "-n", "velero", "get", "backups.velero.io", names).split()


def remove_backups(site: Site, names: Iterable[str]) -> None:
    """With their data; returns when they are gone."""
    left = set(names)
    did(site, "velero", "backup", "delete", *sorted(left), "--confirm")
    deadline = time.monotonic() + REMOVAL_SECONDS
    while left & set(backups(site)):
        assert time.monotonic() < deadline, f"these do not go: {sorted(left)}"
        time.sleep(2)


@dataclass(frozen=True)
class Running:
    """A drill in a process of its own."""

    process: subprocess.Popen[str]
    out: IO[str]

    def says(self, text: str) -> None:
        """Waits for a line of progress."""
        assert self.process.stderr is not None
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            if text in line:
                return
        raise AssertionError(f"it did not say {text!r}:\n{''.join(lines)}")

    @contextmanager
    def hardly_running(self) -> Iterator[None]:
        """It gets a moment every few seconds: too little to get on with its work, and enough to
        renew its Lease."""
        over = threading.Event()

        def pulse() -> None:
            while not over.wait(4.0):
                self.process.send_signal(signal.SIGCONT)
                time.sleep(0.1)
                self.process.send_signal(signal.SIGSTOP)

        self.process.send_signal(signal.SIGSTOP)
        thread = threading.Thread(target=pulse)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def receipts(self) -> list[dict[str, Any]]:
        assert self.process.stderr is not None
        self.process.stderr.read()
        self.process.wait()
        self.out.seek(0)
        return [json.loads(line) for line in self.out]


@dataclass(frozen=True)
class Drills:
    """The drills as the stack configured them, without controls, which a test may change."""

    site: Site
    payloads: Mapping[str, Any]

    @classmethod
    def of(cls, site: Site) -> "Drills":
        return cls(site, site.outputs()["drillPayloads"])

    def payload(self, layer: str, **changes: Any) -> dict[str, Any]:
        """`limits` are merged into those that are there."""
        given = self.payloads[layer]
        limits = {**given["limits"], **changes.pop("limits", {})}
        return {**given, "control": "none", "limits": limits, **changes}

    def begin(self, *layers: str, **changes: Any) -> Running:
        given = {layer: self.payload(layer, **changes) for layer in layers}
        out = tempfile.TemporaryFile("w+")  # noqa: SIM115  (read when the process has ended)
        python = self.site.environment["BACKSTOP_PYTHON"]
        process = subprocess.Popen(
            [python, "-m", "drills", "run", *layers], cwd=self.site.directory,
            env=self.site.environment, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert process.stdin is not None
        with process.stdin as pipe:
            json.dump(given, pipe)
        return Running(process, out)

    def run(self, *layers: str, **changes: Any) -> list[dict[str, Any]]:
        return self.begin(*layers, **changes).receipts()


def things(drills: Drills) -> set[str]:
    """Everything that a drill could leave: in the cluster, on its node, in the store."""
    columns = "-o=custom-columns=:.kind,:.metadata.namespace,:.metadata.name"
    listed = did(drills.site, "kubectl", "get", ",".join(LISTED), "-A", "--no-headers", columns)
    # Velero tidies its repositories whenever it likes.
    found = {" ".join(line.split()) for line in listed.splitlines() if "maintain" not in line}
    held = drills.site.lab.on("cp1", f"ls -d {NODE_STORAGE}/*/*")
    payload = drills.payloads["volumes"]
    key = next(one for one in payload["clients"] if one["name"] == "drill")
    store = connect(
        StoreEndpoint(payload["endpoint"], payload["region"], payload["caPem"]),
        Credential(key["accessKey"], key["secretKey"]),
    )
    files = store.list_objects(payload["velero"]["bucket"], prefix="restores/", recursive=True)
    return found | set(held.split()) | {str(one.object_name) for one in files}


def lasting(found: set[str]) -> set[str]:
    """Without the volumes and snapshots that the node is making: each gets its name when it is
    whole, whoever asked for it and whatever runs beside."""
    return {one for one in found if not one.startswith(f"{NODE_STORAGE}/partial/")}


def assert_as_before(drills: Drills, before: set[str]) -> None:
    """The storage of a volume goes a moment after the volume."""
    deadline = time.monotonic() + 60
    while (now := things(drills)) != before and time.monotonic() < deadline:
        time.sleep(2)
    assert sorted(now - before) == []
    assert sorted(before - now) == []


def told(receipt: Mapping[str, Any]) -> dict[str, Any]:
    """What a receipt says but for its times, sizes of waits and ids."""
    text = json.dumps(receipt).replace(receipt["runId"], "RUN")
    seen = json.loads(re.sub(r"[0-9.]+ (s|times|messages)\b", r"… \1", text))
    kept = ("layer", "verdict", "reason", "detail", "left")
    # But for what is in the cluster and not in the scope of the backup, as other runs' sandboxes,
    # and for how much of the cluster nobody has written to since.
    return {
        **{key: seen[key] for key in kept},
        **{
            key: [one for one in seen[key] if "live cluster" not in json.dumps(one)]
            for key in ("checks", "compared")
        },
        "phases": [one["name"] for one in seen["phases"]],
        "point": seen["restorePoint"]["name"],
        "notCompared": [
            one["what"] for one in seen["notCompared"] if "(live cluster" not in one["what"]
        ],
    }


def failed(receipt: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [one for one in receipt["checks"] if not one["ok"]]
