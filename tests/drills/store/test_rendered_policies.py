"""The policies the program renders and the drill's table, written apart, agree on a real store."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from canary import writer
from components.object_store.access import ClientAccess, statements
from s3.client import Answer, Credential, Session, StoreEndpoint
from tests.support.drill_runs import assert_proven, drill
from tests.support.store_site import SITE, StoreSite, policy

pytestmark = pytest.mark.tools


def rendered(site: StoreSite, client: dict[str, Any]) -> dict[str, Any]:
    """The program's own policy for a client of the site."""
    access = ClientAccess(
        name=client["name"],
        role=client["role"],
        bucket=client["bucket"],
        prefix=client["prefix"],
        generation=1,
        keep_previous=False,
        folder=f"{SITE}/" if client["role"] == "truth" else "",
    )
    return policy(*statements(access, [bucket["name"] for bucket in site.payload["buckets"]]))


@contextmanager
def with_rendered(site: StoreSite, *clients: dict[str, Any]) -> Iterator[None]:
    for client in clients:
        site.set_policy(client["name"], rendered(site, client))
    try:
        yield
    finally:
        for client in clients:
            site.set_policy(client["name"], site.healthy_policy(client["name"]))


def test_a_site_with_the_programs_own_policies_is_proven(store_site: StoreSite) -> None:
    with with_rendered(store_site, *store_site.payload["clients"]):
        record = drill(store_site.payload, run_id="rendered")
    assert_proven(record)


def witnesses(site: StoreSite, folder: Path, **changes: str) -> writer.Witnesses:
    """The canary's writer with the key of the client `truth`."""
    truth = site.client("truth")
    for name in ("accessKey", "secretKey"):
        (folder / name).write_text(truth[name])
    store = {
        "endpoint": site.server.url, "region": site.server.region, "bucket": truth["bucket"],
        "prefix": truth["prefix"], "caFile": str(site.server.ca_file),
        "accessKeyFile": str(folder / "accessKey"), "secretKeyFile": str(folder / "secretKey"),
        "attempts": 1, "requestSeconds": 10, "budgetSeconds": 60, **changes,
    }  # fmt: skip
    found = writer.Witnesses(writer.store_of(store))
    found.begin_round()
    return found


def test_the_canarys_writer_puts_each_truth_once(store_site: StoreSite, tmp_path: Path) -> None:
    truth, key = store_site.client("truth"), f"{SITE}/by-snapshot/000000000001.json"
    with with_rendered(store_site, truth):
        put = witnesses(store_site, tmp_path).put
        put(key, b"first")
        with pytest.raises(writer.TakenError):
            put(key, b"second")
    stored = store_site.root.get_object("dev-evidence", f"canary/{key}").data
    store_site.root.remove_object("dev-evidence", f"canary/{key}")
    assert stored == b"first"


def test_the_canarys_writer_puts_into_a_bucket_with_default_retention(
    store_site: StoreSite, tmp_path: Path
) -> None:
    truth, key = store_site.client("truth"), f"{SITE}/by-snapshot/000000000001.json"
    locked = {**truth, "bucket": "dev-host-files"}
    with with_rendered(store_site, locked):
        witnesses(store_site, tmp_path, bucket=locked["bucket"]).put(key, b"kept")
    stored = store_site.root.get_object_retention("dev-host-files", f"canary/{key}")
    assert stored is not None
    store_site.root.remove_object("dev-host-files", f"canary/{key}")


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({}, "elsewhere/by-snapshot/000000000001.json"),
        ({"prefix": "receipts/"}, "dev/store/forged.json"),
        ({"prefix": ""}, "canary-of-mine.json"),
        ({"bucket": "dev-velero"}, "dev/by-snapshot/000000000001.json"),
    ],
    ids=["another site's folder", "receipts", "top", "another bucket"],
)
def test_the_canarys_writer_is_refused_everywhere_else(
    store_site: StoreSite, tmp_path: Path, changes: dict[str, str], key: str
) -> None:
    with with_rendered(store_site, store_site.client("truth")):
        refused = witnesses(store_site, tmp_path, **changes)
        with pytest.raises(writer.WitnessError, match="403 AccessDenied"):
            refused.put(key, b"forged")


def test_the_canarys_writer_cannot_look_at_or_end_what_it_wrote(
    store_site: StoreSite, tmp_path: Path
) -> None:
    truth, key = store_site.client("truth"), f"{SITE}/by-snapshot/000000000002.json"
    where = f"canary/{key}"
    server = store_site.server
    session = Session.open(
        StoreEndpoint(server.url, server.region, server.ca_pem),
        Credential(truth["accessKey"], truth["secretKey"]),
    )
    asked: dict[str, Answer] = {}
    with with_rendered(store_site, truth):
        witnesses(store_site, tmp_path).put(key, b"kept")
        version = store_site.root.stat_object("dev-evidence", where).version_id or ""
        asked["get"] = session.send("GET", "dev-evidence", where)
        asked["head"] = session.send("HEAD", "dev-evidence", where)
        asked["delete"] = session.send("DELETE", "dev-evidence", where)
        asked["purge"] = session.send("DELETE", "dev-evidence", where, query={"versionId": version})
        asked["list"] = session.send(
            "GET", "dev-evidence", query={"list-type": "2", "prefix": f"canary/{SITE}/"}
        )
        asked["list uploads"] = session.send("GET", "dev-evidence", query={"uploads": ""})
    assert version
    assert {what: answer.status for what, answer in asked.items()} == dict.fromkeys(asked, 403)
    assert store_site.root.get_object("dev-evidence", where).data == b"kept"
    store_site.root.remove_object("dev-evidence", where)
