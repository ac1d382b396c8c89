"""The look at a site on a real Velero, API server and store: what they write is what is read.

No node runs there, so that no volume has data; what it says of volumes without any is Velero's own.
"""

import io
from collections.abc import Iterator
from typing import Any

import pytest

from drills.backup.archive import Reader
from drills.backup.payload import VeleroPlace
from drills.coverage.gaps import Gap
from drills.coverage.live import Live
from drills.coverage.look import look
from drills.coverage.survey import Survey, survey
from drills.frame import Clock
from drills.verdict import Reason
from kube.client import Clock as KubeClock
from kube.client import connect
from kube.kubeconfig import parse
from kube.velero.api import Velero
from kube.writer import open_writer
from s3.client import Credential, StoreEndpoint
from tests.drills.objects.real_velero import (
    BUCKET,
    ENDED,
    GROUP,
    NAMESPACE,
    RealVelero,
    posted,
    running_velero,
    until,
)
from tests.support.kube_api import KubeApi

pytestmark = pytest.mark.tools

BACKUP = "daily-1"
LIST = f"backups/{BACKUP}/{BACKUP}-volumeinfo.json.gz"


def _fill(api: KubeApi) -> None:
    posted(api, "/api/v1/namespaces", {"metadata": {"name": "shop"}})
    posted(api, "/api/v1/namespaces", {"metadata": {"name": "left-out"}})
    size = {"storage": "1Gi"}
    modes = ["ReadWriteOnce"]
    posted(api, "/api/v1/persistentvolumes", {
        "metadata": {"name": "pv-data"},
        "spec": {"capacity": size, "accessModes": modes, "hostPath": {"path": "/srv/data"},
                 "claimRef": {"namespace": "shop", "name": "data"}},
    })  # fmt: skip
    posted(api, "/api/v1/namespaces/shop/persistentvolumeclaims", {
        "metadata": {"name": "data"},
        "spec": {"accessModes": modes, "resources": {"requests": size}, "volumeName": "pv-data",
                 "storageClassName": ""},
    })  # fmt: skip


@pytest.fixture(scope="module")
def velero(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealVelero]:
    with running_velero(tmp_path_factory.mktemp("look"), _fill) as running:
        api = running.api
        claim = "/api/v1/namespaces/shop/persistentvolumeclaims/data"
        until(
            lambda: api.request("GET", claim)["status"].get("phase") == "Bound" or None, "binding"
        )
        template = {"includedNamespaces": ["*"], "excludedNamespaces": ["left-out", NAMESPACE],
                    "storageLocation": "default"}  # fmt: skip
        kind = {"apiVersion": "velero.io/v1", "kind": "Schedule"}
        spec = {"schedule": "0 0 1 1 *", "template": template}
        metadata: dict[str, Any] = {"name": "daily", "namespace": NAMESPACE}
        api.request("POST", f"{GROUP}/schedules", {**kind, "metadata": metadata, "spec": spec})
        metadata = {**metadata, "name": BACKUP, "labels": {"velero.io/schedule-name": "daily"}}
        made = {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": metadata}
        api.request("POST", f"{GROUP}/backups", {**made, "spec": {**template, "ttl": "720h"}})
        until(lambda: _phase(api) in ENDED or None, "the backup to end")
        assert _phase(api) == "Completed"
        yield running


def _phase(api: KubeApi) -> str:
    found = api.request("GET", f"{GROUP}/backups/{BACKUP}")
    return str((found.get("status") or {}).get("phase"))


def seen(running: RealVelero) -> Live:
    kubeconfig = parse(running.api.kubeconfig, "")
    velero = Velero(connect(kubeconfig), open_writer(kubeconfig), NAMESPACE, KubeClock())
    store = running.store
    place = VeleroPlace(namespace=NAMESPACE, location="default", bucket=BUCKET)
    endpoint = StoreEndpoint(store.url, store.region, store.ca_pem)
    keys = Credential(store.root_user, store.root_password)
    return look(velero, Reader(endpoint, keys, place), Clock(), location="default")


def gaps(found: Survey) -> dict[tuple[str, str], Gap]:
    return {(one.namespace, one.claim): one.gap for one in found.unprotected}


def test_what_velero_wrote_is_read_whole(velero: RealVelero) -> None:
    live = seen(velero)
    assert live.remarks == ()
    backup = live.backups["daily"]
    assert backup.records is not None
    assert backup.namespaces is not None
    assert {"shop", "default", "kube-system"} <= backup.namespaces
    assert not backup.namespaces & {"left-out", NAMESPACE}
    found = survey(live)
    protected = {one.namespace for one in found.protected}
    assert {"shop", "default", "kube-system", "kube-public"} <= protected
    # The trap of local-path: the backup is Completed, and the volume's data is in none.
    assert gaps(found) == {("left-out", ""): Gap.NOT_IN_SCOPE, ("shop", "data"): Gap.HOST_PATH}
    assert [one.found.namespace for one in found.excused] == [NAMESPACE]


def test_a_list_that_is_gone_from_the_store_is_found(velero: RealVelero) -> None:
    answer = velero.client.get_object(BUCKET, LIST)
    kept = answer.read()
    answer.close()
    velero.client.remove_object(BUCKET, LIST)
    try:
        live = seen(velero)
    finally:
        velero.client.put_object(BUCKET, LIST, io.BytesIO(kept), len(kept))
    (remark,) = live.remarks
    assert remark.reason is Reason.RESTORE_POINT_DAMAGED
    assert gaps(survey(live))["shop", "data"] is Gap.LIST_MISSING
    assert seen(velero).remarks == ()
