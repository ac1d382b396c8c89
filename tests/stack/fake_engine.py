"""An engine that answers from a script and remembers what it was asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kube.errors import ClusterError
from s3.errors import StoreError
from s3.ownership import BucketFacts
from stack.cluster import Cluster, ClusterAccess
from stack.engine import Result
from stack.kubernetes_recovery import Address, Found, Record
from stack.locks import Process
from stack.project import Project
from stack.session import Session
from stack.store import Store, StoreAccess


@dataclass
class FakeEngine:
    """`exports` are given out one by one, the last one for ever; None is a stack that is not there.

    `codes` gives the exit code of a command by its first word, 0 if it is not named.
    """

    exports: list[str | None]
    codes: dict[str, int] = field(default_factory=dict)
    outputs: str = "{}"
    planned: str = "{}"
    calls: list[tuple[str, ...]] = field(default_factory=list)
    imported: list[str] = field(default_factory=list)
    during_run: Callable[[], object] = lambda: None

    def capture(self, *arguments: str, stdin: str | None = None) -> Result:
        self.calls.append(arguments)
        match arguments[:2]:
            case ("stack", "export"):
                text = self.exports.pop(0) if len(self.exports) > 1 else self.exports[0]
                return Result(6, "", "error: no stack") if text is None else Result(0, text, "")
            case ("stack", "import"):
                self.imported.append(stdin or "")
            case ("stack", "init"):
                self.exports = [e for e in self.exports if e is not None] or ['{"version": 3}']
            case ("stack", "output"):
                return Result(0, self.outputs, "")
            case ("preview", "--json"):
                return Result(0, self.planned, "")
        code = self.codes.get(arguments[0], 0)
        return Result(code, "", "error: the engine's own words" if code else "")

    def run(self, *arguments: str) -> int:
        self.calls.append(arguments)
        self.during_run()
        return self.codes.get(arguments[0], 0)

    def named(self, *words: str) -> list[tuple[str, ...]]:
        return [call for call in self.calls if call[: len(words)] == words]


@dataclass
class FakeStore:
    """A store with these buckets, or one that fails every request."""

    buckets: dict[str, BucketFacts] = field(default_factory=dict)
    failure: StoreError | None = None
    opened: list[StoreAccess] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)

    def open(self, access: StoreAccess) -> Store:
        self.opened.append(access)
        return self

    def inspect(self, bucket: str) -> BucketFacts | None:
        if self.failure is not None:
            raise self.failure
        return self.buckets.get(bucket)

    def check(self, buckets: Sequence[str]) -> None:
        if self.failure is not None:
            raise self.failure
        self.checked.extend(buckets)


@dataclass
class FakeCluster:
    """A cluster with these objects and records, or one that fails every request."""

    objects: dict[str, Found] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    failure: ClusterError | None = None
    opened: list[ClusterAccess] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def open(self, access: ClusterAccess) -> Cluster:
        self.opened.append(access)
        return self

    def find(self, where: Address) -> Found | None:
        self._answer()
        return self.objects.get(str(where))

    def record(self, namespace: str, name: str) -> Record | None:
        self._answer()
        return self.records.get(f"{namespace}/{name}")

    def remove_record(self, namespace: str, secret: str) -> None:
        self._answer()
        self.removed.append(f"{namespace}/{secret}")

    def _answer(self) -> None:
        if self.failure is not None:
            raise self.failure


@dataclass
class Stage:
    """A session whose edges are fakes; `said` is what the operator reads."""

    engine: FakeEngine
    store: FakeStore
    directory: Path
    cluster: FakeCluster = field(default_factory=FakeCluster)
    said: list[str] = field(default_factory=list)
    processes: dict[int, Process] = field(default_factory=dict)

    @property
    def session(self) -> Session:
        project = Project("backstop", self.directory, f"file://{self.directory}")
        return Session(
            "dev",
            project,
            self.engine,
            self.directory / "receipts",
            self.said.append,
            open_store=self.store.open,
            open_cluster=self.cluster.open,
            look=self.processes.get,
            here="here",
        )
