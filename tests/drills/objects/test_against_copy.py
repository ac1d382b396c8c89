"""Backup and restored copy."""

import copy
from collections.abc import Collection, Iterable
from typing import Any

import pytest

from drills.objects import tarball
from drills.objects.against_copy import DETAILED_OBJECTS, CopyComparison, CopyIndex, compare
from drills.objects.changes import Action, ChangeError, ExpectedChange
from drills.objects.findings import Comparison, FindingKind
from drills.objects.keys import ObjectKey, parse
from drills.objects.mapping import MappingError, NamespaceMapping
from drills.objects.normal_form import Restoration
from tests.drills.objects import archives, samples
from tests.drills.objects.samples import Content, Pair

LOST, ADDED, CHANGED = FindingKind.LOST, FindingKind.ADDED, FindingKind.CHANGED
SALT = b"salt"
SANDBOX = Restoration({"shop": "sandbox"})
WORKLOADS = [pair for pair in samples.shop() if pair[0].namespace]


def held_against(
    saved: list[Pair], restored: Iterable[Pair], restoration: Restoration = SANDBOX
) -> Comparison:
    """Through a real tarball, read twice."""
    data = archives.backup(saved)

    def fetch(keys: Collection[ObjectKey]) -> Iterable[tuple[ObjectKey, Content]]:
        return tarball.objects([data], only=keys)

    return compare(tarball.objects([data]), restored, restoration, SALT, fetch)


def copies(pairs: list[Pair], sandbox: str = "sandbox") -> list[Pair]:
    return [samples.restored(pair, sandbox) for pair in pairs if pair[0].namespace]


def edited(pairs: list[Pair], plural: str, edit: Any) -> list[Pair]:
    made = copy.deepcopy(pairs)
    for key, content in made:
        if key.plural == plural:
            edit(content)
    return made


def told(comparison: Comparison) -> list[tuple[FindingKind, str, tuple[str, ...]]]:
    return [
        (one.kind, str(one.key), tuple(field.path for field in one.fields))
        for one in comparison.findings
    ]


def told_in_full(comparison: Comparison) -> list[str]:
    return [str(finding) for finding in comparison.findings]


def reasons(comparison: Comparison) -> dict[str, str]:
    return {one.what: one.why for one in comparison.not_compared}


def test_a_faithful_copy_gives_no_finding() -> None:
    found = held_against(samples.shop(), copies(samples.shop()))
    assert found.findings == ()
    assert found.count == len(WORKLOADS)
    assert not found.nothing
    assert {"namespaces", "persistentvolumes"} == reasons(found).keys()


@pytest.mark.parametrize("place", range(len(WORKLOADS)))
def test_a_missing_object_is_lost(place: int) -> None:
    back = copies(samples.shop())
    del back[place]
    assert told(held_against(samples.shop(), back)) == [(LOST, str(WORKLOADS[place][0]), ())]


def test_an_object_that_the_backup_lacks_is_added() -> None:
    back = [*copies(samples.shop()), samples.config_map("sandbox", "planted")]
    found = held_against(samples.shop(), back)
    assert told(found) == [(ADDED, "configmaps/shop/planted", ())]
    assert "sandbox/planted" in str(found.findings[0])


def test_an_empty_sandbox_lost_everything_and_an_empty_backup_compares_nothing() -> None:
    assert len(held_against(samples.shop(), []).findings) == len(WORKLOADS)
    assert held_against([], []).nothing


@pytest.mark.parametrize(
    ("plural", "edit", "path"),
    [
        ("deployments", lambda c: c["spec"].update(replicas=9), "spec.replicas"),
        (
            "deployments",
            lambda c: c["spec"]["template"]["spec"]["containers"][0].update(image="evil:1"),
            "spec.template.spec.containers[0].image",
        ),
        (
            "deployments",
            lambda c: c["spec"]["template"]["spec"]["volumes"][0].pop("emptyDir"),
            "spec.template.spec.volumes[0].emptyDir",
        ),
        (
            "deployments",
            lambda c: c["metadata"]["labels"].update({"example.org/team": "b"}),
            "metadata.labels[example.org/team]",
        ),
        ("configmaps", lambda c: c["data"].update(a="2"), "data.a"),
        ("secrets", lambda c: c["data"].update(password="b3RoZXI="), "data.password"),
        ("secrets", lambda c: c.update(type="other"), "type"),
        ("services", lambda c: c["spec"].update(clusterIP="None"), "spec.clusterIP"),
        ("services", lambda c: c["spec"]["ports"][0].update(port=81), "spec.ports[0].port"),
        (
            "persistentvolumeclaims",
            lambda c: c["spec"].update(storageClassName="slow"),
            "spec.storageClassName",
        ),
        (
            "rolebindings",
            lambda c: c["subjects"][0].update(namespace="shop"),
            "subjects[0].namespace",
        ),
        (
            "rolebindings",
            lambda c: c["subjects"][1].update(namespace="sandbox"),
            "subjects[1].namespace",
        ),
        (
            "serviceaccounts",
            lambda c: c.update(imagePullSecrets=[{"name": "x"}]),
            "imagePullSecrets",
        ),
        (
            "pods",
            lambda c: c["metadata"].update(finalizers=["own.example/x"]),
            "metadata.finalizers",
        ),
    ],
)
def test_a_changed_field_is_named_by_its_path(plural: str, edit: Any, path: str) -> None:
    found = held_against(samples.shop(), edited(copies(samples.shop()), plural, edit))
    assert [kind for kind, _, _ in told(found)] == [CHANGED]
    assert found.findings[0].key.plural == plural
    assert path in told(found)[0][2]


def test_a_secret_is_never_shown() -> None:
    back = edited(
        copies(samples.shop()), "secrets", lambda c: c["data"].update(password="b3RoZXI=")
    )
    found = held_against(samples.shop(), back)
    text = repr(found) + "".join(told_in_full(found))
    assert "b3RoZXI=" not in text
    assert "aHVudGVyMg==" not in text
    assert "digest " in text


def test_a_second_copy_of_a_page_changes_nothing() -> None:
    back = copies(samples.shop())
    extra = samples.config_map("sandbox", "planted")
    found = held_against(samples.shop(), [*back, extra, *back, extra])
    assert told(found) == [(ADDED, "configmaps/shop/planted", ())]


def test_what_lies_elsewhere_is_no_part_of_the_copy() -> None:
    back = [*copies(samples.shop()), samples.config_map("other", "x"), samples.volume("pvc-9")]
    found = held_against(samples.shop(), back)
    assert found.findings == ()
    assert "no namespace of the sandbox" in reasons(found)["configmaps"]


def test_namespaces_that_were_not_restored_are_not_missed() -> None:
    saved = [*samples.shop(), samples.config_map("team")]
    found = held_against(saved, copies(samples.shop()))
    assert found.findings == ()
    assert "not restored in this drill" in reasons(found)["configmaps"]


def test_several_namespaces_each_have_their_own() -> None:
    saved = [*samples.shop("shop"), *samples.shop("team")]
    restoration = Restoration({"shop": "one", "team": "two"})
    back = [samples.restored(p, "one", "shop") for p in samples.shop("shop") if p[0].namespace]
    back += [samples.restored(p, "two", "team") for p in samples.shop("team") if p[0].namespace]
    saved = [pair for pair in saved if pair[0].namespace]
    assert held_against(saved, back, restoration).findings == ()
    swapped = [(key._replace(namespace={"one": "two", "two": "one"}[key.namespace]), content)
               for key, content in back]  # fmt: skip
    assert [k for _, k, _ in told(held_against(saved, swapped, restoration))] == [
        "rolebindings.rbac.authorization.k8s.io/shop/read",
        "rolebindings.rbac.authorization.k8s.io/team/read",
    ]


def test_what_the_drill_leaves_out_must_stay_out() -> None:
    cron = samples.make("cronjobs.batch", "batch/v1", "CronJob", "shop", "nightly", spec={})
    restoration = Restoration({"shop": "sandbox"}, left_out={"cronjobs.batch": "would fire"})
    saved = [*samples.shop(), cron]
    assert held_against(saved, copies(samples.shop()), restoration).findings == ()
    assert reasons(held_against(saved, [], restoration))["cronjobs.batch"] == "would fire"
    escaped = held_against(saved, copies(saved), restoration)
    assert told(escaped) == [(ADDED, "cronjobs.batch/shop/nightly", ())]


def test_restored_namespaces_are_compared_if_velero_made_them() -> None:
    key, content = samples.namespace("shop", tier="gold")
    made = copy.deepcopy(content)
    made["metadata"] |= {"name": "sandbox", "uid": "x"}
    made["metadata"]["labels"]["kubernetes.io/metadata.name"] = "sandbox"
    restoration = Restoration({"shop": "sandbox"}, namespaces_restored=True)
    back = [(key._replace(name="sandbox"), made)]
    assert held_against([(key, content)], back, restoration).findings == ()
    assert held_against([(key, content)], back).nothing
    made["metadata"]["labels"]["tier"] = "lead"
    assert told(held_against([(key, content)], back, restoration)) == [
        (CHANGED, "namespaces/shop", ("metadata.labels.tier",))
    ]


class TestWhatControllersMake:
    def test_pods_of_workloads_may_come_and_go(self) -> None:
        saved = [samples.deployment(), samples.pod(name="web-1", owner="ReplicaSet")]
        other = samples.pod("sandbox", "web-2", owner="ReplicaSet")
        back = [*copies(saved[:1]), other]
        found = held_against(saved, back)
        assert found.findings == ()
        assert found.count == 1
        assert [one.count for one in found.not_compared] == [2]

    def test_a_saved_pod_that_came_back_without_its_owner_is_no_addition(self) -> None:
        saved = [samples.pod(name="web-1", owner="ReplicaSet")]
        assert held_against(saved, copies(saved)).findings == ()

    def test_what_an_owner_s_controller_makes_there_is_no_addition(self) -> None:
        made = samples.make(
            "requests.example.org", "example.org/v1", "Request", "sandbox", "web-1",
            metadata={"ownerReferences": [{"kind": "Certificate", "controller": True}]},
        )  # fmt: skip
        found = held_against([], [made])
        assert found.findings == ()
        assert "a Certificate" in reasons(found)["requests.example.org"]
        orphan = samples.make("requests.example.org", "example.org/v1", "Request", "sandbox", "x")
        assert [kind for kind, _, _ in told(held_against([], [orphan]))] == [ADDED]

    def test_a_pod_of_its_own_is_missed(self) -> None:
        assert told(held_against([samples.pod()], [])) == [(LOST, "pods/shop/lone", ())]

    def test_the_default_account_and_the_cluster_s_ca_are_no_additions(self) -> None:
        back = [
            samples.account("sandbox", "default"),
            samples.config_map("sandbox", "kube-root-ca.crt"),
        ]
        found = held_against([], back)
        assert found.findings == ()
        assert reasons(found).keys() == {"configmaps", "serviceaccounts"}

    def test_a_saved_default_account_is_compared(self) -> None:
        key, content = samples.account("shop", "default")
        content["imagePullSecrets"] = [{"name": "registry"}]
        saved = [(key, content)]
        assert held_against(saved, copies(saved)).count == 1
        bare = [samples.account("sandbox", "default")]
        assert told(held_against(saved, bare)) == [
            (CHANGED, "serviceaccounts/shop/default", ("imagePullSecrets",))
        ]

    def test_endpoints_that_somebody_wrote_are_compared(self) -> None:
        mine = samples.make("endpoints", "v1", "Endpoints", "shop", "legacy",
                            subsets=[{"addresses": [{"ip": "192.0.2.1"}]}])  # fmt: skip
        made = samples.make("endpoints", "v1", "Endpoints", "shop", "web", labels={
            "endpoints.kubernetes.io/managed-by": "endpoint-controller"})  # fmt: skip
        assert told(held_against([mine, made], [])) == [(LOST, "endpoints/shop/legacy", ())]

    @pytest.mark.parametrize(
        ("pair", "phase"),
        [
            (samples.pod(name="done"), {"phase": "Succeeded"}),
            (samples.pod(name="dead"), {"phase": "Failed"}),
            (
                samples.make("jobs.batch", "batch/v1", "Job", "shop", "once"),
                {"completionTime": "2026-01-01T00:00:00Z"},
            ),
        ],
    )
    def test_what_has_ended_is_not_restored(self, pair: Pair, phase: dict[str, str]) -> None:
        key, content = pair
        assert held_against([(key, {**content, "status": phase})], []).findings == ()
        assert told(held_against([pair], [])) == [(LOST, str(key), ())]

    def test_what_velero_never_restores_is_not_missed(self) -> None:
        event = samples.make("events", "v1", "Event", "shop", "e1")
        backup = samples.make("backups.velero.io", "velero.io/v1", "Backup", "shop", "b1")
        found = held_against([event, backup], [])
        assert found.findings == ()
        assert len(found.not_compared) == 2


class TestExpectedChanges:
    ZERO = ExpectedChange("held at zero", "deployments.apps", "spec.replicas", value=0)
    CLASSES = ExpectedChange(
        "storage class mapped", "persistentvolumeclaims", "spec.storageClassName",
        Action.REPLACE, values={"longhorn": "drill"},
    )  # fmt: skip
    CLOSED = ExpectedChange(
        "service closed", "services", "spec.type", value="ClusterIP",
        only_if={"spec.type": ("LoadBalancer", "NodePort")},
    )  # fmt: skip

    def found(self, back: list[Pair], *changes: ExpectedChange) -> Comparison:
        return held_against(samples.shop(), back, Restoration({"shop": "sandbox"}, changes=changes))

    def test_what_should_become_so_became_so(self) -> None:
        back = edited(copies(samples.shop()), "deployments", lambda c: c["spec"].update(replicas=0))
        found = self.found(back, self.ZERO)
        assert found.findings == ()
        assert found.expected_changes == {"held at zero": 1}

    def test_a_change_that_did_not_happen_is_a_finding(self) -> None:
        found = self.found(copies(samples.shop()), self.ZERO)
        assert told(found) == [(CHANGED, "deployments.apps/shop/web", ("spec.replicas",))]
        field = found.findings[0].fields[0]
        assert (field.expected, field.observed) == ("0", "3")

    def test_a_change_to_something_else_is_a_finding(self) -> None:
        back = edited(copies(samples.shop()), "deployments", lambda c: c["spec"].update(replicas=1))
        assert self.found(back, self.ZERO).findings[0].fields[0].observed == "1"

    def test_what_no_change_names_stays_as_it_was(self) -> None:
        back = edited(copies(samples.shop()), "deployments", lambda c: c["spec"].update(replicas=0))
        other = ExpectedChange(
            "elsewhere", "deployments.apps", "spec.replicas", value=0,
            namespaces=frozenset({"team"}),
        )  # fmt: skip
        assert [kind for kind, _, _ in told(self.found(back, other))] == [CHANGED]

    def test_classes_are_mapped_one_by_one(self) -> None:
        back = edited(
            copies(samples.shop()), "persistentvolumeclaims",
            lambda c: c["spec"].update(storageClassName="drill"),
        )  # fmt: skip
        assert self.found(back, self.CLASSES).findings == ()
        assert [kind for kind, _, _ in told(self.found(copies(samples.shop()), self.CLASSES))] == [
            CHANGED
        ]
        other = samples.claim(storageClassName="kept")
        restoration = Restoration({"shop": "sandbox"}, changes=(self.CLASSES,))
        assert held_against([other], copies([other]), restoration).findings == ()

    def test_conditions_look_at_what_was_saved(self) -> None:
        balanced = samples.service(type="LoadBalancer")
        back = edited(copies([balanced]), "services", lambda c: c["spec"].update(type="ClusterIP"))
        restoration = Restoration({"shop": "sandbox"}, changes=(self.CLOSED,))
        assert held_against([balanced], back, restoration).findings == ()
        plain = samples.service(type="ExternalName")
        assert held_against([plain], copies([plain]), restoration).findings == ()

    def test_a_field_can_be_made_and_taken_away(self) -> None:
        suspended = ExpectedChange("suspended", "cronjobs.batch", "spec.suspend", value=True)
        dropped = ExpectedChange("bare", "cronjobs.batch", "spec.note", Action.REMOVE)
        cron = samples.make("cronjobs.batch", "batch/v1", "CronJob", "shop", "n", spec={"note": 1})
        back = edited(copies([cron]), "cronjobs", lambda c: c.update(spec={"suspend": True}))
        restoration = Restoration({"shop": "sandbox"}, changes=(suspended, dropped))
        found = held_against([cron], back, restoration)
        assert found.findings == ()
        assert found.expected_changes == {"suspended": 1, "bare": 1}

    def test_true_is_not_one(self) -> None:
        cron = samples.make(
            "cronjobs.batch", "batch/v1", "CronJob", "shop", "n", spec={"suspend": 1}
        )
        change = ExpectedChange("suspended", "cronjobs.batch", "spec.suspend", value=True)
        found = held_against(
            [cron], copies([cron]), Restoration({"shop": "sandbox"}, changes=(change,))
        )
        assert [kind for kind, _, _ in told(found)] == [CHANGED]

    @pytest.mark.parametrize(
        "change",
        [
            ExpectedChange("x", "*", ""),
            ExpectedChange("x", "*", "spec..y"),
            ExpectedChange("x", "*", "spec.y", values={"a": "b"}),
            ExpectedChange("x", "*", "spec.y", only_if={"": (1,)}),
        ],
    )
    def test_what_cannot_be_understood_is_refused(self, change: ExpectedChange) -> None:
        with pytest.raises(ChangeError):
            CopyIndex(Restoration({"shop": "sandbox"}, changes=(change,)), SALT)


class TestMapping:
    def test_two_sources_cannot_share_a_target(self) -> None:
        with pytest.raises(MappingError, match="cannot be restored into one"):
            NamespaceMapping({"a": "x", "b": "x"})

    def test_names_are_not_empty(self) -> None:
        for targets in ({"": "x"}, {"x": ""}):
            with pytest.raises(MappingError, match="without a name"):
                NamespaceMapping(targets)

    def test_keys_are_mapped_back(self) -> None:
        mapping = NamespaceMapping({"a": "x"})
        assert mapping.source_of(parse("pods/x/p")) == parse("pods/a/p")
        assert mapping.source_of(parse("namespaces/x")) == parse("namespaces/a")
        assert mapping.source_of(parse("pods/a/p")) is None
        assert mapping.source_of(parse("nodes/n")) is None

    def test_only_the_references_that_velero_rewrites_are_rewritten(self) -> None:
        mapping = NamespaceMapping({"shop": "x"})
        content = samples.role_binding()[1] | {"note": {"namespace": "shop"}}
        made = mapping.applied("rolebindings.rbac.authorization.k8s.io", content)
        assert isinstance(made, dict)
        assert [one["namespace"] for one in made["subjects"]] == ["x", "elsewhere"]
        assert made["note"] == {"namespace": "shop"}
        assert mapping.applied("configmaps", content) is content


class TestMany:
    def test_more_differences_than_can_be_described_are_all_named(self) -> None:
        count = DETAILED_OBJECTS + 50
        saved = [samples.config_map("shop", f"c{number}") for number in range(count)]
        back = edited(copies(saved), "configmaps", lambda c: c["data"].update(a="2"))
        found = held_against(saved, back)
        assert len(found.findings) == count
        assert sum(1 for one in found.findings if one.fields) == DETAILED_OBJECTS
        assert "too many" in next(one.why for one in found.findings if not one.fields)

    def test_a_backup_that_changed_between_two_readings_is_noticed(self) -> None:
        index = CopyIndex(SANDBOX, SALT)
        index.take(*samples.config_map())
        comparison = CopyComparison(index)
        comparison.take(*samples.restored(samples.config_map(a="2"), "sandbox"))
        found = comparison.result(lambda _keys: [])
        assert "a second time" in found.findings[0].why


def test_owned_fields_are_listed_once_with_a_count() -> None:
    found = held_against(samples.shop(), copies(samples.shop()))
    owned = {(one.resource, one.path): one.count for one in found.owned}
    assert owned["*", "metadata.uid"] == len(WORKLOADS)
    assert owned["services", "spec.clusterIP"] == 1
    assert owned["pods", "spec.volumes[name=kube-api-access-*]"] == 1
    assert owned["*", "metadata.labels[velero.io/restore-name]"] == len(WORKLOADS)
    assert all(one.why and one.owner for one in found.owned)
