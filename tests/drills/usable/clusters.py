"""A cluster that does what its controllers, node and network would, as a test tells it to."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drills.frame import Clock
from drills.sandbox import fence
from drills.usable.edges import Edges
from drills.usable.objects import ALLOW, CHECKER, CheckerImage
from drills.usable.run import Lens, Terms, Usable, use
from drills.usable.start import StartPlan
from kube.client import Client
from kube.writer import Writer
from tests.drills.sandbox.runs import NOW, run
from tests.drills.usable.samples import SANDBOX
from tests.kube.fakes import AT, Time, status

NAMESPACE = f"/api/v1/namespaces/{SANDBOX}"
APPS = f"/apis/apps/v1/namespaces/{SANDBOX}"
JOBS = f"/apis/batch/v1/namespaces/{SANDBOX}/jobs"
POLICIES = f"/apis/networking.k8s.io/v1/namespaces/{SANDBOX}/networkpolicies"
TERMS = Terms(CheckerImage("python:1"))
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}

Said = tuple[int, bytes]
"""How a command ends: its exit code and its output."""


@dataclass
class Cluster:
    """`objects`: what is there, by path. `pods`: the status of a started workload's pods by its
    name. `network`: whether policies are enforced. `answer`: what the checker finds over HTTP.
    `commands`: what a command in a pod comes to. `jobs`: the status of Jobs, by number.
    """

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    network: bool = True
    server: str = "10.96.0.10"
    answer: dict[str, Any] = field(default_factory=lambda: {"status": 200, "tries": 1})
    commands: Callable[[str, list[str]], Said | str] = lambda _pod, _command: (0, b"")
    jobs: list[dict[str, Any]] = field(default_factory=lambda: [COMPLETE])
    events: list[dict[str, Any]] = field(default_factory=list)
    checker: dict[str, Any] = field(default_factory=lambda: READY)
    refuse: Callable[[str, str], tuple[int, bytes] | None] = lambda _method, _path: None
    changes: list[tuple[str, str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    ran: list[tuple[str, list[str]]] = field(default_factory=list)
    time: Time = field(default_factory=Time)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for plural, kind, called in (
            ("deployments", "Deployment", "web"),
            ("statefulsets", "StatefulSet", "db"),
        ):
            labels = {"metadata": {"labels": {"app": called}}}
            self.put(f"{APPS}/{plural}/{called}", {
                "kind": kind, "spec": {"replicas": 0, "template": labels}})  # fmt: skip
        self.put(f"{NAMESPACE}/resourcequotas/{fence.QUOTA}", fence.quota(run(), SANDBOX, pods=1))

    def put(self, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
        name = path.rpartition("/")[2]
        metadata = {**(content.get("metadata") or {}), "name": name, "uid": path}
        made = self.objects[path] = {**content, "metadata": metadata}
        return made

    def edges(self) -> Edges:
        client = Client(
            lambda path, query, _accept: self._read(path, query), AT, stream=self._watch,
            clock=self.time.clock(), patience=0,
        )  # fmt: skip
        writer = Writer(self._write, AT, clock=self.time.clock())
        clock = Clock(lambda: self.time.now, lambda: NOW)
        return Edges(client, writer, self._dial, self.time.clock(), clock, self.told.append)

    def use(self, made: StartPlan, *, lens: Lens | None = None, terms: Terms = TERMS) -> Usable:
        return use(self.edges(), run(), made, terms, lens=lens)

    def _read(self, path: str, query: Mapping[str, str]) -> tuple[int, bytes]:
        refused = self.refuse("GET", path)
        if refused:
            return refused
        if path.endswith("/events"):
            return 200, json.dumps({"items": self.events}).encode()
        if path in self.objects:
            return 200, json.dumps(self.objects[path]).encode()
        if path.rpartition("/")[2].endswith("s"):
            found = [one for place, one in self.objects.items() if place.rpartition("/")[0] == path]
            chosen = [one for one in found if _chosen(one, query)]
            return 200, json.dumps({"items": chosen, "metadata": {}}).encode()
        return status(404, f"{path} not found", "NotFound")

    def _watch(self, *_: Any) -> tuple[int, Iterator[bytes]]:
        return 200, iter(())

    def _write(
        self, method: str, path: str, _query: Any, _headers: Any, body: bytes
    ) -> tuple[int, bytes]:
        content = json.loads(body) if body else None
        refused = self.refuse(method, path)
        if refused:
            return refused
        if method == "DELETE":
            self.changes.append((method, path, content))
            self.objects.pop(path, None)
            return 200, b"{}"
        if method == "POST":
            path = f"{path}/{content['metadata']['name']}"
        elif path not in self.objects:
            return status(404, f"{path} not found", "NotFound")
        self.changes.append((method, path, content))
        made = self.put(path, _merged(self.objects.get(path, {}), content))
        self._control(path, made)
        return 200, json.dumps(made).encode()

    def _control(self, path: str, made: dict[str, Any]) -> None:
        """What the cluster makes of a change."""
        if "/resourcequotas/" in path:
            made["status"] = {"hard": made["spec"]["hard"]}
        elif path.startswith(f"{APPS}/"):
            self._scaled(made)
        elif path.startswith(f"{JOBS}/"):
            made["status"] = self.jobs.pop(0)
        elif path == f"{NAMESPACE}/pods/{CHECKER}":
            made["status"] = self.checker

    def _scaled(self, made: dict[str, Any]) -> None:
        called, count = made["metadata"]["name"], made["spec"]["replicas"]
        labels = made["spec"]["template"]["metadata"]["labels"]
        state = self.pods.get(called, READY)
        set_ = made["kind"] == "StatefulSet"
        owner = {"kind": made["kind"] if set_ else "ReplicaSet",
                 "name": called if set_ else f"{called}-5d4"}  # fmt: skip
        for number in range(count if state else 0):
            metadata = {
                "labels": labels if set_ else {**labels, "pod-template-hash": "5d4"},
                "ownerReferences": [owner],
            }
            name = f"{called}-{number}" if set_ else f"{called}-5d4-{number}"
            self.put(f"{NAMESPACE}/pods/{name}", {"metadata": metadata, "status": state})
        made["status"] = {"readyReplicas": count if state is READY else 0}

    def _dial(self, path: str, query: Sequence[tuple[str, str]]) -> "Wire":
        pod = path.removesuffix("/exec").rpartition("/")[2]
        command = [value for key, value in query if key == "command"]
        mark = b""
        if command[:2] == ["sh", "-c"] and command[2].startswith('"$@"'):
            mark, command = command[3].encode(), command[4:]
        if pod == CHECKER:
            said: Said | str = self._check(command)
        else:
            self.ran.append((pod, command))
            said = self.commands(pod, command)
        return Wire.of(said, mark)

    def _check(self, command: list[str]) -> Said | str:
        question = json.loads(command[4])
        self.asked.append(question)
        if question["ask"] == "http":
            return 0, json.dumps(self.answer).encode()
        reached = not self.network or f"{POLICIES}/{ALLOW}" in self.objects
        return 0, json.dumps({"server": self.server, "reached": reached}).encode()


@dataclass
class Wire:
    """A command's connection on which all has come already."""

    messages: list[tuple[int, bytes]]
    unsent: int = 0
    ends_input: bool = True

    @classmethod
    def of(cls, said: Said | str, mark: bytes = b"") -> "Wire":
        """`said`: a text instead of an end is why nothing was run."""
        if isinstance(said, str):
            held = {"status": "Failure", "reason": "InternalError", "message": said}
            return cls([(3, json.dumps(held).encode())])
        code, output = said
        held = {"status": "Success"}
        if code:
            cause = [{"reason": "ExitCode", "message": str(code)}]
            details = {"details": {"causes": cause}}
            held = {"status": "Failure", "reason": "NonZeroExitCode", **details}  # type: ignore[dict-item]
        half = len(output) // 2
        pieces = [(1, output[:half]), (1, output[half:] + mark)]
        return cls([*pieces, (3, json.dumps(held).encode())])

    def send(self, _channel: int, _data: bytes) -> None:
        raise AssertionError("no command of a check has an input")

    def end(self, _channel: int) -> None:
        raise AssertionError("no command of a check has an input")

    def receive(self, _seconds: float) -> tuple[int, bytes] | None:
        return self.messages.pop(0) if self.messages else None

    def close(self) -> None:
        self.messages = []


def run_here(command: Sequence[str]) -> Said:
    """What a command comes to on this machine."""
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    return done.returncode, done.stdout


def _merged(held: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """RFC 7386."""
    found = dict(held)
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping):
            before = found.get(key)
            found[key] = _merged(before if isinstance(before, Mapping) else {}, value)
        else:
            found[key] = value
    return found


def _chosen(one: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    def pairs(text: str) -> dict[str, str]:
        return dict(part.split("=", 1) for part in text.split(",") if part)

    fields = pairs(query.get("fieldSelector", ""))
    labels = one["metadata"].get("labels") or {}
    named = fields.get("metadata.name", one["metadata"]["name"]) == one["metadata"]["name"]
    return named and pairs(query.get("labelSelector", "")).items() <= labels.items()
