"""A whole run with its receipt and one control, on a site in memory; and the edges as they open."""

import base64
import datetime
from pathlib import Path
from typing import Any

import pytest

from drills.controls import Score
from drills.frame import Clock, run_phases
from drills.receipt import Receipt
from drills.usable.edges import Edges as CheckEdges
from drills.verdict import Reason, Verdict
from drills.volumes import controls
from drills.volumes import run as edge
from drills.volumes.controls import Control
from drills.volumes.payload import VolumesPayload
from tests.drills.sandbox.runs import NOW
from tests.drills.volumes.drill_site import DrillSite, payload_of
from tests.kube import kubeconfigs
from tests.support.minio_server import issue_certificate

CLOCK = Clock(now=lambda: NOW)


def silent(_line: str) -> None:
    """Nobody listens."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DrillSite:
    found = DrillSite(tmp_path / "site")
    found.build()

    def opened(payload: VolumesPayload, *_: Any) -> Any:
        return found.made(payload)

    monkeypatch.setattr(edge, "opened", opened)
    return found


def receipt(site: DrillSite, **changes: Any) -> Receipt:
    kept, path = edge.run_volumes(payload_of(**changes), CLOCK, silent, site.folder / "receipts")
    assert path is not None
    assert list(site.folder.glob("spool-*")) == []
    assert site.cluster.drilled() == []
    return kept


def test_a_run_is_proven_and_takes_its_control_along(site: DrillSite) -> None:
    kept = receipt(site, control="changed-mode")
    assert kept.judgement.verdict is Verdict.PROVEN, kept.judgement.detail
    assert (kept.control.name, kept.control.killed) == ("changed-mode", True)
    assert kept.versions == {"drill": "volumes/1"}
    assert site.runs == 2


def test_the_turn_moves_on_with_each_receipt(site: DrillSite) -> None:
    # The first one, before which no receipt is kept, goes by the day.
    _, second, third = (receipt(site, control="rotate").control.name for _ in range(3))
    assert second != third


def test_a_control_that_cannot_be_planted_here_is_named_and_turns_nothing_red(
    site: DrillSite,
) -> None:
    kept = receipt(site, control="opt-in-lost")
    assert kept.judgement.verdict is Verdict.PROVEN
    assert kept.control.name == "none"
    assert "nothing to plant the fault in" in kept.control.planted


def test_a_red_site_gets_no_control(site: DrillSite) -> None:
    (site.volumes["stock"] / "a").write_bytes(b"other content")
    kept = receipt(site, control="rotate")
    assert kept.judgement.reason is Reason.CONTENT_DIFFERS
    assert site.runs == 1


def test_a_control_that_survives_is_red(site: DrillSite, monkeypatch: pytest.MonkeyPatch) -> None:
    blunt = Control("blunt", "nothing", Reason.FILE_LOST, lambda payload, make: make(payload))
    monkeypatch.setattr(controls, "CONTROLS", (blunt,))
    assert receipt(site, control="blunt").judgement.reason is Reason.CONTROL_SURVIVED


def test_all_controls_are_run_after_the_drill_itself(
    site: DrillSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = tuple(one for one in controls.CONTROLS if one.name in ("no-data", "added-file"))
    monkeypatch.setattr(controls, "CONTROLS", two)
    score: Score = edge.run_controls(payload_of(), CLOCK, silent)
    assert score.complete
    assert [one.name for one in score.controls] == ["no-data", "added-file"]
    assert site.runs == 3


@pytest.fixture
def payload(tmp_path: Path) -> VolumesPayload:
    ca = issue_certificate(tmp_path).read_text()
    reader = {"image": "python:1", "pullPolicy": "Never", "pullSecrets": ["pull"]}
    return payload_of(caPem=ca, reader=reader, cluster=_cluster(ca))


def _cluster(ca: str) -> dict[str, Any]:
    encoded = base64.b64encode(ca.encode()).decode()
    return {"kubeconfig": kubeconfigs.text(**{"certificate-authority-data": encoded}), "uid": "x"}


def test_the_edges_open_without_a_request_and_the_folder_goes_at_the_end(
    payload: VolumesPayload, tmp_path: Path
) -> None:
    drill = edge.opened(payload, CLOCK, silent, tmp_path)
    folder = drill.edges.readers.folder
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o077 == 0, "names of files are nobody else's business"
    (folder / "1.tree").write_bytes(b"what was read")
    record = run_phases(drill.layer, (), drill.closing(), drill.clock, silent)
    assert not folder.exists()
    assert record.phases[0].result.startswith("nothing was made")
    assert drill.edges.readers.idle.image == "python:1"
    assert tuple(drill.edges.readers.idle.pull_secrets) == ("pull",)
    assert isinstance(drill.edges.checks, CheckEdges)


def test_a_run_lives_as_long_as_the_drill_may_take(payload: VolumesPayload, tmp_path: Path) -> None:
    one, other = (edge.opened(payload, CLOCK, silent, tmp_path) for _ in range(2))
    run = one.course.run
    assert run.until - run.made == datetime.timedelta(hours=1)
    assert (run.site, run.layer) == ("dev", "volumes")
    assert run.run_id != other.run_id
    for drill in (one, other):
        drill.edges.forget()


def test_without_a_canary_there_is_no_testimony(payload: VolumesPayload, tmp_path: Path) -> None:
    for canary in (None, payload.canary):
        changed = payload.model_copy(update={"canary": canary})
        drill = edge.opened(changed, CLOCK, silent, tmp_path)
        drill.edges.forget()
        assert (drill.edges.testimony is None) is (canary is None)
