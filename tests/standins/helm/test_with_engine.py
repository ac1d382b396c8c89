"""A release under the real Pulumi engine: deploy, repeat, drift, replace, interrupt, destroy."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.standins.helm.conftest import write_chart
from tests.standins.helm.harness import ByHand
from tests.standins.project import Project, new_project
from tests.support.kube_api import KubeApi, tool

pytestmark = pytest.mark.tools

WAIT_SECONDS = 120.0
PROGRAM = """
import os, pulumi, pulumi_kubernetes as kubernetes
from pulumi_kubernetes.helm.v3 import Release, ReleaseArgs
cluster = kubernetes.Provider(
    "cluster", kubeconfig=pulumi.Output.secret(os.environ["CLUSTER"]), cluster_identifier="test")
color = pulumi.Output.secret(os.environ["COLOR"])
release = Release("app", ReleaseArgs(
    chart="./app", name=os.environ["NAME"], namespace=os.environ["PLACE"], timeout=120,
    max_history=5, values={"color": color, "workload": os.environ["WORKLOAD"] == "yes"},
), opts=pulumi.ResourceOptions(provider=cluster))
pulumi.export("status", release.status.status)
pulumi.export("revision", release.status.revision)
"""
HIDDEN = "a color nobody may see"


@pytest.fixture
def project(api: KubeApi, tmp_path: Path, namespace: str) -> Project:
    made = new_project(tmp_path, PROGRAM)
    write_chart(made.folder / "app")
    made.environment |= {
        "BACKSTOP_HELM": str(tool("helm")),
        "CLUSTER": api.kubeconfig,
        "COLOR": HIDDEN,
        "NAME": "app",
        "PLACE": namespace,
        "WORKLOAD": "no",
    }
    return made


def color_of(api: KubeApi, namespace: str, name: str = "app") -> str:
    path = f"/api/v1/namespaces/{namespace}/configmaps/{name}-settings"
    return str(api.request("GET", path)["data"]["color"])


def test_a_release_is_deployed_stays_and_goes(
    project: Project, api: KubeApi, by_hand: ByHand, namespace: str
) -> None:
    previewed = project.must("preview")
    assert by_hand.releases(namespace) == []
    done = project.up()
    assert color_of(api, namespace) == HIDDEN
    assert project.outputs() == {"status": "deployed", "revision": 1}
    project.must("preview", "--expect-no-changes")
    project.must("refresh", "--yes", "--expect-no-changes")
    # The secret is in no output and in the state only encrypted.
    assert HIDDEN not in previewed.text + done.text
    assert HIDDEN not in project.must("stack", "export").stdout
    project.must("destroy", "--yes", "--skip-preview")
    assert by_hand.releases(namespace) == []


def test_a_change_by_hand_is_seen_and_put_right(
    project: Project, api: KubeApi, by_hand: ByHand, namespace: str
) -> None:
    project.up()
    chart = str(project.folder / "app")
    by_hand.run("upgrade", "app", chart, "-n", namespace, "--set", "color=by-hand")
    assert color_of(api, namespace) == "by-hand"
    seen = project.run("refresh", "--yes", "--expect-no-changes")
    assert seen.code != 0
    assert project.run("preview", "--expect-no-changes").code != 0
    project.up()
    assert color_of(api, namespace) == HIDDEN
    project.must("preview", "--expect-no-changes")


def test_a_removed_release_is_made_again(
    project: Project, api: KubeApi, by_hand: ByHand, namespace: str
) -> None:
    project.up()
    by_hand.run("uninstall", "app", "-n", namespace)
    project.must("refresh", "--yes", "--skip-preview")
    project.up()
    assert color_of(api, namespace) == HIDDEN


def test_a_new_name_makes_the_new_one_before_the_old_one_goes(
    project: Project, by_hand: ByHand, namespace: str
) -> None:
    project.up()
    project.environment["NAME"] = "second"
    project.up()
    assert by_hand.releases(namespace) == ["second"]


def take_over(project: Project, release_id: str) -> None:
    """What recovery does with a creation cut short: a resource with an id, not finished."""
    state = json.loads(project.must("stack", "export").stdout)
    (left,) = state["deployment"].pop("pending_operations")
    assert left["type"] == "creating"
    resource = left["resource"]
    inputs = resource["inputs"]
    outputs = {**inputs, "__inputs": inputs}
    resource |= {"id": release_id, "outputs": outputs, "initErrors": ["interrupted"]}
    state["deployment"]["resources"].append(resource)
    place = project.folder / "state.json"
    place.write_text(json.dumps(state))
    project.must("stack", "import", "--file", str(place))


def test_an_interrupted_install_is_taken_over_by_its_id(
    project: Project, api: KubeApi, by_hand: ByHand, namespace: str
) -> None:
    project.environment["WORKLOAD"] = "yes"
    running = project.start("up", "--yes", "--skip-preview")
    deadline = time.monotonic() + WAIT_SECONDS
    while not by_hand.releases(namespace):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.kill(running.pid, signal.SIGKILL)
    running.communicate(timeout=WAIT_SECONDS)
    # The plugin ends with its engine, and helm with the plugin: the record says "failed".
    while by_hand.history(namespace, "app")[-1]["status"] != "failed":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    project.must("cancel", "--yes")
    take_over(project, f"{namespace}/app")
    project.environment["WORKLOAD"] = "no"
    project.up()
    assert color_of(api, namespace) == HIDDEN
    assert project.outputs() == {"status": "deployed", "revision": 2}
    project.must("preview", "--expect-no-changes")
