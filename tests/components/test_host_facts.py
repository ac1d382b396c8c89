"""What a host answers becomes facts, seals become tokens, and faults become sentences."""

import dataclasses
import subprocess

import pytest

from components import host_facts
from components.command import script
from components.host_facts import SCRIPTS, HostFacts, HostUnreachableError, Seal, parse
from components.object_store import preflight
from components.settings import Host, HostsStore
from tests.support.recorder import HOST_KEY, settings_with

ANSWER = """\
machine 0123456789abcdef
clock 1795219200
user 0
missing curl
mount /storage
free /opt 400000
listener 9091 nginx
binary /opt/backstop/minio/aaaa/minio
seal minio-server first time [n1]
seal minio-account calm
drift minio-server /etc/minio/minio.conf was changed
drift minio-server unit minio.service is not active
end
"""
NOW = 1795219200.0


def store() -> HostsStore:
    found = settings_with().object_store
    assert isinstance(found, HostsStore)
    return found


def test_an_answer_becomes_facts() -> None:
    facts = parse(ANSWER)
    assert facts.machine_id == "0123456789abcdef"
    assert facts.missing == {"curl"}
    assert facts.listeners == {9091: "nginx"}
    assert facts.free_kib == {"/opt": 400000}
    assert facts.seals["minio-account"] == Seal("calm")


def test_a_running_server_is_told_with_its_administrator_and_shown_in_no_text() -> None:
    running = "root-user SENTINELU\nroot-password SENTINELP\nauthority one\nauthority two\nend\n"
    facts = parse(ANSWER.replace("end\n", running))
    assert facts.server == host_facts.RunningServer("SENTINELU", "SENTINELP", "one\ntwo\n")
    assert "SENTINEL" not in repr(facts)
    assert "SENTINEL" not in facts.token("minio-server", nonce="a")
    assert parse(ANSWER).server is None


@pytest.mark.parametrize("answer", ["", "machine x\n", ANSWER.replace("end\n", "surprise\nend\n")])
def test_a_cut_or_odd_answer_is_refused(answer: str) -> None:
    with pytest.raises(ValueError, match="the host's answer"):
        parse(answer)


def test_an_undisturbed_step_keeps_the_token_it_was_applied_with() -> None:
    facts = parse(ANSWER)
    assert facts.token("minio-account", nonce="a") == facts.token("minio-account", nonce="b")
    assert facts.token("minio-account", nonce="a") == "calm"


def test_a_drifted_step_gets_a_token_that_says_what_was_found() -> None:
    token = parse(ANSWER).token("minio-server", nonce="a")
    assert "/etc/minio/minio.conf was changed" in token
    assert "not active" in token


def test_the_same_drift_after_healing_is_a_new_token() -> None:
    facts = parse(ANSWER)
    assert facts.token("minio-server", nonce="a") != facts.token("minio-server", nonce="b")
    assert facts.token("unknown", nonce="a") != facts.token("unknown", nonce="b")


def test_every_finding_is_a_sentence_of_its_own_and_a_calm_host_has_none() -> None:
    assert host_facts.drift_findings({"store1": parse(ANSWER)}) == [
        "host store1: /etc/minio/minio.conf was changed since the last update; "
        "this one puts it right",
        "host store1: unit minio.service is not active since the last update; "
        "this one puts it right",
    ]
    assert host_facts.drift_findings({"store1": HostFacts(seals={"a": Seal("calm")})}) == []


HEALTHY = HostFacts(
    clock=int(NOW), mounts=frozenset({"/storage"}), binary=preflight.installed_binary(store())
)


def test_a_healthy_host_has_no_finding() -> None:
    assert preflight.findings(store(), {"store1": HEALTHY}, NOW) == []


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"uid": 1000}, ["store1", "sudo"]),
        ({"missing": frozenset({"openssl"})}, ["store1", "openssl", "install"]),
        ({"mounts": frozenset()}, ["store1", "/storage", "requireMountPoint"]),
        ({"listeners": {9091: "nginx"}}, ["store1", "9091", "nginx", "objectStore.apiPort"]),
        ({"listeners": {9092: "x"}}, ["store1", "9092", "objectStore.consolePort"]),
        ({"binary": None, "free_kib": {"/opt": 1000}}, ["store1", "/opt", "make room"]),
        ({"clock": int(NOW) + 3600}, ["store1", "clock", "+3600"]),
    ],
)
def test_each_fault_of_a_host_is_a_sentence_with_its_cure(
    change: dict[str, object], parts: list[str]
) -> None:
    facts = dataclasses.replace(HEALTHY, **change)  # type: ignore[arg-type]
    found = preflight.findings(store(), {"store1": facts}, NOW)
    assert len(found) == 1
    for part in parts:
        assert part in found[0]


def test_a_host_that_cannot_be_asked_does_not_hide_the_others() -> None:
    hosts = {
        "a": Host(address="10.0.0.1", host_key=HOST_KEY),
        "b": Host(address="10.0.0.2", host_key=HOST_KEY),
    }

    def run(name: str, host: Host, text: str) -> str:
        assert host.address in ("10.0.0.1", "10.0.0.2")
        assert "PORTS=9091" in text
        if name == "a":
            raise HostUnreachableError("host a cannot be reached")
        return ANSWER

    facts, faults = host_facts.gather(hosts, run, ports=[9091], paths=[])
    assert list(facts) == ["b"]
    assert faults == ["host a cannot be reached"]


def test_an_unreachable_host_is_one_sentence_with_its_config_key() -> None:
    run = host_facts.ssh_runner("no key at all")
    with pytest.raises(HostUnreachableError, match=r"backstop:sshPrivateKey"):
        run("store1", Host(address="127.0.0.1", host_key=HOST_KEY, port=1), "true")


def test_each_finding_of_a_token_has_a_line_of_its_own_and_the_shell_reads_it_whole() -> None:
    seal = Seal("calm", tuple(f"/etc/minio/file{n} was changed" for n in range(9)))
    token = HostFacts(seals={"minio-server": seal}).token("minio-server", nonce="n1")
    text = script(SCRIPTS, HOST="store1", TOKEN=token)
    # The engine cuts a diff's lines at 150 characters.
    assert [line.count("was changed") for line in text.splitlines()] == [0, *[1] * 9]
    read = subprocess.run(
        ["sh", "-c", text + 'printf %s "$TOKEN"'], capture_output=True, text=True, check=True
    )
    assert read.stdout == token
