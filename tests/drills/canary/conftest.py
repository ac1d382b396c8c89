"""A real store with a bucket for truths, and the credentials of who writes and who reads them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from minio.versioningconfig import ENABLED, VersioningConfig

from canary import writer
from drills.canary.testimony import BucketTestimony
from s3.client import Credential, StoreEndpoint, connect, connect_admin
from tests.drills.canary.canaries import SITE
from tests.support.minio_server import MinioServer, running_minio
from tests.support.store_site import policy, statement

BUCKET = "dev-evidence"
PREFIX = "canary/"


@dataclass
class TruthStore:
    """The store. The writer may put below its site's folder, and nothing else."""

    server: MinioServer
    folder: Path
    writer_key: Credential = field(default=Credential("canary-writer", "writer-secret"))
    reader_key: Credential = field(default=Credential("drill-reader", "reader-secret"))

    @property
    def endpoint(self) -> StoreEndpoint:
        return StoreEndpoint(self.server.url, self.server.region, self.server.ca_pem)

    def testimony(self) -> BucketTestimony:
        return BucketTestimony.open(self.endpoint, self.reader_key, BUCKET, PREFIX, SITE)

    def access(self, folder: Path, **more: object) -> dict[str, object]:
        """The `store` part of a writer's config; keys of it may be replaced."""
        folder.mkdir(exist_ok=True)
        (folder / "accessKey").write_text(self.writer_key.access_key + "\n")
        (folder / "secretKey").write_text(self.writer_key.secret_key + "\n")
        return {
            "endpoint": self.server.url, "region": self.server.region, "bucket": BUCKET,
            "prefix": PREFIX, "caFile": str(self.server.ca_file),
            "accessKeyFile": str(folder / "accessKey"), "secretKeyFile": str(folder / "secretKey"),
            "attempts": 3, "requestSeconds": 20, "budgetSeconds": 60, **more,
        }  # fmt: skip

    def witnesses(self, folder: Path, **more: object) -> writer.Witnesses:
        found = writer.Witnesses(writer.store_of(self.access(folder, **more)))
        found.begin_round()
        return found


@pytest.fixture(scope="module")
def truth_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TruthStore]:
    folder = tmp_path_factory.mktemp("truths")
    with running_minio(folder) as server:
        store = TruthStore(server, folder)
        root = Credential(server.root_user, server.root_password)
        client, admin = connect(store.endpoint, root), connect_admin(store.endpoint, root)
        client.make_bucket(BUCKET, object_lock=True)
        client.set_bucket_versioning(BUCKET, VersioningConfig(ENABLED))
        policies = {
            "writer": (store.writer_key, policy(
                statement("Allow", ["s3:PutObject"], f"{BUCKET}/{PREFIX}{SITE}/*"),
            )),
            "reader": (store.reader_key, policy(
                statement("Allow", ["s3:ListBucket", "s3:GetBucketLocation"], BUCKET),
                statement("Allow", ["s3:GetObject"], f"{BUCKET}/*"),
            )),
        }  # fmt: skip
        for name, (key, content) in policies.items():
            admin.user_add(key.access_key, key.secret_key)
            admin.policy_add(name, policy=content)
            admin.policy_set(name, user=key.access_key)
        yield store
