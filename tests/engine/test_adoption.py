"""A new, empty state on a store that has been used: what is the site's is taken over."""

import io
import json
import shutil
from typing import Any

import pytest

from s3.ownership import policy_mark
from tests.engine.interruptions import killed_up
from tests.engine.server_view import clients, listing, objects
from tests.engine.site import STACK, EngineSite, shown
from tests.engine.state_view import exported, generated_values, name_of, state
from tests.engine.test_bad_input import assert_one_sentence

pytestmark = pytest.mark.tools

ROLES = ("velero", "longhorn", "host-files", "cluster-state", "evidence")
BUCKETS = {f"{role}-bucket" for role in ROLES}


def lose_state(site: EngineSite) -> None:
    shutil.rmtree(site.backend)
    site.backend.mkdir()


def new_stack(site: EngineSite) -> None:
    done = site.pulumi("stack", "init", STACK, "--no-select", "--secrets-provider", "passphrase")
    assert done.returncode == 0, shown(done)


def back_up(site: EngineSite) -> None:
    store, _ = clients(site.server)
    for content in (b"first", b"second"):
        store.put_object("unit-velero", "backup", io.BytesIO(content), len(content))


def backups(site: EngineSite) -> list[tuple[str, bool, bytes]]:
    return [each for each in objects(site.server, "unit-velero") if each[0] == "backup"]


def users(site: EngineSite) -> set[str]:
    _, admin = clients(site.server)
    return set(json.loads(admin.user_list()))


def planned(site: EngineSite) -> dict[str, str]:
    """What a preview would do, by resource name."""
    done = site.pulumi("preview", "--json", "-s", STACK)
    assert done.returncode == 0, shown(done)
    return {name_of(step): step["op"] for step in json.loads(done.stdout)["steps"]}


@pytest.mark.parametrize("plain", [False, True], ids=["driver", "plain pulumi"])
def test_an_empty_state_takes_the_store_over(deployed: EngineSite, plain: bool) -> None:
    back_up(deployed)
    before: Any = (without_import(state(deployed)), listing(deployed.server), backups(deployed))
    lost = users(deployed)
    assert lost == generated_values(deployed, "accessKey")
    lose_state(deployed)
    new_stack(deployed)
    operations = planned(deployed)
    assert {name for name, op in operations.items() if op == "import"} == BUCKETS
    assert listing(deployed.server) == before[1]
    if plain:
        done = deployed.pulumi("up", "--yes", "-s", STACK)
        assert done.returncode == 0, shown(done)
    else:
        deployed.up()
    now = without_import(state(deployed))
    assert differing(now, before[0]) == []
    assert now == before[0]
    found = listing(deployed.server)
    assert found == before[1]
    assert backups(deployed) == before[2]
    assert users(deployed) == generated_values(deployed, "accessKey")
    assert users(deployed) & lost == set()
    deployed.expect_quiet()
    refreshed = deployed.stack("refresh", "--", "--expect-no-changes")
    assert refreshed.returncode == 0, shown(refreshed)
    # What was imported is changed like any other bucket.
    deployed.configure(clients={**deployed.config("clients"), "velero": {"quotaGib": 2}})
    deployed.up()
    assert listing(deployed.server)["buckets"]["unit-velero"]["quota"] == 2 * 1024**3


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Which fields of which resources differ, for a message that can be read."""
    first, second = one["resources"], other["resources"]
    return sorted(
        f"{urn.rsplit('::', 1)[-1]}: {key}: {first.get(urn, {}).get(key)} / {second[urn].get(key)}"
        for urn in second
        for key in {*first.get(urn, {}), *second[urn]}
        if first.get(urn, {}).get(key) != second[urn].get(key)
    )


def without_import(seen: dict[str, Any]) -> dict[str, Any]:
    """A state without what tells only that a bucket was imported and not made."""
    for resource in seen["resources"].values():
        if str(resource["type"]).endswith(":S3Bucket"):
            for key in ("importID", "inputs", "outputs"):
                resource.pop(key, None)
        if name_of(resource) == "retired-users":
            resource["outputs"].pop("stdout")
    return seen


@pytest.mark.parametrize("after", [3, 20, 40])
def test_a_takeover_that_is_killed_is_finished_by_the_next_up(
    deployed: EngineSite, after: int
) -> None:
    back_up(deployed)
    before = (listing(deployed.server), backups(deployed))
    lost = users(deployed)
    lose_state(deployed)
    killed = killed_up(deployed, after)
    assert killed.code != 0, killed.output
    again = deployed.stack("up")
    assert again.returncode == 0, f"{killed.output}\n{shown(again)}"
    assert (listing(deployed.server), backups(deployed)) == before
    assert users(deployed) == generated_values(deployed, "accessKey")
    assert users(deployed) & lost == set()
    deployed.expect_quiet()


def test_users_of_others_survive_a_takeover(deployed: EngineSite) -> None:
    _, admin = clients(deployed.server)
    admin.user_add("COLLEAGUE", "a secret for a test")
    admin.attach_policy(["readwrite"], user="COLLEAGUE")
    lose_state(deployed)
    deployed.up()
    assert users(deployed) == {"COLLEAGUE", *generated_values(deployed, "accessKey")}


def test_a_rotation_is_the_engines_own_and_retires_nobody(deployed: EngineSite) -> None:
    velero = {**deployed.config("clients")["velero"], "credentialGeneration": 2}
    deployed.configure(clients={**deployed.config("clients"), "velero": velero})
    operations = planned(deployed)
    assert operations["velero-2-user"] == "create"
    assert "retired-users" not in operations
    deployed.up()
    assert users(deployed) == generated_values(deployed, "accessKey")


def test_a_policy_of_another_site_stops_the_first_up(bare: EngineSite) -> None:
    _, admin = clients(bare.server)
    statement = {
        "Sid": policy_mark("elsewhere"),
        "Effect": "Allow",
        "Action": ["s3:GetObject"],
        "Resource": ["arn:aws:s3:::theirs/*"],
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    admin.policy_add("unit-velero", policy=document)  # type: ignore[arg-type]
    before = listing(bare.server)
    assert_one_sentence(
        bare.stack("up"), "policy unit-velero belongs to site elsewhere, not to unit: give this"
    )
    assert listing(bare.server) == before
    # Asking the engine for the own state needs a provider of the engine's own.
    left = {one["type"] for one in exported(bare).get("resources") or []}
    assert left <= {"pulumi:pulumi:Stack", "pulumi:providers:pulumi"}
