"""A release from preview to removal, on a real API server with the real helm."""

from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.standins.helm.harness import (
    URN,
    ByHand,
    PartlyMadeError,
    Plugin,
    Props,
    Reply,
    opened,
    refusal,
)
from tests.standins.minio.harness import SECRET, SIGNATURE, UNKNOWN, secret
from tests.support.kube_api import KubeApi

pytestmark = pytest.mark.tools


def wanted(namespace: str, **changed: Any) -> Props:
    return {
        "chart": "./app",
        "name": "app",
        "namespace": namespace,
        "compat": "true",  # the SDK sends it
        "timeout": 60,
        **changed,
    }


def settings_of(api: KubeApi, namespace: str, name: str = "app") -> dict[str, str]:
    path = f"/api/v1/namespaces/{namespace}/configmaps/{name}-settings"
    found: dict[str, str] = api.request("GET", path)["data"]
    return found


def test_a_preview_repeats_the_inputs_and_makes_nothing(
    plugin: Plugin, by_hand: ByHand, namespace: str
) -> None:
    found = plugin.create(wanted(namespace, values={"color": "blue"}), preview=True)
    assert found.id == ""
    assert found.state["values"] == {"color": "blue"}
    assert found.state["version"] == "1.2.3"
    assert found.state["status"] == UNKNOWN
    assert found.state["resourceNames"] == UNKNOWN
    assert by_hand.releases(namespace) == []


def test_a_release_is_made_and_described(plugin: Plugin, api: KubeApi, namespace: str) -> None:
    found = plugin.create(wanted(namespace, values={"color": "blue"}))
    assert found.id == f"{namespace}/app"
    assert settings_of(api, namespace) == {"color": "blue", "inner": "a"}
    assert found.status == {
        "appVersion": "9",
        "chart": "app",
        "name": "app",
        "namespace": namespace,
        "revision": 1,
        "status": "deployed",
        "version": "1.2.3",
    }
    assert found.state["resourceNames"] == {"ConfigMap/v1": ["app-settings"]}
    assert found.state["__inputs"][SIGNATURE] == SECRET
    assert opened(found.state["__inputs"]) == found.inputs
    assert "compat" not in found.inputs


def test_nothing_changed_is_no_change(plugin: Plugin, namespace: str) -> None:
    inputs = wanted(namespace, values={"color": "blue", "outer": {"inner": "x"}})
    found = plugin.create(inputs)
    assert plugin.changes(found, inputs) == {}
    again = plugin.read(found)
    assert again.inputs == found.inputs
    assert again.state == found.state
    assert plugin.changes(again, inputs) == {}


def test_a_value_set_by_hand_shows_after_a_refresh_and_is_put_right(
    plugin: Plugin, api: KubeApi, by_hand: ByHand, folder: Path, namespace: str
) -> None:
    inputs = wanted(namespace, values={"color": "blue"})
    found = plugin.create(inputs)
    chart = str(folder / "app")
    by_hand.run(
        *("upgrade", "app", chart, "-n", namespace, "--reuse-values"),
        *("--set", "color=green", "--set", "outer.inner=by-hand"),
    )
    seen = plugin.read(found)
    assert seen.state["values"] == {"color": "green", "outer": {"inner": "by-hand"}}
    # A key that the program does not declare is the operator's own.
    assert plugin.changes(seen, inputs) == {"values.color": "UPDATE"}
    put_right = plugin.update(seen, inputs)
    assert settings_of(api, namespace) == {"color": "blue", "inner": "a"}
    assert put_right.status["revision"] == 3
    assert plugin.changes(put_right, inputs) == {}


def test_a_value_that_is_taken_out_goes_back_to_the_charts_own(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    found = plugin.create(wanted(namespace, values={"color": "blue", "outer": {"inner": "x"}}))
    less = wanted(namespace, values={"outer": {"inner": "x"}})
    assert plugin.changes(found, less) == {"values.color": "DELETE"}
    updated = plugin.update(found, less)
    assert settings_of(api, namespace) == {"color": "red", "inner": "x"}
    assert updated.state["values"] == {"outer": {"inner": "x"}}


@pytest.mark.parametrize("name", ["name", "namespace"])
def test_a_new_name_replaces_and_the_old_one_goes_last(
    plugin: Plugin, namespace: str, name: str
) -> None:
    found = plugin.create(wanted(namespace))
    answer = plugin.diff(found, {**wanted(namespace), name: "other"})
    assert list(answer.replaces) == [name]
    assert not answer.deleteBeforeReplace


def test_a_removed_release_leaves_its_definitions(
    plugin: Plugin, api: KubeApi, by_hand: ByHand, namespace: str
) -> None:
    found = plugin.create(wanted(namespace))
    plugin.delete(found)
    assert by_hand.releases(namespace) == []
    assert not api.exists(f"/api/v1/namespaces/{namespace}/configmaps/app-settings")
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert api.exists(f"{definitions}/things.backstop.example")
    assert plugin.read(found).id == ""


@pytest.mark.stand_in
def test_removing_what_is_gone_already_is_done(
    plugin: Plugin, by_hand: ByHand, namespace: str
) -> None:
    found = plugin.create(wanted(namespace))
    by_hand.run("uninstall", "app", "-n", namespace)
    plugin.delete(found)
    assert any("was gone already" in message for message in plugin.engine.messages)


@pytest.mark.stand_in
def test_an_update_of_what_is_gone_asks_for_a_refresh(
    plugin: Plugin, by_hand: ByHand, namespace: str
) -> None:
    found = plugin.create(wanted(namespace))
    by_hand.run("uninstall", "app", "-n", namespace)
    with pytest.raises(grpc.RpcError) as refused:
        plugin.update(found, wanted(namespace, values={"color": "blue"}))
    assert "pulumi refresh" in refusal(refused)


def test_a_name_in_use_is_refused(plugin: Plugin, namespace: str) -> None:
    plugin.create(wanted(namespace))
    with pytest.raises(grpc.RpcError) as refused:
        plugin.create(wanted(namespace, values={"color": "blue"}))
    assert "cannot re-use a name that is still in use" in refusal(refused)


def test_a_release_is_imported_by_its_id(
    plugin: Plugin, by_hand: ByHand, folder: Path, namespace: str
) -> None:
    chart = str(folder / "app")
    by_hand.run("install", "app", chart, "-n", namespace, "--set", "color=blue")
    found = plugin.read(Reply(f"{namespace}/app", {}))
    assert found.id == f"{namespace}/app"
    assert found.inputs == {
        "chart": "app",  # found beside the program
        "name": "app",
        "namespace": namespace,
        "version": "1.2.3",
        "timeout": 300,
        "values": {"color": "blue"},
    }
    assert found.status["status"] == "deployed"
    # The program goes on from there.
    inputs = wanted(namespace, values={"color": "blue"})
    assert plugin.changes(found, inputs) == {"chart": "UPDATE", "timeout": "ADD"}
    assert plugin.update(found, inputs).status["revision"] == 2


def test_importing_what_is_not_there_finds_nothing(plugin: Plugin, namespace: str) -> None:
    assert plugin.read(Reply(f"{namespace}/app", {})).id == ""


def test_the_namespace_is_made_when_asked_for(plugin: Plugin, api: KubeApi, namespace: str) -> None:
    fresh = f"{namespace}-new"
    with pytest.raises(grpc.RpcError) as refused:
        plugin.create(wanted(fresh))
    assert fresh in refusal(refused)
    found = plugin.create(wanted(fresh, createNamespace=True))
    assert api.exists(f"/api/v1/namespaces/{fresh}")
    plugin.delete(found)


def test_history_is_limited_when_asked_for(plugin: Plugin, by_hand: ByHand, namespace: str) -> None:
    found = plugin.create(wanted(namespace, maxHistory=2))
    for color in ("blue", "green", "white"):
        found = plugin.update(found, wanted(namespace, maxHistory=2, values={"color": color}))
    assert [each["revision"] for each in by_hand.history(namespace, "app")] == [3, 4]


def test_hooks_run_unless_they_are_switched_off(
    plugin: Plugin, api: KubeApi, namespace: str
) -> None:
    hook = f"/api/v1/namespaces/{namespace}/configmaps"

    def last_run(name: str) -> str:
        return str(api.request("GET", f"{hook}/{name}-hook")["data"]["revision"])

    found = plugin.create(wanted(namespace))
    assert last_run("app") == "1"
    found = plugin.update(found, wanted(namespace, values={"color": "blue"}))
    assert last_run("app") == "2"
    plugin.update(found, wanted(namespace, values={"color": "green"}, disableCRDHooks=True))
    assert last_run("app") == "2"
    plugin.create({**wanted(namespace), "name": "quiet", "disableWebhooks": True, "skipCrds": True})
    assert not api.exists(f"{hook}/quiet-hook")


class TestWhenAnUpdateFails:
    """No kubelet runs here, so a workload never becomes ready."""

    def test_a_failed_install_is_kept_and_the_next_update_mends_it(
        self, plugin: Plugin, namespace: str
    ) -> None:
        bad = wanted(namespace, timeout=3, values={"workload": True})
        with pytest.raises(PartlyMadeError) as failed:
            plugin.create(bad)
        kept = failed.value.reply
        assert kept.id == f"{namespace}/app"
        assert kept.status["status"] == "failed"
        good = wanted(namespace, values={"workload": False})
        mended = plugin.update(kept, good)
        assert mended.status["status"] == "deployed"
        assert plugin.changes(mended, good) == {}

    @pytest.mark.stand_in
    def test_the_error_names_what_is_not_ready(self, plugin: Plugin, namespace: str) -> None:
        with pytest.raises(PartlyMadeError) as failed:
            plugin.create(wanted(namespace, timeout=3, values={"workload": True}))
        assert str(failed.value) == (
            f"Helm release {namespace}/app: install failed: not everything was ready within its "
            "timeout of 3 s: Deployment app has 0 of 1 pods ready"
        )

    def test_an_atomic_install_leaves_nothing(
        self, plugin: Plugin, by_hand: ByHand, namespace: str
    ) -> None:
        with pytest.raises(grpc.RpcError) as failed:
            plugin.create(wanted(namespace, timeout=3, atomic=True, values={"workload": True}))
        assert failed.value.details()
        assert by_hand.releases(namespace) == []

    def test_an_atomic_upgrade_goes_back(
        self, plugin: Plugin, api: KubeApi, by_hand: ByHand, namespace: str
    ) -> None:
        found = plugin.create(wanted(namespace, values={"color": "blue"}))
        bad = wanted(namespace, timeout=5, atomic=True, values={"color": "green", "workload": True})
        with pytest.raises(PartlyMadeError):
            plugin.update(found, bad)
        assert settings_of(api, namespace)["color"] == "blue"
        assert by_hand.history(namespace, "app")[-1]["status"] == "deployed"

    def test_without_waiting_nothing_is_waited_for(self, plugin: Plugin, namespace: str) -> None:
        found = plugin.create(wanted(namespace, skipAwait=True, values={"workload": True}))
        assert found.status["status"] == "deployed"

    def test_an_object_of_somebody_else_is_not_taken(
        self, plugin: Plugin, api: KubeApi, by_hand: ByHand, namespace: str
    ) -> None:
        place = f"/api/v1/namespaces/{namespace}/configmaps"
        api.request("POST", place, {"metadata": {"name": "somebody-elses"}})
        with pytest.raises(grpc.RpcError) as refused:
            plugin.create(wanted(namespace, values={"conflict": True}))
        assert "somebody-elses" in str(refused.value.details())
        assert by_hand.releases(namespace) == []


class TestCheck:
    def test_the_chart_is_looked_at(self, plugin: Plugin, namespace: str) -> None:
        missing = plugin.refusals(wanted(namespace, chart="./missing"))
        assert missing.keys() == {"chart"}
        assert "check the chart name and repository configuration" in missing["chart"]

    def test_a_repository_that_is_not_there_is_named(self, plugin: Plugin, namespace: str) -> None:
        place = {"repo": "http://127.0.0.1:9/"}
        found = plugin.refusals(wanted(namespace, chart="app", repositoryOpts=place))
        assert "http://127.0.0.1:9" in found["chart"]
        assert "\n" not in found["chart"]

    @pytest.mark.stand_in
    def test_values_are_held_against_the_charts_schema(
        self, plugin: Plugin, namespace: str
    ) -> None:
        found = plugin.refusals(wanted(namespace, values={"color": 3}))
        assert "/color" in found["values"]
        assert "want string" in found["values"]

    def test_what_is_not_known_yet_is_not_asked_about(self, plugin: Plugin, namespace: str) -> None:
        inputs = plugin.checked(wanted(namespace, chart="./missing", values={"color": UNKNOWN}))
        assert inputs["values"] == {"color": UNKNOWN}
        assert "version" not in inputs

    def test_an_unknown_name_stays_unknown(self, plugin: Plugin, namespace: str) -> None:
        assert plugin.checked({**wanted(namespace), "name": UNKNOWN})["name"] == UNKNOWN

    def test_a_release_without_a_name_gets_the_resources(
        self, plugin: Plugin, namespace: str
    ) -> None:
        unnamed = {key: value for key, value in wanted(namespace).items() if key != "name"}
        first = plugin.checked(unnamed)
        assert first["name"].startswith(URN.rsplit("::", 1)[-1] + "-")
        assert plugin.checked(unnamed, first)["name"] == first["name"]

    def test_secret_values_stay_secret(self, plugin: Plugin, namespace: str) -> None:
        inputs = wanted(namespace, values={"outer": {"inner": secret("hidden value")}})
        found = plugin.create(inputs)
        assert found.inputs["values"]["outer"]["inner"] == secret("hidden value")
        assert found.state["values"]["outer"]["inner"] == secret("hidden value")
        assert plugin.changes(found, inputs) == {}
