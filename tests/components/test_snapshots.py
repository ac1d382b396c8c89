"""What is installed for snapshots, on every cluster that may be there."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.recorded import Recorded
from components.settings import Settings, SettingsError, Snapshots, coupling_faults, load
from components.snapshots import controller, crds, warnings
from components.snapshots.component import class_manifest, crd_manifest
from components.snapshots.plan import CLASS_TYPE, CRD_TYPE, decide
from kube.facts import SNAPSHOT_CRDS, ClusterFacts
from tests.components import cluster_facts as there
from tests.components.cluster_facts import LONGHORN, SITE
from tests.kube import kubeconfigs
from tests.support.recorder import RAW, Registered, record

ROOT = Path(__file__).resolve().parents[2]
STANDINS = str(ROOT / "standins" / "crds")
CLASS = ("VolumeSnapshotClass", "", "longhorn-velero")
DEPLOYMENT = ("kubernetes:apps/v1:Deployment", "snapshot-controller")


def settings(**changes: Any) -> Snapshots:
    return Snapshots.model_validate({"crds": {"path": STANDINS}, **changes})


def decided(
    facts: ClusterFacts, recorded: frozenset[tuple[str, str]] = frozenset(), **changes: Any
) -> tuple[list[str], bool, list[str]]:
    """Names of the CRDs that are declared, whether the controller is, and the faults."""
    plan, faults = decide(SITE, settings(**changes), there.seen(facts, Recorded(recorded)))
    return [one["metadata"]["name"] for one in plan.crds], plan.controller, faults


def faults_of(facts: ClusterFacts, **changes: Any) -> list[str]:
    return decided(facts, **changes)[2]


def test_a_bare_cluster_gets_crds_and_controller() -> None:
    assert decided(there.facts()) == (sorted(SNAPSHOT_CRDS), True, [])


def test_what_others_installed_is_left_alone() -> None:
    facts = there.facts(**there.crds(), snapshot_controllers=(there.controller("rke2-snapshot"),))
    assert decided(facts) == ([], False, [])


def test_what_an_earlier_run_installed_stays_declared() -> None:
    facts = there.facts(**there.crds(SITE), snapshot_controllers=(there.controller(site=SITE),))
    assert decided(facts) == (sorted(SNAPSHOT_CRDS), True, [])


def test_what_an_earlier_run_installed_stays_declared_without_its_label() -> None:
    facts = there.facts(**there.crds(), snapshot_controllers=(there.controller(),))
    recorded = frozenset({*((CRD_TYPE, name) for name in SNAPSHOT_CRDS), DEPLOYMENT})
    assert decided(facts, recorded) == (sorted(SNAPSHOT_CRDS), True, [])


def test_another_sites_controller_is_left_alone() -> None:
    facts = there.facts(**there.crds("b"), snapshot_controllers=(there.controller(site="b"),))
    assert decided(facts) == ([], False, [])


def test_a_missing_crd_is_added_to_those_that_are_there() -> None:
    fields = there.crds()
    del fields["crds"][SNAPSHOT_CRDS[0]]
    assert decided(there.facts(**fields))[0] == [SNAPSHOT_CRDS[0]]


def test_controller_never_installs_none() -> None:
    assert decided(there.facts(), controller="never")[1] is False


@pytest.mark.parametrize(
    ("facts", "changes", "said"),
    [
        (there.facts(), {"crds": {}}, "kubectl kustomize"),
        (there.facts(**there.crds(version="v1beta1")), {}, "does not serve its version v1"),
        (
            there.facts(snapshot_controllers=(there.controller("a"), there.controller("b"))),
            {},
            "kube-system/a and kube-system/b",
        ),
        (
            there.facts(snapshot_controllers=(there.controller("a"), there.controller(site=SITE))),
            {},
            "kube-system/a is a second",
        ),
        (
            there.facts(snapshot_classes=(there.snapshot_class("theirs", labelled=True),)),
            {},
            "theirs",
        ),
        (
            there.facts(snapshot_classes=(there.snapshot_class("longhorn-velero"),)),
            {},
            "another name",
        ),
        (
            there.facts(
                snapshot_classes=(
                    there.snapshot_class("one", "x.example", labelled=True),
                    there.snapshot_class("two", "x.example", labelled=True),
                )
            ),
            {},
            "one and two of x.example",
        ),
        (
            there.facts(
                snapshot_classes=(
                    there.snapshot_class("one", "x.example"),
                    there.snapshot_class("two", "x.example"),
                )
            ),
            {},
            "none of the classes of x.example (one, two)",
        ),
    ],
)
def test_a_cluster_that_cannot_be_used_is_one_sentence_with_key_and_cure(
    facts: ClusterFacts, changes: dict[str, Any], said: str
) -> None:
    faults = faults_of(facts, **changes)
    assert len(faults) == 1, faults
    assert said in faults[0]
    assert faults[0].startswith("config backstop:snapshots")
    assert "; " in faults[0]
    assert "\n" not in faults[0]


@pytest.mark.parametrize(
    "classes",
    [
        (there.snapshot_class("one", "x.example"),),
        (there.snapshot_class("a", "x.y", labelled=True), there.snapshot_class("b", "x.y")),
        (there.snapshot_class("a", "x.y", default=True), there.snapshot_class("b", "x.y")),
        (there.snapshot_class("longhorn-velero", labelled=True, site=SITE),),
        (there.snapshot_class("theirs"),),
    ],
)  # fmt: skip
def test_classes_of_which_velero_finds_one_are_no_fault(classes: tuple[Any, ...]) -> None:
    assert faults_of(there.facts(snapshot_classes=classes)) == []


def test_our_class_without_its_mark_is_still_ours() -> None:
    facts = there.facts(snapshot_classes=(there.snapshot_class("longhorn-velero", labelled=True),))
    recorded = frozenset({(CLASS_TYPE, "snapshot-class-longhorn-velero")})
    assert decided(facts)[2] != []
    assert decided(facts, recorded)[2] == []


def test_a_driver_that_is_not_installed_yet_is_a_warning() -> None:
    (warning,) = warnings(settings(), there.facts(drivers=frozenset({"x.example"})))
    assert LONGHORN in warning
    assert "x.example" in warning
    assert warnings(settings(), there.facts()) == []


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ([{"name": "a"}, {"name": "a"}], "stands there twice"),
        ([{"name": "a"}, {"name": "b"}], "both default"),
        ([{"name": "a", "default": False}], "has default true"),
        ([{"driver": "x.example", "type": "bak"}], "parameter of driver.longhorn.io"),
        ([{"deletionPolicy": "Delete"}], "use Retain"),
        ([{"driver": "x.example", "deletionPolicy": "Delete"}], "use Retain"),
        ([{"type": "bi"}], "'bak' or 'snap'"),
    ],
)
def test_classes_that_velero_could_not_use_are_faults_of_the_config(
    classes: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        site(snapshots={"classes": classes})
    assert len(caught.value.faults) == 1
    assert "backstop:snapshots.classes" in caught.value.faults[0]
    assert said in caught.value.faults[0]


@pytest.mark.parametrize(
    ("kind", "moves", "fine"),
    [("bak", False, True), ("snap", True, True), ("bak", True, False), ("snap", False, False)],
)
def test_the_type_follows_the_data_mover(kind: str, moves: bool, fine: bool) -> None:
    faults = coupling_faults(settings(classes=[{"type": kind}]), move_data=moves)
    assert (faults == []) is fine
    assert all(fault.startswith("snapshots.classes.0.type: ") for fault in faults)


def test_a_class_without_type_is_bak_and_other_drivers_have_none() -> None:
    assert coupling_faults(settings(), move_data=True)
    other = settings(classes=[{"driver": "x.example", "name": "x"}])
    assert coupling_faults(other, move_data=True) == coupling_faults(other, move_data=False) == []


def test_a_snap_class_without_data_mover_is_refused_with_its_key() -> None:
    with pytest.raises(SettingsError) as caught:
        site(snapshots={"classes": [{"type": "snap"}]})
    assert "backstop:snapshots.classes.0.type" in caught.value.faults[0]


def test_a_class_is_labelled_with_a_string_and_keeps_what_it_made() -> None:
    (declared,) = settings().classes
    manifest = class_manifest(declared, SITE)
    assert manifest["metadata"]["labels"]["velero.io/csi-volumesnapshot-class"] == "true"
    assert manifest["parameters"] == {"type": "bak"}
    assert manifest["deletionPolicy"] == "Retain"


def test_only_the_default_class_is_labelled() -> None:
    *_, second = settings(classes=[{}, {"name": "other", "default": False}]).classes
    labels = class_manifest(second, SITE)["metadata"]["labels"]
    assert "velero.io/csi-volumesnapshot-class" not in labels


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        ("{", "no YAML"),
        ("kind: ConfigMap", "has no CRD"),
        ("", "has no CRD"),
    ],
)
def test_a_wrong_crd_file_is_a_fault_of_its_key(
    tmp_path: Path, content: str | None, said: str
) -> None:
    file = tmp_path / "crds.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError) as caught:
        crds.read(str(file))
    assert caught.value.faults[0].startswith("config backstop:snapshots.crds.path: ")
    assert said in caught.value.faults[0]


def test_a_crd_read_from_a_cluster_loses_what_the_server_wrote() -> None:
    document = dict(next(iter(crds.read(STANDINS).values())))
    document["metadata"] = {**document["metadata"], "uid": "u", "resourceVersion": "1"}
    document["status"] = {"conditions": []}
    manifest = crd_manifest(document, SITE)
    assert set(manifest) == {"apiVersion", "kind", "metadata", "spec"}
    assert set(manifest["metadata"]) == {"name", "labels", "annotations"}


def test_the_account_may_do_what_the_controller_does_and_touches_no_secret() -> None:
    account = controller.manifests(SITE, "image", 2)
    rules = [rule for one in account for rule in one.get("rules", [])]
    resources = {resource for rule in rules for resource in rule["resources"]}
    assert "volumesnapshotcontents/status" in resources
    assert not resources & {"secrets", "*", "pods"}
    assert all("*" not in rule["verbs"] for rule in rules)


def site(**changes: Any) -> Settings:
    raw = {
        **RAW,
        "kubeconfig": kubeconfigs.text(),
        "cluster": {},
        "snapshots": {"crds": {"path": STANDINS}},
        **changes,
    }
    return load(raw, secret_keys=frozenset({"kubeconfig", "sshPrivateKey", "escrowPassphrase"}))


def registered(
    facts: ClusterFacts | None = None,
    recorded: frozenset[tuple[str, str]] = frozenset(),
    **changes: Any,
) -> list[Registered]:
    declared = site(**changes)
    assert declared.snapshots is not None
    seen = there.seen(facts, Recorded(recorded))
    plan, faults = decide(SITE, declared.snapshots, seen)
    assert faults == []
    found = record(declared, cluster=seen, snapshots=plan)
    return [one for one in found if one.type.startswith("kubernetes:")]


@pytest.fixture(scope="module")
def bare() -> list[Registered]:
    return registered()


def test_everything_uses_the_guarded_provider_and_bears_the_mark(bare: list[Registered]) -> None:
    assert len(bare) == 10
    for one in bare:
        assert "pulumi:providers:kubernetes::cluster" in one.request.provider, one.name
        assert one.inputs["metadata"]["labels"]["backstop-site"] == SITE


def test_crds_come_first_and_outlive_the_stack(bare: list[Registered]) -> None:
    for one in bare:
        if one.type == CRD_TYPE:
            assert one.request.retainOnDelete
        if one.type.endswith((":Deployment", ":VolumeSnapshotClass")):
            waited = " ".join(one.request.dependencies)
            assert all(name in waited for name in SNAPSHOT_CRDS), one.name


def test_the_keys_reach_the_engine_as_the_api_takes_them(bare: list[Registered]) -> None:
    (deployment,) = [one for one in bare if one.type.endswith(":Deployment")]
    pod = deployment.inputs["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "snapshot-controller"
    assert pod["containers"][0]["image"] == "registry.k8s.io/sig-storage/snapshot-controller:v8.7.0"
    definitions = [one for one in bare if one.type == CRD_TYPE]
    assert "x-kubernetes-preserve-unknown-fields" in json.dumps(definitions[0].inputs)


def test_what_bears_the_mark_already_is_taken_over_by_a_new_state() -> None:
    facts = there.facts(
        **there.crds(SITE),
        ours=frozenset(
            {
                ("CustomResourceDefinition", "", SNAPSHOT_CRDS[0]),
                ("ServiceAccount", "kube-system", "snapshot-controller"),
                CLASS,
            }
        ),
    )
    imported = {one.request.importId for one in registered(facts)} - {""}
    assert imported == {SNAPSHOT_CRDS[0], "kube-system/snapshot-controller", "longhorn-velero"}


def test_what_this_state_has_is_imported_no_more_or_it_could_never_be_replaced() -> None:
    facts = there.facts(**there.crds(SITE), ours=frozenset({CLASS}))
    kind = "kubernetes:snapshot.storage.k8s.io/v1:VolumeSnapshotClass"
    recorded = frozenset({(kind, "snapshot-class-longhorn-velero")})
    assert {one.request.importId for one in registered(facts, recorded=recorded)} == {""}


def test_a_bare_cluster_imports_nothing(bare: list[Registered]) -> None:
    assert {one.request.importId for one in bare} == {""}
