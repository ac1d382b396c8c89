"""A helm that dies at work leaves a record; what is said of it, and how an update goes on after."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.standins.helm.harness import (
    ByHand,
    PartlyMadeError,
    Plugin,
    Props,
    refusal,
    running_plugin,
)
from tests.support.kube_api import KubeApi, tool

pytestmark = [pytest.mark.tools, pytest.mark.stand_in]

WAIT_SECONDS = 120.0


def wanted(namespace: str, **values: Any) -> Props:
    """With `workload` it never becomes ready: helm waits, and can be killed."""
    return {
        "chart": "./app",
        "name": "app",
        "namespace": namespace,
        "timeout": 120,
        "values": {"color": "blue", **values},
    }


def newest(by_hand: ByHand, namespace: str) -> str:
    if by_hand.releases(namespace) == []:
        return ""
    return str(by_hand.history(namespace, "app")[-1]["status"])


def until(by_hand: ByHand, namespace: str, status: str) -> None:
    wait_for(lambda: newest(by_hand, namespace) == status, f"the release to be {status}")


def wait_for(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.2)


@contextlib.contextmanager
def helm_at_work(by_hand: ByHand, folder: Path, namespace: str, command: str) -> Iterator[Any]:
    """Another helm that waits for a workload; its record says pending."""
    process = subprocess.Popen(
        [
            *(str(tool("helm")), command, "app", str(folder / "app"), "-n", namespace, "--wait"),
            *("--set", "workload=true,color=blue"),
        ],
        env={**os.environ, "KUBECONFIG": str(by_hand.api.kubeconfig_file)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(by_hand, namespace, f"pending-{command}")
        workload = f"/apis/apps/v1/namespaces/{namespace}/deployments/app"
        wait_for(lambda: by_hand.api.exists(workload), "the workload")
        yield process
    finally:
        process.kill()
        process.wait(timeout=60)


def remove_record(api: KubeApi, sentence: str, namespace: str) -> None:
    """Does what the sentence tells the operator to do."""
    command = sentence.split("`")[1].split()
    assert command[:5] == ["kubectl", "delete", "secret", "-n", namespace]
    api.request("DELETE", f"/api/v1/namespaces/{namespace}/secrets/{command[5]}")


def test_after_a_killed_install_the_record_is_named_and_without_it_the_install_works(
    plugin: Plugin, api: KubeApi, by_hand: ByHand, folder: Path, namespace: str
) -> None:
    with helm_at_work(by_hand, folder, namespace, "install") as helm:
        helm.kill()
        helm.wait(timeout=60)
    with pytest.raises(grpc.RpcError) as refused:
        plugin.create(wanted(namespace))
    sentence = refusal(refused)
    assert "revision 1 is pending-install since" in sentence
    remove_record(api, sentence, namespace)
    # What the dead one had made carries its name, so the new one takes it over.
    found = plugin.create(wanted(namespace))
    assert found.status["status"] == "deployed"
    assert plugin.changes(found, wanted(namespace)) == {}


def test_after_a_killed_upgrade_the_record_is_named_and_without_it_the_upgrade_works(
    plugin: Plugin, api: KubeApi, by_hand: ByHand, folder: Path, namespace: str
) -> None:
    found = plugin.create(wanted(namespace))
    with helm_at_work(by_hand, folder, namespace, "upgrade") as helm:
        helm.kill()
        helm.wait(timeout=60)
    assert plugin.read(found).status["status"] == "pending-upgrade"
    green = wanted(namespace, color="green")
    with pytest.raises(grpc.RpcError) as refused:
        plugin.update(found, green)
    sentence = refusal(refused)
    assert "another operation (install/upgrade/rollback) is in progress" in sentence
    remove_record(api, sentence, namespace)
    updated = plugin.update(found, green)
    assert updated.status == {**updated.status, "status": "deployed", "revision": 2}
    # The workload of the dead upgrade is in no revision that counts: it stays until it is removed.
    assert api.exists(f"/apis/apps/v1/namespaces/{namespace}/deployments/app")


def test_a_cancelled_update_ends_helm_so_that_it_says_failed(
    api: KubeApi, by_hand: ByHand, folder: Path, namespace: str
) -> None:
    with running_plugin(folder, {"kubeconfig": api.kubeconfig}) as plugin:

        def cancel() -> None:
            until(by_hand, namespace, "pending-install")
            plugin.cancel()

        canceller = threading.Thread(target=cancel)
        canceller.start()
        with pytest.raises(PartlyMadeError, match="install failed") as failed:
            plugin.create(wanted(namespace, workload=True))
        canceller.join(timeout=WAIT_SECONDS)
    # The engine keeps it, so that the next update goes on from there.
    assert failed.value.reply.status["status"] == "failed"
    assert newest(by_hand, namespace) == "failed"


def test_a_plugin_whose_engine_died_ends_helm_too(
    api: KubeApi, by_hand: ByHand, folder: Path, namespace: str
) -> None:
    with running_plugin(folder, {"kubeconfig": api.kubeconfig}) as plugin:
        inputs = wanted(namespace, workload=True)

        def create() -> None:
            with contextlib.suppress(Exception):
                plugin.create(inputs)

        creator = threading.Thread(target=create, daemon=True)
        creator.start()
        until(by_hand, namespace, "pending-install")
        plugin.process.send_signal(signal.SIGKILL)
        until(by_hand, namespace, "failed")
        creator.join(timeout=WAIT_SECONDS)
