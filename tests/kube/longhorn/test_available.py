"""A target counts as available when Longhorn has read it since it was asked to, and is the one."""

from typing import Any

import pytest

from kube.errors import ClusterError
from kube.longhorn import cures
from kube.longhorn.api import LonghornError
from kube.longhorn.available import Wanted, wait_available
from kube.longhorn.targets import BackupTarget, backup_target, read_targets
from tests.kube.fakes import status
from tests.kube.longhorn.cluster import SECRETS, Cluster, at

URL = "s3://longhorn@eu-west-1/c1/"
SECRET = "longhorn-store-1"
WANTED = Wanted("default", URL, SECRET)
# As a manager of 1.8 and later writes it into the condition, with the engine's command line.
SAID = """failed to list system backups in s3://longhorn@eu-west-1/c1/: error listing system
backups: failed to execute: /var/lib/longhorn/engine-binaries/x/longhorn [/var/lib/longhorn/x
system-backup list s3://longhorn@eu-west-1/c1/], output failed to list objects with param: {
  Bucket: "longhorn",
  Prefix: "c1/"
} error: AWS Error: InvalidAccessKeyId The Access Key Id you provided does not exist in our records.
, stderr time="2026-11-03T12:00:00Z" level=error msg="Failed to list s3": exit status 1"""


def target(cluster: Cluster, url: str = URL, secret: str = SECRET, **held: Any) -> None:
    cluster.put(SECRETS, SECRET)
    spec = {"backupTargetURL": url, "credentialSecret": secret, "pollInterval": "5m0s"}
    cluster.add("backuptargets", "default", spec=spec, status=held)


def unavailable(message: str) -> dict[str, Any]:
    condition = {"type": "Unavailable", "status": "True", "message": message}
    return {"available": False, "conditions": [condition]}


def asked(cluster: Cluster) -> str | None:
    found: str | None = cluster.of("backuptargets")[0]["spec"].get("syncRequestedAt")
    return found


def wait(cluster: Cluster, seconds: float = 300) -> list[BackupTarget]:
    return wait_available(cluster.longhorn(), [WANTED], seconds, cluster.wall)


def refusal(cluster: Cluster, seconds: float = 300) -> str:
    with pytest.raises(LonghornError) as caught:
        wait(cluster, seconds)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_new_target_is_waited_for_until_it_was_read() -> None:
    cluster = Cluster()
    target(cluster)
    cluster.deeds = [
        lambda: cluster.answer("backuptargets", "default", available=True),
        lambda: None,
        lambda: cluster.answer("backuptargets", "default", lastSyncedAt=at(1)),
    ]
    (found,) = wait(cluster)
    assert (found.name, found.usable, cluster.pauses) == ("default", True, 3)
    assert asked(cluster) is None


def test_what_was_read_before_it_was_asked_does_not_count() -> None:
    cluster = Cluster()
    target(cluster, available=True, lastSyncedAt=at(-600))
    read: list[str] = []
    cluster.deeds = [
        lambda: read.append(str(asked(cluster))),
        lambda: cluster.answer("backuptargets", "default", lastSyncedAt=at(3)),
    ]
    wait(cluster)
    assert read == [at(0)]
    assert cluster.pauses == 2


def test_a_node_whose_clock_is_ahead_is_asked_for_a_later_time() -> None:
    cluster = Cluster()
    target(cluster, available=True, lastSyncedAt=at(100))
    cluster.deeds = [lambda: cluster.answer("backuptargets", "default", lastSyncedAt=at(103))]
    wait(cluster)
    assert asked(cluster) == at(101)


def test_of_a_clock_that_is_behind_the_second_look_counts() -> None:
    cluster = Cluster()
    target(cluster, available=True, lastSyncedAt=at(-900))
    cluster.deeds = [
        lambda: cluster.answer("backuptargets", "default", lastSyncedAt=at(-890)),
        lambda: None,
        lambda: cluster.answer("backuptargets", "default", lastSyncedAt=at(-880)),
    ]
    wait(cluster)
    assert cluster.pauses == 3


def test_a_lasting_fault_is_believed_when_it_still_stands_after_a_look() -> None:
    cluster = Cluster()
    target(cluster, **unavailable(SAID))
    text = refusal(cluster, 3600)
    assert 60 < cluster.now < 70
    assert text == (
        "backup target default is not available: the store does not know the access key in Secret "
        "longhorn-store-1; raise clients.longhorn.credentialGeneration and run `up` (Longhorn "
        "says: AWS Error: InvalidAccessKeyId The Access Key Id you provided does not exist in our "
        "records. )"
    )


def test_a_fault_of_before_passes_when_longhorn_looks() -> None:
    cluster = Cluster()
    target(cluster, lastSyncedAt=at(-600), **unavailable(SAID))
    cluster.deeds = [
        lambda: cluster.answer(
            "backuptargets", "default", available=True, conditions=[], lastSyncedAt=at(2)
        )
    ]
    assert wait(cluster)[0].usable


def test_a_passing_fault_is_waited_out_and_longhorn_asked_again() -> None:
    cluster = Cluster()
    target(cluster, **unavailable("dial tcp 10.0.0.5:9000: connect: connection refused"))

    def recover() -> None:
        if asked(cluster) is not None:
            cluster.answer("backuptargets", "default", available=True, lastSyncedAt=at(cluster.now))

    cluster.always = recover
    wait(cluster)
    assert 30 <= cluster.now < 40


def test_a_passing_fault_is_not_believed_however_long_it_stands() -> None:
    cluster = Cluster()
    target(cluster, **unavailable("dial tcp: lookup minio.lan: no such host"))

    def recover() -> None:
        if cluster.now > 180:
            cluster.answer("backuptargets", "default", available=True, lastSyncedAt=at(cluster.now))

    cluster.always = recover
    assert wait(cluster)[0].usable


def test_time_that_is_up_says_what_longhorn_said() -> None:
    cluster = Cluster()
    target(cluster, **unavailable("i/o timeout"))
    assert "pods of the cluster do not reach the store" in refusal(cluster, 20)
    target(cluster, **unavailable("something nobody\nhas seen"))
    text = refusal(cluster, 20)
    assert "Longhorn says: something nobody has seen" in text


def test_a_target_of_another_owner_is_told_without_waiting_for_it() -> None:
    cluster = Cluster()
    target(cluster, url="s3://other@eu-west-1/")
    text = refusal(cluster, 3600)
    assert cluster.now < 30
    assert f"backupTargetURL s3://other@eu-west-1/ in the cluster and should have {URL}" in text
    target(cluster, secret="")
    assert f"credentialSecret empty in the cluster and should have {SECRET}" in refusal(cluster, 5)


def test_a_manager_that_restarts_may_write_the_old_url_once_more() -> None:
    cluster = Cluster()
    target(cluster, url="s3://other@eu-west-1/")

    def right() -> None:
        cluster.of("backuptargets")[0]["spec"]["backupTargetURL"] = URL

    cluster.deeds = [
        right,
        lambda: cluster.answer(
            "backuptargets", "default", available=True, lastSyncedAt=at(1)
        ),
        lambda: cluster.answer("backuptargets", "default", lastSyncedAt=at(5)),
    ]  # fmt: skip
    assert wait(cluster)[0].url == URL


def test_a_secret_that_is_not_there_is_told_because_longhorn_does_not() -> None:
    cluster = Cluster()
    target(cluster)
    del cluster.objects[f"{SECRETS}/{SECRET}"]
    text = refusal(cluster, 3600)
    assert "names Secret longhorn-store-1, which namespace longhorn-system does not have" in text
    assert cluster.now < 60


def test_a_target_that_nobody_makes_is_told_with_who_should() -> None:
    text = refusal(Cluster(), 10)
    assert "backup target default is not there after 10 s" in text


def test_a_cluster_whose_kinds_come_later_is_waited_for() -> None:
    cluster = Cluster(refuse=lambda _method, _path: status(404, "no such kind", "NotFound"))

    def install() -> None:
        cluster.refuse = lambda _method, _path: None
        target(cluster, available=True)

    cluster.deeds = [
        install,
        lambda: cluster.answer("backuptargets", "default", lastSyncedAt=at(3)),
    ]
    assert wait(cluster)[0].usable


def test_a_manager_that_does_not_look_is_told() -> None:
    cluster = Cluster()
    target(cluster, available=True, lastSyncedAt=at(-600))
    assert "was not read anew by Longhorn within 20 s" in refusal(cluster, 20)


def test_an_api_server_that_restarts_is_waited_for_and_one_that_refuses_is_not() -> None:
    cluster = Cluster()
    target(cluster, available=True, lastSyncedAt=at(-600))
    cluster.refuse = lambda _method, _path: ConnectionResetError()
    cluster.deeds = [
        lambda: setattr(cluster, "refuse", lambda _method, _path: None),
        lambda: cluster.answer("backuptargets", "default", lastSyncedAt=at(9)),
    ]
    assert wait(cluster)[0].usable
    cluster.refuse = lambda _method, _path: status(401, "who", "Unauthorized")
    with pytest.raises(ClusterError):
        wait(cluster)


def test_several_targets_are_waited_for_together() -> None:
    cluster = Cluster()
    target(cluster, available=True)
    spec = {"backupTargetURL": "s3://b@r/p/", "credentialSecret": SECRET}
    cluster.add("backuptargets", "second", spec=spec)
    cluster.deeds = [
        lambda: cluster.answer("backuptargets", "default", lastSyncedAt=at(1)),
        lambda: cluster.answer("backuptargets", "second", available=True, lastSyncedAt=at(2)),
    ]
    both = [WANTED, Wanted("second", "s3://b@r/p/", SECRET)]
    found = wait_available(cluster.longhorn(), both, 60, cluster.wall)
    assert [one.name for one in found] == ["default", "second"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("x509: certificate signed by unknown authority", "another CA than AWS_CERT"),
        ("failed to append custom certificates: /tmp/x", "no certificate in PEM form"),
        ("x509: certificate is valid for minio, not 10.0.0.5", "objectStore.certificate.names"),
        ("x509: certificate has expired or is not yet valid", "set the clocks right"),
        ("AWS Error: SignatureDoesNotMatch The", "the secret key in Secret s"),
        ("AWS Error: RequestTimeTooSkewed The", "clocks of the nodes and of the store"),
        ("AWS Error: AuthorizationHeaderMalformed The", "objectStore.region"),
        ("AWS Error: NoSuchBucket The", "the bucket does not exist"),
        ("AWS Error: AccessDenied Access Denied.", "denies this bucket and prefix"),
        ("could not backup to s3, missing [AWS_SECRET_ACCESS_KEY] in the secret", "Secret s is"),
        ("dial tcp: lookup minio.lan: no such host", "the cluster's DNS"),
        ("AWS HTTP Error: 503 slow down", "do not reach the store"),
        ("backup target URL is empty", "has not looked at its new URL yet"),
    ],
)
def test_every_known_fault_has_its_cure(said: str, told: str) -> None:
    text = cures.sentence("default", "s", said)
    assert told in text
    assert said in text
    assert "{" not in text


def test_a_long_message_is_told_by_its_end() -> None:
    said = cures.tidy("begin " + "x" * 5000 + " the end")
    assert said.endswith("the end")
    assert len(said) < 400


def test_a_target_is_read_as_longhorn_writes_it() -> None:
    cluster = Cluster()
    target(cluster, **unavailable("why"))
    (found,) = read_targets(cluster.longhorn().client, "longhorn-system")
    assert (found.url, found.poll_interval, found.message) == (URL, "5m0s", "why")
    null: dict[str, Any] = {"metadata": {"name": "x"}, "status": {"conditions": None}}
    assert backup_target(null).message == ""
