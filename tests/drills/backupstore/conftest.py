"""A bucket on a real server for the tests that read one."""

from collections.abc import Iterator

import pytest

from s3.client import Credential, Session, StoreEndpoint
from tests.support.minio_server import running_minio


@pytest.fixture(scope="session")
def store_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The server's administrator."""
    with running_minio(tmp_path_factory.mktemp("backupstore")) as server:
        endpoint = StoreEndpoint(server.url, server.region, server.ca_pem)
        yield Session.open(endpoint, Credential(server.root_user, server.root_password))
