"""The hook's job: Velero itself writes its definitions, with the rights that the chart gives it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.standins.charts.conftest import upstream
from tests.support.kube_api import KubeApi, running_kube_api, tool
from tests.support.rendered_chart import STAND_IN, Objects, render
from tests.support.velero_values import BASE

pytestmark = pytest.mark.tools

NAMESPACE = "velero"
RIGHTS = "/apis/rbac.authorization.k8s.io/v1"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
VELERO_SECONDS = 180
# A cluster without Velero's controllers needs none of its own.
CONTROLLERS = ("serviceaccount-controller",)


def account_kubeconfig(api: KubeApi, rendered: Objects, folder: Path) -> Path:
    """Makes the hook's account and rights, and a kubeconfig with a token of that account."""
    account = rendered["ServiceAccount/velero-server-upgrade-crds"]
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    place = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
    api.request("POST", place, account)
    api.request("POST", f"{RIGHTS}/clusterroles", rendered["ClusterRole/velero-upgrade-crds"])
    binding = rendered["ClusterRoleBinding/velero-upgrade-crds"]
    api.request("POST", f"{RIGHTS}/clusterrolebindings", binding)
    name = account["metadata"]["name"]
    token = api.request("POST", f"{place}/{name}/token", {"spec": {"audiences": []}})
    config: dict[str, Any] = yaml.safe_load(api.kubeconfig)
    config["users"][0]["user"] = {"token": token["status"]["token"]}
    path = folder / "hook.kubeconfig"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    return path


def test_velero_writes_its_definitions_with_the_hooks_rights(tmp_path: Path) -> None:
    velero = tool("velero")
    rendered = render(STAND_IN, BASE)
    job = rendered["Job/velero-upgrade-crds"]["spec"]["template"]["spec"]["containers"][0]
    assert job["command"] == ["/velero"]
    with running_kube_api(tmp_path / "kube", CONTROLLERS) as api:
        kubeconfig = account_kubeconfig(api, rendered, tmp_path)
        # Twice: an upgrade writes over what is there.
        for _ in range(2):
            done = subprocess.run(
                [str(velero), *job["args"]],
                env={"KUBECONFIG": str(kubeconfig), "HOME": str(tmp_path)},
                capture_output=True,
                text=True,
                check=False,
                timeout=VELERO_SECONDS,
            )
            assert done.returncode == 0, done.stdout + done.stderr
        names = {each["metadata"]["name"] for each in api.request("GET", DEFINITIONS)["items"]}
    assert {"backups.velero.io", "schedules.velero.io", "datauploads.velero.io"} <= names
    if not (upstream() / "crds").is_dir():
        pytest.skip(f"the official chart's definitions are not here: {upstream() / 'crds'}")
    official = [yaml.safe_load(path.read_text()) for path in (upstream() / "crds").glob("*.yaml")]
    assert names == {each["metadata"]["name"] for each in official}
