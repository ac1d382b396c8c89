"""IamUser, IamPolicy and IamUserPolicyAttachment against a real server."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import urllib3
from minio import Minio
from minio.error import MinioAdminException, S3Error

from tests.standins.minio.conftest import ByHand
from tests.standins.minio.harness import (
    ATTACHMENT,
    POLICY,
    SECRET,
    SIGNATURE,
    UNKNOWN,
    USER,
    Plugin,
    Props,
    Reply,
    refusal,
    secret,
)
from tests.support.minio_server import MinioServer

pytestmark = [pytest.mark.tools]
Fresh = Callable[[str], str]
PARALLEL_USERS = 20


def allowing(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": ["arn:aws:s3:::b/*"]}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def refused_as(server: MinioServer, user: str, password: str) -> str:
    """The server's error code for a request of that user; none may list the buckets."""
    pool = urllib3.PoolManager(ca_certs=str(server.ca_file), retries=urllib3.Retry(0))
    client = Minio(
        server.endpoint,
        access_key=user,
        secret_key=password,
        region=server.region,
        http_client=pool,
    )
    with pytest.raises(S3Error) as error:
        client.get_bucket_policy("no-such-bucket-here")
    return str(error.value.code)


KNOWN = "AccessDenied"  # the server knows the user and the secret is right


def policies_of(by_hand: ByHand, user: str) -> set[str]:
    return set(filter(None, str(by_hand.user(user).get("policyName", "")).split(",")))


def attach(plugin: Plugin, user: str, policy: str) -> Reply:
    return plugin.create(ATTACHMENT, {"userName": user, "policyName": policy})


def test_a_user_signs_in_with_the_secret_given(
    plugin: Plugin, server: MinioServer, fresh: Fresh
) -> None:
    name = fresh("U")
    made = plugin.create(USER, {"name": name, "secret": secret("abcdefgh12345678")})
    assert (made.id, made.state["status"]) == (name, "enabled")
    assert refused_as(server, name, "abcdefgh12345678") == KNOWN


def test_a_users_secret_is_marked_wherever_it_appears(plugin: Plugin, fresh: Fresh) -> None:
    marked = secret("abcdefgh12345678")
    # The engine hands a provider without secret support plain values.
    made = plugin.create(USER, {"name": fresh("U"), "secret": "abcdefgh12345678"})
    assert made.inputs["secret"] == marked
    assert made.state["secret"] == marked
    found = plugin.read(USER, made)
    assert (found.state["secret"], found.inputs["secret"]) == (marked, marked)
    wanted = {"name": made.id, "secret": "zyxwvuts87654321"}
    planned = plugin.update(USER, found, wanted, preview=True)
    assert planned.state["secret"] == secret("zyxwvuts87654321")
    assert plugin.update(USER, found, wanted).state["secret"] == secret("zyxwvuts87654321")


def test_a_user_without_a_secret_gets_one(
    plugin: Plugin, server: MinioServer, fresh: Fresh
) -> None:
    name = fresh("U")
    preview = plugin.create(USER, {"name": name}, preview=True).state["secret"]
    assert UNKNOWN in (preview, preview.get("value") if isinstance(preview, dict) else None)
    made = plugin.create(USER, {"name": name})
    assert made.state["secret"][SIGNATURE] == SECRET
    generated = made.state["secret"]["value"]
    assert len(generated) == 40
    assert refused_as(server, name, generated) == KNOWN
    assert plugin.changes(USER, made, {"name": name}) == {}


def test_a_new_secret_replaces_the_old_one_and_leaves_policies(
    plugin: Plugin, server: MinioServer, by_hand: ByHand, fresh: Fresh
) -> None:
    name = fresh("U")
    made = plugin.create(USER, {"name": name, "secret": secret("abcdefgh12345678")})
    attach(plugin, name, "readonly")
    plugin.update(USER, made, {"name": name, "secret": secret("zyxwvuts87654321")})
    assert refused_as(server, name, "abcdefgh12345678") == "SignatureDoesNotMatch"
    assert refused_as(server, name, "zyxwvuts87654321") != "SignatureDoesNotMatch"
    assert policies_of(by_hand, name) == {"readonly"}


def test_a_user_is_disabled_and_enabled(plugin: Plugin, by_hand: ByHand, fresh: Fresh) -> None:
    name = fresh("U")
    program: Props = {"name": name, "secret": secret("abcdefgh12345678"), "disableUser": True}
    made = plugin.create(USER, program)
    assert by_hand.user(name)["status"] == made.state["status"] == "disabled"
    # A new secret must not let a disabled user in again.
    program["secret"] = secret("zyxwvuts87654321")
    changed = plugin.update(USER, made, program)
    assert by_hand.user(name)["status"] == "disabled"
    enabled = plugin.update(USER, changed, {**program, "disableUser": False})
    assert by_hand.user(name)["status"] == enabled.state["status"] == "enabled"


def test_a_user_disabled_by_hand_shows_as_its_status(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    made = plugin.create(USER, {"name": fresh("U"), "secret": secret("abcdefgh12345678")})
    by_hand.admin.user_disable(made.id)
    assert plugin.read(USER, made).state["status"] == "disabled"


def test_a_user_removed_by_hand_is_gone(plugin: Plugin, by_hand: ByHand, fresh: Fresh) -> None:
    made = plugin.create(USER, {"name": fresh("U"), "secret": secret("abcdefgh12345678")})
    by_hand.admin.user_remove(made.id)
    assert plugin.read(USER, made).id == ""


@pytest.mark.stand_in
def test_an_update_of_a_user_that_is_gone_says_so(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    made = plugin.create(USER, {"name": fresh("U"), "secret": secret("abcdefgh12345678")})
    by_hand.admin.user_remove(made.id)
    with pytest.raises(grpc.RpcError) as error:
        plugin.update(USER, made, {"name": made.id, "secret": secret("zyxwvuts87654321")})
    assert "does not have it any more; run `pulumi refresh`" in refusal(error)
    assert "zyxwvuts" not in refusal(error)


def test_an_imported_user_gets_the_programs_secret_by_the_next_update(
    plugin: Plugin, server: MinioServer, by_hand: ByHand, fresh: Fresh
) -> None:
    name = fresh("U")
    by_hand.admin.user_add(name, "unknownunknown00")
    found = plugin.read(USER, Reply(name, {}))
    program = {"name": name, "secret": secret("abcdefgh12345678")}
    assert set(plugin.changes(USER, found, program)) == {"secret"}
    plugin.update(USER, found, program)
    assert refused_as(server, name, "abcdefgh12345678") == KNOWN


def test_a_deleted_user_leaves_its_groups(plugin: Plugin, by_hand: ByHand, fresh: Fresh) -> None:
    made = plugin.create(USER, {"name": fresh("U"), "secret": secret("abcdefgh12345678")})
    group = fresh("G")
    by_hand.admin.group_add(group, [made.id])  # type: ignore[arg-type]  # sent as given: a list
    plugin.delete(USER, made)
    with pytest.raises(MinioAdminException, match="NoSuchUser"):
        by_hand.admin.user_info(made.id)
    assert json.loads(by_hand.admin.group_info(group)).get("members") in (None, [])


@pytest.mark.stand_in
def test_an_update_with_force_destroy_leaves_the_user_alone(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    program: Props = {"name": fresh("U"), "secret": secret("abcdefgh12345678")}
    made = plugin.create(USER, program)
    with pytest.raises(grpc.RpcError) as error:
        plugin.update(USER, made, {**program, "forceDestroy": True})
    assert "forceDestroy is set" in refusal(error)
    assert by_hand.user(made.id)["status"] == "enabled"


def test_a_policy_is_kept_as_the_server_has_it(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    name = fresh("policy")
    program = {"name": name, "policy": allowing("s3:GetObject")}
    made = plugin.create(POLICY, program)
    assert json.loads(made.state["policy"]) == json.loads(allowing("s3:GetObject"))
    assert plugin.changes(POLICY, made, program) == {}
    wider = {"name": name, "policy": allowing("s3:PutObject", "s3:GetObject")}
    assert plugin.changes(POLICY, made, wider) == {"policy": "UPDATE"}
    changed = plugin.update(POLICY, made, wider)
    actions = json.loads(by_hand.admin.policy_info(name))["Statement"][0]["Action"]
    assert set(actions) == {"s3:PutObject", "s3:GetObject"}
    assert plugin.changes(POLICY, changed, wider) == {}


def test_repeated_refreshes_of_a_policy_change_nothing(plugin: Plugin, fresh: Fresh) -> None:
    actions = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
    made = plugin.create(POLICY, {"name": fresh("policy"), "policy": allowing(*actions)})
    # The server lists the actions in another order nearly every time.
    texts = {plugin.read(POLICY, made).state["policy"] for _ in range(12)}
    assert texts == {made.state["policy"]}


def test_a_policy_changed_by_hand_shows_and_is_put_back(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    program = {"name": fresh("policy"), "policy": allowing("s3:GetObject")}
    made = plugin.create(POLICY, program)
    by_hand.admin.policy_add(made.id, policy=json.loads(allowing("s3:*")))
    found = plugin.read(POLICY, made)
    assert plugin.changes(POLICY, found, program) == {"policy": "UPDATE"}
    plugin.update(POLICY, found, program)
    assert json.loads(by_hand.admin.policy_info(made.id)) == json.loads(allowing("s3:GetObject"))


@pytest.mark.stand_in
def test_a_policy_removed_by_hand_is_gone(plugin: Plugin, by_hand: ByHand, fresh: Fresh) -> None:
    made = plugin.create(POLICY, {"name": fresh("policy"), "policy": allowing("s3:GetObject")})
    by_hand.admin.policy_remove(made.id)
    assert plugin.read(POLICY, made).id == ""
    plugin.delete(POLICY, made)


def test_a_policy_in_use_is_not_deleted(plugin: Plugin, by_hand: ByHand, fresh: Fresh) -> None:
    user = plugin.create(USER, {"name": fresh("U"), "secret": secret("abcdefgh12345678")})
    made = plugin.create(POLICY, {"name": fresh("policy"), "policy": allowing("s3:GetObject")})
    attach(plugin, user.id, made.id)
    with pytest.raises(grpc.RpcError) as error:
        plugin.delete(POLICY, made)
    assert f"unable to delete policy ({made.id})" in refusal(error)
    assert policies_of(by_hand, user.id) == {made.id}


def test_a_policy_is_imported_by_name(plugin: Plugin, by_hand: ByHand, fresh: Fresh) -> None:
    name = fresh("policy")
    by_hand.admin.policy_add(name, policy=json.loads(allowing("s3:GetObject")))
    found = plugin.read(POLICY, Reply(name, {}))
    program = {"name": name, "policy": allowing("s3:GetObject")}
    assert plugin.changes(POLICY, found, program) == {}


def test_a_policy_without_a_name_is_named_after_the_resource_for_good(plugin: Plugin) -> None:
    made = plugin.create(POLICY, {"policy": allowing("s3:GetObject")})
    assert made.id.startswith("it-")
    assert made.inputs["__defaults"] == ["name"]
    again = plugin.update(POLICY, made, {"policy": allowing("s3:PutObject")})
    assert again.inputs["name"] == made.id


def test_attachments_of_one_user_leave_each_other_alone(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    user = plugin.create(USER, {"name": fresh("U"), "secret": secret("abcdefgh12345678")})
    by_hand.admin.attach_policy(["diagnostics"], user=user.id)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(
            lambda policy: attach(plugin, user.id, policy), ("readonly", "writeonly")
        )
    assert policies_of(by_hand, user.id) == {"diagnostics", "readonly", "writeonly"}
    plugin.delete(ATTACHMENT, first)
    assert policies_of(by_hand, user.id) == {"diagnostics", "writeonly"}
    assert plugin.read(ATTACHMENT, first).id == ""
    assert plugin.read(ATTACHMENT, second).id == second.id


def test_an_attachment_that_exists_is_taken_over(
    plugin: Plugin, by_hand: ByHand, fresh: Fresh
) -> None:
    user = plugin.create(USER, {"name": fresh("U"), "secret": secret("abcdefgh12345678")})
    by_hand.admin.attach_policy(["readonly"], user=user.id)
    assert attach(plugin, user.id, "readonly").id.startswith(f"{user.id}-")


def test_an_attachment_to_a_policy_nobody_made_is_refused(plugin: Plugin, fresh: Fresh) -> None:
    user = plugin.create(USER, {"name": fresh("U"), "secret": secret("abcdefgh12345678")})
    with pytest.raises(grpc.RpcError) as error:
        attach(plugin, user.id, "no-such-policy")
    assert f"unable to Set User policy ({user.id} no-such-policy)" in refusal(error)


@pytest.mark.stand_in
def test_an_attachment_goes_with_its_user(plugin: Plugin, by_hand: ByHand, fresh: Fresh) -> None:
    user = plugin.create(USER, {"name": fresh("U"), "secret": secret("abcdefgh12345678")})
    made = attach(plugin, user.id, "readonly")
    by_hand.admin.user_remove(user.id)
    assert plugin.read(ATTACHMENT, made).id == ""
    plugin.delete(ATTACHMENT, made)


def test_an_attachment_is_imported_by_user_and_policy(plugin: Plugin, fresh: Fresh) -> None:
    user = plugin.create(USER, {"name": fresh("U"), "secret": secret("abcdefgh12345678")})
    attach(plugin, user.id, "readonly")
    found = plugin.read(ATTACHMENT, Reply(f"{user.id}/readonly", {}))
    program = {"userName": user.id, "policyName": "readonly"}
    assert plugin.changes(ATTACHMENT, found, program) == {}
    with pytest.raises(grpc.RpcError) as error:
        plugin.read(ATTACHMENT, Reply(user.id, {}))
    assert "expected <user-name>/<policy_name>" in refusal(error)


def test_twenty_clients_are_made_in_parallel(plugin: Plugin, by_hand: ByHand, fresh: Fresh) -> None:
    def make(number: int) -> tuple[str, str]:
        user = plugin.create(USER, {"name": fresh("P"), "secret": secret(f"abcdefgh{number:08d}")})
        policy = plugin.create(
            POLICY, {"name": fresh("policy"), "policy": allowing("s3:GetObject")}
        )
        attach(plugin, user.id, policy.id)
        return user.id, policy.id

    with ThreadPoolExecutor(PARALLEL_USERS) as pool:
        made = list(pool.map(make, range(PARALLEL_USERS)))
    assert len({user for user, _ in made}) == PARALLEL_USERS
    assert {user: policies_of(by_hand, user) for user, _ in made} == {
        user: {policy} for user, policy in made
    }
