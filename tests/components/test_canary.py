"""The canary as the program registers it: order, secrets, rotation, ways out, the drill's view."""

import asyncio
import base64
import json
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks
from pulumi.runtime import settings as runtime

from canary import manifests
from components.canary.component import Canary, CanaryArgs
from components.canary.plan import findings
from components.canary.reach import reach
from components.cluster import Cluster, ClusterArgs, SeenCluster
from components.object_store.access import ClientAccess
from components.object_store.endpoint import StoreEndpoint
from components.recorded import Recorded
from components.settings.canary import Canary as CanarySettings
from components.snapshots import SnapshotPlan
from kube import marks
from kube.facts import ClusterFacts, StorageClass
from policies.adapter import plain
from policies.plain import Resource
from tests.components import cluster_facts as there
from tests.components.test_canary_settings import BASE, BY_FILE, BY_SNAPSHOT, loaded
from tests.components.velero.sites import KUBECONFIG, PAIR, UID, depends, named
from tests.policies.sound_stack import PREFIX
from tests.support import recorder
from tests.support.policy_harness import violations
from tests.support.recorder import CA_PEM, MADE_UP, Registered

SITE = "dev"
CLIENT = ClientAccess("truth", "truth", "dev-evidence", "canary/", 1, keep_previous=False)


def record(
    client: ClientAccess = CLIENT,
    *,
    ca_pem: str = CA_PEM,
    ours: frozenset[tuple[str, str, str]] = frozenset(),
    preview: bool = False,
    wires: list[dict[str, Any]] | None = None,
    **changes: Any,
) -> list[Registered]:
    """Every registration of the canary alone; `changes` of its settings."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    answers = recorder._Answers()
    monitor = recorder._Monitor(answers)
    runtime.reset_options()
    mocks.set_mocks(answers, "backstop", "dev", preview=preview, monitor=monitor)
    site = loaded(canary={"volumes": [BY_FILE, BY_SNAPSHOT], **changes})
    assert site.canary is not None
    settings = site.canary

    @pulumi.runtime.test
    def run() -> None:
        facts = ClusterFacts(UID, KUBECONFIG.server, "v1.34.3", ours=ours)
        seen = SeenCluster(KUBECONFIG, facts, Recorded())
        found = Canary(
            "canary",
            CanaryArgs(
                site=SITE,
                settings=settings,
                cluster=Cluster("cluster", ClusterArgs(SITE, seen)),
                endpoint=_endpoint(ca_pem),
                client=client,
                credential=pulumi.Output.secret(PAIR),
                way=reach(site),
            ),
        )
        if wires is not None:
            wires.append(found.wire)
            pulumi.ComponentResource(
                "test:index:Waits", "waits", opts=pulumi.ResourceOptions(depends_on=found.ready)
            )

    try:
        run()
    finally:
        loop.close()
        runtime.reset_options()
    return [one for one in monitor.found if "cluster" not in one.name]


def _endpoint(ca_pem: str) -> StoreEndpoint:
    return StoreEndpoint(
        url="https://10.77.0.10:9091",
        region="eu-west-1",
        ca_pem=pulumi.Output.from_input(ca_pem),
        root_user=pulumi.Output.secret("SENTINEL-root"),
        root_password=pulumi.Output.secret("SENTINEL-root-password"),
        names=["store1"],
    )


@pytest.fixture(scope="module")
def found() -> list[Registered]:
    return record()


def objects(found: list[Registered]) -> list[Registered]:
    return [one for one in found if one.type.startswith("kubernetes:")]


def deployment(found: list[Registered]) -> Registered:
    return named(found, "canary", "Deployment")


def claims(found: list[Registered]) -> list[Registered]:
    """By name: registrations arrive in any order."""
    made = [one for one in found if one.type.endswith("PersistentVolumeClaim")]
    return sorted(made, key=lambda one: one.name)


def test_the_objects_are_those_of_the_manifests(found: list[Registered]) -> None:
    assert sorted(one.inputs["kind"] for one in objects(found)) == [
        "ConfigMap", "Deployment", "Namespace", "NetworkPolicy", "PersistentVolumeClaim",
        "PersistentVolumeClaim", "Secret", "ServiceAccount",
    ]  # fmt: skip
    for one in objects(found):
        assert marks.owner(one.inputs) == SITE, one.name
        if one.inputs["kind"] != "Namespace":
            assert one.inputs["metadata"]["namespace"] == "backstop-canary"


def test_the_pod_comes_last_and_nothing_before_the_namespace(found: list[Registered]) -> None:
    waited = depends(deployment(found))
    assert {"canary-account", "canary-config", "canary-network", "canary-store-1"} <= waited
    assert {one.name for one in claims(found)} <= waited
    for one in objects(found):
        if one.inputs["kind"] not in ("Namespace", "Deployment"):
            assert "canary-namespace" in depends(one), one.name


def test_a_first_backup_waits_for_the_pod_which_is_awaited() -> None:
    wires: list[dict[str, Any]] = []
    found = record(wires=wires)
    assert "canary" in depends(named(found, "waits"))
    assert "pulumi.com/skipAwait" not in deployment(found).inputs["metadata"].get("annotations", {})
    # A claim of a class that waits for its pod is bound by that pod only.
    for one in claims(found):
        assert one.inputs["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}


def test_the_drill_is_told_where_claims_and_truths_are() -> None:
    wires: list[dict[str, Any]] = []
    made = claims(record(wires=wires))
    (wire,) = wires
    names = [one.inputs["metadata"]["name"] for one in made]
    assert wire == {
        "namespace": "backstop-canary",
        "bucket": "dev-evidence",
        "prefix": "canary/",
        "volumes": [
            {"name": "by-file", "claim": names[0]},
            {"name": "by-snapshot", "claim": names[1]},
        ],
    }
    assert json.loads(json.dumps(wire)) == wire


def test_nothing_is_protected_for_its_data_is_made_to_be_lost(found: list[Registered]) -> None:
    assert not [one.name for one in found if one.request.protect or one.request.retainOnDelete]


def test_secrets_stand_in_the_secret_only(found: list[Registered]) -> None:
    secret = named(found, "canary-store-1")
    assert "data" in secret.secret_inputs
    told = {key: base64.b64decode(value).decode() for key, value in secret.inputs["data"].items()}
    assert told == PAIR
    for one in found:
        clear = {key: value for key, value in one.inputs.items() if key not in one.secret_inputs}
        assert "SENTINEL" not in json.dumps(clear, default=str), one.name
    assert not deployment(found).secret_inputs


def test_a_rotation_is_another_secret_and_another_pod(found: list[Registered]) -> None:
    second = record(ClientAccess("truth", "truth", "dev-evidence", "canary/", 2, True))
    names = {one.name for one in second}
    assert "canary-store-2" in names
    assert "canary-store-1" not in names
    for registered, name in ((found, "canary-store-1"), (second, "canary-store-2")):
        # The provider makes the name up, so no former Secret is in the way.
        assert "name" not in named(registered, name).inputs["metadata"]
        (mounted,) = [one["secret"] for one in pod_of(registered)["volumes"] if "secret" in one]
        assert mounted["secretName"] == MADE_UP
        assert name in depends(deployment(registered))


def pod_of(found: list[Registered]) -> dict[str, Any]:
    spec: dict[str, Any] = deployment(found).inputs["spec"]["template"]["spec"]
    return spec


def digest_of(found: list[Registered]) -> str:
    template = deployment(found).inputs["spec"]["template"]
    return str(template["metadata"]["annotations"][manifests.DIGEST])


def test_another_ca_or_config_is_another_pod(found: list[Registered]) -> None:
    assert digest_of(found) == digest_of(record())
    others = [record(ca_pem="another"), record(keep=5), record(periodSeconds=60)]
    assert len({digest_of(found), *map(digest_of, others)}) == 4
    assert named(found, "canary-config").inputs["data"]["ca.crt"] == CA_PEM


def test_a_second_run_registers_the_same(found: list[Registered]) -> None:
    def told(site: list[Registered]) -> dict[str, Any]:
        return {one.name: one.inputs for one in site}

    assert told(found) == told(record())


@pytest.mark.parametrize("change", [{"size": "512Mi"}, {"storageClass": "other"}])
def test_another_size_or_class_is_another_claim_and_no_replacement(
    found: list[Registered], change: dict[str, str]
) -> None:
    changed = record(volumes=[{**BY_FILE, **change}, BY_SNAPSHOT])
    former, kept = (one.inputs["metadata"]["name"] for one in claims(found))
    new, same = (one.inputs["metadata"]["name"] for one in claims(changed))
    assert same == kept
    assert new != former
    # Also another resource: the former one is deleted after the pod has moved.
    assert {one.name for one in claims(changed)} == {new, same}
    mounted = [one["persistentVolumeClaim"]["claimName"] for one in pod_of(changed)["volumes"]
               if "persistentVolumeClaim" in one]  # fmt: skip
    assert mounted == [new, same]
    # What is told of a volume stays below its name.
    names = [one["name"] for one in json.loads(
        named(changed, "canary-config").inputs["data"]["config.json"])["volumes"]]  # fmt: skip
    assert names == ["by-file", "by-snapshot"]


def test_the_way_out_is_the_store_and_the_resolvers() -> None:
    found = record(dnsNetworks=["169.254.20.10"])
    store, resolvers = named(found, "canary-network").inputs["spec"]["egress"]
    assert store == {
        "to": [{"ipBlock": {"cidr": "10.77.0.10/32"}}],
        "ports": [{"protocol": "TCP", "port": 9091}],
    }
    assert {"ipBlock": {"cidr": "169.254.20.10/32"}} in resolvers["to"]


def test_a_new_state_imports_what_is_the_same_in_every_state() -> None:
    ours = frozenset(
        {
            ("Namespace", "", "backstop-canary"),
            *(
                (kind, "backstop-canary", name)
                for kind, name in (
                    ("ServiceAccount", "canary"),
                    ("ConfigMap", "canary"),
                    ("NetworkPolicy", "canary"),
                    ("Deployment", "canary"),
                    *(
                        ("PersistentVolumeClaim", one.inputs["metadata"]["name"])
                        for one in claims(record())
                    ),
                )
            ),
        }
    )
    imported = {one.inputs["kind"] for one in objects(record(ours=ours)) if one.request.importId}
    assert imported == {"Namespace", "ServiceAccount", "NetworkPolicy"}


def test_no_policy_is_broken(found: list[Registered]) -> None:
    stack = [
        Resource(
            type=one.type,
            name=one.name,
            urn=f"{PREFIX}{one.type}::{one.name}",
            props={name: plain(value) for name, value in one.inputs.items()},
            protect=one.request.protect,
        )
        for one in objects(found)
    ]
    assert [(one.rule, one.urn) for one in violations(stack)] == []


def test_a_cluster_that_cannot_take_it_is_a_sentence_each() -> None:
    settings = CanarySettings.model_validate({"volumes": [BY_FILE]})
    local = StorageClass("local-static", "x", default=False, waits=True)
    fine = ClusterFacts(UID, "https://c:6443", "v1.34.3", storage_classes=(local,))
    assert list(findings(settings, fine)) == []
    key = ("Namespace", "", "backstop-canary")
    names = frozenset({"backstop-canary"})
    own = ClusterFacts(UID, "https://c:6443", "v1", namespaces=names, storage_classes=(local,),
                       ours=frozenset({key}))  # fmt: skip
    assert list(findings(settings, own)) == []
    foreign = ClusterFacts(UID, "https://c:6443", "v1", namespaces=names)
    namespace, storage = findings(settings, foreign)
    assert namespace.startswith("config backstop:canary.namespace: backstop-canary is there")
    assert storage.startswith("config backstop:canary.volumes.0.storageClass: the cluster has no")
    assert "(there: none)" in storage


def whole_site(**changes: Any) -> list[Registered]:
    seen = there.seen()
    plan = SnapshotPlan((), False, ())
    return recorder.record(loaded(**changes), cluster=seen, snapshots=plan)


def test_the_site_has_it_between_store_and_backups() -> None:
    site = whole_site()
    home = " ".join(named(site, "canary-namespace").request.dependencies)
    assert "truth-1-attachment" in home
    assert "canary" in depends(named(site, "velero-location-default"))
    # By way of the location: the first backup holds a generation of every volume.
    assert "velero-location-default" in depends(named(site, "velero-available"))
    drilled = json.loads(named(site, "drill-volumes").inputs["stdin"])["canary"]
    assert drilled["namespace"] == "backstop-canary"
    assert drilled["prefix"] == "canary/"


def test_a_site_without_a_canary_has_nothing_of_it() -> None:
    bare = {name: value for name, value in BASE.items() if name != "canary"}
    site = recorder.record(recorder.settings_with(**bare), cluster=there.seen(),
                           snapshots=SnapshotPlan((), False, ()))  # fmt: skip
    assert not [one.name for one in site if one.name.startswith("canary")]
