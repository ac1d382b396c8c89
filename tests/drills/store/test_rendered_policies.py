"""The policies the program renders and the drill's table, written apart, agree on a real store."""

import pytest

from components.object_store.access import ClientAccess, statements
from tests.support.drill_runs import assert_proven, drill
from tests.support.store_site import StoreSite, policy

pytestmark = pytest.mark.tools


def test_a_site_with_the_programs_own_policies_is_proven(store_site: StoreSite) -> None:
    clients = store_site.payload["clients"]
    buckets = [bucket["name"] for bucket in store_site.payload["buckets"]]
    for client in clients:
        access = ClientAccess(
            name=client["name"],
            role=client["role"],
            bucket=client["bucket"],
            prefix=client["prefix"],
            generation=1,
            keep_previous=False,
        )
        store_site.set_policy(client["name"], policy(*statements(access, buckets)))
    try:
        record = drill(store_site.payload, run_id="rendered")
    finally:
        for client in clients:
            store_site.set_policy(client["name"], store_site.healthy_policy(client["name"]))
    assert_proven(record)
