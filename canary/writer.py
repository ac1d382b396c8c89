"""Writes data whose content is known, and tells a store outside the cluster what it is.

    python3 writer.py run CONFIG              write a generation on every volume, every period
    python3 writer.py alive CONFIG            exit code 0 if the loop still turns
    python3 writer.py ready CONFIG            exit code 0 if every volume takes what is written
    python3 writer.py hold CONFIG [SECONDS]   nothing moves on the volumes until `release`, or for
    python3 writer.py release CONFIG          so long; `hold` returns when nothing does

One file, standard library only, CPython 3.9 or later: it runs in a pod, from a ConfigMap.

A volume holds `generations/<12 digits>/` with the files of the config and `heartbeat.json`. A
generation is written below `.making/`, flushed to the disk, and only then renamed to its place; an
old one is renamed to `.dropping/` before it is removed. So whatever is taken of a volume at one
moment holds whole generations. Its number is the UTC second of its making, or one more than the
last: no number is used twice, not even on a volume that was lost, made anew or brought back.

Before a generation appears, its truth (digests of what was to be written, taken before the disk saw
it) is put to the store under <prefix><site>/<volume>/<12 digits>.json. A store that does not answer
stops nothing: the generation then holds a file named `unwitnessed` that says why.

CONFIG is JSON:
    {"schema": 1, "site", "periodSeconds", "keep", "stateDir",
     "volumes": [{"name", "path", "files": [FILE]}],
     "store": null | {"endpoint" (https), "region", "bucket", "prefix", "caFile", "accessKeyFile",
                      "secretKeyFile", "attempts", "requestSeconds", "budgetSeconds"}}
    FILE: {"name" | "name64", "kind", "mode", "uid", "gid"} with kind
        file (size), sparse (size; random bytes at both ends only), directory,
        link (of: a file's name), symlink (target | target64)
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import hmac
import http.client
import json
import os
import shutil
import signal
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

SCHEMA = "backstop-canary/1"
GENERATIONS = "generations"
MAKING = ".making"
DROPPING = ".dropping"
HEARTBEAT = "heartbeat.json"
UNWITNESSED = "unwitnessed"
DIGITS = 12

HEALTH = "health.json"
LOCK = "lock"
HOLD = "hold"
HOLD_SECONDS = 600
# What a `hold` waits for the generation that is being written.
HOLD_WAIT_SECONDS = 60
# So many periods without a sign of life are no mere delay.
LATE_PERIODS = 3
# Both ends of a sparse file.
ISLAND_BYTES = 4096
CHUNK_BYTES = 1 << 20

Record = dict[str, Any]


class ConfigError(Exception):
    """The config cannot be used; one sentence."""


class TakenError(Exception):
    """The store has a truth under this number already: another writer's, or another life's."""


class WitnessError(Exception):
    """The store did not take the truth; the text is a few words without any secret."""


# The config


class Spec(NamedTuple):
    """One thing of a generation. `target` is a symlink's, or the file that a link is of."""

    name: bytes
    kind: str
    mode: int
    uid: int | None
    gid: int | None
    size: int
    target: bytes


class Volume(NamedTuple):
    """A mounted volume."""

    name: str
    path: str
    files: list[Spec]


class Store(NamedTuple):
    """Where truths go. Credentials are read from their files at every use, so they may rotate.

    `authority` is host and port as the endpoint has them, `host` the name in the certificate.
    """

    authority: str
    host: str
    port: int
    region: str
    bucket: str
    prefix: str
    ca_file: str
    access_key_file: str
    secret_key_file: str
    attempts: int
    request_seconds: float
    budget_seconds: float


class Config(NamedTuple):
    """What the writer is to do."""

    site: str
    period: float
    keep: int
    state: str
    volumes: list[Volume]
    store: Store | None


RESERVED = (HEARTBEAT.encode(), UNWITNESSED.encode())
KINDS = {"file": 0o644, "sparse": 0o644, "directory": 0o755, "link": 0, "symlink": 0}


def read_config(path: str) -> Config:
    """Raises ConfigError."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123  (no import for one line)
            raw = json.load(file)
        if raw["schema"] != 1:
            raise ConfigError(f"{path}: schema must be 1; render the config with this version")
        config = Config(
            str(raw["site"]),
            float(raw["periodSeconds"]),
            int(raw["keep"]),
            str(raw["stateDir"]),
            [Volume(str(one["name"]), str(one["path"]), specs_of(one["files"]))
             for one in raw["volumes"]],
            None if raw["store"] is None else store_of(raw["store"]),
        )  # fmt: skip
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); mount the config") from error
    except KeyError as error:
        raise ConfigError(f"{path}: {error.args[0]} is missing; add it") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is no config of this writer: {error}") from error
    if config.keep < 1 or config.period < 0 or not config.volumes:
        raise ConfigError(f"{path}: keep must be 1 or more, and there must be a volume")
    return config


def specs_of(raw: list[Record]) -> list[Spec]:
    """Every name once, after the directory it is in and the file that it is a link of."""
    specs: list[Spec] = []
    kinds: dict[bytes, str] = {b"": "directory"}
    for spec in map(spec_of, raw):
        parent = spec.name.rpartition(b"/")[0]
        if spec.name in kinds or kinds.get(parent) != "directory":
            raise ValueError(f"{spec.name!r} comes twice, or before its directory")
        if spec.kind == "link" and kinds.get(spec.target) not in ("file", "sparse"):
            raise ValueError(f"{spec.name!r} is a link of what is no file before it")
        kinds[spec.name] = spec.kind
        specs.append(spec)
    return specs


def spec_of(raw: Record) -> Spec:
    name, kind = bytes_of(raw, "name"), str(raw["kind"])
    if kind not in KINDS:
        raise ValueError(f"kind {kind} is not one of {', '.join(KINDS)}")
    parts = name.split(b"/")
    if not name or not {b"", b".", b".."}.isdisjoint(parts) or name in RESERVED:
        raise ValueError(f"{name!r} is no name of a file")
    target = bytes_of(raw, "target" if kind == "symlink" else "of") if KINDS[kind] == 0 else b""
    return Spec(
        name,
        kind,
        int(str(raw["mode"]), 8) if "mode" in raw else KINDS[kind],
        raw.get("uid"),
        raw.get("gid"),
        int(raw.get("size", 0)),
        target,
    )


def bytes_of(raw: Record, key: str) -> bytes:
    return base64.b64decode(raw[key + "64"]) if key + "64" in raw else str(raw[key]).encode()


def store_of(raw: Record) -> Store:
    url = urlsplit(str(raw["endpoint"]))
    if url.scheme != "https" or not url.hostname:
        raise ValueError("store.endpoint must be https://host:port")
    return Store(
        url.netloc,
        url.hostname,
        url.port or 443,
        str(raw["region"]),
        str(raw["bucket"]),
        str(raw["prefix"]),
        str(raw["caFile"]),
        str(raw["accessKeyFile"]),
        str(raw["secretKeyFile"]),
        int(raw["attempts"]),
        float(raw["requestSeconds"]),
        float(raw["budgetSeconds"]),
    )


# A generation


def number_name(number: int) -> str:
    return f"{number:0{DIGITS}d}"


def named(key: str, name: bytes) -> Record:
    """`key` with the name, or `key`64 with its base64 if it is not UTF-8."""
    try:
        return {key: name.decode()}
    except UnicodeDecodeError:
        return {key + "64": base64.b64encode(name).decode()}


def time_text(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def line_of(record: Record) -> bytes:
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode() + b"\n"


class Maker:
    """Writes one generation into a folder and keeps the truth of it.

    The entries are those of a digest tree (see drills/volumes/tree_reader.py), their paths relative
    to the generation; digests, sizes, modes and types are what was meant, not what came out.
    """

    def __init__(self, folder: bytes) -> None:
        self._folder = folder
        self._directories = [folder]
        self.entries: dict[bytes, Record] = {}

    def directory(self, spec: Spec) -> None:
        path = self._at(spec.name)
        os.mkdir(path)  # noqa: PTH102  (paths are bytes)
        self._directories.append(path)
        self._settle(path, spec, "directory")

    def file(self, spec: Spec, pieces: Iterator[bytes | int]) -> None:
        """Writes pieces; a number among them is the length of a hole."""
        path = self._at(spec.name)
        digest, size = hashlib.sha256(), 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        try:
            for piece in pieces:
                if isinstance(piece, int):
                    for done in range(0, piece, CHUNK_BYTES):
                        digest.update(bytes(min(CHUNK_BYTES, piece - done)))
                    size += piece
                else:
                    digest.update(piece)
                    write_all(descriptor, piece, size)
                    size += len(piece)
            os.ftruncate(descriptor, size)
            self._settle(path, spec, "file", size=size, sha256=digest.hexdigest())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def link(self, spec: Spec) -> None:
        os.link(self._at(spec.target), self._at(spec.name))
        self.entries[spec.name] = {**self.entries[spec.target], **named("path", spec.name)}

    def symlink(self, spec: Spec) -> None:
        path = self._at(spec.name)
        os.symlink(spec.target, path)  # noqa: PTH211
        self._settle(path, spec, "symlink", **named("target", spec.target))

    def own(self) -> None:
        """The entry of the generation's own directory."""
        spec = Spec(b"", "directory", KINDS["directory"], None, None, 0, b"")
        self._settle(self._folder, spec, "directory")

    def records(self) -> list[Record]:
        """The entries in the order of the bytes of their paths, later names told as links."""
        first: dict[bytes, bytes] = {}
        found = []
        for path in sorted(self.entries):
            record = dict(self.entries[path])
            origin = record.pop("origin", path)
            if origin in first:
                record.update(named("link", first[origin]))
            first.setdefault(origin, path)
            found.append(record)
        return found

    def flush(self) -> None:
        """Directories to the disk, the deepest first; files were flushed as they were written."""
        for path in reversed(self._directories):
            flush_directory(path)

    def _at(self, name: bytes) -> bytes:
        return self._folder + b"/" + name

    def _settle(self, path: bytes, spec: Spec, kind: str, **more: object) -> None:
        """Gives what was made its owner and mode, and notes it."""
        if spec.uid is not None or spec.gid is not None:
            uid, gid = (-1 if one is None else one for one in (spec.uid, spec.gid))
            os.chown(path, uid, gid, follow_symlinks=False)
        # After the owner, for a change of owner takes some bits of the mode away.
        if kind != "symlink":
            os.chmod(path, spec.mode)  # noqa: PTH101
        # Who owns a new file depends on its directory too; whoever it is, a restore must keep it.
        found = os.lstat(path)
        self.entries[spec.name] = {
            **named("path", spec.name),
            "type": kind,
            "mode": f"{0o777 if kind == 'symlink' else spec.mode:04o}",
            "uid": found.st_uid if spec.uid is None else spec.uid,
            "gid": found.st_gid if spec.gid is None else spec.gid,
            "origin": spec.name,
            **more,
        }


def write_all(descriptor: int, content: bytes, offset: int) -> None:
    done = 0
    while done < len(content):
        done += os.pwrite(descriptor, content[done:], offset + done)


def flush_directory(path: bytes | str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def pieces_of(spec: Spec) -> Iterator[bytes | int]:
    """The random content of a file, holes as numbers."""
    if spec.kind == "sparse" and spec.size > 2 * ISLAND_BYTES:
        yield os.urandom(ISLAND_BYTES)
        yield spec.size - 2 * ISLAND_BYTES
        yield os.urandom(ISLAND_BYTES)
        return
    for done in range(0, spec.size, CHUNK_BYTES):
        yield os.urandom(min(CHUNK_BYTES, spec.size - done))


def make(folder: bytes, files: list[Spec], about: Record) -> list[Record]:
    """Writes and flushes a generation; its entries. `about` goes into the heartbeat."""
    os.mkdir(folder)  # noqa: PTH102
    maker = Maker(folder)
    maker.own()
    for spec in files:
        if spec.kind in ("file", "sparse"):
            maker.file(spec, pieces_of(spec))
        else:
            {"directory": maker.directory, "link": maker.link, "symlink": maker.symlink}[spec.kind](
                spec
            )
    written = maker.records()
    digest = hashlib.sha256(b"".join(map(line_of, written))).hexdigest()
    heartbeat = line_of({**about, "entries": len(written), "digest": digest})
    maker.file(Spec(HEARTBEAT.encode(), "file", 0o644, None, None, 0, b""), iter([heartbeat]))
    maker.flush()
    return maker.records()


# A volume


class Outcome(NamedTuple):
    """One volume after a round: the number written (0 if none), its witness, what went wrong."""

    number: int
    witness: str
    error: str


Witness = Callable[[str, bytes], None]
"""Takes a key and the truth. Raises WitnessError, TakenError."""


class Keeper:
    """Keeps the generations of one volume."""

    def __init__(self, site: str, volume: Volume, keep: int, clock: Callable[[], float]) -> None:
        self._site = site
        self._volume = volume
        self._keep = keep
        self._clock = clock
        self._taken = 0

    def place(self, *parts: str) -> str:
        return "/".join((self._volume.path, *parts))

    def held(self) -> list[int]:
        """The numbers of the generations on the volume."""
        names = os.listdir(self.place(GENERATIONS))  # noqa: PTH208
        return sorted(int(name) for name in names if len(name) == DIGITS and name.isdigit())

    def write(self, witness: Witness | None) -> Outcome:
        """Writes the next generation and drops what is too old."""
        try:
            self._tidy()
            now = self._clock()
            last = max([*self.held(), self._taken])
            number = max(last + 1, int(now))
            said = self._publish(number, now, witness)
            self._drop()
        except TakenError:
            # The next round takes a later number, and tidies up.
            self._taken = number
            return Outcome(0, "", f"the store has a truth of generation {number} already")
        except OSError as error:
            return Outcome(0, "", f"{error.strerror or type(error).__name__}")
        return Outcome(number, said or "witnessed", "")

    def _tidy(self) -> None:
        """Removes what a writer that died left half made or half dropped."""
        for name in (GENERATIONS, MAKING, DROPPING):
            # Not the directories above: a volume that is not mounted is a fault.
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.place(name))  # noqa: PTH102
                flush_directory(self._volume.path)
        for name in (MAKING, DROPPING):
            for left in os.listdir(self.place(name)):  # noqa: PTH208
                shutil.rmtree(self.place(name, left))

    def _publish(self, number: int, now: float, witness: Witness | None) -> str:
        """Why there is no witness, "" if there is one. Raises OSError, TakenError."""
        name = number_name(number)
        folder = self.place(MAKING, name)
        about = {
            "schema": SCHEMA,
            "site": self._site,
            "volume": self._volume.name,
            "generation": number,
            "time": time_text(now),
        }
        entries = make(os.fsencode(folder), self._volume.files, about)
        held = sorted([*self.held(), number])[-self._keep :]
        truth = {**about, "held": held, "entries": entries}
        truth["digest"] = hashlib.sha256(b"".join(map(line_of, entries))).hexdigest()
        said = self._testify(witness, name, truth)
        if said:
            with open(f"{folder}/{UNWITNESSED}", "w", encoding="utf-8") as note:  # noqa: PTH123
                note.write(f"{said}\n")
                note.flush()
                os.fsync(note.fileno())
            flush_directory(folder)
        os.rename(folder, self.place(GENERATIONS, name))  # noqa: PTH104
        flush_directory(self.place(GENERATIONS))
        flush_directory(self.place(MAKING))
        return said

    def _testify(self, witness: Witness | None, name: str, truth: Record) -> str:
        if witness is None:
            return "no store is configured"
        try:
            witness(f"{self._site}/{self._volume.name}/{name}.json", line_of(truth))
        except WitnessError as error:
            return str(error)
        return ""

    def _drop(self) -> None:
        for number in self.held()[: -self._keep]:
            name = number_name(number)
            os.rename(self.place(GENERATIONS, name), self.place(DROPPING, name))  # noqa: PTH104
        flush_directory(self.place(GENERATIONS))
        for left in os.listdir(self.place(DROPPING)):  # noqa: PTH208
            shutil.rmtree(self.place(DROPPING, left))


# The store


def signed_headers(
    store: Store, path: str, body: bytes, keys: tuple[str, str], now: float
) -> dict[str, str]:
    """Headers of a PUT with Signature Version 4 in one chunk.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    headers = {
        # Buckets with object lock demand it.
        "content-md5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
        "content-type": "application/json",
        "host": store.authority,
        # A truth is written once.
        "if-none-match": "*",
        "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-amz-date": stamp,
    }
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join(("PUT", path, "", lines, names, headers["x-amz-content-sha256"]))
    scope = f"{stamp[:8]}/{store.region}/s3/aws4_request"
    text = "\n".join(
        ("AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest())
    )
    key = f"AWS4{keys[1]}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys[0]}/{scope},SignedHeaders={names},Signature={signature}"
    )
    return headers


def credential(store: Store) -> tuple[str, str]:
    """Raises WitnessError."""
    try:
        found = []
        for place in (store.access_key_file, store.secret_key_file):
            with open(place, encoding="utf-8") as file:  # noqa: PTH123
                found.append(file.read().strip())
        return found[0], found[1]
    except (OSError, ValueError) as error:
        raise WitnessError(f"the credential cannot be read ({type(error).__name__})") from None


class LateError(Exception):
    """The time for the store is over."""


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raises LateError in the main thread: a server that drips never lets a socket time out."""

    def late(*_: object) -> None:
        raise LateError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Witnesses:
    """Puts truths to the store, within one budget of time for a whole round."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._left = 0.0

    def begin_round(self) -> None:
        self._left = self._store.budget_seconds

    def put(self, key: str, truth: bytes) -> None:
        """Raises WitnessError, TakenError."""
        fault, asked = "there was no time left for the store", False
        for attempt in range(self._store.attempts):
            if attempt:
                self._pause(attempt)
            if self._left <= 0:
                break
            began = time.monotonic()
            try:
                status, code = self._once(key, truth)
            except (OSError, http.client.HTTPException, LateError) as error:
                fault, asked = fault_words(error), True
                continue
            finally:
                self._left -= time.monotonic() - began
            if status == http.client.OK:
                return
            if status == http.client.PRECONDITION_FAILED:
                if asked:  # an answer was lost, and what is there is what was sent
                    return
                raise TakenError
            fault, asked = f"the store answered {status} {code}".strip(), True
            if status < http.client.INTERNAL_SERVER_ERROR:
                break
        raise WitnessError(fault)

    def _pause(self, attempt: int) -> None:
        pause = min(0.5 * 2 ** (attempt - 1), self._left)
        time.sleep(max(pause, 0))
        self._left -= pause

    def _once(self, key: str, truth: bytes) -> tuple[int, str]:
        store = self._store
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(store.ca_file)
        path = quote(f"/{store.bucket}/{store.prefix}{key}", safe="/-_.~")
        headers = signed_headers(store, path, truth, credential(store), time.time())
        seconds = min(store.request_seconds, self._left)
        connection = http.client.HTTPSConnection(
            store.host, store.port, timeout=seconds, context=context
        )
        try:
            with deadline(seconds):
                connection.request("PUT", path, body=truth, headers=headers)
                answer = connection.getresponse()
                body = answer.read(CHUNK_BYTES)
        finally:
            connection.close()
        _, _, rest = body.partition(b"<Code>")
        code = rest.partition(b"</Code>")[0][:64].decode("ascii", "replace")
        return answer.status, code if code.isalnum() else ""


def fault_words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the store's certificate is not accepted ({error.verify_message})"
    if isinstance(error, (TimeoutError, LateError)):
        return "the store did not answer in time"
    what = error.strerror if isinstance(error, OSError) and error.strerror else ""
    return f"the store was not reached ({what or type(error).__name__})"


# The loop


class State:
    """What the loop, the probes and the hooks share: a folder of the pod."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def path(self, name: str) -> str:
        return f"{self._folder}/{name}"

    @contextlib.contextmanager
    def lock(self, seconds: float) -> Iterator[bool]:
        """Whether nobody writes to the volumes while this lasts. Waits so long for it."""
        descriptor = os.open(self.path(LOCK), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            end = time.monotonic() + seconds
            held = False
            while not held:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    held = True
                except BlockingIOError:
                    if time.monotonic() >= end:
                        break
                    time.sleep(0.05)
            yield held
        finally:
            os.close(descriptor)

    def hold(self, seconds: float) -> None:
        self._replace(HOLD, f"{time.monotonic() + seconds}")

    def release(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.path(HOLD))  # noqa: PTH107

    def held(self) -> bool:
        try:
            with open(self.path(HOLD), encoding="utf-8") as file:  # noqa: PTH123
                return time.monotonic() < float(file.read())
        except (OSError, ValueError):
            return False

    def report(self, outcomes: dict[str, Outcome] | None) -> None:
        """Notes a turn of the loop; None if it was held."""
        before = self.health()
        volumes = before.get("volumes", {})
        if outcomes is not None:
            volumes = {name: outcome._asdict() for name, outcome in outcomes.items()}
        # The clock that no one sets, so that a corrected time kills no pod.
        self._replace(HEALTH, json.dumps({"monotonic": time.monotonic(), "volumes": volumes}))

    def health(self) -> Record:
        try:
            with open(self.path(HEALTH), encoding="utf-8") as file:  # noqa: PTH123
                found: Record = json.load(file)
                return found
        except (OSError, ValueError):
            return {}

    def _replace(self, name: str, text: str) -> None:
        aside = self.path(f".{name}")
        with open(aside, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
        os.replace(aside, self.path(name))  # noqa: PTH105


def patience(config: Config) -> float:
    """Seconds without a turn after which the loop counts as stuck."""
    budget = config.store.budget_seconds if config.store else 0
    return LATE_PERIODS * (config.period + budget) + 30


def alive(config: Config) -> bool:
    turned = State(config.state).health().get("monotonic")
    return turned is not None and time.monotonic() - turned <= patience(config)


def ready(config: Config) -> bool:
    volumes = State(config.state).health().get("volumes", {})
    wanted = {volume.name for volume in config.volumes}
    return alive(config) and all(volumes.get(name, {}).get("number") for name in wanted)


def turn(keepers: dict[str, Keeper], witnesses: Witnesses | None) -> dict[str, Outcome]:
    """One generation on every volume; a volume that fails does not stop the others."""
    if witnesses is not None:
        witnesses.begin_round()
    put = None if witnesses is None else witnesses.put
    outcomes = {name: keeper.write(put) for name, keeper in keepers.items()}
    for name, outcome in outcomes.items():
        if outcome.error:
            say(f"volume {name}: nothing written: {outcome.error}")
        else:
            say(f"volume {name}: generation {outcome.number}: {outcome.witness}")
    return outcomes


def run(config: Config, rounds: int | None = None) -> None:
    """The loop; `rounds` None is for ever."""
    os.makedirs(config.state, exist_ok=True)  # noqa: PTH103
    state = State(config.state)
    keepers = {
        volume.name: Keeper(config.site, volume, config.keep, time.time)
        for volume in config.volumes
    }
    witnesses = None if config.store is None else Witnesses(config.store)
    due = time.monotonic()
    while rounds is None or rounds > 0:
        # A hook may be about to hold; whoever has the lock, the other sees it.
        with state.lock(config.period) as mine:
            outcomes = turn(keepers, witnesses) if mine and not state.held() else None
        state.report(outcomes)
        if outcomes is None:
            say("held: nothing written")
        rounds = None if rounds is None else rounds - 1
        due = max(due + config.period, time.monotonic())
        if rounds != 0:
            time.sleep(due - time.monotonic() if due > time.monotonic() else 0)


def hold(config: Config, seconds: float) -> bool:
    """Holds the loop; True as soon as nothing is being written."""
    state = State(config.state)
    with state.lock(HOLD_WAIT_SECONDS) as mine:
        if mine:
            state.hold(seconds)
        return mine


def say(sentence: str) -> None:
    print(f"{time_text(time.time())} {sentence}", flush=True)


def seconds_of(text: str) -> float:
    """Raises ConfigError."""
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{text!r} is no number of seconds") from None


def command(name: str, config: Config, more: list[str]) -> bool:
    if name == "run":
        run(config)
    elif name == "hold":
        return hold(config, seconds_of(more[0]) if more else HOLD_SECONDS)
    elif name == "release":
        State(config.state).release()
    else:
        return {"alive": alive, "ready": ready}[name](config)
    return True


def main(given: list[str]) -> int:
    """Exit codes: 0 done or yes, 1 no, 2 bad input."""
    if len(given) not in (2, 3) or given[0] not in ("run", "alive", "ready", "hold", "release"):
        print("usage: writer.py run|alive|ready|hold|release CONFIG [SECONDS]", file=sys.stderr)
        return 2
    if given[0] == "run":
        # As the first process of a container it has no default action for the signal.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        return 0 if command(given[0], read_config(given[1]), given[2:]) else 1
    except ConfigError as error:
        print(f"writer: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"writer: stateDir cannot be used ({error.strerror}); does it run?", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
