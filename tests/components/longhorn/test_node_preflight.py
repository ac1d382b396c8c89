"""What stops the program, what is only said, and whom the preflight asks."""

from typing import Any

import pytest

from components.host_facts import HostUnreachableError
from components.longhorn.node_preflight import Readiness, look, needs
from components.settings import Host, Settings
from components.settings.longhorn import Longhorn
from kube.longhorn.seen import SeenLonghorn
from kube.longhorn.targets import BackupTarget
from kube.longhorn.volumes import volume
from tests.components.longhorn.test_nodes import ANSWER, NOW
from tests.kube.fakes import status
from tests.kube.longhorn.cluster import Cluster
from tests.support.recorder import HOST_KEY, settings_with

UNREADY = ANSWER.replace("initiator\n", "")
HOSTS = {"n1": {"address": "10.0.0.7", "hostKey": HOST_KEY}}


def longhorn(**given: Any) -> Longhorn:
    return Longhorn.model_validate(given)


def settings(**changes: Any) -> Settings:
    base = settings_with()
    hosts = {name: Host.model_validate(one) for name, one in changes.pop("hosts", HOSTS).items()}
    return base.model_copy(update={"hosts": hosts, **changes})


class Ssh:
    """The hosts' answers, and whom the program asked."""

    def __init__(self, answer: str = ANSWER) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.texts: list[str] = []

    def __call__(self, name: str, _host: Host, text: str) -> str:
        self.asked.append(name)
        self.texts.append(text)
        if self.answer == "away":
            raise HostUnreachableError(f"host {name} cannot be reached")
        return self.answer


def judged(
    ssh: Ssh, *, seen: SeenLonghorn | None = None, cluster: Cluster | None = None, **given: Any
) -> Readiness:
    client = (cluster or Cluster()).longhorn().client
    wanted = longhorn(nodes=given.pop("nodes", ["n1"]), **given.pop("longhorn", {}))
    return look(settings(**given), wanted, seen, client=client, run=ssh, now=NOW)


def test_a_ready_node_passes() -> None:
    assert judged(Ssh()) == Readiness()


def test_an_unready_node_stops_a_program_that_would_install_longhorn() -> None:
    found = judged(Ssh(UNREADY))
    assert "names no initiator" in found.refusals[0]
    assert found.warnings == ()


def test_where_longhorn_runs_it_is_a_warning() -> None:
    found = judged(Ssh(UNREADY), seen=SeenLonghorn())
    assert found.refusals == ()
    assert "names no initiator" in found.warnings[0]


def test_a_silent_host_stops_it_only_before_longhorn_is_there() -> None:
    assert judged(Ssh("away")).refusals == ("host n1 cannot be reached",)
    found = judged(Ssh("away"), seen=SeenLonghorn())
    assert (found.refusals, found.warnings) == ((), ("host n1 cannot be reached",))


def test_without_nodes_nobody_is_asked_and_that_is_said() -> None:
    ssh = Ssh()
    found = judged(ssh, nodes=[])
    assert ssh.asked == []
    assert found.refusals == found.warnings == ()
    assert "nobody looks whether the nodes are ready" in found.notes[0]


def test_a_node_that_is_no_host_is_refused_before_anybody_is_asked() -> None:
    ssh = Ssh()
    found = judged(ssh, nodes=["n1", "n9"])
    assert ssh.asked == []
    assert found.refusals == (
        "config backstop:longhorn.nodes: n9 is not under backstop:hosts (there: n1); correct it, "
        "or add the host",
    )


def test_hosts_without_a_key_are_refused() -> None:
    from pydantic import SecretStr  # noqa: PLC0415

    found = judged(Ssh(), ssh_private_key=SecretStr(""))
    assert "sshPrivateKey" in found.refusals[0]


def test_what_longhorn_says_of_its_nodes_is_said_too() -> None:
    cluster = Cluster()
    bad = {"type": "Multipathd", "status": "False", "message": "multipathd is running"}
    cluster.add("nodes", "n1", spec={}, status={"conditions": [bad]})
    found = judged(Ssh(), seen=SeenLonghorn(), cluster=cluster, nodes=[])
    assert "Longhorn's node n1 is not Multipathd (multipathd is running)" in found.warnings[0]
    unread = Cluster(refuse=lambda _method, _path: status(403, "no", "Forbidden"))
    found = judged(Ssh(), seen=SeenLonghorn(), cluster=unread)
    assert "what Longhorn says of its nodes cannot be read" in found.notes[0]
    assert found.refusals == ()


def test_the_data_path_is_where_longhorn_keeps_it() -> None:
    ssh = Ssh()
    judged(ssh)
    assert "DATA_PATH=/var/lib/longhorn" in ssh.texts[0]
    chart = {"values": {"defaultSettings": {"defaultDataPath": "/mnt/data/"}}}
    judged(ssh, longhorn={"install": chart})
    assert "DATA_PATH=/mnt/data\n" in ssh.texts[1]
    cluster = Cluster()
    cluster.add("settings", "default-data-path", value="/srv/longhorn/")
    judged(ssh, seen=SeenLonghorn(), cluster=cluster)
    assert "DATA_PATH=/srv/longhorn\n" in ssh.texts[2]


@pytest.mark.parametrize(
    ("seen", "given", "expected"),
    [
        (None, {}, (False, False)),
        (None, {"storageClasses": {"x": {"parameters": {"encrypted": "true"}}}}, (True, False)),
        ({"encrypted": True}, {}, (True, False)),
        ({"accessMode": "rwx"}, {}, (False, True)),
    ],
    ids=["nothing", "class", "volume", "shared"],
)
def test_the_volumes_say_what_is_needed(
    seen: dict[str, Any] | None, given: dict[str, Any], expected: tuple[bool, bool]
) -> None:
    there = None
    if seen is not None:
        there = SeenLonghorn(volumes=(volume({"metadata": {"name": "v"}, "spec": seen}),))
    found = needs(longhorn(**given), there, None)
    assert (found.encrypted, found.shared) == expected
    assert found.runs is (seen is not None)


def test_a_target_on_nfs_needs_the_client() -> None:
    target = BackupTarget("t", "nfs://nas:/export", "", "5m0s", True, "", None)
    assert needs(longhorn(), SeenLonghorn(targets=(target,)), None).shared
