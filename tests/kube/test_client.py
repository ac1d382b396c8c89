"""Every way in which a cluster fails to answer is one sentence of its own cause."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import urllib3
import yaml

from kube.client import Client, Clock, connect
from kube.errors import Cause, ClusterError
from kube.kubeconfig import parse
from tests.kube import kubeconfigs
from tests.kube.certificates import ended_certificate

AT = "https://10.0.0.1:6443"


@dataclass
class Scripted:
    """Answers in order, the last one for ever; time passes only while somebody sleeps."""

    answers: list[tuple[int, bytes] | Exception]
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    time: float = 0.0

    def send(self, path: str, query: Mapping[str, str], _accept: str) -> tuple[int, bytes]:
        self.asked.append((path, dict(query)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def client(self) -> Client:
        return Client(self.send, AT, clock=Clock(lambda: self.time, self.sleep), patience=20.0)


def status(code: int, message: str) -> tuple[int, bytes]:
    return code, json.dumps({"kind": "Status", "message": message}).encode()


def ok(content: Any) -> tuple[int, bytes]:
    return 200, json.dumps(content).encode()


def refused_by(*answers: tuple[int, bytes] | Exception) -> ClusterError:
    with pytest.raises(ClusterError) as caught:
        Scripted(list(answers)).client().get("/api")
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("answer", "cause", "said"),
    [
        (status(401, "Unauthorized"), Cause.CREDENTIAL_REFUSED, "take the kubeconfig"),
        (status(403, "nodes is forbidden"), Cause.FORBIDDEN, "nodes is forbidden"),
        (status(404, "not found"), Cause.MISSING, "not found"),
        (status(503, "starting"), Cause.BUSY, "starting"),
        (status(418, "tea"), Cause.OTHER, "tea"),
        ((200, b"<html>"), Cause.NO_API, "correct the address"),
        ((404, b"<html>"), Cause.NO_API, "404"),
        ((502, b"bad gateway"), Cause.BUSY, "502"),
        (urllib3.exceptions.ProtocolError("reset"), Cause.UNREACHABLE, "does not answer"),
    ],
)
def test_an_answer_has_its_cause(
    answer: tuple[int, bytes] | Exception, cause: Cause, said: str
) -> None:
    error = refused_by(answer)
    assert error.cause is cause
    assert said in str(error)


def test_a_restart_of_the_server_is_waited_for() -> None:
    gone = urllib3.exceptions.ProtocolError("refused")
    server = Scripted([gone, gone, status(503, "starting"), ok({"uid": "u"})])
    assert server.client().get("/x") == {"uid": "u"}
    assert 0 < server.time < 20


def test_a_server_that_stays_away_is_given_up_on_in_time() -> None:
    server = Scripted([urllib3.exceptions.ProtocolError("refused")])
    with pytest.raises(ClusterError):
        server.client().get("/x")
    assert 10 < server.time <= 20


def test_a_refusal_is_not_tried_again() -> None:
    server = Scripted([status(403, "no")])
    with pytest.raises(ClusterError):
        server.client().get("/x")
    assert len(server.asked) == 1


def test_a_long_list_is_read_page_by_page() -> None:
    pages = [{"items": [{"n": 1}], "metadata": {"continue": "next"}}, {"items": [{"n": 2}]}]
    server = Scripted([ok(page) for page in pages])
    assert server.client().list("/x") == [{"n": 1}, {"n": 2}]
    assert server.asked[1][1]["continue"] == "next"


def test_a_kind_that_the_cluster_does_not_have_is_an_empty_list() -> None:
    assert Scripted([status(404, "no such kind")]).client().list("/x") == []


def test_nobody_listening_is_said_with_the_address() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: a connection is refused
        address = f"https://127.0.0.1:{taken.getsockname()[1]}"
        content = kubeconfigs.content(server=address)
        del content["clusters"][0]["cluster"]["certificate-authority-data"]
        client = connect(parse(yaml.safe_dump(content)), patience=0)
        with pytest.raises(ClusterError) as caught:
            client.get("/version")
    assert caught.value.cause is Cause.UNREACHABLE
    assert address in str(caught.value)


def test_an_ended_client_certificate_is_told_by_its_date() -> None:
    content = kubeconfigs.content()
    content["users"][0]["user"] = {"client-certificate-data": ended_certificate()}
    with pytest.raises(ClusterError) as caught:
        connect(parse(yaml.safe_dump(content)))
    assert caught.value.cause is Cause.CREDENTIAL_EXPIRED
    assert "2020-01-02" in str(caught.value)


def test_a_ca_that_is_none_is_refused_without_showing_anything() -> None:
    with pytest.raises(ClusterError) as caught:
        connect(parse(kubeconfigs.text(**{"certificate-authority-data": "no base64!"})))
    assert caught.value.cause is Cause.KUBECONFIG
    assert "SENTINEL" not in str(caught.value)
