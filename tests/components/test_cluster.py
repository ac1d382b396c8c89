"""Which cluster a site may work on, and how its provider is registered."""

import json
from typing import Any

import pulumi
import pytest

from components import cluster as component
from components.cluster import findings, identity_fault
from components.recorded import Recorded, parse, retried
from components.settings import ClusterSettings, Settings, SettingsError, load
from kube.facts import Node
from tests.components.cluster_facts import OTHER_UID, UID, facts, seen
from tests.kube import kubeconfigs
from tests.support.recorder import RAW, Registered, record, settings_with

SECRET = frozenset(
    {"sshPrivateKey", "escrowPassphrase", "storeRootUser", "storeRootPassword", "kubeconfig"}
)
GUARD_URN = (
    "urn:pulumi:dev::backstop::backstop:index:Cluster$command:local:Command::cluster-identity"
)


def site(**changes: Any) -> Settings:
    raw = {**RAW, "kubeconfig": kubeconfigs.text(), "cluster": {}, **changes}
    return load(raw, secret_keys=SECRET)


def faults_of(raw: dict[str, Any]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(raw, secret_keys=SECRET)
    return caught.value.faults


@pytest.fixture(scope="module")
def registered() -> list[Registered]:
    return record(site(), cluster=seen())


def named(registered: list[Registered], kind: str, name: str) -> Registered:
    return next(one for one in registered if (one.type, one.name) == (kind, name))


def test_a_first_run_takes_the_cluster_that_is_there() -> None:
    assert identity_fault(ClusterSettings(), None, facts()) is None


def test_the_recorded_and_the_configured_cluster_pass() -> None:
    assert identity_fault(ClusterSettings(uid=UID), UID, facts()) is None


@pytest.mark.parametrize(
    ("configured", "recorded", "key"),
    [
        (OTHER_UID, None, "config backstop:cluster.uid"),
        (None, OTHER_UID, "state of this stack"),
        (UID, OTHER_UID, "state of this stack"),
    ],
)
def test_another_cluster_is_refused_in_one_sentence(
    configured: str | None, recorded: str | None, key: str
) -> None:
    fault = identity_fault(ClusterSettings(uid=configured), recorded, facts())
    assert fault is not None
    assert key in fault
    assert UID in fault
    assert OTHER_UID in fault
    assert "\n" not in fault


def test_a_misspelt_namespace_is_named_with_those_that_are_there() -> None:
    (fault,) = findings(ClusterSettings(namespaces=("default", "shpo")), facts())
    assert "cluster.namespaces" in fault
    assert "shpo" in fault
    assert "default, kube-system" in fault


def test_a_node_that_is_not_ready_is_a_warning_for_it_may_be_starting() -> None:
    nodes = (Node("a", False, "amd64"), Node("b", True, "amd64"))
    assert findings(ClusterSettings(), facts(nodes=nodes)) == []
    (warning,) = component.warnings(facts(nodes=nodes))
    assert warning.startswith("node a of the cluster is not ready")


def test_an_unusable_kubeconfig_is_a_finding_that_shows_nothing_of_it() -> None:
    settings = site(kubeconfig="SENTINEL: [")
    assert settings.cluster is not None
    found, faults = component.look(settings, settings.cluster, Recorded())
    assert found is None
    assert len(faults) == 1
    assert faults[0].startswith("config backstop:cluster: the kubeconfig cannot be used")
    assert "SENTINEL" not in faults[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cluster": {}}, "needs a kubeconfig"),
        ({"kubeconfig": "x"}, "belongs to a site with a cluster"),
        ({"snapshots": {}}, "add cluster"),
        ({"cluster": {"uid": "short"}, "kubeconfig": "x"}, "cluster.uid"),
        ({"cluster": {"namespaces": ["A B"]}, "kubeconfig": "x"}, "cluster.namespaces.0"),
        ({"cluster": {"kubeconfigFile": "/nowhere"}}, "cluster.kubeconfigFile"),
    ],
)
def test_faults_of_the_config_name_their_key(changes: dict[str, Any], said: str) -> None:
    faults = faults_of({**RAW, **changes})
    assert len(faults) == 1
    assert said in faults[0]


def test_the_kubeconfig_of_the_config_wins_over_files_and_a_named_file_over_the_inventorys() -> (
    None
):
    inventory = {"schema": 1, "kubernetes": {"kubeconfigFile": "/listed"}}
    files = {"/inventory": json.dumps(inventory), "/listed": "LISTED", "/named": "NAMED"}

    def loaded(**changes: Any) -> str:
        raw = {**RAW, "hostInventory": "/inventory", "cluster": {}, **changes}
        settings = load(raw, secret_keys=SECRET, read=lambda path: files[str(path)])
        return settings.kubeconfig.get_secret_value()

    assert loaded() == "LISTED"
    assert loaded(cluster={"kubeconfigFile": "/named"}) == "NAMED"
    assert loaded(cluster={"kubeconfigFile": "/named"}, kubeconfig="OWN") == "OWN"
    assert loaded(cluster=None) == ""


def test_a_kubeconfig_in_clear_text_is_refused() -> None:
    with pytest.raises(SettingsError, match="clear text"):
        load(
            {**RAW, "cluster": {}, "kubeconfig": "SENTINEL"},
            secret_keys=SECRET - {"kubeconfig"},
        )


def test_a_site_without_cluster_registers_nothing_of_kubernetes() -> None:
    kinds = {one.type for one in record(settings_with())}
    assert not [kind for kind in kinds if "kubernetes" in kind]


def test_the_provider_waits_for_the_guard(registered: list[Registered]) -> None:
    provider = named(registered, "pulumi:providers:kubernetes", "cluster")
    assert any("cluster-identity" in urn for urn in provider.request.dependencies)
    assert provider.inputs["clusterIdentifier"] == "dev"
    assert provider.inputs["context"] == "one"


def test_the_guard_is_run_anew_for_another_cluster(registered: list[Registered]) -> None:
    guard = named(registered, "command:local:Command", "cluster-identity")
    assert guard.inputs["triggers"] == [UID]
    assert json.loads(guard.inputs["stdin"])["uid"] == UID


def test_the_kubeconfig_stands_in_secret_inputs_only(registered: list[Registered]) -> None:
    for one in registered:
        clear = {key: value for key, value in one.inputs.items() if key not in one.secret_inputs}
        assert "SENTINEL" not in json.dumps(clear, default=str), one.name
    provider = named(registered, "pulumi:providers:kubernetes", "cluster")
    assert kubeconfigs.SECRET in provider.inputs["kubeconfig"]


def test_the_guards_urn_is_what_the_next_run_looks_for() -> None:
    outputs = {GUARD_URN: {"type": "command:local:Command", "outputs": {"stdout": f"{UID}\n"}}}
    assert parse(outputs) == Recorded(
        frozenset({("command:local:Command", "cluster-identity")}), UID
    )


@pytest.mark.parametrize(
    "outputs",
    [
        {},
        {"urn:pulumi:dev::backstop::pulumi:pulumi:Stack::s": {"type": "pulumi:pulumi:Stack"}},
        {GUARD_URN: {"type": "command:local:Command", "outputs": {"stdout": ""}}},
        {GUARD_URN: {"type": "command:local:Command", "outputs": {}}},
        {"nonsense": 1},
    ],
)
def test_a_state_without_the_guards_answer_remembers_no_cluster(outputs: dict[str, Any]) -> None:
    assert parse(outputs).cluster_uid is None


def test_a_state_that_is_just_being_written_is_read_again() -> None:
    answers: list[object] = [ValueError("torn"), ValueError("torn"), {"outputs": {}}]

    def read() -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    pauses: list[float] = []
    assert retried(read, "o/p/s", pauses.append) == {"outputs": {}}
    assert len(pauses) == 2


def test_a_state_that_can_never_be_read_is_one_sentence() -> None:
    def read() -> object:
        raise ValueError("no such stack")

    with pytest.raises(
        pulumi.RunError, match=r"state of stack o/p/s cannot be read.*no such stack"
    ):
        retried(read, "o/p/s", lambda _: None)
