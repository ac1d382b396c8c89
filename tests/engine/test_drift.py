"""What somebody changes on the store by hand is shown by refresh and healed by the next `up`."""

import json
from collections.abc import Callable

import pytest
from minio import Minio
from minio.minioadmin import MinioAdmin
from minio.versioningconfig import SUSPENDED, VersioningConfig

from tests.engine.server_view import clients, listing
from tests.engine.site import STACK, EngineSite, shown
from tests.engine.state_view import exported, name_of

pytestmark = pytest.mark.tools

BUCKET, POLICY = "unit-velero", "unit-velero"

Edit = Callable[[Minio, MinioAdmin], object]


def velero_user(admin: MinioAdmin) -> str:
    users = json.loads(admin.user_list())
    (found,) = [name for name, user in users.items() if user.get("policyName") == POLICY]
    return str(found)


def widen_policy(_: Minio, admin: MinioAdmin) -> object:
    document = admin.policy_list()
    text = json.loads(document)[POLICY]
    text["Statement"] = [s for s in text["Statement"] if s["Effect"] == "Allow"]
    return admin.policy_add(POLICY, policy=text)


EDITS: dict[str, tuple[Edit, str]] = {
    "policy text": (widen_policy, "velero-policy"),
    "user deleted": (lambda _, admin: admin.user_remove(velero_user(admin)), "velero-1-user"),
    "attachment removed": (
        lambda _, admin: admin.detach_policy([POLICY], user=velero_user(admin)),
        "velero-1-attachment",
    ),
    "versioning suspended": (
        lambda store, _: store.set_bucket_versioning(BUCKET, VersioningConfig(SUSPENDED)),
        "velero-versioning",
    ),
    "lifecycle removed": (
        lambda store, _: store.delete_bucket_lifecycle(BUCKET),
        "velero-lifecycle",
    ),
}


@pytest.mark.parametrize(("edit", "resource"), EDITS.values(), ids=EDITS)
def test_an_edit_by_hand_is_shown_and_healed(
    deployed: EngineSite, edit: Edit, resource: str
) -> None:
    wanted = listing(deployed.server)
    edit(*clients(deployed.server))
    assert listing(deployed.server) != wanted
    shown_by_refresh = deployed.pulumi("refresh", "--preview-only", "--diff", "-s", STACK)
    assert shown_by_refresh.returncode == 0, shown(shown_by_refresh)
    assert f"::{resource}]" in shown_by_refresh.stdout
    refreshed = deployed.stack("refresh")
    assert refreshed.returncode == 0, shown(refreshed)
    preview = deployed.stack("preview", "--expect-no-changes")
    assert preview.returncode != 0, "the next preview does not show the edit"
    assert resource in preview.stdout
    deployed.up()
    assert listing(deployed.server) == wanted
    deployed.expect_quiet()


def test_a_disabled_user_is_healed_by_a_new_credential(deployed: EngineSite) -> None:
    """The plugin reads a user's status and compares it with nothing: a known limit.

    Neither refresh nor preview shows the edit; the status is in the refreshed state only.
    """
    wanted = listing(deployed.server)
    _, admin = clients(deployed.server)
    admin.user_disable(velero_user(admin))
    assert deployed.stack("refresh").returncode == 0
    (user,) = [r for r in exported(deployed)["resources"] if name_of(r) == "velero-1-user"]
    assert user["outputs"]["status"] == "disabled"
    deployed.expect_quiet()
    rotated = {**deployed.config("clients")["velero"], "credentialGeneration": 2}
    deployed.configure(clients={**deployed.config("clients"), "velero": rotated})
    deployed.up()
    assert listing(deployed.server) == wanted
    deployed.expect_quiet()
