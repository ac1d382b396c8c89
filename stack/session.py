"""One stack under the driver: its state, its lock, its trust file, and repair after an
interruption.
"""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kube.errors import ClusterError
from s3.errors import StoreError
from s3.ownership import BucketFacts
from stack import (
    already_there,
    checkpoint,
    cluster,
    kubernetes_recovery,
    locks,
    lost,
    processes,
    recovery,
    store,
    torn_files,
    trust,
)
from stack.checkpoint import Checkpoint, Resource
from stack.engine import NO_SUCH_STACK, Engine
from stack.errors import StackError
from stack.kubernetes_recovery import Address, Found, Record
from stack.project import Project, backend_directory, short_name
from stack.steps import Action, Step


@dataclass(frozen=True)
class Session:
    """A stack and the edges it is reached by; everything a test replaces is passed in."""

    stack: str
    project: Project
    engine: Engine
    receipts: Path
    say: Callable[[str], None]
    open_store: store.OpenStore = store.open_store
    open_cluster: cluster.OpenCluster = cluster.open_cluster
    look: Callable[[int], locks.Process | None] = processes.look
    here: str = field(default_factory=socket.gethostname)

    @property
    def directory(self) -> Path:
        return self.project.directory

    def free_lock(self) -> None:
        """Removes stale locks and unfinished files of killed runs, saying so; raises StackError if
        somebody holds the stack.
        """
        folder = self.project.lock_directory(self.stack)
        found = locks.read_locks(folder)
        for lock in locks.clear_stale(self.stack, found, self.here, self.look):
            self.say(f"stale lock removed: {lock.holder}, that process is gone")
        root = backend_directory(self.project.backend, self.directory)
        if root is None or folder is None:
            return
        name = short_name(self.stack)
        for file in (
            *torn_files.remove_lock_drafts(name, folder),
            *torn_files.remove(root, self.project.name, name),
        ):
            self.say(f"unfinished file of a killed run removed: {file.name}")

    def refuse_if_locked(self) -> None:
        """Raises StackError with the holder's name if a lock is there; for after a failed run."""
        for lock in locks.read_locks(self.project.lock_directory(self.stack)):
            standing = locks.judge(lock, self.here, self.look(lock.pid))
            if standing is not locks.Standing.STALE:
                raise StackError(locks.refusal(self.stack, lock, standing))

    def export(self, *, secrets: bool = False) -> Checkpoint | None:
        """The state, None if there is no such stack; secrets stay in memory."""
        shown = ["--show-secrets"] if secrets else []
        done = self.engine.capture("stack", "export", "-s", self.stack, *shown)
        if done.code == NO_SUCH_STACK:
            return None
        if done.code:
            raise StackError(
                f"the state of stack {self.stack} cannot be read: {done.error}", done.code
            )
        return checkpoint.parse(done.stdout)

    def existing(self, *, secrets: bool = False) -> Checkpoint:
        """The state of a stack that has to exist; raises StackError otherwise."""
        state = self.export(secrets=secrets)
        if state is None:
            name = short_name(self.stack)
            raise StackError(
                f"stack {self.stack} does not exist in {self.project.backend or 'the backend'}: "
                f"`python -m stack up -s {name}` creates it",
                NO_SUCH_STACK,
            )
        return state

    def ensure(self) -> Checkpoint:
        """The state of the stack, which is made if there is none."""
        state = self.export()
        if state is not None:
            return state
        done = self.engine.capture(
            "stack", "init", self.stack, "--no-select", "--secrets-provider", "passphrase"
        )
        if done.code:
            raise StackError(f"stack {self.stack} cannot be created: {done.error}", done.code)
        self.say(f"stack {self.stack} created")
        return self.existing()

    def write_trust(self, state: Checkpoint) -> None:
        """Writes the store's CA where the provider reads it, if it is missing there.

        A file that is there may be newer than the state: the program writes it early in a run, the
        outputs of the state are those of the last complete run.
        """
        file = trust.ca_file(self.directory, self.stack)
        if file.is_file() or not store.used_providers(state):
            return
        pem = store.ca_in_state(state)
        if pem:
            trust.write(file, pem)

    def gate(self, state: Checkpoint) -> None:
        """Raises StackError unless every store of the state answers; `state` has secrets shown."""
        for provider, buckets in store.used_providers(state).values():
            access = store.access_of(state, provider, self.directory)
            try:
                self.open_store(access).check(buckets)
            except (StoreError, StackError) as error:
                raise StackError(
                    f"no refresh, because it would drop the buckets from the state: {error}; "
                    "bring the store back first"
                ) from error

    def plan(self, chosen: Mapping[str, str] | None = None) -> tuple[Checkpoint, list[Step]]:
        """The state and one step per pending create; changes nothing."""
        state = self.existing()
        return state, recovery.plan(state, self.project.site(self.stack), _Look(self), chosen)

    def recover(self, chosen: Mapping[str, str] | None = None) -> None:
        """Completes or clears what an interrupted run left; raises StackError, changing nothing, if
        something there is not ours or the state changes meanwhile."""
        state, steps = self.plan(chosen)
        refused = recovery.refusals(steps)
        if refused:
            raise StackError("; ".join(refused))
        if not steps:
            return
        for step in steps:
            self.say(f"  {step}")
        adopted = recovery.adopted(steps)
        if self.existing().text != state.text:
            raise StackError(f"stack {self.stack} was changed by another run meanwhile: run again")
        for step in steps:
            if step.record:
                self._remove_record(state, step.urn, step.record)
        self._import(checkpoint.adopt(state, adopted))
        unread = [step.urn for step in steps if step.action is Action.ADOPT and step.read_back]
        if unread:
            self._read_back(unread)
        half_gone = [step.urn for step in steps if step.action is Action.FINISH]
        if half_gone:
            self._finish_removal(half_gone)

    def forget_lost(self, state: Checkpoint) -> None:
        """Drops from the state what was deleted from the cluster with its namespace, saying so.

        A cluster that does not answer is left to the update, which says so in its own words.
        """
        known = lost.namespaces(state)
        look = _Look(self)
        try:
            gone = [
                where for where, one in known.items() if look.cluster_of(one).find(where) is None
            ]
        except ClusterError:
            return
        if not gone:
            return
        names = frozenset(where.name for where in gone)
        self.say(f"lost with its namespace, made again: everything in {', '.join(sorted(names))}")
        self.write_trust(self.existing(secrets=True))
        fault = "what was lost with its namespace cannot be dropped from the state"
        self._on_targets("refresh", list(lost.within(state, names)), fault)

    def take_over(self) -> bool:
        """Puts into the state what a failed update found to exist already; whether there was any.

        Raises StackError if the cluster gives no clear answer.
        """
        state = self.existing()
        if not state.of_type(checkpoint.PROVIDER_PREFIX + "kubernetes"):
            return False
        planned = self.engine.capture("preview", "--json", "-s", self.stack)
        look = _Look(self)
        resources = already_there.candidates(planned.stdout, state)
        pairs = already_there.found(resources, self.project.site(self.stack), look)
        for resource, step in pairs:
            self.say(f"  {step}")
            if step.record:
                self._forget(look, resource, step.record)
        if pairs:
            self._import(already_there.added(state, pairs))
        return bool(pairs)

    def _import(self, document: str) -> None:
        done = self.engine.capture("stack", "import", "-s", self.stack, stdin=document)
        if done.code:
            raise StackError(
                f"the recovered state of stack {self.stack} was not accepted: {done.error}",
                done.code,
            )

    def _read_back(self, urns: list[str]) -> None:
        # Fills in what only the server knows, and drops what does not exist after all.
        self.write_trust(self.existing(secrets=True))
        self._on_targets("refresh", urns, "the adopted resources cannot be read back")

    def _finish_removal(self, urns: list[str]) -> None:
        # Left in the state, what is half gone would look whole to the next update.
        self.write_trust(self.existing(secrets=True))
        self._on_targets("destroy", urns, "what was being removed cannot be removed")

    def _on_targets(self, command: str, urns: list[str], fault: str) -> None:
        targets = [part for urn in urns for part in ("--target", urn)]
        done = self.engine.capture(command, "--yes", "--skip-preview", "-s", self.stack, *targets)
        if done.code:
            raise StackError(f"{fault} (stack {self.stack}): {done.error}", done.code)

    def _remove_record(self, state: Checkpoint, urn: str, record: tuple[str, str]) -> None:
        resource = next(op["resource"] for op in state.pending if op["resource"]["urn"] == urn)
        self._forget(_Look(self), resource, record)

    def _forget(self, look: "_Look", resource: Resource, record: tuple[str, str]) -> None:
        namespace, secret = record
        try:
            look.cluster_of(resource).remove_record(namespace, secret)
        except ClusterError as error:
            raise StackError(
                f"helm's unfinished record {namespace}/{secret} cannot be removed: {error}; "
                "run again"
            ) from error


class _Look:
    """Looks at things through their providers; reads the state's secrets once, late."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._secrets: Checkpoint | None = None
        self._clusters: dict[str, cluster.Cluster] = {}

    def bucket(self, resource: Resource) -> BucketFacts | None:
        bucket = str((resource.get("inputs") or {}).get("bucket", checkpoint.name_of(resource)))
        access = store.access_of(
            self._state(),
            self._provider(resource, f"bucket {bucket}"),
            self._session.directory,
        )
        try:
            return self._session.open_store(access).inspect(bucket)
        except StoreError as error:
            raise StackError(
                f"whether bucket {bucket} was created cannot be told: {error}; "
                "bring the store back and run again"
            ) from error

    def object(self, resource: Resource) -> tuple[Address, Found | None]:
        name = checkpoint.name_of(resource)
        access = cluster.access_of(self._provider(resource, name))
        try:
            where = kubernetes_recovery.address(self._shown(resource), access.namespace)
            return where, self.cluster_of(resource).find(where)
        except (ClusterError, ValueError) as error:
            raise self._untold(name, error) from error

    def release(self, resource: Resource) -> Record | None:
        try:
            namespace, name = kubernetes_recovery.release_id(self._shown(resource))
            return self.cluster_of(resource).record(namespace, name)
        except (ClusterError, ValueError) as error:
            raise self._untold(checkpoint.name_of(resource), error) from error

    def cluster_of(self, resource: Resource) -> cluster.Cluster:
        """The cluster of a resource's provider, opened once. Raises ClusterError."""
        provider = self._provider(resource, checkpoint.name_of(resource))
        urn = str(provider["urn"])
        if urn not in self._clusters:
            self._clusters[urn] = self._session.open_cluster(cluster.access_of(provider))
        return self._clusters[urn]

    def _untold(self, name: str, error: Exception) -> StackError:
        return StackError(
            f"what an interrupted run left of {name} cannot be told: {error}; bring the cluster "
            "back and run again"
        )

    def _shown(self, resource: Resource) -> Resource:
        """The resource with its inputs out of their secret wrapping."""
        pending = (op["resource"] for op in self._state().pending)
        # What a preview plans is not in the state and hides no name.
        shown = next((each for each in pending if each["urn"] == resource["urn"]), resource)
        inputs = {key: checkpoint.plain(value) for key, value in shown["inputs"].items()}
        return {**shown, "inputs": inputs}

    def _state(self) -> Checkpoint:
        if self._secrets is None:
            self._secrets = self._session.existing(secrets=True)
        return self._secrets

    def _provider(self, resource: Resource, what: str) -> Resource:
        provider = self._state().find(checkpoint.provider_urn(resource))
        if provider is None:
            raise StackError(f"the state has no provider for {what}: restore an older state")
        return provider
