"""docs/longhorn-drill.md tells the controls, the phases and the payload as the code has them."""

import re
from pathlib import Path

from drills.longhorn import controls
from drills.longhorn.live.settings import LiveRestores
from drills.longhorn.payload import BackupTarget, Excuse, LonghornLimits, LonghornPayload
from drills.payload import Payload
from drills.volumes.payload import ReaderPod
from tests.drills.longhorn.live.live_site import LiveSite, live_payload

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "longhorn-drill.md").read_text()


def test_the_table_of_controls_has_each_with_its_reason() -> None:
    section = TEXT.partition("## Controls")[2].partition("## The payload")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \| `([a-z-]+)` \|$", section, re.MULTILINE)
    assert rows == [(one.name, one.planted, str(one.expected)) for one in controls.CONTROLS]


def test_the_table_of_phases_has_each_in_order(live: LiveSite) -> None:
    section = TEXT.partition("| phase |")[2].partition("##")[0]
    drill = live.make(live_payload())
    phases = [*drill.phases(), *drill.closing()]
    assert re.findall(r"^\| ([a-z ]+) \|", section, re.MULTILINE) == [one.name for one in phases]


def test_every_key_of_the_payload_is_told() -> None:
    section = TEXT.partition("## The payload")[2]
    told = set(re.findall(r'"([A-Za-z]+)":', section))
    forms = (LonghornPayload, BackupTarget, LonghornLimits, Excuse, LiveRestores, ReaderPod)
    keys = {
        field.alias or name for form in forms for name, field in form.model_fields.items()
    }  # fmt: skip
    shared = {field.alias or name for name, field in Payload.model_fields.items()}
    assert keys - shared <= told
