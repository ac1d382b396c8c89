"""Reader pods at a real API server: admission takes them, and they go again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.sandbox import fence
from drills.sandbox.hold import Idle
from drills.volumes import live_pod, reading
from drills.volumes.reader_pod import VOLUME, ReaderPod, pod_name
from drills.volumes.readers import Edges, Readers
from drills.volumes.reading import ReadError
from drills.volumes.sources import Source
from drills.volumes.unread import Unread
from drills.volumes.witness import MAKE_SECONDS
from kube.client import Clock, connect
from kube.kubeconfig import parse
from kube.pods.channels import open_dial
from kube.waiting import until
from kube.writer import open_writer
from tests.drills.sandbox.runs import run
from tests.drills.sandbox.samples import pod
from tests.support.kube_api import KubeApi, running_kube_api

pytestmark = pytest.mark.tools

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
SANDBOX = run().name("shop")
PODS = f"/api/v1/namespaces/{SANDBOX}/pods"
SPEC = pod()["spec"]
PLACED = {
    "nodeSelector": SPEC["nodeSelector"],
    "tolerations": SPEC["tolerations"],
    "affinity": {"podAffinity": {"no": "affinity"}},
}
READERS = [
    ReaderPod("shop", SANDBOX, "a" * 33 + ".bc" * 50, placement=PLACED),
    ReaderPod("shop", SANDBOX, "raw", during=True, block=True),
    ReaderPod("shop", SANDBOX, "shared", read_only=True),
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    with running_kube_api(tmp_path_factory.mktemp("readers")) as running:
        # Readers have less patience than controllers need that have just been started.
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        until(lambda: running.exists(account) or None, Clock(), 120.0)
        yield running


def test_the_server_takes_readers_and_no_more_than_the_quota(api: KubeApi, tmp_path: Path) -> None:
    kubeconfig = parse(api.kubeconfig)
    clock, said = Clock(), list[str]()
    edges = Edges(connect(kubeconfig), open_writer(kubeconfig), open_dial(kubeconfig), clock)
    readers = Readers(run(), edges, Idle("helper:1"), tmp_path, said.append)
    edges.writer.create("/api/v1/namespaces", fence.namespace(run(), SANDBOX))
    edges.writer.create(
        f"/api/v1/namespaces/{SANDBOX}/resourcequotas", fence.quota(run(), SANDBOX, pods=3)
    )
    # At once: the namespace has neither a service account nor a quota that is counted yet.
    readers.start(READERS)
    assert said == []
    made = api.request("GET", PODS)["items"]
    assert {one["metadata"]["name"] for one in made} == {
        pod_name(run(), one.claim) for one in READERS
    }

    # The reader's script goes along in the address: no server on the way may find that too long.
    first = READERS[0].source(run())
    assert first is not None
    with pytest.raises(ReadError, match="does not have a host assigned"):
        reading.read(
            edges.dial, first, tmp_path / "tree", seconds=10, xattrs=False, clock=edges.clock
        )

    quotas = f"/api/v1/namespaces/{SANDBOX}/resourcequotas"

    def counted() -> bool | None:
        (quota,) = api.request("GET", quotas)["items"]
        return quota.get("status", {}).get("used", {}).get("pods") == "3" or None

    # Until its controller has counted, a quota allows everything.
    until(counted, edges.clock, 60.0)
    beyond = ReaderPod("shop", SANDBOX, "beyond")
    readers.start([beyond])
    source = beyond.source(run())
    assert source is not None
    (found,) = readers.read_all([source], ready_seconds=1, read_seconds=1)
    assert isinstance(found, Unread)
    assert "exceeded quota" in found.sentence


def test_the_server_takes_a_reader_beside_a_workload_unless_its_namespace_is_restricted(
    api: KubeApi, tmp_path: Path
) -> None:
    kubeconfig = parse(api.kubeconfig)
    edges = Edges(connect(kubeconfig), open_writer(kubeconfig), open_dial(kubeconfig), Clock())
    readers = Readers(
        run(), edges, Idle("helper:1"), tmp_path, lambda _line: None, shape=live_pod.manifest,
        make_seconds=MAKE_SECONDS,
    )  # fmt: skip
    user = {"spec": {"nodeName": "n1", "tolerations": SPEC["tolerations"],
                     "securityContext": {"seLinuxOptions": {"level": "s0:c1,c2"}}}}  # fmt: skip
    for namespace, labels in (("open", {}), ("closed", RESTRICTED)):
        metadata = {"name": namespace, "labels": labels}
        edges.writer.create("/api/v1/namespaces", {"metadata": metadata})
        account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        # As in a namespace that is in use.
        until(lambda path=account: api.exists(path) or None, edges.clock, 60.0)
        claim = {"metadata": {"name": "data", "namespace": namespace}}
        readers.start([live_pod.pod_for(claim, user)])
    (made,) = api.request("GET", "/api/v1/namespaces/open/pods")["items"]
    assert made["spec"]["nodeName"] == "n1"
    assert made["metadata"]["name"] == pod_name(run(), "data")
    assert made["metadata"]["labels"]["velero.io/exclude-from-backup"] == "true"
    assert api.request("GET", "/api/v1/namespaces/closed/pods")["items"] == []
    found = readers.read(
        Source("closed", "data", pod_name(run(), "data"), VOLUME, namespace="closed"),
        ready_seconds=1, read_seconds=1,
    )  # fmt: skip
    assert isinstance(found, Unread)
    assert 'violates PodSecurity "restricted' in found.sentence
