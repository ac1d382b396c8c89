"""A store with a site's bucket in it, for tests that copy out of it."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from minio import Minio

from s3.client import Credential, StoreEndpoint, connect
from tests.support.minio_server import running_minio

SITE_BUCKET = "dev-velero"


@dataclass(frozen=True)
class SiteStore:
    endpoint: StoreEndpoint
    admin: Credential

    @property
    def client(self) -> Minio:
        return connect(self.endpoint, self.admin)

    def fill(self, bucket: str, held: dict[str, bytes], prefix: str = "") -> None:
        if not self.client.bucket_exists(bucket):
            self.client.make_bucket(bucket)
        for key, content in held.items():
            self.client.put_object(bucket, prefix + key, io.BytesIO(content), len(content))

    def content(self, bucket: str) -> dict[str, bytes]:
        found = {}
        for entry in self.client.list_objects(bucket, recursive=True):
            answer = self.client.get_object(bucket, str(entry.object_name))
            found[str(entry.object_name)] = answer.read()
            answer.close()
            answer.release_conn()
        return found

    def buckets(self) -> set[str]:
        return {bucket.name for bucket in self.client.list_buckets()}


@pytest.fixture(scope="session")
def site_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteStore]:
    with running_minio(tmp_path_factory.mktemp("copies")) as server:
        yield SiteStore(
            StoreEndpoint(server.url, server.region, server.ca_pem),
            Credential(server.root_user, server.root_password),
        )
