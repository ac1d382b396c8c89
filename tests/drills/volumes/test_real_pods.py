"""Reader pods at a real API server: admission takes them, and they go again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.sandbox import fence
from drills.sandbox.hold import Idle
from drills.volumes import reading
from drills.volumes.reader_pod import ReaderPod, pod_name
from drills.volumes.readers import Edges, Readers
from drills.volumes.reading import ReadError
from drills.volumes.unread import Unread
from kube.client import Clock, connect
from kube.kubeconfig import parse
from kube.pods.channels import open_dial
from kube.writer import open_writer
from tests.drills.sandbox.runs import run
from tests.drills.sandbox.samples import pod
from tests.support.kube_api import KubeApi, running_kube_api

pytestmark = pytest.mark.tools

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

    beyond = ReaderPod("shop", SANDBOX, "beyond")
    readers.start([beyond])
    source = beyond.source(run())
    assert source is not None
    (found,) = readers.read_all([source], ready_seconds=1, read_seconds=1)
    assert isinstance(found, Unread)
    assert "exceeded quota" in found.sentence
