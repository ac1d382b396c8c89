"""One real MinIO and one configured plugin for each test module."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import urllib3
from minio import Minio, MinioAdmin
from minio.credentials.providers import StaticProvider

from tests.standins.minio.harness import (
    OFFICIAL_VARIABLE,
    Plugin,
    official_plugin,
    running_plugin,
    settings_of,
)
from tests.support.minio_server import MinioServer, running_minio


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "stand_in: behaviour that is the stand-in's alone (docs/stand-ins/minio.md)"
    )


@pytest.fixture(autouse=True)
def _only_where_it_holds(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("stand_in") and official_plugin() is not None:
        pytest.skip(f"{OFFICIAL_VARIABLE} is set and the official plugin does otherwise")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with running_minio(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(scope="module")
def plugin(server: MinioServer) -> Iterator[Plugin]:
    with running_plugin() as running:
        running.configure(settings_of(server))
        yield running


@dataclass
class ByHand:
    """What an operator does at the server behind Pulumi's back, and what the server holds."""

    s3: Minio
    admin: MinioAdmin

    def user(self, name: str) -> dict[str, object]:
        return dict(json.loads(self.admin.user_info(name)))


@pytest.fixture(scope="module")
def by_hand(server: MinioServer) -> ByHand:
    return by_hand_at(server)


def by_hand_at(server: MinioServer) -> ByHand:
    credentials = StaticProvider(server.root_user, server.root_password)
    pool = urllib3.PoolManager(ca_certs=str(server.ca_file), retries=urllib3.Retry(0))
    return ByHand(
        Minio(server.endpoint, credentials=credentials, region=server.region, http_client=pool),
        MinioAdmin(
            endpoint=server.endpoint,
            credentials=credentials,
            region=server.region,
            http_client=pool,
        ),
    )


@pytest.fixture
def fresh() -> Callable[[str], str]:
    """Names nobody has used yet."""
    return lambda prefix: f"{prefix}-{uuid.uuid4().hex[:12]}"
