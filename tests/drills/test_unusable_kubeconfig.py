"""A cluster that cannot even be asked for: a red verdict with its reason and receipt, no traceback.

Every layer that uses a cluster, through the command line; nothing here answers.
"""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from drills import __main__ as command_line
from tests.drills.longhorn import site as longhorn_site
from tests.drills.volumes import drill_site
from tests.kube import kubeconfigs
from tests.kube.certificates import ended_certificate
from tests.support.authority import make_authority
from tests.support.ports import free_port

UID = "uid-of-the-cluster"
LAYERS = ("kube-objects", "volumes", "longhorn")


def kube_objects_fields(**changes: Any) -> dict[str, Any]:
    other = drill_site.payload_fields(layer="kube-objects", **changes)
    limits = {"rtoSeconds": 600, "rpoSeconds": 86400}
    only = {key: value for key, value in other.items() if key not in ("reader", "canary")}
    return {**only, "limits": limits}


FIELDS: dict[str, Callable[..., dict[str, Any]]] = {
    "kube-objects": kube_objects_fields,
    "volumes": drill_site.payload_fields,
    "longhorn": longhorn_site.payload_fields,
}


def ended() -> str:
    content = kubeconfigs.content()
    content["users"][0]["user"] = {"client-certificate-data": ended_certificate()}
    return yaml.safe_dump(content)


def no_credential() -> str:
    content = kubeconfigs.content()
    content["users"][0]["user"] = {"client-certificate-data": "SENTINEL no base64!"}
    return yaml.safe_dump(content)


def no_authority() -> str:
    return kubeconfigs.text(**{"certificate-authority-data": "SENTINEL no base64!"})


class Ended(NamedTuple):
    code: int
    printed: str
    said: list[str]


class Site:
    """A store that nobody serves, and receipts on disk."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capsys: Any) -> None:
        self.receipts = folder / "receipts"
        self._ca = make_authority(folder / "ca").certificate_file.read_text()
        self._patch = patch
        self._capsys = capsys

    def payload(self, layer: str, kubeconfig: str, context: str = "", **changes: Any) -> str:
        cluster = {"kubeconfig": kubeconfig, "context": context, "uid": UID}
        fields = FIELDS[layer](
            cluster=cluster, caPem=self._ca, receiptsDir=str(self.receipts), evidence=None,
            control="rotate", endpoint=f"https://127.0.0.1:{free_port()}", **changes,
        )  # fmt: skip
        return json.dumps(fields)

    def drills(self, *words: str, stdin: str) -> Ended:
        self._patch.setattr("sys.stdin", io.StringIO(stdin))
        code = command_line.main(words)
        seen = self._capsys.readouterr()
        return Ended(code, seen.out, seen.err.strip().splitlines())


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Site:
    return Site(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    ("kubeconfig", "told", "sentence"),
    [
        (ended, (20, "broken", "tls-expired"), "ended on 2020-01-02 00:00 UTC; renew it"),
        (no_credential, (21, "unproven", "cluster-unreachable"), "CA cannot be loaded"),
        (no_authority, (21, "unproven", "cluster-unreachable"), "CA cannot be loaded"),
    ],
)
def test_a_drill_that_cannot_be_opened_is_red_with_its_reason_and_receipt(
    site: Site, layer: str, kubeconfig: Callable[[], str], told: tuple[int, str, str], sentence: str
) -> None:
    code, verdict, reason = told
    done = site.drills("run", layer, stdin=site.payload(layer, kubeconfig()))
    assert done.code == code
    printed = json.loads(done.printed)
    (place,) = site.receipts.iterdir()
    assert json.loads(place.read_text()) == printed
    assert (printed["layer"], printed["verdict"], printed["reason"]) == (layer, verdict, reason)
    assert sentence in printed["detail"]
    first, last = printed["phases"][0], done.said[-1]
    assert (first["name"], sentence in first["result"]) == ("find", True)
    assert printed["control"]["planted"] == "not run: the drill itself is red"
    assert last.startswith(f"{layer}: {verdict} ({reason}): ")
    assert sentence in last
    assert last.endswith(f"; receipt: {place}")
    assert "SENTINEL" not in done.printed + "".join(done.said)


def test_a_site_that_only_warns_goes_on_and_keeps_the_verdict(site: Site) -> None:
    given = site.payload("volumes", ended(), onRed="warn")
    done = site.drills("run", "volumes", "--summary", stdin=given)
    assert done.code == 0
    assert json.loads(done.printed)["reason"] == "tls-expired"


def test_the_layers_after_it_run_all_the_same(site: Site) -> None:
    given = {layer: json.loads(site.payload(layer, ended())) for layer in LAYERS}
    done = site.drills("run", *LAYERS, stdin=json.dumps(given))
    assert done.code == 20
    printed = [json.loads(line) for line in done.printed.splitlines()]
    assert [one["layer"] for one in printed] == list(LAYERS)
    assert {one["reason"] for one in printed} == {"tls-expired"}
    assert len(list(site.receipts.iterdir())) == len(LAYERS)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    ("kubeconfig", "context", "sentence"),
    [
        (kubeconfigs.text(), "three", "no context named three (there: one, two)"),
        ("SENTINEL: [", "", "it is no YAML"),
        (kubeconfigs.text(server="http://127.0.0.1:1"), "", "no https:// server"),
    ],
)
def test_a_kubeconfig_that_is_none_is_bad_input(
    site: Site, layer: str, kubeconfig: str, context: str, sentence: str
) -> None:
    done = site.drills("run", layer, stdin=site.payload(layer, kubeconfig, context))
    assert (done.code, done.printed) == (2, "")
    (said,) = done.said
    assert said.startswith("drills: cluster.kubeconfig: the kubeconfig cannot be used: ")
    assert sentence in said
    assert "SENTINEL" not in said


@pytest.mark.parametrize("layer", LAYERS)
def test_controls_of_such_a_site_say_why_they_could_not_run(site: Site, layer: str) -> None:
    done = site.drills("control", layer, stdin=site.payload(layer, no_authority()))
    assert done.code == 21
    assert any("credential or CA cannot be loaded" in line for line in done.said)
