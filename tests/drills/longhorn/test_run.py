"""A whole run: payload in, receipt out, one control with it; edges open without a request."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from drills.backupstore.s3_objects import S3Objects
from drills.frame import Clock
from drills.longhorn import controls
from drills.longhorn import run as edge
from drills.longhorn.controls import Control
from drills.longhorn.payload import LonghornPayload
from drills.longhorn.tools import run_tool
from drills.receipt import Receipt
from drills.verdict import Reason, Verdict
from tests.drills.longhorn.site import NOW, Site, payload_fields, payload_of
from tests.kube import kubeconfigs
from tests.support.minio_server import issue_certificate

CLOCK = Clock(now=lambda: NOW)


def silent(_line: str) -> None:
    pass


@pytest.fixture
def opened(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    def made(payload: LonghornPayload, *_: Any) -> Any:
        return site.make(payload)

    monkeypatch.setattr(edge, "opened", made)
    return site


def receipt(site: Site, **changes: Any) -> Receipt:
    # Without evidence nothing is appended anywhere.
    payload = payload_of(evidence=None, **changes)
    kept, path = edge.run_longhorn(payload, CLOCK, silent, site.folder / "receipts")
    assert path is not None
    assert list(site.scratch.iterdir()) == []
    return kept


def test_a_run_is_proven_and_takes_its_control_along(opened: Site) -> None:
    kept = receipt(opened, control="missing-block")
    assert kept.judgement.verdict is Verdict.PROVEN, kept.judgement.detail
    assert (kept.control.name, kept.control.killed) == ("missing-block", True)
    assert opened.made == 2


def test_the_receipt_says_which_path_was_taken_and_what_was_not_looked_at(opened: Site) -> None:
    content = receipt(opened).to_json()
    assert content["versions"]["path"] == "read from the store, no Longhorn took part"  # type: ignore[index]
    told = json.dumps(content)
    assert "every block is read within 3 days" in told
    assert "SENTINEL" not in told
    point = content["restorePoint"]
    assert isinstance(point, dict)
    assert point["name"] == "pvc-shop/backup-s2"


def test_the_turn_moves_on_with_each_receipt(opened: Site) -> None:
    # The first one, before which no receipt is kept, goes by the day.
    _, second, third = (receipt(opened, control="rotate").control.name for _ in range(3))
    assert second != third


def test_a_red_site_gets_no_control(opened: Site) -> None:
    next(opened.store.rglob("*.blk")).unlink()
    kept = receipt(opened, control="rotate")
    assert kept.judgement.reason is Reason.BLOCK_LOST
    assert opened.made == 1


def test_a_control_that_survives_is_red(opened: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    blunt = Control(
        "blunt", "nothing", Reason.BLOCK_LOST, lambda proven, make: make(proven.payload)
    )
    monkeypatch.setattr(controls, "CONTROLS", (blunt,))
    assert receipt(opened, control="blunt").judgement.reason is Reason.CONTROL_SURVIVED


def test_all_controls_are_run_after_the_drill_itself(
    opened: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = tuple(one for one in controls.CONTROLS if one.name in ("bit-flip", "lost-job"))
    monkeypatch.setattr(controls, "CONTROLS", two)
    score = edge.run_controls(payload_of(), CLOCK, silent)
    assert score.complete
    assert [one.name for one in score.controls] == ["bit-flip", "lost-job"]
    assert opened.made == 3


@pytest.fixture
def payload(tmp_path: Path) -> LonghornPayload:
    ca = issue_certificate(tmp_path).read_text()
    encoded = base64.b64encode(ca.encode()).decode()
    cluster = {
        "kubeconfig": kubeconfigs.text(**{"certificate-authority-data": encoded}), "uid": "x",
    }  # fmt: skip
    return payload_of(caPem=ca, cluster=cluster, scratch=str(tmp_path))


def test_the_edges_open_without_a_request(payload: LonghornPayload, tmp_path: Path) -> None:
    drill = edge.opened(payload, CLOCK, tmp_path)
    assert isinstance(drill.edges.objects, S3Objects)
    assert drill.edges.testimony is not None
    assert drill.edges.connect is not None
    assert drill.edges.connect().server == "https://127.0.0.1:1"
    assert drill.edges.scratch.above == tmp_path
    assert edge.opened(payload, CLOCK).run_id != drill.run_id
    bare = payload.model_copy(update={"cluster": None, "canary": None})
    assert edge.opened(bare, CLOCK).edges.connect is None
    assert edge.opened(bare, CLOCK).edges.testimony is None


def test_the_drill_is_a_layer_of_the_command_line(payload: LonghornPayload) -> None:
    from drills.__main__ import LAYERS  # noqa: PLC0415  (what the command line knows)

    assert LAYERS["longhorn"] == edge.__name__
    text = json.dumps({**payload_fields(), "caPem": payload.ca_pem})
    assert edge.ready(text).payload.layer == "longhorn"


def test_a_tool_that_is_not_there_is_told_from_one_that_fails() -> None:
    with pytest.raises(FileNotFoundError):
        run_tool(["no-such-tool-here"])
    done = run_tool(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.code, sorted(done.output.split())) == (3, ["err", "out"])
