"""What is tried, and at what: the harmlessness of every request that must be refused."""

import pytest

from drills.store.attempts import Expectation
from drills.store.capabilities import ALWAYS_REFUSED, TABLE, Action, Role
from drills.store.payload import Client, StorePayload
from drills.store.permissions import Bait, Scene, expectations
from drills.store.probes import MARK, NO_CONFIGURATION, Territory, folders_above
from s3.client import Credential, Session, StoreEndpoint, connection_pool
from s3.settings import Bucket
from tests.support.minio_server import issue_certificate


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    ca = issue_certificate(tmp_path_factory.mktemp("ca")).read_text()
    store = StoreEndpoint("https://127.0.0.1:1", "r", ca)
    return Session(store, Credential("k", "s"), connection_pool(store))


def client(name: str, role: Role, bucket: str, prefix: str = "") -> Client:
    return Client.model_validate(
        {"name": name, "role": role, "bucket": bucket, "prefix": prefix,
         "accessKey": "k", "secretKey": "s"}
    )  # fmt: skip


def tried(session: Session, *, planted: bool = True) -> list[Expectation]:
    clients = [
        client("velero", Role.VELERO, "bucket-v"),
        client("host-files/a", Role.HOST_FILES, "bucket-h", "a/"),
        client("host-files/b", Role.HOST_FILES, "bucket-h", "b/"),
        client("drill", Role.DRILL, ""),
        client("evidence", Role.EVIDENCE, "bucket-e", "receipts/"),
        client("truth", Role.TRUTH, "bucket-e", "canary/dev/"),
    ]
    buckets = {
        name: Bucket(name=name, versioning=True, objectLock=None, noncurrentDays=1, quotaBytes=None)
        for name in ("bucket-v", "bucket-h", "bucket-e")
    }
    baits = {
        each.name: Bait(Territory(each, "run").kept, "v1")
        for each in clients
        if planted and each.role is not Role.DRILL
    }
    sessions = {each.name: session for each in clients}
    return list(expectations(Scene("run", sessions, clients, buckets, baits), session))


def test_whatever_changes_an_object_is_aimed_at_a_marked_key(session: Session) -> None:
    writing = {Action.PUT, Action.DELETE, Action.MULTIPART, Action.LEGAL_HOLD} | {
        Action.DELETE_VERSION, Action.DELETE_VERSION_BULK, Action.BYPASS,
    }  # fmt: skip
    aimed = [each for each in tried(session) if each.action in writing]
    assert len(aimed) > 50
    assert all(MARK in each.target.key for each in aimed)


def test_only_versions_this_run_wrote_are_aimed_at(session: Session) -> None:
    purges = {Action.DELETE_VERSION, Action.DELETE_VERSION_BULK, Action.BYPASS}
    assert {each.target.version for each in tried(session) if each.action in purges} == {"v1"}
    assert not [each for each in tried(session, planted=False) if each.action in purges]


def test_a_bucket_without_a_probe_in_it_is_never_asked_to_be_deleted(session: Session) -> None:
    assert [each for each in tried(session) if each.action is Action.DELETE_BUCKET]
    bare = tried(session, planted=False)
    assert not [each for each in bare if each.action is Action.DELETE_BUCKET]


def test_no_parser_takes_what_is_sent_as_a_setting() -> None:
    import json  # noqa: PLC0415
    from xml.etree import ElementTree as ET  # noqa: PLC0415

    with pytest.raises(json.JSONDecodeError):
        json.loads(NO_CONFIGURATION)
    with pytest.raises(ET.ParseError):
        ET.fromstring(NO_CONFIGURATION)  # noqa: S314


@pytest.mark.parametrize("role", list(Role))
def test_no_role_may_do_what_it_must_not(role: Role) -> None:
    able = TABLE[role]
    assert not able.may & able.must_not
    assert able.must_not >= ALWAYS_REFUSED


def test_every_client_is_tried_in_every_bucket_and_at_its_neighbours(session: Session) -> None:
    refused = {(each.who, each.target.bucket) for each in tried(session) if not each.works}
    for who in (
        "velero", "host-files/a", "host-files/b", "drill", "evidence", "truth", "anonymous",
    ):  # fmt: skip
        for bucket in ("bucket-v", "bucket-h", "bucket-e"):
            assert (who, bucket) in refused

    def puts(who: str, bucket: str) -> list[str]:
        return sorted(
            each.target.key.partition(MARK)[0]
            for each in tried(session)
            if (each.who, each.action, each.target.bucket) == (who, Action.PUT, bucket)
        )

    assert puts("host-files/a", "bucket-h") == ["", "b/"]
    assert puts("evidence", "bucket-e") == ["", "canary/dev/"]
    # Nor in the folders of other sites.
    assert puts("truth", "bucket-e") == ["", "canary/", "receipts/"]


@pytest.mark.parametrize(
    ("prefix", "above"), [("", []), ("a/", [""]), ("a/b/c/", ["", "a/", "a/b/"])]
)
def test_the_folders_above_a_prefix_begin_at_the_top(prefix: str, above: list[str]) -> None:
    assert folders_above(prefix) == above


def test_the_canarys_writer_is_at_home_in_the_folder_of_its_site_alone() -> None:
    keys = {"accessKey": "k", "secretKey": "s", "bucket": "bucket-e"}
    payload = StorePayload.model_validate(
        {
            "schema": 1, "layer": "store", "site": "north", "endpoint": "https://store:1",
            "region": "r", "caPem": "", "tlsNames": [], "evidence": None, "receiptsDir": None,
            "onRed": "fail", "control": "none", "buckets": [],
            "limits": {"certificateMinDays": 1, "clockSkewSeconds": 1, "rtoSeconds": 1},
            "clients": [
                {"name": "evidence", "role": "evidence", "prefix": "receipts/", **keys},
                {"name": "truth", "role": "truth", "prefix": "canary/", **keys},
            ],
        }
    )  # fmt: skip
    assert [client.prefix for client in payload.clients] == ["receipts/", "canary/north/"]
    territory = Territory(payload.clients[1], "run")
    assert territory.kept == f"canary/north/{MARK}standing/kept"
    assert (territory.doomed, territory.deletable_folders) == (None, ())


def test_nothing_is_written_at_the_top_of_veleros_bucket_but_in_a_folder_of_its_own() -> None:
    territory = Territory(client("velero", Role.VELERO, "bucket-v"), "run")
    keys = [
        territory.kept,
        territory.doomed or "",
        territory.own("x"),
        *territory.deletable_folders,
    ]
    # Debris of earlier versions lay at the top; it is still removed.
    assert {key.split("/")[0] for key in keys[:-1]} == {"metadata"}
    assert territory.deletable_folders[-1] == MARK
