"""Which requests must work and which must be refused: pure data, made from the payload."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from drills.store.attempts import Expectation
from drills.store.capabilities import OUTSIDE, TABLE, Action
from drills.store.payload import Client
from drills.store.probes import MARK, Target, Territory, folders_above
from drills.verdict import Reason
from s3.client import Session
from s3.settings import Bucket

ANONYMOUS = "anonymous"

_VERSIONED = frozenset(
    {Action.DELETE_VERSION, Action.DELETE_VERSION_BULK, Action.BYPASS, Action.GET_VERSION}
)


@dataclass(frozen=True)
class Bait:
    """A key this run wrote, and one of its versions ("" in an unversioned bucket)."""

    key: str
    version: str


@dataclass(frozen=True)
class Scene:
    """Who takes part in a run: the clients that could log in, and what each has planted."""

    run_id: str
    sessions: Mapping[str, Session]
    clients: Sequence[Client]
    buckets: Mapping[str, Bucket]
    baits: Mapping[str, Bait]

    def territory(self, client: Client) -> Territory:
        return Territory(client, self.run_id)

    def host_of(self, bucket: str) -> Client | None:
        """A client whose probes lie in `bucket`, for others to try their hands on."""
        writers = (c for c in self.clients if c.bucket == bucket and c.name in self.baits)
        return next(writers, None)


def expectations(scene: Scene, anonymous: Session) -> Iterator[Expectation]:
    """Every request to try, for every client and for nobody. None depends on another's outcome,
    but all may leave or remove this run's own baits, so nothing is read back after them."""
    for client in scene.clients:
        yield from _at_home(scene, client)
        yield from _in_other_buckets(scene, client)
        if client.prefix:
            yield from _beside_its_prefix(scene, client)
    for bucket in scene.buckets:
        yield from _anonymously(scene, bucket, anonymous)


def _expect(
    scene: Scene, client: Client, action: Action, target: Target, *, works: bool
) -> Expectation:
    return Expectation(client.name, scene.sessions[client.name], action, target, works)


def _at_home(scene: Scene, client: Client) -> Iterator[Expectation]:
    """In its own bucket and prefix; for the reader of everything, in every bucket."""
    able = TABLE[client.role]
    yield _expect(scene, client, Action.ADMIN, Target(""), works=False)
    homes = list(scene.buckets) if able.reads_everything else [client.bucket]
    for bucket in homes:
        host = scene.host_of(bucket) if able.reads_everything else client
        if host is None:
            continue
        bait = scene.baits.get(host.name)
        own = scene.territory(host)
        prefix = "" if able.reads_everything else client.prefix
        for action in sorted(able.may):
            # Writing and deleting were tried when the probes were planted.
            if action is Action.PUT or (bait is None and action in (Action.GET, *_VERSIONED)):
                continue
            key = own.own("multipart") if action is Action.MULTIPART else own.kept
            version = bait.version if bait is not None else ""
            yield _expect(scene, client, action, Target(bucket, key, version, prefix), works=True)
        for action in sorted(able.must_not):
            target = _forbidden_target(scene, action, bucket, host)
            if target is not None:
                yield _expect(scene, client, action, target, works=False)
        if own.undeletable is not None and Action.DELETE not in able.must_not:
            target = Target(bucket, own.undeletable)
            yield _expect(scene, client, Action.DELETE, target, works=False)


def _forbidden_target(scene: Scene, action: Action, bucket: str, host: Client) -> Target | None:
    """Where to aim a forbidden action in `bucket`; None where it would mean nothing."""
    own, bait, settings = scene.territory(host), scene.baits.get(host.name), scene.buckets[bucket]
    if action in _VERSIONED:
        lockless = action is Action.BYPASS and settings.object_lock is None
        if bait is None or not bait.version or lockless:
            return None
        return Target(bucket, bait.key, bait.version)
    if action is Action.DELETE_BUCKET and bait is None:
        # Without a probe of ours in it the bucket might be empty, and then really be deleted.
        return None
    keys = {
        Action.PUT: own.own("intruder"),
        Action.DELETE: own.undeletable or own.own("never-written"),
        Action.GET: own.kept,
        Action.LEGAL_HOLD: own.kept,
        Action.MULTIPART: own.own("multipart"),
    }
    return Target(bucket, keys.get(action, ""), prefix=host.prefix)


def _in_other_buckets(scene: Scene, client: Client) -> Iterator[Expectation]:
    """Outside its bucket a client may do nothing, whatever its role."""
    if TABLE[client.role].reads_everything:
        return
    for bucket in scene.buckets:
        if bucket != client.bucket:
            yield from _intrude(scene, client, bucket, scene.host_of(bucket))


def _beside_its_prefix(scene: Scene, client: Client) -> Iterator[Expectation]:
    """In its own bucket, but beside its prefix: in every folder above, and at its next
    neighbour's."""
    for above in folders_above(client.prefix):
        yield from _intrude(scene, client, client.bucket, None, above)
    neighbours = [
        other
        for other in scene.clients
        if other.bucket == client.bucket and other.prefix != client.prefix and other.prefix
    ]
    following = [other for other in neighbours if other.name > client.name] or neighbours
    if following:
        yield from _intrude(scene, client, client.bucket, following[0])


def _intrude(
    scene: Scene, client: Client, bucket: str, host: Client | None, folder: str = ""
) -> Iterator[Expectation]:
    """List, get, put and delete where `client` has no business: at `host`'s, or in `folder`."""
    intruder = f"intruder-{client.name.replace('/', '-')}"
    for action in OUTSIDE:
        if host is None:
            key, prefix = f"{folder}{MARK}{scene.run_id}/{intruder}", folder
        else:
            key, prefix = scene.territory(host).own(intruder), host.prefix
        if action is Action.GET:
            # Only an object that exists tells "not allowed" from "not there".
            if host is None or host.name not in scene.baits:
                continue
            key = scene.baits[host.name].key
        if action is Action.DELETE:
            key += "-never-written"
        yield _expect(scene, client, action, Target(bucket, key, prefix=prefix), works=False)


def _anonymously(scene: Scene, bucket: str, nobody: Session) -> Iterator[Expectation]:
    host = scene.host_of(bucket)
    targets = {
        Action.LIST: Target(bucket),
        Action.PUT: Target(bucket, f"{MARK}{scene.run_id}/{ANONYMOUS}"),
    }
    if host is not None:
        targets[Action.GET] = Target(bucket, scene.baits[host.name].key)
        targets[Action.PUT] = Target(bucket, scene.territory(host).own(ANONYMOUS))
    for action, target in targets.items():
        yield Expectation(ANONYMOUS, nobody, action, target, False, Reason.ANONYMOUS_ACCESS)
