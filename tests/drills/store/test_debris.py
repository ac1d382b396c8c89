"""Probes of drills that died are removed when old, and nothing else ever is."""

import datetime
import io
from concurrent.futures import ThreadPoolExecutor

import pytest

from drills.frame import Record
from drills.store import debris
from drills.store.debris import ABANDONED_AFTER, Written
from drills.store.payload import Client
from drills.store.probes import MARK
from s3.client import Session, StoreEndpoint
from tests.support.drill_runs import assert_proven, drill
from tests.support.store_site import StoreSite

pytestmark = pytest.mark.tools

PLANTED = [
    ("dev-velero", f"{MARK}dead/kept", True),
    ("dev-velero", f"{MARK}dead/intruder-longhorn", True),
    ("dev-host-files", f"cp1/locks/{MARK}dead/doomed", True),
    ("dev-velero", "backups/.backstop-probe-like/x", False),
    ("dev-velero", "backups/monday", False),
    ("dev-host-files", "cp1/data/ab/cd", False),
    ("dev-host-files", f"cp1/{MARK}standing/kept", False),
]


def _sweep(site: StoreSite, now: datetime.datetime) -> Record:
    clients = [Client.model_validate(client) for client in site.payload["clients"]]
    store = StoreEndpoint(site.server.url, site.server.region, site.server.ca_pem)
    sessions = {client.name: Session.open(store, client.credential()) for client in clients}
    record = Record()
    reader = next(client for client in clients if client.name == "drill")
    debris.sweep(record, store=store, reader=reader, clients=clients, sessions=sessions, now=now)
    return record


def _present(site: StoreSite) -> set[tuple[str, str]]:
    return {
        (bucket["name"], str(entry.object_name))
        for bucket in site.payload["buckets"]
        for entry in site.root.list_objects(bucket["name"], recursive=True)
    }


def test_old_probes_of_dead_runs_are_swept_and_all_else_stays(store_site: StoreSite) -> None:
    for bucket, key, _ in PLANTED:
        store_site.root.put_object(bucket, key, io.BytesIO(b"x"), 1)
    now = datetime.datetime.now(datetime.UTC)
    _sweep(store_site, now)
    assert {(bucket, key) for bucket, key, _ in PLANTED} <= _present(store_site)
    _sweep(store_site, now + ABANDONED_AFTER + datetime.timedelta(minutes=1))
    left = _present(store_site)
    for bucket, key, removed in PLANTED:
        assert ((bucket, key) not in left) == removed, key


def test_what_nobody_may_delete_is_named_in_the_receipt(store_site: StoreSite) -> None:
    key = f"{MARK}dead/intruder"
    store_site.root.put_object("dev-evidence", key, io.BytesIO(b"x"), 1)
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=2)
    record = _sweep(store_site, later)
    assert f"dev-evidence/{key}: no client may delete it" in record.left
    store_site.root.remove_object("dev-evidence", key)


def test_two_drills_at_once_do_not_meet(store_site: StoreSite) -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(drill, store_site.payload, run_id=name) for name in ("one", "two")]
    for run in runs:
        assert_proven(run.result())


def test_daily_drills_do_not_fill_a_bucket_whose_client_may_not_delete(
    store_site: StoreSite,
) -> None:
    drill(store_site.payload, run_id="day1")
    first = {key for bucket, key in _present(store_site) if bucket == "dev-evidence"}
    drill(store_site.payload, run_id="day2")
    assert {key for bucket, key in _present(store_site) if bucket == "dev-evidence"} == first


def test_standing_is_told_from_the_key() -> None:
    assert Written("b", f"cp1/{MARK}standing/kept").standing
    assert not Written("b", f"{MARK}run/standing").standing
