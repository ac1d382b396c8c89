"""Plain `pulumi` commands on the whole program, in the environment `python -m stack env` prints."""

import base64
import io
import json

import pytest

from tests.engine.interruptions import begun
from tests.engine.server_view import clients, listing, objects
from tests.engine.site import CHECKOUT, STACK, EngineSite, shown
from tests.engine.state_view import exported, generated_values, name_of, state

pytestmark = pytest.mark.tools

ON_STACK = ("-s", STACK)
NOW = ("--yes", "--skip-preview", *ON_STACK)


def test_every_command_works_from_the_shell(bare: EngineSite) -> None:
    preview = bare.pulumi("preview", *ON_STACK, "--policy-pack", "policies")
    assert preview.returncode == 0, shown(preview)
    assert listing(bare.server)["buckets"] == {}
    first = bare.pulumi("up", *NOW)
    assert first.returncode == 0, shown(first)
    for arguments in (
        ("up", "--expect-no-changes", *NOW),
        ("preview", "--expect-no-changes", *ON_STACK),
        ("preview", "--expect-no-changes", "--policy-pack", "policies", *ON_STACK),
        ("refresh", "--expect-no-changes", *NOW),
    ):
        done = bare.pulumi(*arguments)
        assert done.returncode == 0, f"{arguments}: {shown(done)}"
        assert "Traceback" not in done.stdout + done.stderr


def test_a_preview_with_the_policy_pack_prints_no_traceback(deployed: EngineSite) -> None:
    done = deployed.stack("preview", "--policy-pack", "policies")
    assert done.returncode == 0, shown(done)
    for noise in ("Traceback", "never retrieved", "CancelledError"):
        assert noise not in done.stdout + done.stderr


def test_another_checkout_previews_without_a_diff(deployed: EngineSite) -> None:
    second = deployed.second_checkout("second")
    second.expect_quiet()
    second.up("--expect-no-changes")
    deployed.expect_quiet()


def test_no_path_of_the_checkout_is_in_an_input(deployed: EngineSite) -> None:
    resources = exported(deployed)["resources"]
    for resource in resources:
        inputs = str(resource.get("inputs"))
        assert str(deployed.checkout) not in inputs, resource["urn"]
        assert str(CHECKOUT) not in inputs, resource["urn"]


def stored_text(site: EngineSite) -> str:
    """Everything the engine has written for this stack: state, backup, history."""
    return "".join(file.read_text() for file in site.backend.rglob("*") if file.is_file())


def without_ids(site: EngineSite) -> str:
    """The encrypted state without resource IDs, which the engine always keeps in clear."""
    done = site.pulumi("stack", "export", *ON_STACK)
    deployment = json.loads(done.stdout)["deployment"]
    for resource in deployment["resources"]:
        resource.pop("id", None)
        (resource.get("outputs") or {}).pop("id", None)
    return json.dumps(deployment)


def test_no_generated_secret_is_shown_or_stored_in_clear(deployed: EngineSite) -> None:
    rotated = {**deployed.config("clients")["velero"], "credentialGeneration": 2}
    values = generated_values(deployed, "secretKey")
    assert len(values) == 7  # one for each client
    deployed.configure(clients={**deployed.config("clients"), "velero": rotated})
    printed = deployed.stack("preview", "--", "--diff")
    updated = deployed.stack("up", "--", "--diff")
    assert (printed.returncode, updated.returncode) == (0, 0), shown(updated)
    values |= generated_values(deployed, "secretKey")
    assert len(values) == 8
    text = printed.stdout + printed.stderr + updated.stdout + updated.stderr
    stored = stored_text(deployed)
    for value in {*values, deployed.server.root_password}:
        for form in (value, base64.b64encode(value.encode()).decode().rstrip("=")):
            assert form not in text
            assert form not in stored


def test_an_access_key_is_in_clear_only_as_the_id_of_its_user(deployed: EngineSite) -> None:
    """The plugin's ID of a user is its name, and the engine encrypts no ID: a known limit."""
    keys = generated_values(deployed, "accessKey")
    assert len(keys) == 7
    state_text = without_ids(deployed)
    quiet = deployed.stack("preview", "--", "--diff")
    for key in keys:
        assert key not in state_text
        assert key not in quiet.stdout + quiet.stderr


def versions_of_backup(site: EngineSite) -> list[tuple[str, bool, bytes]]:
    return [each for each in objects(site.server, "unit-velero") if each[0] == "backup"]


def test_destroy_leaves_buckets_and_every_version(deployed: EngineSite) -> None:
    store, _ = clients(deployed.server)
    for content in (b"first", b"second"):
        store.put_object("unit-velero", "backup", io.BytesIO(content), len(content))
    store.remove_object("unit-velero", "backup")
    before, versions = listing(deployed.server), versions_of_backup(deployed)
    done = deployed.pulumi("destroy", "--exclude-protected", *NOW)
    assert done.returncode == 0, shown(done)
    after = listing(deployed.server)
    assert after["buckets"] == before["buckets"]
    assert versions_of_backup(deployed) == versions
    # Two versions and the delete marker; within one second their order is the server's.
    assert sorted(content for _, _, content in versions) == [b"", b"first", b"second"]
    assert (after["policies"], after["users"]) == ({}, {})
    deployed.up()
    again = listing(deployed.server)
    assert (again["policies"], again["users"]) == (before["policies"], before["users"])
    assert again["buckets"] == before["buckets"]
    assert versions_of_backup(deployed) == versions
    deployed.expect_quiet()


def test_destroy_by_the_driver_says_what_stays(deployed: EngineSite) -> None:
    before = listing(deployed.server)
    done = deployed.stack("destroy", "--yes")
    assert done.returncode == 0, shown(done)
    stays = {line for line in done.stdout.splitlines() if line.startswith("stays: ")}
    for role in ("velero", "longhorn", "host-files", "cluster-state", "evidence"):
        assert f"stays: {role}-bucket (minio:index/s3Bucket:S3Bucket)" in stays
    assert listing(deployed.server)["buckets"] == before["buckets"]
    left = {name_of(r) for r in exported(deployed)["resources"] if r.get("custom")}
    assert "velero-bucket" in left
    assert "velero-policy" not in left


def test_an_unchanged_up_leaves_state_and_store_as_they_were(deployed: EngineSite) -> None:
    before = (state(deployed), listing(deployed.server))
    log = deployed.folder / "unchanged.jsonl"
    deployed.up("--expect-no-changes", "--", "--event-log", str(log))
    assert begun(log)
    assert (state(deployed), listing(deployed.server)) == before
