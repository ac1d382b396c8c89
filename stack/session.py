"""One stack under the driver: its state, its lock, its trust file, and repair after an
interruption.
"""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from s3.errors import StoreError
from s3.ownership import BucketFacts
from stack import checkpoint, locks, processes, recovery, store, torn_files, trust
from stack.checkpoint import Checkpoint
from stack.engine import NO_SUCH_STACK, Engine
from stack.errors import StackError
from stack.project import Project, backend_directory, short_name


@dataclass(frozen=True)
class Session:
    """A stack and the edges it is reached by; everything a test replaces is passed in."""

    stack: str
    project: Project
    engine: Engine
    receipts: Path
    say: Callable[[str], None]
    open_store: store.OpenStore = store.open_store
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

    def plan(
        self, chosen: Mapping[str, str] | None = None
    ) -> tuple[Checkpoint, list[recovery.Step]]:
        """The state and one step per pending create; changes nothing."""
        state = self.existing()
        inspect = _Inspector(self)
        return state, recovery.plan(state, self.project.site(self.stack), inspect, chosen)

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
        self._import(checkpoint.adopt(state, adopted))
        if adopted:
            self._read_back(list(adopted))

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
        targets = [part for urn in urns for part in ("--target", urn)]
        done = self.engine.capture("refresh", "--yes", "--skip-preview", "-s", self.stack, *targets)
        if done.code:
            raise StackError(
                f"the adopted resources of stack {self.stack} cannot be read back: {done.error}",
                done.code,
            )


class _Inspector:
    """Looks at buckets through their provider's store; reads the state's secrets once, late."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._secrets: Checkpoint | None = None

    def __call__(self, resource: checkpoint.Resource) -> BucketFacts | None:
        session = self._session
        state = self._secrets or session.existing(secrets=True)
        self._secrets = state
        provider = state.find(checkpoint.provider_urn(resource))
        bucket = str((resource.get("inputs") or {}).get("bucket", checkpoint.name_of(resource)))
        if provider is None:
            raise StackError(
                f"the state has no provider for bucket {bucket}: restore an older state"
            )
        access = store.access_of(state, provider, session.directory)
        try:
            return session.open_store(access).inspect(bucket)
        except StoreError as error:
            raise StackError(
                f"whether bucket {bucket} was created cannot be told: {error}; "
                "bring the store back and run again"
            ) from error
