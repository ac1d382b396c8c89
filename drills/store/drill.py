"""The drill of layer `store`: every client's probes, what comes back of them, who may touch them.

find     handshakes, health, clock, region, login of every client, bucket settings
plant    each client writes, overwrites and deletes probes of random content
restore  the drill's reader fetches the lost first versions; timed against the RTO
compare  content against the digests taken before anything was written
deny     all that must work or be refused, for every client and for nobody
clean up, sweep   see drills/store/debris.py
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from drills.frame import Clock, Compared, NotCompared, Phase, Record, StopDrillError
from drills.store import debris
from drills.store.attempts import check_all, together, worked
from drills.store.bucket_checks import bucket_checks
from drills.store.capabilities import TABLE, Action, Role
from drills.store.payload import Client, StorePayload
from drills.store.permissions import Bait, Scene, expectations
from drills.store.probes import Target, Territory
from drills.store.surroundings import (
    STORE,
    certificate_checks,
    health_checks,
    login_check,
    region_checks,
    stranger_check,
)
from drills.verdict import Check, Reason, reason_of
from s3.client import Session, connection_pool
from s3.errors import StoreError

PROBE_BYTES = 16 * 1024
VERSIONS = "overwritten and deleted versions"

Digest = Callable[[bytes], str]


def sha256(content: bytes) -> str:
    """The digest that serves as truth: taken in memory, before the store has seen the content."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class LostVersion:
    """A first version that was overwritten or deleted; `digest` is the truth about its content."""

    client: Client
    key: str
    version: str
    digest: str
    fate: str


@dataclass
class StoreDrill:
    """One run. `truth` and `clock` are passed in so that a control can make them lie."""

    payload: StorePayload
    clock: Clock
    run_id: str
    truth: Digest = sha256
    server: str = ""
    layer: str = field(default="store", init=False)
    _sessions: dict[str, Session] = field(default_factory=dict)
    _reachable: list[Client] = field(default_factory=list)
    _lost: list[LostVersion] = field(default_factory=list)
    _restored: dict[str, bytes] = field(default_factory=dict)
    _baits: dict[str, Bait] = field(default_factory=dict)
    _written: list[debris.Written] = field(default_factory=list)
    _server_time: debris.ServerTime = None

    def __post_init__(self) -> None:
        store = self.payload.store()
        # One pool for all: identity is in each request, not in the connection.
        pool = connection_pool(store)
        self._anonymous = Session(store, None, pool)
        self._sessions = {
            client.name: Session(store, client.credential(), pool)
            for client in self.payload.clients
        }
        self._buckets = {bucket.name: bucket for bucket in self.payload.buckets}

    def phases(self) -> Sequence[Phase]:
        return (
            Phase("find", self._find),
            Phase("plant", self._plant),
            Phase("restore", self._restore),
            Phase("compare", self._compare),
            Phase("deny", self._deny),
        )

    def closing(self) -> Sequence[Phase]:
        return (Phase("clean up", self._clean_up), Phase("sweep", self._sweep))

    def versions(self) -> Mapping[str, str]:
        return {"server": self.server}

    def _find(self, record: Record) -> str:
        payload = self.payload
        if not payload.clients:
            return _stop(record, "no client", Reason.NOTHING_TO_CHECK)
        store, limits = payload.store(), payload.limits
        first = certificate_checks(store, store.host, limits, self.clock)
        record.checks += first
        if any(check.reason not in (None, Reason.TLS_EXPIRING) for check in first):
            raise StopDrillError("no trusted connection to the store")
        for found in together(
            lambda server: certificate_checks(*server, limits, self.clock), payload.servers()[1:]
        ):
            record.checks += found
        record.checks.append(stranger_check(store))
        healthy, self._server_time, self.server = health_checks(store, limits, self.clock)
        record.checks += healthy
        if not healthy[0].ok:
            raise StopDrillError("the store is not healthy")
        self._log_in(record)
        reader = self._reader()
        if reader is None:
            return _stop(record, "no client of role drill can log in", Reason.SCOPE_LOST)
        record.checks += bucket_checks(store, reader, payload.buckets)
        return f"{len(self._reachable)} clients, {len(self._buckets)} buckets"

    def _log_in(self, record: Record) -> None:
        """Sorts the clients into those with a bucket and a good key, and failed checks."""
        housed = []
        for client in self.payload.clients:
            # The reader's scope is every bucket; it needs none of its own.
            if client.bucket in self._buckets or client.role is Role.DRILL:
                housed.append(client)
            else:
                named = client.bucket or "no bucket"
                record.checks.append(
                    Check(client.name, "scope", "a bucket of the site", named, Reason.SCOPE_LOST)
                )
        if not housed or not self._buckets:
            _stop(record, "no client with a bucket", Reason.SCOPE_LOST)
        anywhere = next(iter(self._buckets))
        record.checks += region_checks(self._sessions[housed[0].name], housed[0].bucket or anywhere)
        if not all(check.ok for check in record.checks[-2:]):
            raise StopDrillError("the store's region is another one")
        logins = together(
            lambda client: login_check(
                client.name,
                self._sessions[client.name],
                Target(client.bucket or anywhere, prefix=client.prefix),
            ),
            housed,
        )
        record.checks += logins
        self._reachable = [c for c, check in zip(housed, logins, strict=True) if check.ok]

    def _reader(self) -> Client | None:
        return next((c for c in self._reachable if c.role is Role.DRILL), None)

    def _plant(self, record: Record) -> str:
        writers = [c for c in self._reachable if Action.PUT in TABLE[c.role].may]
        if not writers:
            return _stop(record, "no client that writes", Reason.NOTHING_TO_CHECK)
        for found in together(self._plant_for, writers):
            record.checks += found
        return f"{len(self._written)} probes of {len(writers)} clients"

    def _plant_for(self, client: Client) -> list[Check]:
        """One client overwrites one probe and, if it may delete, deletes another."""
        own, session = Territory(client, self.run_id), self._sessions[client.name]
        checks = []
        for key, fate in ((own.kept, "overwritten"), (own.doomed, "deleted")):
            if key is None:
                continue
            label = f"put {client.bucket}/{key}"
            content = secrets.token_bytes(PROBE_BYTES)
            digest = self.truth(content)
            try:
                version = session.put(client.bucket, key, content)
                self._written.append(debris.Written(client.bucket, key))
                if fate == "overwritten":
                    session.put(client.bucket, key, secrets.token_bytes(PROBE_BYTES))
            except StoreError as error:
                checks.append(
                    Check(client.name, label, "works", str(error), reason_of(error.cause))
                )
                continue
            checks.append(Check(client.name, label, "works", "works"))
            if fate == "deleted":
                answer = session.send("DELETE", client.bucket, key)
                checks.append(worked(client.name, f"delete {client.bucket}/{key}", answer))
                if not answer.ok:
                    continue
            # The overwritten probe's first version is the bait: losing it leaves the current one.
            self._baits.setdefault(client.name, Bait(key, version))
            self._lost.append(LostVersion(client, key, version, digest, fate))
        return checks

    def _restore(self, record: Record) -> str:
        """Reads every lost version back as the drill's reader, into memory only."""
        started = self.clock.monotonic()
        lost = [item for item in self._lost if self._buckets[item.client.bucket].versioning]
        record.checks += [check for check in together(self._fetch, lost) if check is not None]
        seconds, allowed = self.clock.monotonic() - started, self.payload.limits.rto_seconds
        record.rto["read back"] = round(seconds, 3)
        record.checks.append(
            Check(
                STORE,
                "time to read back",
                f"at most {allowed:g} s",
                f"{seconds:.2f} s",
                Reason.OVER_RTO if seconds > allowed else None,
            )
        )
        return f"{len(self._restored)} of {len(lost)} lost versions read back"

    def _fetch(self, item: LostVersion) -> Check | None:
        reader = self._reader()
        if reader is None:
            raise StopDrillError("no reader")
        label = f"{item.fate} {item.client.bucket}/{item.key}"
        if not item.version:
            return Check(item.client.name, label, "a version", "no version", Reason.VERSIONING_OFF)
        try:
            content = self._sessions[reader.name].get(item.client.bucket, item.key, item.version)
        except StoreError as error:
            return Check(item.client.name, label, "comes back", str(error), reason_of(error.cause))
        self._restored[item.version] = content
        return None

    def _compare(self, record: Record) -> str:
        equal, unversioned, size = 0, 0, 0
        for item in self._lost:
            content = self._restored.get(item.version)
            if content is None:
                unversioned += not self._buckets[item.client.bucket].versioning
                continue
            size += len(content)
            same = sha256(content) == item.digest
            equal += same
            record.checks.append(
                Check(
                    item.client.name,
                    f"{item.fate} {item.client.bucket}/{item.key} comes back",
                    f"sha256 {item.digest[:12]}",
                    f"sha256 {sha256(content)[:12]}",
                    None if same else Reason.CONTENT_DIFFERS,
                )
            )
        back, gone = len(self._restored), len(self._lost) - len(self._restored) - unversioned
        record.compared.append(Compared(VERSIONS, back, size, "sha256 taken before it was written"))
        record.not_compared += [
            NotCompared(what, count, why)
            for what, count, why in (
                (VERSIONS, gone, "did not come back"),
                (VERSIONS, unversioned, "the bucket keeps no versions"),
                ("buckets, all but the probes in them", len(self._buckets), "other layers' drills"),
            )
            if count
        ]
        return f"{equal} of {back} equal"

    def _deny(self, record: Record) -> str:
        scene = Scene(self.run_id, self._sessions, self._reachable, self._buckets, self._baits)
        # What must work comes first: a wrongly obeyed delete would take its bait away.
        wanted = sorted(expectations(scene, self._anonymous), key=lambda each: not each.works)
        working = sum(each.works for each in wanted)
        checks = check_all(wanted[:working]) + check_all(wanted[working:])
        record.checks += checks
        for each, check in zip(wanted, checks, strict=True):
            if each.action is Action.PUT and "allowed" in check.observed:
                self._written.append(debris.Written(each.target.bucket, each.target.key))
        return f"{len(wanted) - working} requests to be refused, {working} to work"

    def _clean_up(self, record: Record) -> str:
        return debris.clean_up(record, self._written, self._reachable, self._sessions)

    def _sweep(self, record: Record) -> str:
        reader = self._reader()
        if reader is None or self._server_time is None:
            return "not possible"
        return debris.sweep(
            record,
            store=self.payload.store(),
            reader=reader,
            clients=self._reachable,
            sessions=self._sessions,
            now=self._server_time,
        )


def _stop(record: Record, what: str, reason: Reason) -> str:
    record.checks.append(Check(STORE, "scope", "something to check", what, reason))
    raise StopDrillError(what)
