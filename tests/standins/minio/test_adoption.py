"""What an interrupted creation left on the server is adopted by its id, not made a second time."""

import json
from collections.abc import Callable

import pytest

from tests.standins.minio.harness import (
    ATTACHMENT,
    BUCKET,
    BUCKET_POLICY,
    LIFECYCLE,
    POLICY,
    USER,
    VERSIONING,
    Plugin,
    Props,
    Reply,
    secret,
)

pytestmark = [pytest.mark.tools]


def document(bucket: str, **added: object) -> str:
    statement = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": [f"arn:aws:s3:::{bucket}/*"],
        **added,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_pending_creation_is_adopted_from_its_id_and_inputs_alone(
    plugin: Plugin, fresh: Callable[[str], str]
) -> None:
    bucket, user, policy = fresh("adopt"), fresh("U"), fresh("policy")
    programs: dict[str, tuple[str, Props, set[str]]] = {
        # kind: import id, the program's inputs, what the next update has to set
        BUCKET: (bucket, {"bucket": bucket, "objectLocking": True, "quota": 10_000_000}, {"quota"}),
        VERSIONING: (
            bucket,
            {"bucket": bucket, "versioningConfiguration": {"status": "Enabled"}},
            set(),
        ),
        BUCKET_POLICY: (
            bucket,
            {"bucket": bucket, "policy": document(bucket, Principal={"AWS": ["*"]})},
            set(),
        ),
        LIFECYCLE: (
            bucket,
            {"bucket": bucket, "rules": [{"id": "r", "noncurrentVersionExpirationDays": 30}]},
            set(),
        ),
        USER: (user, {"name": user, "secret": secret("abcdefgh12345678")}, {"secret"}),
        POLICY: (policy, {"name": policy, "policy": document(bucket)}, set()),
        ATTACHMENT: (f"{user}/{policy}", {"userName": user, "policyName": policy}, set()),
    }
    for kind, (import_id, program, missing) in programs.items():
        made = plugin.create(kind, program)
        # The engine keeps the inputs of a creation it never heard back from, and no state.
        found = plugin.read(kind, Reply(import_id, {}, made.inputs))
        assert found.id, kind
        assert set(plugin.changes(kind, found, program)) == missing, kind
        if missing:
            completed = plugin.update(kind, found, program)
            assert plugin.changes(kind, completed, program) == {}, kind
