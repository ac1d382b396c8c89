"""The client, the facts and the commands against a real API server."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube import marks
from kube.client import connect
from kube.collections import COLLECTIONS
from kube.errors import Cause, ClusterError
from kube.facts import ClusterFacts, cluster_uid, gather
from kube.kubeconfig import parse
from tests.support.kube_api import Authority, KubeApi

pytestmark = pytest.mark.tools
ROOT = Path(__file__).resolve().parents[2]


def changed(api: KubeApi, **cluster: str) -> str:
    content = yaml.safe_load(api.kubeconfig)
    content["clusters"][0]["cluster"].update(cluster)
    return yaml.safe_dump(content)


def with_user(api: KubeApi, **user: str) -> str:
    content = yaml.safe_load(api.kubeconfig)
    content["users"][0]["user"] = user
    return yaml.safe_dump(content)


def facts_of(api: KubeApi) -> ClusterFacts:
    return gather(connect(parse(api.kubeconfig)))


def error_of(text: str) -> ClusterError:
    with pytest.raises(ClusterError) as caught:
        cluster_uid(connect(parse(text), patience=1))
    return caught.value


def uid_of(api: KubeApi) -> str:
    return str(api.request("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"])


def test_a_bare_cluster_is_seen_as_it_is(api: KubeApi) -> None:
    facts = facts_of(api)
    assert facts.uid == uid_of(api)
    assert facts.version.startswith("v1.")
    assert {"default", "kube-system"} <= facts.namespaces
    assert "apps/v1" in facts.served
    assert facts.server == api.url


def test_classes_drivers_and_controllers_are_seen(api: KubeApi) -> None:
    api.request(
        "POST",
        "/apis/storage.k8s.io/v1/storageclasses",
        {
            "metadata": {
                "name": "seen",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "seen.example",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    )
    api.request(
        "POST",
        "/apis/storage.k8s.io/v1/csidrivers",
        {"metadata": {"name": "seen.example"}, "spec": {}},
    )
    pod = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "image": "mirror.example/x-snapshot-controller:v1"}]},
    }
    api.request(
        "POST",
        "/apis/apps/v1/namespaces/kube-system/deployments",
        {
            "metadata": {"name": "seen", "labels": {"backstop-site": "other"}},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": pod},
        },
    )
    facts = facts_of(api)
    (storage,) = facts.storage_classes
    assert (storage.name, storage.provisioner) == ("seen", "seen.example")
    assert storage.default
    assert storage.waits
    assert facts.drivers == {"seen.example"}
    (controller,) = facts.snapshot_controllers
    assert (controller.namespace, controller.name, controller.site) == (
        "kube-system", "seen", "other",
    )  # fmt: skip


def test_what_bears_the_sites_mark_is_told_from_what_bears_anothers(api: KubeApi) -> None:
    for name, site in (("ours", "unit"), ("theirs", "other")):
        api.request(
            "POST",
            "/api/v1/namespaces/default/configmaps",
            {"metadata": {"name": name, "labels": marks.labels(site)}},
        )
    facts = gather(connect(parse(api.kubeconfig)), "unit")
    assert facts.ours == {("ConfigMap", "default", "ours")}


def test_every_kind_that_is_looked_for_is_served_where_the_server_tells(api: KubeApi) -> None:
    for kind, path in COLLECTIONS.items():
        group = path.split("/")[2]
        if group in ("snapshot.storage.k8s.io", "velero.io", "longhorn.io"):
            continue  # served only where their CRDs are
        assert api.request("GET", f"{path}?limit=1")["kind"] == f"{kind}List"


def test_a_certificate_of_another_authority_is_told_apart(api: KubeApi, tmp_path: Path) -> None:
    Authority(tmp_path)
    other = base64.b64encode((tmp_path / "ca.crt").read_bytes()).decode()
    error = error_of(changed(api, **{"certificate-authority-data": other}))
    assert error.cause is Cause.TLS_UNKNOWN_AUTHORITY


def test_a_name_that_the_certificate_does_not_bear_is_told_apart(api: KubeApi) -> None:
    other = changed(api, server=api.url.replace("127.0.0.1", "127.0.0.2"))
    # The server listens on 127.0.0.1 only; the name is checked through its other address.
    renamed = changed(api, **{"tls-server-name": "elsewhere.example"})
    assert error_of(renamed).cause is Cause.TLS_NAME
    assert error_of(other).cause is Cause.UNREACHABLE


def test_an_unknown_credential_is_refused_in_a_sentence(api: KubeApi) -> None:
    error = error_of(with_user(api, token="SENTINEL"))
    assert error.cause is Cause.CREDENTIAL_REFUSED
    assert "SENTINEL" not in str(error)


def test_a_user_without_rights_is_told_what_is_forbidden(api: KubeApi, tmp_path: Path) -> None:
    for name in ("ca.crt", "ca.key"):
        (tmp_path / name).write_bytes((api.folder / name).read_bytes())
    api.request(
        "POST",
        "/api/v1/namespaces/default/serviceaccounts",
        {"metadata": {"name": "nobody"}},
    )
    token = api.request(
        "POST",
        "/api/v1/namespaces/default/serviceaccounts/nobody/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    )["status"]["token"]
    error = error_of(with_user(api, token=token))
    assert error.cause is Cause.FORBIDDEN
    assert 'namespaces "kube-system" is forbidden' in str(error)


def run(command: str, **request: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", str(ROOT / "run.sh"), "kube", command],
        env={**os.environ, "BACKSTOP_PYTHON": sys.executable},
        input=json.dumps({"schema": 1, **request}),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_prints_the_uid_of_the_right_cluster(api: KubeApi) -> None:
    for expected in ("", uid_of(api)):
        done = run("identity", kubeconfig=api.kubeconfig, uid=expected)
        assert (done.returncode, done.stdout.strip()) == (0, uid_of(api))


def test_the_command_refuses_another_cluster_in_one_sentence(api: KubeApi) -> None:
    wrong = "11111111-2222-3333-4444-555555555555"
    done = run("identity", kubeconfig=api.kubeconfig, uid=wrong)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert wrong in line
    assert uid_of(api) in line


def test_bad_input_of_the_command_shows_nothing_of_it() -> None:
    done = run("identity", kubeconfig="SENTINEL: [", uid="")
    assert done.returncode == 2
    assert "SENTINEL" not in done.stdout + done.stderr
    done = run("identity", kubeconfg="SENTINEL")
    assert done.returncode == 2
    assert "SENTINEL" not in done.stdout + done.stderr


def test_the_facts_are_json(api: KubeApi) -> None:
    done = run("facts", kubeconfig=api.kubeconfig)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["uid"] == uid_of(api)
