"""The two stand-ins together: the CSI driver's program itself, and what restores for it."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from lab import tools
from standins.longhorn.image import make_image
from standins.longhorn.records import MIB
from standins.longhorn.storage import Storage

PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(
        any(shutil.which(tool, path=PATH) is None for tool in ("mke2fs", "debugfs")),
        reason="e2fsprogs is not installed",
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="other owners can only be given by root"),
]
DRIVER = "driver.example.org"
URL = "s3://bucket@region/?backup=backup-1&volume=pvc-source"
SECONDS = 30.0


def field(number: int, content: bytes) -> bytes:
    """A field of a protobuf message; short ones do."""
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


@dataclass
class Driver:
    """The driver at work. Its folders are below `root`, which is short enough for a socket."""

    root: Path
    channel: grpc.Channel

    @property
    def storage(self) -> Storage:
        return Storage(self.root / "data" / "volumes", self.root / "data" / "restored")

    def call(self, method: str, request: bytes) -> bytes:
        asked: Callable[..., bytes] = self.channel.unary_unary(f"/csi.v1.{method}")
        return asked(request, timeout=SECONDS, wait_for_ready=True)

    def make(self, name: str) -> None:
        entry = field(1, b"fromBackup") + field(2, URL.encode())
        self.call("Controller/CreateVolume", field(1, name.encode()) + field(4, entry))

    def remove(self, name: str) -> None:
        self.call("Controller/DeleteVolume", field(1, name.encode()))

    def mount(self, name: str) -> str:
        """What it says; nothing is ever mounted, for the place cannot be made."""
        request = field(1, name.encode()) + field(4, b"/dev/null/none")
        with pytest.raises(grpc.RpcError) as caught:
            self.call("Node/NodePublishVolume", request)
        return f"{caught.value.code().name}: {caught.value.details()}"

    def data(self, name: str) -> Path:
        return self.root / "data" / "volumes" / name / "data"


@pytest.fixture
def driver() -> Iterator[Driver]:
    binary = tools.ensure(["lab-csi"])["lab-csi"]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        running = subprocess.Popen(
            [
                str(binary), "-driver", DRIVER, "-node", "one", "-health", "127.0.0.1:0",
                "-data", str(root / "data"), "-kubelet", str(root / "kubelet"),
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        socket = root / "kubelet" / "plugins" / DRIVER / "csi.sock"
        try:
            with grpc.insecure_channel(f"unix:{socket}") as channel:
                yield Driver(root, channel)
        finally:
            running.kill()
            running.wait()


@pytest.fixture
def image(tmp_path: Path) -> bytes:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_text("content")
    os.chown(tmp_path / "source", 70_001, 70_002)
    make_image(tmp_path / "source", tmp_path / "image", 16 * MIB, "pvc-source")
    return (tmp_path / "image").read_bytes()


def writing(content: bytes) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        target.write_bytes(content)

    return write


def until(enough: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not enough():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_volume_is_ready_when_its_content_was_handed_over(driver: Driver, image: bytes) -> None:
    driver.make("pvc-a")
    storage = driver.storage
    storage.prepare()
    assert storage.awaits("pvc-a")
    refused = "ABORTED: volume pvc-a is not ready for workloads: volume requires restoration"
    assert driver.mount("pvc-a") == refused
    storage.fill("pvc-a", writing(image))
    assert storage.has_content("pvc-a")
    assert driver.mount("pvc-a").startswith("INTERNAL: mkdir /dev/null"), "it is past the refusal"
    assert (driver.data("pvc-a") / "file").read_text() == "content"
    assert driver.data("pvc-a").stat().st_uid == 70_001
    assert storage.has_content("pvc-a")
    driver.remove("pvc-a")
    assert not storage.has_content("pvc-a")
    assert not storage.awaits("pvc-a")


def test_content_is_taken_over_without_a_mount(driver: Driver, image: bytes) -> None:
    driver.make("pvc-a")
    driver.storage.prepare()
    driver.storage.fill("pvc-a", writing(image))
    until(lambda: driver.data("pvc-a").exists())
    assert [path.name for path in driver.storage.restored.iterdir()] == ["partial"]


def test_a_fault_is_told_to_who_mounts(driver: Driver) -> None:
    driver.make("pvc-a")
    driver.storage.prepare()
    driver.storage.tell_fault("pvc-a")
    assert driver.mount("pvc-a") == (
        "ABORTED: volume pvc-a is not ready for workloads: volume is faulted"
    )


def test_a_volume_that_is_deleted_meanwhile_leaves_nothing(driver: Driver, image: bytes) -> None:
    driver.make("pvc-a")
    storage = driver.storage
    storage.prepare()

    def deleted(target: Path) -> None:
        target.write_bytes(image)
        driver.remove("pvc-a")
        driver.make("pvc-a")

    storage.fill("pvc-a", deleted)
    assert storage.awaits("pvc-a"), "the second of that name got nothing"
    assert "requires restoration" in driver.mount("pvc-a")
    storage.sweep()
    assert [path.name for path in storage.restored.iterdir()] == ["partial"]
