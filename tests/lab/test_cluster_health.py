"""What the parts of the cluster say, and what is made of it."""

import http.server
import socket
import struct
import threading
import urllib.error
from collections.abc import Iterator
from email.message import Message
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from lab.cluster import bring_up, health, probe
from lab.instance import Instance
from lab.status import table

NAME = "kubernetes.default.svc.cluster.local"


def answer(error: int, addresses: int) -> bytes:
    return struct.pack("!6H", 1, 0x8180 | error, 1, addresses, 0, 0)


def test_a_question_names_every_label() -> None:
    asked = probe.query("a.bc")
    assert asked[12:] == b"\x01a\x02bc\x00\x00\x01\x00\x01"


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (answer(0, 1), "ok"),
        (answer(3, 0), "answers with error 3 and 0 addresses"),
        (answer(0, 0), "answers with error 0 and 0 addresses"),
        (b"short", "answers with less than a header"),
    ],
)
def test_a_dns_answer_is_well_only_with_an_address(said: bytes, verdict: str) -> None:
    assert probe.verdict(said) == verdict


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 500)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def test_parts_are_asked_and_each_says_for_itself(port: int, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = taken.getsockname()[1]
        request = probe.Request(
            api=f"https://127.0.0.1:{closed}", certificate=str(tmp_path / "absent"),
            key="", authority=str(tmp_path / "absent"), node="cp1", dns="127.0.0.1",
            domain="cluster.local", longhorn_namespace="longhorn-system",
            longhorn="longhorn-manager",
            plain={
                "etcd": port, "proxy": port, "csi-driver": closed,
                "provisioner": port, "snapshotter": port,
            },
        )  # fmt: skip
        found = probe.answers(request)
    assert found["etcd"] == "ok"
    assert found["proxy"] == "answers 500"
    assert found["csi-driver"].startswith("no answer")
    assert found["apiserver"].startswith("no answer")
    assert set(found) == {
        "etcd", "apiserver", "controller-manager", "scheduler", "kubelet", "node", "proxy",
        "dns", "csi-driver", "provisioner", "snapshotter", "longhorn",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        ({}, "not there"),
        ({"deployments": {"status": {}}}, "its manager is not ready"),
        ({"deployments": {"status": {"readyReplicas": 1}}}, "ok"),
        ({"daemonsets": {"status": {"numberReady": 3}}}, "ok"),
        ({"daemonsets": {"status": {"numberReady": 0}}}, "its manager is not ready"),
    ],
    ids=["none", "starting", "stand-in", "real", "real-starting"],
)
def test_longhorn_is_the_stand_in_or_the_real_one(
    objects: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answered(_request: probe.Request, path: str) -> Any:
        kind = path.split("/")[-2]
        if kind not in objects:
            raise urllib.error.HTTPError(path, 404, "", Message(), None)
        return objects[kind]

    monkeypatch.setattr(probe, "_object", answered)
    request = probe.Request("", "", "", "", "", "", "", "longhorn-system", "longhorn-manager", {})
    assert probe._longhorn(request) == said


def test_an_image_counts_by_reference_and_digest() -> None:
    listing = "REF TYPE DIGEST SIZE\ndocker.io/lab/a:1 type sha256:1 1 MiB\n"
    assert health.missing_images(["sha256:1 docker.io/lab/a:1 /a.tar"], listing) == "ok"
    changed = health.missing_images(["sha256:2 docker.io/lab/a:1 /a.tar"], listing)
    assert changed == "not there: docker.io/lab/a:1"


def test_waiting_for_the_snapshot_crds_is_no_fault_of_the_labs() -> None:
    assert bring_up.ill({"etcd": "ok", "snapshotter": probe.NO_CRDS}) == {}
    assert bring_up.ill({"etcd": "ok", "dns": "answers 500"}) == {"dns": "answers 500"}
    assert bring_up.ill({}) != {}


def test_the_table_lists_the_parts_below_the_hosts() -> None:
    lab = Instance("lab-x", Path("/nowhere"), IPv4Network("10.77.9.0/24"))
    text = table(lab, [], {"etcd": "ok", "apiserver": "no answer"})
    assert text.splitlines()[-3:] == ["cluster", "  etcd       ok", "  apiserver  no answer"]
    assert "cluster" not in table(lab, [])
