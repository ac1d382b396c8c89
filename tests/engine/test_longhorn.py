"""Longhorn's backups under the real engine, beside a manager that writes its objects too."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from kube.longhorn.api import NAMESPACE, object_path
from tests.engine.longhorn_manager import install, running_manager
from tests.engine.prepared import Prepared
from tests.engine.site import STACK, EngineSite, shown
from tests.engine.test_cluster import assert_refused
from tests.support.kube_api import KubeApi, running_kube_api
from tests.support.minio_server import REGION

pytestmark = pytest.mark.tools

URL = f"s3://unit-longhorn@{REGION}/unit/"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
LONGHORN: dict[str, Any] = {"availableSeconds": 60}
# What no backup was made of, no drill of these backups can prove.
DRILLS = {"longhorn": {"enabled": False}}


@dataclass
class LonghornSite:
    """A site whose store is up already, on a cluster with Longhorn."""

    site: EngineSite
    api: KubeApi

    def target(self, name: str = "default") -> dict[str, Any]:
        return self.api.request("GET", object_path(NAMESPACE, "backuptargets", name))

    def key(self) -> str:
        """The access key that Longhorn is given."""
        held = self.api.request("GET", f"{SECRETS}/backstop-target-default")["data"]
        return base64.b64decode(held["AWS_ACCESS_KEY_ID"]).decode()

    def expect_quiet(self) -> None:
        """Neither the next preview nor a refresh shows a change, whatever the manager wrote."""
        self.site.expect_quiet()
        quiet = self.site.pulumi("refresh", "--preview-only", "--expect-no-changes", "-s", STACK)
        assert quiet.returncode == 0, shown(quiet)


@pytest.fixture
def there(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LonghornSite]:
    site = prepared.deployed()
    with running_kube_api(tmp_path_factory.mktemp("longhorn")) as api:
        site.configure(cluster={}, longhorn=LONGHORN, drills=DRILLS)
        site.set_secret("kubeconfig", api.kubeconfig)
        install(api)
        with running_manager(api):
            yield LonghornSite(site, api)
    site.end()


def test_a_target_is_declared_proven_rotated_and_survives_the_stack(there: LonghornSite) -> None:
    site, api = there.site, there.api
    site.up()
    spec = there.target()["spec"]
    assert (spec["backupTargetURL"], spec["pollInterval"]) == (URL, "5m0s")
    job = api.request("GET", object_path(NAMESPACE, "recurringjobs", "backup-daily"))
    assert job["spec"]["groups"] == ["default"]
    setting = object_path(NAMESPACE, "settings", "backup-execution-timeout")
    assert api.request("GET", setting)["value"] == "5"
    there.expect_quiet()

    former = there.key()
    site.configure(clients={**site.config("clients"), "longhorn": {"credentialGeneration": 2}})
    site.up()
    assert there.key() != former
    assert there.target()["status"]["available"] is True
    there.expect_quiet()

    done = site.stack("destroy", "--yes")
    assert done.returncode == 0, shown(done)
    assert there.target()["spec"]["backupTargetURL"] == URL
    assert api.request("GET", setting)["value"] == "5"
    assert not api.exists(object_path(NAMESPACE, "recurringjobs", "backup-daily"))
    assert not api.exists(f"{SECRETS}/backstop-target-default")
    site.up()
    there.expect_quiet()


def test_somebody_elses_target_is_not_overwritten_unless_the_config_says_so(
    there: LonghornSite,
) -> None:
    path = object_path(NAMESPACE, "backuptargets", "default")
    there.api.patch(path, {"spec": {"backupTargetURL": "s3://theirs@eu/x/"}}, manager="longhorn-ui")
    assert_refused(there.site.stack("up"), "takeOver: true")
    assert there.target()["spec"]["backupTargetURL"] == "s3://theirs@eu/x/"
    there.site.configure(longhorn={**LONGHORN, "target": {"takeOver": True}})
    there.site.up()
    assert there.target()["spec"]["backupTargetURL"] == URL
    there.expect_quiet()


def test_a_store_that_longhorn_does_not_reach_ends_the_update_with_its_words(
    there: LonghornSite,
) -> None:
    # A folder of another client's bucket, which the policy of this one does not open.
    foreign = {"off": {"url": f"s3://unit-velero@{REGION}/x/", "endpoint": there.site.server.url,
                       "caCertificateFile": str(there.site.server.ca_file)}}  # fmt: skip
    there.site.configure(longhorn={**LONGHORN, "availableSeconds": 15, "targets": foreign})
    there.site.set_secret(
        "longhornCredentials", '{"off": {"accessKey": "NOBODY", "secretKey": "SENTINEL-secret"}}'
    )
    done = there.site.stack("up")
    assert done.returncode != 0
    assert "backup target off" in done.stdout + done.stderr
    assert "SENTINEL" not in done.stdout + done.stderr
    # The others are there: what failed is tried again by the next update.
    assert there.target()["status"]["available"] is True
