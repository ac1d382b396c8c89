"""Where the store drill writes, and the one request behind every action it tries.

Everything the drill writes carries the mark `.backstop-probe/` in its key. Every request that must
be refused is made so that it does no harm if the store wrongly obeys; comments say why for each.
"""

from dataclasses import dataclass

from drills.store.capabilities import ALWAYS_REFUSED, TABLE, Action
from drills.store.payload import Client
from s3.client import Answer, Session

MARK = ".backstop-probe/"
STANDING = "standing"

# Neither XML nor JSON. A store checks the permission first and then reads the body; one that
# wrongly lets the request pass finds nothing it could apply and answers with a parse error, which
# the drill counts as "not refused". It starts like XML and breaks off: MinIO calls that malformed,
# but answers text without XML, or XML with another root, with 500, like a fault of its own.
NO_CONFIGURATION = b"<backstop probe: no configuration>"

_CONFIGURATIONS = {
    Action.LIFECYCLE: "lifecycle",
    Action.VERSIONING: "versioning",
    Action.POLICY: "policy",
    Action.OBJECT_LOCK: "object-lock",
}


@dataclass(frozen=True)
class Territory:
    """The keys one client's probes use in one run."""

    client: Client
    run_id: str

    @property
    def deletes_in(self) -> str | None:
        return TABLE[self.client.role].deletes_in

    @property
    def folder(self) -> str:
        """Where the client's probes lie, but for those that are deleted elsewhere."""
        return f"{self.client.prefix}{TABLE[self.client.role].probes_in}{MARK}"

    @property
    def kept(self) -> str:
        """A key that is written and overwritten.

        A client that may not delete here uses one standing key for all runs: its old versions go
        with the bucket's lifecycle, so that daily drills do not fill the bucket.
        """
        run = self.run_id if self.deletes_in == "" else STANDING
        return f"{self.folder}{run}/kept"

    @property
    def doomed(self) -> str | None:
        """A key that is written and deleted, None for a client that may delete nowhere."""
        if self.deletes_in is None:
            return None
        return f"{self.deletable_folders[0]}{self.run_id}/doomed"

    @property
    def undeletable(self) -> str | None:
        """A key nobody ever wrote, where a delete must be refused; None if all may be deleted.

        A wrongly obeyed delete leaves at most a delete marker on nothing.
        """
        if self.deletes_in == "":
            return None
        folder = "" if self.deletes_in is None else "data/"
        return f"{self.client.prefix}{folder}{MARK}{self.run_id}/never-written"

    @property
    def deletable_folders(self) -> tuple[str, ...]:
        """Prefixes below which this client may remove debris."""
        if self.deletes_in is None:
            return ()
        if self.deletes_in == "":
            return (self.folder, f"{self.client.prefix}{MARK}")
        return (f"{self.client.prefix}{self.deletes_in}{MARK}",)

    def own(self, name: str) -> str:
        """A key of this run in the client's own prefix."""
        return f"{self.folder}{self.run_id}/{name}"


def folders_above(prefix: str) -> list[str]:
    """The folders around `prefix`, from the top: "a/b/" lies in "" and "a/"."""
    parts = prefix.split("/")[:-1]
    return ["".join(f"{part}/" for part in parts[:depth]) for depth in range(len(parts))]


@dataclass(frozen=True)
class Target:
    """What an action is aimed at. `prefix` is for listings, `version` for version requests."""

    bucket: str
    key: str = ""
    version: str = ""
    prefix: str = ""


def attempt(session: Session, action: Action, target: Target) -> Answer:
    """Makes the one request of `action` and returns the store's answer.

    Raises StoreError when there is no answer. Of the two requests of a multipart upload the first
    that fails is returned.
    """
    bucket, key = target.bucket, target.key
    match action:
        case Action.PUT:
            # Callers aim it at a marked key of this run: at worst one small object to remove.
            return session.send("PUT", bucket, key, body=b"backstop probe")
        case Action.DELETE:
            # Callers aim it at a doomed probe, or where it must be refused at a key never written.
            return session.send("DELETE", bucket, key)
        case Action.MULTIPART:
            return _multipart(session, bucket, key)
        case _ if action in ALWAYS_REFUSED:
            return _attempt_forbidden(session, action, target)
        case _:
            return _attempt_read(session, action, target)


def _attempt_read(session: Session, action: Action, target: Target) -> Answer:
    if action is Action.ADMIN:
        # Reads only. An administrator's answer is dropped unread.
        return session.send("GET", raw_path="/minio/admin/v3/list-users")
    queries = {
        Action.LOCATION: {"location": ""},
        Action.LIST: {"list-type": "2", "max-keys": "1", "prefix": target.prefix},
        Action.LIST_VERSIONS: {"versions": "", "max-keys": "1", "prefix": target.prefix},
        Action.GET_VERSION: {"versionId": target.version},
    }
    method = "HEAD" if action is Action.HEAD else "GET"
    key = target.key if action in (Action.GET, Action.GET_VERSION) else ""
    return session.send(method, target.bucket, key, query=queries.get(action))


def _attempt_forbidden(session: Session, action: Action, target: Target) -> Answer:
    """The requests that no client of a site may make."""
    bucket, key = target.bucket, target.key
    match action:
        case Action.DELETE_VERSION:
            # The version is one this run wrote and has read back already.
            return session.send("DELETE", bucket, key, query={"versionId": target.version})
        case Action.BYPASS:
            headers = {"x-amz-bypass-governance-retention": "true"}
            query = {"versionId": target.version}  # as above: this run's own probe
            return session.send("DELETE", bucket, key, query=query, headers=headers)
        case Action.DELETE_VERSION_BULK:
            return _delete_in_bulk(session, target)
        case Action.DELETE_BUCKET:
            # Only sent while a probe of this run lies in the bucket: a bucket that is not empty
            # cannot be deleted, and no header that would force it is ever sent.
            return session.send("DELETE", bucket)
        case Action.LEGAL_HOLD:
            return session.send("PUT", bucket, key, query={"legal-hold": ""}, body=NO_CONFIGURATION)
        case _:
            query = {_CONFIGURATIONS[action]: ""}
            return session.send("PUT", bucket, query=query, body=NO_CONFIGURATION)


def _multipart(session: Session, bucket: str, key: str) -> Answer:
    started = session.send("POST", bucket, key, query={"uploads": ""})
    if not started.ok:
        return started
    upload = started.body.partition(b"<UploadId>")[2].partition(b"</UploadId>")[0].decode()
    # An upload whose abort is refused holds no part and expires with the server's stale uploads.
    return session.send("DELETE", bucket, key, query={"uploadId": upload})


def _delete_in_bulk(session: Session, target: Target) -> Answer:
    """The bulk form answers 200 and hides the refusal of each version in its body."""
    # Again one version of this run. Keys and version ids here hold no XML special characters.
    body = (
        "<Delete><Object>"
        f"<Key>{target.key}</Key><VersionId>{target.version}</VersionId>"
        "</Object></Delete>"
    ).encode()
    answer = session.send("POST", target.bucket, query={"delete": ""}, body=body)
    if answer.ok and b"<Code>AccessDenied</Code>" in answer.body:
        return Answer(answer.status, "AccessDenied", answer.headers, answer.body)
    return answer
