"""docs/drills.md and volumes.md name every reason, control and exit code as the code has them."""

import re
from pathlib import Path
from typing import Any

from drills.damaged.faults import FAULTS, OBJECT_FAULTS
from drills.kube_objects import controls as kube_objects
from drills.store.controls import CONTROLS
from drills.store.scratch_controls import PLANTS
from drills.verdict import EXIT_CODES, Reason, verdict_of
from drills.volumes import controls as volumes

DOCUMENTS = Path(__file__).resolve().parents[2] / "docs"
TEXT = (DOCUMENTS / "drills.md").read_text()
OF_VOLUMES = (DOCUMENTS / "volumes.md").read_text()


def test_the_table_of_reasons_has_each_in_order_of_gravity_with_its_verdict() -> None:
    section = TEXT.partition("## Reasons")[2].partition("## Controls")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \| (broken|unproven) \|", section, re.MULTILINE)
    assert rows == [(str(reason), str(verdict_of(reason))) for reason in Reason]


def test_the_table_of_controls_has_each_with_its_reason() -> None:
    section = TEXT.partition("## Controls")[2].partition("## The payload")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| `([a-z-]+)` \|", section, re.MULTILINE)
    known: tuple[Any, ...] = (*CONTROLS, *PLANTS, *kube_objects.CONTROLS)
    assert rows == [(each.name, str(each.expected)) for each in known]


def test_the_table_of_verdicts_has_each_exit_code() -> None:
    for verdict, code in EXIT_CODES.items():
        assert f"| `{verdict}` | {code} |" in TEXT


def test_the_controls_of_volumes_are_told_as_they_are() -> None:
    section = OF_VOLUMES.partition("## Controls")[2].partition("### On damaged copies")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \| `([a-z-]+)` \|$", section, re.MULTILINE)
    assert rows == [(one.name, one.planted, str(one.expected)) for one in volumes.CONTROLS]


def test_the_faults_of_damaged_copies_are_told_as_they_are() -> None:
    section = OF_VOLUMES.partition("### On damaged copies")[2].partition("## The payload")[0]
    found = re.findall(
        r"^\| `([a-z-]+)` \| ([^|]+) \| `([a-z-]+)` \| `([a-z-]+)` \|$", section, re.MULTILINE
    )
    layers = {one.name: "kube-objects" for one in OBJECT_FAULTS}
    assert sorted(found) == sorted(
        (one.name, one.planted, str(one.expected), layers.get(one.name, "volumes"))
        for one in FAULTS
    )
