"""`python -m s3 settings` on a real server: claims, default retention, and the read-back."""

import datetime
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from minio import Minio
from minio.commonconfig import AndOperator, Filter, Tag, Tags
from minio.lifecycleconfig import (
    Expiration,
    LifecycleConfig,
    NoncurrentVersionExpiration,
    Rule,
)
from minio.versioningconfig import VersioningConfig

from s3.bucket_state import expiries
from s3.client import Credential, StoreEndpoint, connect, connect_admin
from tests.support.minio_server import MinioServer

ROOT = Path(__file__).resolve().parents[2]


def settings(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "s3", "settings"],
        input=text, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def request(server: MinioServer, name: str, **bucket: Any) -> dict[str, Any]:
    declared = {
        "name": name, "versioning": True, "objectLock": None, "noncurrentDays": 30,
        "quotaBytes": None, "claim": True, **bucket,
    }  # fmt: skip
    return {
        "schema": 1, "endpoint": server.url, "region": server.region, "caPem": server.ca_pem,
        "accessKey": server.root_user, "secretKey": server.root_password, "site": "dev",
        "bucket": declared,
    }  # fmt: skip


def make(server: MinioServer, name: str, *more: Rule, lock: bool = False) -> Minio:
    store = StoreEndpoint(server.url, server.region, server.ca_pem)
    client = connect(store, Credential(server.root_user, server.root_password))
    client.make_bucket(name, object_lock=lock)
    client.set_bucket_versioning(name, VersioningConfig("Enabled"))
    rule = Rule(
        status="Enabled",
        rule_id="noncurrent",
        rule_filter=Filter(prefix=""),
        noncurrent_version_expiration=NoncurrentVersionExpiration(noncurrent_days=30),
    )
    client.set_bucket_lifecycle(name, LifecycleConfig([rule, *more]))
    return client


def expiring(prefix: str, *, days: int | None = None, **rule: Any) -> Rule:
    end = Expiration(days=days) if days else Expiration(date=datetime.datetime(2099, 1, 1))
    return Rule(
        **{"status": "Enabled", "rule_filter": Filter(prefix=prefix), **rule},
        rule_id=f"{prefix}{days}", expiration=end,
    )  # fmt: skip


@pytest.mark.tools
def test_a_bucket_is_claimed_and_what_the_server_holds_is_printed(server: MinioServer) -> None:
    client = make(server, "claimed")
    client.set_bucket_tags("claimed", _tags(team="storage"))
    for _ in range(2):  # the second time changes nothing
        done = settings(json.dumps(request(server, "claimed")))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {
            "name": "claimed", "site": "dev", "versioning": True, "objectLock": None,
            "noncurrentDays": 30, "quotaBytes": None, "expires": [],
        }  # fmt: skip
    assert client.get_bucket_tags("claimed") == {"team": "storage", "backstop-site": "dev"}


@pytest.mark.tools
def test_a_bucket_of_another_site_is_refused_and_left_alone(server: MinioServer) -> None:
    client = make(server, "foreign", lock=True)
    client.set_bucket_tags("foreign", _tags(**{"backstop-site": "prod"}))
    lock = {"mode": "GOVERNANCE", "days": 3}
    done = settings(json.dumps(request(server, "foreign", objectLock=lock)))
    assert done.returncode == 1
    assert "belongs to site 'prod', not to 'dev'" in done.stderr
    assert client.get_bucket_tags("foreign") == {"backstop-site": "prod"}
    assert client.get_object_lock_config("foreign").mode is None


@pytest.mark.tools
def test_default_retention_is_set_and_a_plain_bucket_cannot_get_it(server: MinioServer) -> None:
    make(server, "locked", lock=True)
    lock = {"mode": "GOVERNANCE", "days": 14}
    done = settings(json.dumps(request(server, "locked", objectLock=lock)))
    assert json.loads(done.stdout)["objectLock"] == lock
    make(server, "unlocked")
    refused = settings(json.dumps(request(server, "unlocked", objectLock=lock)))
    assert refused.returncode == 1
    assert "bucket unlocked" in refused.stderr


@pytest.mark.tools
@pytest.mark.parametrize(
    ("declared", "sentence"),
    [
        ({"versioning": False}, "versioning is true, not false"),
        ({"noncurrentDays": 7}, "noncurrentDays is 30, not 7"),
        (
            {"expires": [{"prefix": "canary/", "days": 400}]},
            'expires is [], not [{"prefix": "canary/", "days": 400}]',
        ),
    ],
)
def test_a_difference_is_one_sentence_and_exit_1(
    server: MinioServer, declared: dict[str, Any], sentence: str
) -> None:
    name = f"differs-{next(iter(declared)).lower()}"
    make(server, name)
    done = settings(json.dumps(request(server, name, **declared)))
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.tools
def test_what_expires_is_read_whole_and_in_order_and_compared(server: MinioServer) -> None:
    tagged = Filter(tag=Tag("k", "v"))
    both = Filter(and_operator=AndOperator(prefix="canary/", tags=_tags(k="v", l="w")))
    client = make(
        server,
        "expiring",
        expiring("z/", days=9),
        expiring("canary/", days=400),
        expiring("off/", days=1, status="Disabled"),
        expiring("dated/"),
        expiring("t", days=5, rule_filter=tagged),
        expiring("u", days=6, rule_filter=both),
    )
    assert expiries(client, "expiring") == [
        {"prefix": "", "narrowed": True, "days": 5},
        {"prefix": "canary/", "days": 400},
        {"prefix": "canary/", "narrowed": True, "days": 6},
        {"prefix": "dated/", "days": None},
        {"prefix": "z/", "days": 9},
    ]
    make(server, "truths", expiring("canary/", days=400))
    for days, code in ((400, 0), (399, 1)):
        wanted = request(server, "truths", expires=[{"prefix": "canary/", "days": days}])
        assert settings(json.dumps(wanted)).returncode == code
    # What nobody declared is a difference too.
    undeclared = settings(json.dumps(request(server, "truths")))
    assert undeclared.returncode == 1
    assert 'expires is [{"prefix": "canary/", "days": 400}], not []' in undeclared.stderr


@pytest.mark.tools
def test_a_quota_is_set_changed_and_taken_away(server: MinioServer) -> None:
    make(server, "quota")
    store = StoreEndpoint(server.url, server.region, server.ca_pem)
    admin = connect_admin(store, Credential(server.root_user, server.root_password))
    for wanted in (5000000, 6000000, None):
        done = settings(json.dumps(request(server, "quota", quotaBytes=wanted)))
        assert json.loads(done.stdout)["quotaBytes"] == wanted
        assert (json.loads(admin.bucket_quota_get("quota"))["quota"] or None) == wanted


@pytest.mark.tools
def test_a_missing_bucket_names_bucket_and_endpoint(server: MinioServer) -> None:
    done = settings(json.dumps(request(server, "not-there")))
    assert done.returncode == 1
    assert "bucket not-there: the bucket does not exist at https://127.0.0.1" in done.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "stdin is no JSON"),
        ("[]", "input: "),
        ('{"schema": 1}', "endpoint: missing"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(text: str, sentence: str) -> None:
    done = settings(text)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_misspelt_key_is_named_and_no_value_is_repeated() -> None:
    text = json.dumps({"schema": 1, "secretkey": "SENTINEL", "bucket": {"quotaBytes": "SENTINEL"}})
    done = settings(text)
    assert done.returncode == 2
    assert "SENTINEL" not in done.stderr


def _tags(**pairs: str) -> Tags:
    tags = Tags.new_bucket_tags()
    tags.update(pairs)
    return tags
