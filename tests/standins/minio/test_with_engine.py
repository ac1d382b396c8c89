"""The stand-in under the real Pulumi engine: deploy, repeat, drift, outage, import, destroy."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from minio.versioningconfig import SUSPENDED, VersioningConfig

from tests.standins.minio.conftest import ByHand
from tests.standins.minio.harness import OFFICIAL_VARIABLE, STAND_IN
from tests.support.minio_server import MinioServer

pytestmark = [pytest.mark.tools]

LANGUAGE_HOST = STAND_IN.parents[1] / "pulumi-language-python"
ENGINE_SECONDS = 120
CLIENT_SECRET = "abcdefgh12345678"
PROGRAM = """
import json, os, pulumi, pulumi_minio as minio
store = minio.Provider(
    "store", minio_server=os.environ["STORE"], minio_user=os.environ["STORE_USER"],
    minio_password=pulumi.Output.secret(os.environ["STORE_PASSWORD"]), minio_ssl=True,
    minio_region=os.environ["STORE_REGION"], minio_cacert_file=os.environ["STORE_CA"])
o = pulumi.ResourceOptions(provider=store)
b = minio.S3Bucket("bucket", bucket="velero", quota=50_000_000, opts=o)
minio.S3BucketVersioning(
    "versioning", bucket=b.bucket, versioning_configuration={"status": "Enabled"}, opts=o)
minio.IlmPolicy(
    "lifecycle", bucket=b.bucket,
    rules=[{"id": "noncurrent", "noncurrent_version_expiration_days": 30}], opts=o)
u = minio.IamUser(
    "user", name="VELERO", secret=pulumi.Output.secret(os.environ["CLIENT_SECRET"]), opts=o)
p = minio.IamPolicy("policy", name="velero", opts=o, policy=b.arn.apply(lambda arn: json.dumps(
    {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": arn + "/*"}]})))
minio.IamUserPolicyAttachment("attach", user_name=u.name, policy_name=p.name, opts=o)
pulumi.export("secret", u.secret)
"""


@dataclass
class Stack:
    """A project with one stack on a file backend."""

    project: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.project,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=ENGINE_SECONDS,
            check=False,
        )

    def succeed(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def resources(self) -> set[str]:
        state = json.loads(self.succeed("stack", "export"))
        urns = (found["urn"] for found in state["deployment"].get("resources", []))
        return {urn.rpartition("::")[2] for urn in urns if "minio:index" in urn}


@pytest.fixture
def stack(server: MinioServer, tmp_path: Path) -> Iterator[Stack]:
    from lab.tools import find  # noqa: PLC0415  (the lab is needed by these tests only)

    engine = find("pulumi")
    if engine is None:
        pytest.skip("the pinned Pulumi engine is not built: run `python -m lab tools pulumi`")
    if OFFICIAL_VARIABLE in os.environ:
        pytest.skip("the engine runs official plugins through its own installation")
    project = tmp_path / "project"
    (tmp_path / "state").mkdir()
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: engine\nruntime: python\n")
    (project / "__main__.py").write_text(PROGRAM)
    folders = (engine.parent, LANGUAGE_HOST, STAND_IN.parent)
    yield Stack(
        project,
        {
            "PATH": os.pathsep.join([*map(str, folders), os.environ["PATH"]]),
            "HOME": str(tmp_path),
            "BACKSTOP_PYTHON": sys.executable,
            "PULUMI_HOME": str(tmp_path / "pulumi"),
            "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "only for this test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "STORE": server.endpoint,
            "STORE_USER": server.root_user,
            "STORE_PASSWORD": server.root_password,
            "STORE_REGION": server.region,
            "STORE_CA": str(server.ca_file),
            "CLIENT_SECRET": CLIENT_SECRET,
        },
    )
    shutil.rmtree(tmp_path / "state")


UP = ("up", "--yes", "--skip-preview")
REFRESH = ("refresh", "--yes", "--skip-preview")
EVERYTHING = {"bucket", "versioning", "lifecycle", "user", "policy", "attach"}


def test_a_deployment_is_quiet_when_repeated_heals_drift_and_survives_an_outage(
    stack: Stack, server: MinioServer, by_hand: ByHand
) -> None:
    stack.succeed("stack", "init", "dev")
    said = stack.succeed(*UP)
    assert "stand-in" in said
    assert stack.resources() == EVERYTHING
    stack.succeed(*UP, "--expect-no-changes")
    stack.succeed(*REFRESH, "--expect-no-changes")

    by_hand.s3.set_bucket_versioning("velero", VersioningConfig(status=SUSPENDED))
    by_hand.admin.detach_policy(["velero"], user="VELERO")
    by_hand.s3.delete_bucket_lifecycle("velero")
    stack.succeed(*REFRESH)
    assert stack.resources() == EVERYTHING - {"attach", "lifecycle"}
    stack.succeed(*UP)
    assert by_hand.s3.get_bucket_versioning("velero").status == "Enabled"
    assert by_hand.user("VELERO")["policyName"] == "velero"
    assert by_hand.s3.get_bucket_lifecycle("velero") is not None

    server.stop()
    try:
        refused = stack.run(*REFRESH)
    finally:
        server.start()
    assert refused.returncode != 0
    assert "cannot be reached" in refused.stdout
    assert stack.resources() == EVERYTHING

    kept = [path for path in stack.project.parent.rglob("*") if path.is_file()]
    clear = [
        path
        for path in kept
        if any(word in path.read_bytes() for word in (CLIENT_SECRET.encode(), b"testrootsecret"))
    ]
    assert clear == []
    assert CLIENT_SECRET not in said + refused.stdout + refused.stderr

    stack.succeed("state", "delete", "--yes", _urn(stack, "versioning"))
    stack.succeed(
        "import",
        "--yes",
        "--protect=false",
        "--generate-code=false",
        "--provider=store=" + _urn(stack, "store"),
        "minio:index/s3BucketVersioning:S3BucketVersioning",
        "versioning",
        "velero",
    )
    stack.succeed("preview", "--expect-no-changes")
    stack.succeed("destroy", "--yes", "--skip-preview")
    assert stack.resources() == set()
    assert not by_hand.s3.bucket_exists("velero")


def _urn(stack: Stack, name: str) -> str:
    state = json.loads(stack.succeed("stack", "export"))
    urns = [str(found["urn"]) for found in state["deployment"]["resources"]]
    return next(urn for urn in urns if urn.endswith(f"::{name}"))
