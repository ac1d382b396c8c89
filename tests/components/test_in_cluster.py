"""A store in the cluster: its config's faults, its objects, its risk, its registrations."""

import asyncio
import base64
import datetime
import json
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks
from pulumi.runtime import settings as runtime_settings

from components.cluster import Cluster, ClusterArgs, SeenCluster
from components.object_store.in_cluster import (
    ClusterStore,
    ClusterStoreArgs,
    objects,
    preflight,
    renewal,
)
from components.object_store.in_cluster.shared_fate import data_outside, findings, warning
from components.object_store.in_cluster.sight import sight
from components.object_store.in_cluster.store import root_digest
from components.object_store.in_cluster.volume import claim_spec
from components.object_store.sighting import Sighting
from components.recorded import Recorded
from components.settings import InClusterStore, Settings, SettingsError, load
from components.settings.in_cluster import StoreCertificate
from components.settings.volume_sources import LEFT_TO_CSI, SOURCES
from kube.facts import ClusterFacts, StorageClass
from kube.kubeconfig import Kubeconfig
from s3 import certificates
from tests.support import recorder
from tests.support.recorder import Registered

NFS = {"nfs": {"server": "10.0.0.5", "path": "/export/store"}}
ISCSI = {"iscsi": {"targetPortal": "10.0.0.5:3260", "iqn": "iqn.2026-01.lan.nas:store", "lun": 1}}
AFFINITY = {
    "required": {
        "nodeSelectorTerms": [
            {
                "matchExpressions": [
                    {"key": "kubernetes.io/hostname", "operator": "In", "values": ["cp1"]}
                ]
            }
        ]
    }
}
LOCAL = {"volume": {"local": {"path": "/outside"}}, "nodeAffinity": AFFINITY}
STORE: dict[str, Any] = {
    "kind": "inCluster",
    "storage": {"volume": NFS, "size": "10Gi"},
    "outside": {"address": "10.77.0.20"},
    "network": {"allowFrom": ["10.77.0.0/24"]},
}
UID = "11111111-2222-3333-4444-555555555555"
KUBECONFIG = Kubeconfig("SENTINEL-kubeconfig", "admin", "https://c:6443")
TODAY = datetime.date(2026, 11, 21)


def site_with(**changes: Any) -> Settings:
    raw = {"site": "dev", "cluster": {}, "kubeconfig": "k", "objectStore": {**STORE, **changes}}
    return load(raw, secret_keys=frozenset({"kubeconfig"}))


def store_with(**changes: Any) -> InClusterStore:
    found = site_with(**changes).object_store
    assert isinstance(found, InClusterStore)
    return found


def stored_on(**storage: Any) -> InClusterStore:
    return store_with(storage={"size": "10Gi", **storage})


def faults_of(**changes: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        site_with(**changes)
    return "\n".join(caught.value.faults)


def volume_fault(volume: dict[str, Any], **storage: Any) -> str:
    return faults_of(storage={"size": "10Gi", "volume": volume, **storage})


def test_the_sample_loads_with_the_documented_defaults() -> None:
    store = store_with()
    assert (store.namespace, store.name, store.api_port) == ("object-store", "minio", 9000)
    assert (store.outside.node_port, store.region, store.user) == (30900, "eu-west-1", 1000)
    assert store.network.allow_namespaces == ("velero",)
    assert objects.image(store).startswith("docker.io/minio/minio:RELEASE.")


@pytest.mark.parametrize(
    ("volume", "said"),
    [
        ({}, "exactly one source"),
        ({**NFS, **ISCSI}, "names iscsi, nfs; give exactly one source"),
        ({"nsf": NFS["nfs"]}, "nsf is no source of a PersistentVolume; known are csi"),
        ({"nfs": {"server": "10.0.0.5"}}, "nfs: path missing"),
        ({"nfs": {"server": "a b", "path": "/x"}}, "nfs: server: a b is no host"),
        ({"nfs": {"server": "nas", "path": "x"}}, "nfs: path: x is no absolute path"),
        ({"nfs": {"server": "nas", "path": "/x", "ver": 4}}, "nfs: ver is no field of it"),
        ({"nfs": {**NFS["nfs"], "readOnly": True}}, "nfs: readOnly: the store writes"),
        ({"nfs": "nas:/x"}, "nfs: give its fields, such as server, path"),
        ({"iscsi": {"targetPortal": "nas"}}, "iscsi: iqn, lun missing"),
        ({"iscsi": {**ISCSI["iscsi"], "targetPortal": "nas:x"}}, "targetPortal: nas:x is no host"),
        ({"iscsi": {**ISCSI["iscsi"], "iqn": "store"}}, "iqn: store is no target's name"),
        ({"iscsi": {**ISCSI["iscsi"], "lun": "1"}}, "lun: give a whole number"),
        ({"iscsi": {**ISCSI["iscsi"], "lun": 256}}, "lun: give a whole number"),
        ({"iscsi": {**ISCSI["iscsi"], "chapAuthSession": True}}, "secretRef: CHAP needs"),
        ({"fc": {"lun": 1}}, "fc: give either targetWWNs with lun, or wwids"),
        ({"csi": {"driver": "nfs.csi.k8s.io"}}, "csi: volumeHandle missing"),
        ({"local": {"path": "/outside/../etc"}}, "local: path: /outside/../etc is no absolute"),
    ],
)
def test_a_volume_that_cannot_be_is_refused_with_its_cure(
    volume: dict[str, Any], said: str
) -> None:
    fault = volume_fault(volume)
    assert fault.startswith("config backstop:objectStore.storage.volume: ")
    assert said in fault


@pytest.mark.parametrize("source", sorted(LEFT_TO_CSI))
def test_a_source_that_kubernetes_no_longer_mounts_is_refused(source: str) -> None:
    assert "name its driver under csi" in volume_fault({source: {}})


@pytest.mark.parametrize(
    "volume",
    [
        NFS,
        ISCSI,
        {
            "iscsi": {
                **ISCSI["iscsi"],
                "targetPortal": "[fd00::5]:3260",
                "chapAuthSession": True,
                "secretRef": {"name": "chap", "namespace": "kube-system"},
            }
        },
        {"fc": {"targetWWNs": ["50060e801049cfd1"], "lun": 0}},
        {"fc": {"wwids": ["3600508b400105e210000900000490000"]}},
        {"csi": {"driver": "nfs.csi.k8s.io", "volumeHandle": "nas#store"}},
    ],
)
def test_a_sound_volume_is_taken_as_it_is(volume: dict[str, Any]) -> None:
    made = objects.volume("dev", stored_on(volume=volume))
    assert made is not None
    ((source, fields),) = volume.items()
    assert made["spec"][source] == fields


@pytest.mark.parametrize("source", ["local", "hostPath"])
def test_a_folder_of_a_node_needs_to_say_which_node(source: str) -> None:
    volume = {source: {"path": "/outside"}}
    assert f"{source} lies on one node" in volume_fault(volume)
    assert stored_on(volume=volume, nodeAffinity=AFFINITY).storage.source == source


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"storage": {"size": "10Gi"}}, "objectStore.storage: give either class or volume"),
        (
            {"storage": {"size": "10Gi", "class": "longhorn", "volume": NFS}},
            "objectStore.storage: give either class or volume",
        ),
        ({"storage": {"volume": NFS}}, "objectStore.storage.size: is missing"),
        ({"storage": {"volume": NFS, "size": "10GB"}}, "objectStore.storage.size"),
        (
            {"storage": {"size": "1Gi", "class": "x", "mountOptions": ["hard"]}},
            "mountOptions belong to a volume",
        ),
        (
            {"storage": {"size": "1Gi", "volume": NFS, "nodeAffinity": {"required": {}}}},
            "objectStore.storage.nodeAffinity: give required.nodeSelectorTerms",
        ),
        ({"storage": {"size": "1Gi", "volume": NFS, "folder": "../x"}}, "storage.folder"),
        ({"outside": {"address": "n", "nodePort": 9000}}, "objectStore.outside.nodePort"),
        ({"network": {}}, "objectStore.network: allowFrom is empty; name the nodes"),
        ({"network": {"allowFrom": ["10.0.0.1/24"]}}, "is no address and no network"),
        ({"namespace": "kube-system"}, "objectStore.namespace: kube-system is another's"),
        ({"namespace": "velero"}, "objectStore.namespace: velero is another's"),
        ({"image": "minio/minio"}, "objectStore.image: minio/minio is not pinned"),
        ({"image": "minio/minio:latest"}, "is not pinned"),
        ({"apiPort": 443}, "objectStore.apiPort"),
        ({"certificate": {"leafDays": 30}}, "renewBeforeDays must be less than leafDays"),
        ({"certificate": {"caDays": 365, "leafDays": 398}}, "caDays must be more than leafDays"),
        ({"binary": {}}, "objectStore.binary: is no key of this program"),
    ],
)
def test_a_fault_in_the_config_names_its_key(changes: dict[str, Any], said: str) -> None:
    assert said in faults_of(**changes)


@pytest.mark.parametrize("image", ["minio/minio:v1", "registry.lan:5000/store@sha256:" + "a" * 64])
def test_an_image_is_pinned_by_tag_or_digest(image: str) -> None:
    assert objects.image(store_with(image=image)) == image


def test_the_volume_is_kept_and_only_the_stores_claim_may_have_it() -> None:
    made = objects.volume("dev", store_with())
    assert made is not None
    spec = made["spec"]
    assert spec["persistentVolumeReclaimPolicy"] == "Retain"
    assert (spec["claimRef"]["namespace"], spec["claimRef"]["name"]) == (
        "object-store",
        "minio-data",
    )
    assert "uid" not in spec["claimRef"]
    claim = objects.claim("dev", store_with())
    assert claim["spec"]["volumeName"] == made["metadata"]["name"]
    assert claim["spec"]["storageClassName"] == ""
    # A volume's own "" is not kept by the server, and would show as a change for ever.
    assert "storageClassName" not in spec
    assert "namespace" not in made["metadata"]


def test_a_class_makes_the_volume_unless_there_is_an_earlier_one() -> None:
    store = stored_on(**{"class": "longhorn"})
    assert objects.volume("dev", store) is None
    claim = objects.claim("dev", store)
    assert claim["spec"]["storageClassName"] == "longhorn"
    assert "volumeName" not in claim_spec(claim, "")
    assert claim_spec(claim, "pvc-1")["volumeName"] == "pvc-1"


def test_the_pod_asks_for_nothing_that_the_restricted_standard_forbids() -> None:
    store = store_with()
    labels = objects.namespace("dev", store)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    pod = objects.server("dev", store, "d")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] == 1000
    assert pod["securityContext"]["fsGroup"] == 1000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert {"cpu", "memory"} <= set(container["resources"]["requests"])
    assert "memory" in container["resources"]["limits"]


def test_clients_are_let_in_only_when_the_server_can_write() -> None:
    (container,) = objects.server("dev", store_with(), "d")["spec"]["template"]["spec"][
        "containers"
    ]
    probes = {
        key: container[key]["httpGet"]
        for key in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert all(probe["scheme"] == "HTTPS" for probe in probes.values())
    assert probes["readinessProbe"]["path"] == "/minio/health/cluster"
    assert probes["livenessProbe"]["path"] == "/minio/health/live"
    assert probes["startupProbe"]["path"] == "/minio/health/ready"


def test_another_credential_is_another_pod_and_neither_is_readable() -> None:
    pair = {"accessKey": "SENTINELACCESS", "secretKey": "SENTINELSECRET"}
    store = store_with()
    first, second = (
        objects.server("dev", store, root_digest(one))
        for one in (pair, {**pair, "secretKey": "another"})
    )
    assert first != second
    assert "SENTINEL" not in json.dumps([first, second])


def test_the_certificate_is_mounted_so_that_a_renewal_shows() -> None:
    pod = objects.server("dev", store_with(), "d")["spec"]["template"]["spec"]
    mount = next(m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "certificates")
    assert "subPath" not in mount
    paths = {item["path"] for volume in pod["volumes"] if "secret" in volume
             for item in volume["secret"]["items"]}  # fmt: skip
    assert paths == {"public.crt", "private.key", "CAs/ca.crt"}


def test_only_velero_and_the_named_networks_reach_the_one_port() -> None:
    store = store_with(
        network={"allowFrom": ["10.77.0.0/24"], "allowNamespaces": ["velero-system"]}
    )
    policy = objects.network_policy("dev", store)
    assert policy is not None
    (rule,) = policy["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 9000}]
    assert rule["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "velero-system"}}},
        {"ipBlock": {"cidr": "10.77.0.0/24"}},
    ]
    assert policy["spec"]["egress"] == []
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    off = store_with(network={"enabled": False})
    assert objects.network_policy("dev", off) is None


def test_every_object_is_the_sites_own_and_stays_out_of_backups() -> None:
    for made in objects.objects("dev", store_with()):
        labels = made["metadata"]["labels"]
        assert labels["backstop-site"] == "dev", made["kind"]
        assert labels["velero.io/exclude-from-backup"] == "true", made["kind"]
        # Without it `up` ends at the first field that was edited by hand.
        assert made["metadata"]["annotations"]["pulumi.com/patchForce"] == "true", made["kind"]
    pod = objects.server("dev", store_with(), "d")["spec"]["template"]["metadata"]
    assert pod["labels"]["velero.io/exclude-from-backup"] == "true"
    assert objects.selector(store_with()).items() <= pod["labels"].items()


def test_the_store_is_called_by_service_address_and_further_names() -> None:
    store = store_with(certificate={"names": ["store.lan"]})
    names = objects.certified_names(store)
    assert names[:2] == ["10.77.0.20", "store.lan"]
    assert "minio.object-store.svc.cluster.local" in names
    assert objects.inside_url(store) == "https://minio.object-store.svc:9000"
    assert objects.outside_url(store) == "https://10.77.0.20:30900"
    assert objects.outside_url(store_with(outside={"address": "fd00::5"})) == (
        "https://[fd00::5]:30900"
    )


@pytest.mark.parametrize(
    ("storage", "provisioner", "outside"),
    [
        ({"volume": NFS}, None, True),
        ({"volume": ISCSI}, None, True),
        ({"volume": {"csi": {"driver": "driver.longhorn.io", "volumeHandle": "x"}}}, None, False),
        ({"volume": {"csi": {"driver": "nfs.csi.k8s.io", "volumeHandle": "x"}}}, None, None),
        (LOCAL, None, False),
        ({**LOCAL, "location": "outside"}, None, True),
        ({"class": "longhorn"}, "driver.longhorn.io", False),
        ({"class": "longhorn", "location": "outside"}, "driver.longhorn.io", False),
        ({"class": "block"}, "rook-ceph.rbd.csi.ceph.com", False),
        ({"class": "nas"}, "nfs.csi.k8s.io", None),
        ({"class": "nas", "location": "outside"}, "nfs.csi.k8s.io", True),
        ({"class": "nas"}, None, None),
        ({"volume": NFS, "location": "inside"}, None, False),
    ],
)
def test_where_the_data_lies_is_told_by_source_driver_or_config(
    storage: dict[str, Any], provisioner: str | None, outside: bool | None
) -> None:
    assert data_outside(stored_on(**storage), provisioner) is outside


def test_the_warning_names_the_cluster_and_what_is_lost_together() -> None:
    quiet = warning("dev", store_with(), None)
    assert quiet == (
        "the object store runs inside cluster dev, which it saves: with the cluster its server, "
        "its users and its credentials are lost together, and nothing is restored until `up` has "
        "put it on a cluster again; its data stays on nfs 10.0.0.5:/export/store, which must not "
        "be a part of that cluster"
    )
    loud = warning("dev", stored_on(**{"class": "longhorn"}), "driver.longhorn.io")
    assert loud.startswith(
        "DANGER: the object store runs inside cluster dev, which it saves, and keeps its data on "
        "class longhorn (driver driver.longhorn.io), inside it: when cluster dev or its storage is "
        "lost, every workload, every volume AND EVERY BACKUP of them are lost together"
    )
    doubtful = warning("dev", stored_on(**{"class": "nas"}), None)
    assert "which nothing says to be outside the cluster" in doubtful
    assert doubtful.startswith("DANGER")


def test_crownlabs_refuses_a_store_that_shares_the_clusters_fate() -> None:
    inside = stored_on(**{"class": "longhorn"})
    (fault,) = findings("dev", inside, "crownlabs", "driver.longhorn.io")
    assert "acknowledgeSharedFate: true" in fault
    assert "class longhorn (driver driver.longhorn.io) lies outside cluster dev" in fault
    assert findings("dev", stored_on(**{"class": "nas"}), "crownlabs", None) != []
    assert findings("dev", inside, "demo", "driver.longhorn.io") == []
    assert findings("dev", store_with(), "crownlabs", None) == []
    assert findings("dev", stored_on(**LOCAL, location="outside"), "crownlabs", None) == []
    accepted = store_with(storage={"class": "longhorn", "size": "1Gi"}, acknowledgeSharedFate=True)
    assert findings("dev", accepted, "crownlabs", "driver.longhorn.io") == []


def test_a_store_in_the_cluster_needs_the_cluster() -> None:
    with pytest.raises(SettingsError, match="objectStore: kind inCluster needs the cluster"):
        load({"site": "dev", "objectStore": STORE})


def seen_with(recorded: frozenset[tuple[str, str]] = frozenset(), **facts: Any) -> SeenCluster:
    seen = ClusterFacts(UID, "https://c:6443", "v1", **facts)
    return SeenCluster(KUBECONFIG, seen, Recorded(recorded))


def test_a_class_that_the_cluster_does_not_have_is_named() -> None:
    there = (StorageClass("longhorn", "driver.longhorn.io", default=True, waits=False),)
    seen = seen_with(storage_classes=there)
    (fault,) = preflight.findings("dev", stored_on(**{"class": "longhron"}), "none", seen)
    assert "has no class longhron (there: longhorn)" in fault
    store = stored_on(**{"class": "longhorn"})
    assert preflight.findings("dev", store, "none", seen) == []
    assert preflight.warnings("dev", store, seen)[0].startswith("DANGER")


def test_a_namespace_of_somebody_else_is_refused() -> None:
    store = store_with()
    foreign = seen_with(namespaces=frozenset({"object-store"}))
    (fault,) = preflight.findings("dev", store, "none", foreign)
    assert "object-store exists and does not bear this site's mark" in fault
    own = frozenset({("Namespace", "", "object-store")})
    mine = seen_with(namespaces=frozenset({"object-store"}), ours=own)
    assert preflight.findings("dev", store, "none", mine) == []


def test_a_server_whose_credential_is_lost_is_named_with_the_one_command() -> None:
    store = store_with()
    ours = frozenset({("StatefulSet", "object-store", "minio")})
    (fault,) = preflight.findings("dev", store, "none", seen_with(ours=ours))
    assert "`kubectl -n object-store delete statefulset/minio` and run `up` again" in fault
    recorded = frozenset({("kubernetes:apps/v1:StatefulSet", "store-server")})
    assert preflight.findings("dev", store, "none", seen_with(recorded, ours=ours)) == []


def test_where_no_server_of_this_site_runs_there_is_nothing_to_see() -> None:
    """Nothing is asked of the cluster then: the server in this kubeconfig does not exist."""
    ours = frozenset({("Secret", "object-store", "minio-root")})
    assert sight(site_with(), store_with(), seen_with(ours=ours), [], []) == Sighting()


def test_the_open_advisories_of_the_server_are_said_with_the_keys_of_this_store() -> None:
    _, said = preflight.warnings("dev", store_with(), seen_with())
    assert "CVE-2026-40344" in said
    assert "(objectStore.network)" in said
    assert "(objectStore.image)" in said


def test_a_folder_of_the_host_is_for_the_demo_only() -> None:
    store = stored_on(volume={"hostPath": {"path": "/srv/minio"}}, nodeAffinity=AFFINITY)
    (fault,) = findings("dev", store, "none", None)
    assert "only velero.profile demo may have it" in fault
    assert findings("dev", store, "demo", None) == []


def test_the_clusters_own_driver_cannot_be_declared_outside() -> None:
    store = stored_on(**{"class": "longhorn", "location": "outside"})
    (fault,) = findings("dev", store, "none", "driver.longhorn.io")
    assert "driver.longhorn.io keeps its data on the nodes of cluster dev" in fault


def test_every_source_says_where_its_data_lies_or_that_it_cannot() -> None:
    assert {name for name, source in SOURCES.items() if source.outside} == {"iscsi", "nfs", "fc"}


@pytest.mark.parametrize("start", range(0, 200, 7))
def test_what_is_made_in_a_period_outlives_it(start: int) -> None:
    certificate = StoreCertificate()
    made = TODAY + datetime.timedelta(days=start)
    period = renewal.certificate_period(certificate, made)
    day = made
    while renewal.certificate_period(certificate, day) == period:
        left = certificate.leaf_days - (day - made).days
        assert left >= certificate.renew_before_days
        day += datetime.timedelta(days=1)
    assert (day - made).days <= 60


def test_a_ca_outlives_every_certificate_of_its_period() -> None:
    certificate = StoreCertificate(ca_days=400)
    period = renewal.authority_period(certificate, TODAY)
    day = TODAY
    while renewal.authority_period(certificate, day) == period:
        day += datetime.timedelta(days=1)
    last_leaf_ends = (day - TODAY).days + certificate.leaf_days
    assert last_leaf_ends <= certificate.ca_days


class _Answers(recorder._Answers):
    """Commands answer as the real ones do, with a CA and a certificate of this run."""

    def __init__(self, earlier: str = "") -> None:
        now = datetime.datetime.now(datetime.UTC)
        names = ("minio", "10.77.0.20")
        request = certificates.AuthorityRequest(schema=1, site="dev", names=names, days=400)
        self.authority = certificates.authority(request, now)
        leaf = certificates.CertificateRequest(
            schema=1,
            caPem=self.authority["certificate"],
            caKeyPem=self.authority["key"],
            names=names,
            days=90,
        )
        self.leaf = certificates.certificate(leaf, now)
        self.earlier = earlier

    def _stdout(self, name: str) -> str:
        answers = {
            "store-authority": json.dumps(self.authority),
            "store-certificate": json.dumps(self.leaf),
            "store-volume": self.earlier + "\n",
            "cluster-identity": UID,
        }
        return answers[name] if name in answers else super()._stdout(name)


def record(
    store: InClusterStore,
    answers: _Answers | None = None,
    today: datetime.date = TODAY,
    facts: ClusterFacts | None = None,
) -> list[Registered]:
    """Every registration of the store alone, in a cluster that looks as `facts` say."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    answers = answers or _Answers()
    monitor = recorder._Monitor(answers)
    runtime_settings.reset_options()
    mocks.set_mocks(answers, "backstop", "dev", preview=False, monitor=monitor)

    @pulumi.runtime.test
    def run() -> None:
        seen = SeenCluster(
            KUBECONFIG, facts or ClusterFacts(UID, "https://c:6443", "v1"), Recorded()
        )
        cluster = Cluster("cluster", ClusterArgs("dev", seen))
        args = ClusterStoreArgs("dev", store, cluster, KUBECONFIG, today)
        ClusterStore("object-store", args)

    try:
        run()
    finally:
        loop.close()
        runtime_settings.reset_options()
    return [one for one in monitor.found if "cluster" not in one.name]


@pytest.fixture(scope="module")
def answers() -> _Answers:
    return _Answers()


@pytest.fixture(scope="module")
def recorded(answers: _Answers) -> dict[str, Registered]:
    found = record(store_with(), answers)
    return {f"{one.type} {one.name}": one for one in found}


def by_name(recorded: dict[str, Registered], kind: str, name: str) -> Registered:
    (found,) = [
        one for one in recorded.values() if one.name == name and one.type.endswith(f":{kind}")
    ]
    return found


def test_every_object_is_registered_as_it_was_rendered(recorded: dict[str, Registered]) -> None:
    rendered = {made["kind"] for made in objects.objects("dev", store_with())}
    kinds = {one.type.rpartition(":")[2] for one in recorded.values() if "kubernetes:" in one.type}
    assert kinds == rendered
    server = by_name(recorded, "StatefulSet", "store-server")
    digest = root_digest(json.loads(recorder.BORN))
    assert server.inputs["spec"] == objects.server("dev", store_with(), digest)["spec"]
    volume = by_name(recorded, "PersistentVolume", "store-volume")
    expected = objects.volume("dev", store_with())
    assert expected is not None
    assert volume.inputs["spec"] == expected["spec"]


def test_namespace_volume_and_claim_are_never_deleted(recorded: dict[str, Registered]) -> None:
    kept = {
        one.type.rpartition(":")[2]
        for one in recorded.values()
        if one.request.protect and one.request.retainOnDelete
    }
    assert kept == {"Namespace", "PersistentVolume", "PersistentVolumeClaim"}


def test_every_object_uses_the_sites_provider_which_is_behind_the_guard(
    recorded: dict[str, Registered],
) -> None:
    for one in recorded.values():
        if one.type.startswith("kubernetes:"):
            assert "pulumi:providers:kubernetes::cluster" in one.request.provider, one.name


def test_secrets_are_secret_and_nothing_else_is(
    recorded: dict[str, Registered], answers: _Answers
) -> None:
    for part in ("store-root", "store-tls"):
        assert by_name(recorded, "Secret", part).secret_inputs == {"data"}
    assert by_name(recorded, "StatefulSet", "store-server").secret_inputs == frozenset()
    key = answers.authority["key"].splitlines()[1]
    leaf_key = answers.leaf["key"].splitlines()[1]
    for one in recorded.values():
        clear = {name: text for name, text in one.inputs.items() if name not in one.secret_inputs}
        text = json.dumps(clear, default=str)
        assert "SENTINEL" not in text, one.name
        assert key not in text, one.name
        assert leaf_key not in text, one.name


def test_keys_are_born_in_commands_with_secret_outputs(recorded: dict[str, Registered]) -> None:
    for name in ("store-authority", "store-certificate", "store-root-credential"):
        born = by_name(recorded, "Command", name)
        assert {"stdout", "stderr"} <= set(born.request.additionalSecretOutputs)
        assert born.inputs["logging"] == "none"


def test_the_server_gets_its_own_key_and_never_the_cas(
    recorded: dict[str, Registered], answers: _Answers
) -> None:
    data = by_name(recorded, "Secret", "store-tls").inputs["data"]
    decoded = {key: base64.b64decode(text).decode() for key, text in data.items()}
    assert decoded == {
        "tls.crt": answers.leaf["certificate"],
        "tls.key": answers.leaf["key"],
        "ca.crt": answers.authority["certificate"],
    }


def test_a_later_period_renews_the_certificate_and_the_same_one_does_not() -> None:
    def triggers(today: datetime.date) -> dict[str, Any]:
        found = record(store_with(), today=today)
        return {one.name: one.inputs.get("triggers") for one in found if "Command" in one.type}

    first = triggers(datetime.date.fromordinal(60 * 12332))
    assert triggers(datetime.date.fromordinal(60 * 12332 + 59)) == first
    later = triggers(datetime.date.fromordinal(60 * 12333))
    assert later["store-certificate"] != first["store-certificate"]
    assert later["store-authority"] == first["store-authority"]


def test_a_class_takes_an_earlier_volume_before_it_makes_a_new_one() -> None:
    store = stored_on(**{"class": "longhorn"})
    for earlier in ("", "pvc-1"):
        found = {f"{one.type} {one.name}": one for one in record(store, _Answers(earlier))}
        claim = by_name(found, "PersistentVolumeClaim", "store-claim").inputs
        assert claim["spec"].get("volumeName", "") == earlier
        assert by_name(found, "Command", "store-volume").inputs["create"].endswith("find")
    assert not [one for one in found.values() if one.type.endswith("PersistentVolume")]


def test_what_a_lost_state_left_is_taken_over_but_for_its_server() -> None:
    store = store_with()
    marked = frozenset(
        (made["kind"], made["metadata"].get("namespace", ""), made["metadata"]["name"])
        for made in objects.objects("dev", store)
    )
    facts = ClusterFacts(UID, "https://c:6443", "v1", ours=marked)
    taken = {
        one.type.rpartition(":")[2]: one.request.importId
        for one in record(store, facts=facts)
        if one.request.importId
    }
    assert taken == {
        "Namespace": "object-store",
        "PersistentVolume": "object-store-minio",
        "PersistentVolumeClaim": "object-store/minio-data",
        "NetworkPolicy": "object-store/minio",
        "PodDisruptionBudget": "object-store/minio",
    }
