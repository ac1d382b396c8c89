"""Users and policies of a lost state go; what is another's, or in use, stays."""

import json
import subprocess
import sys
from typing import Any

import pytest
from minio.minioadmin import MinioAdmin

from s3.accounts import Retirement, plan
from s3.client import Credential, StoreEndpoint, connect_admin
from s3.ownership import policy_mark
from tests.support.minio_server import MinioServer


def document(site: str | None) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Action": ["s3:GetObject"],
        "Resource": ["arn:aws:s3:::dev-velero/*"],
    }
    marked = {"Sid": policy_mark(site), **statement} if site else statement
    return {"Version": "2012-10-17", "Statement": [marked]}


POLICIES: dict[str, object] = {
    "dev-velero": document("dev"),
    "dev-host-files-gone": document("dev"),
    "dev-by-hand": document(None),
    "dev-velero-too": document("prod"),
    "readwrite": document(None),
}


def test_only_users_of_the_site_that_are_not_kept_go() -> None:
    users = {
        "NEW": ["dev-velero"],
        "OLD": ["dev-velero"],
        "OLDER": ["dev-host-files-gone", "dev-velero"],
        "THEIRS": ["dev-velero-too"],
        "BYHAND": ["dev-by-hand"],
        "NOBODY": [],
    }
    found = plan("dev", ["dev-velero"], ["NEW"], POLICIES, users)
    assert found == Retirement(("OLD", "OLDER"), {}, ("dev-host-files-gone",))


def test_a_user_with_rights_of_somebody_else_only_loses_ours() -> None:
    users = {"SHARED": ["dev-velero", "readwrite"]}
    found = plan("dev", ["dev-velero"], ["NEW"], POLICIES, users)
    assert found == Retirement((), {"SHARED": ("dev-velero",)}, ("dev-host-files-gone",))


def test_nothing_left_over_is_nothing_to_do() -> None:
    policies = {"dev-velero": document("dev")}
    found = plan("dev", ["dev-velero"], ["NEW"], policies, {"NEW": ["dev-velero"]})
    assert found == Retirement((), {}, ())


def administrator(server: MinioServer) -> MinioAdmin:
    store = StoreEndpoint(server.url, server.region, server.ca_pem)
    return connect_admin(store, Credential(server.root_user, server.root_password))


def request(server: MinioServer, **changes: Any) -> dict[str, Any]:
    return {
        "schema": 1, "site": "dev", "endpoint": server.url, "region": server.region,
        "caPem": server.ca_pem, "accessKey": server.root_user, "secretKey": server.root_password,
        "policies": ["dev-velero"], "keep": ["NEWKEY"], **changes,
    }  # fmt: skip


def retire(text: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "s3", "retire"],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.tools
def test_the_store_ends_with_the_kept_users_only(server: MinioServer) -> None:
    admin = administrator(server)
    for name in ("dev-velero", "dev-host-files-gone", "dev-velero-too"):
        admin.policy_add(name, policy=POLICIES[name])  # type: ignore[arg-type]
    for key, policies in {
        "NEWKEY": ["dev-velero"],
        "OLDKEY": ["dev-velero"],
        "GONEKEY": ["dev-host-files-gone"],
        "SHAREDKEY": ["dev-velero", "readwrite"],
        "THEIRKEY": ["dev-velero-too"],
    }.items():
        admin.user_add(key, "a secret for a test")
        admin.attach_policy(policies, user=key)
    for wanted in ((2, 1, ["dev-host-files-gone"]), (0, 0, [])):  # the second time changes nothing
        done = retire(json.dumps(request(server)))
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert (told["removedUsers"], told["detachedUsers"], told["removedPolicies"]) == wanted
        assert "KEY" not in done.stdout + done.stderr
    users = json.loads(admin.user_list())
    assert {key: told.get("policyName") for key, told in users.items()} == {
        "NEWKEY": "dev-velero",
        "SHAREDKEY": "readwrite",
        "THEIRKEY": "dev-velero-too",
    }
    assert "dev-host-files-gone" not in json.loads(admin.policy_list())


@pytest.mark.tools
def test_a_store_that_refuses_is_one_sentence(server: MinioServer) -> None:
    done = retire(json.dumps(request(server, secretKey="wrong")))
    assert done.returncode == 1
    assert done.stderr.startswith("s3 retire: users of the site: the store at https://127.0.0.1")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"keep": []}, "keep: "),
        ({"policies": None}, "policies: "),
        ({"extra": 1}, "extra: unknown"),
        ({}, "the CA given for https://127.0.0.1:1"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(changes: dict[str, Any], sentence: str) -> None:
    base = {
        "schema": 1, "site": "dev", "endpoint": "https://127.0.0.1:1", "region": "r", "caPem": "x",
        "accessKey": "a", "secretKey": "SENTINEL", "policies": [], "keep": ["SENTINEL"],
    }  # fmt: skip
    done = retire(json.dumps({**base, **changes}))
    assert done.returncode == 2
    assert done.stderr.startswith(f"s3 retire: {sentence}")
    assert "SENTINEL" not in done.stderr
