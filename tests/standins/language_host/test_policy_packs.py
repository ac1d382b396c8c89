"""Policy packs under the real engine: the host's RunPlugin."""

import signal
from pathlib import Path

import pytest

from tests.standins.command.engine import wait_until
from tests.standins.project import Project, new_project, processes_of

pytestmark = [pytest.mark.tools]

_PROGRAM = "import pulumi_command as c\nc.local.Command('one', create='echo {word}')\n"

_PACK = """
import side, sys
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

def check(args, report):
    if "forbidden" in (args.props.get("create") or ""):
        report(side.SENTENCE)

rule = ResourceValidationPolicy("no-forbidden", "no forbidden word", check)
print("the pack speaks", file=sys.stderr)
PolicyPack("pack", policies=[rule], enforcement_level=EnforcementLevel.MANDATORY)
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return new_project(tmp_path, _PROGRAM.format(word="fine"))


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "PulumiPolicy.yaml").write_text("runtime: python\n")
    (folder / "side.py").write_text("SENTENCE = 'that word is forbidden'\n")
    (folder / "__main__.py").write_text(_PACK)
    return folder


def test_a_mandatory_rule_fails_a_preview_and_a_good_program_passes(
    project: Project, pack: Path
) -> None:
    project.must("preview", "--policy-pack", str(pack))
    project.write(_PROGRAM.format(word="forbidden"))
    done = project.run("preview", "--policy-pack", str(pack))
    assert done.code != 0
    assert "that word is forbidden" in done.text
    assert "no-forbidden" in done.text
    assert "Traceback" not in done.text


def test_a_rule_stops_an_up_before_anything_runs(project: Project, pack: Path) -> None:
    project.write(_PROGRAM.format(word="forbidden > ran"))
    done = project.run("up", "--yes", "--skip-preview", "--policy-pack", str(pack))
    assert done.code != 0
    assert not (project.folder / "ran").exists()


def test_what_a_pack_prints_is_shown(project: Project, pack: Path) -> None:
    assert "the pack speaks" in project.must("preview", "--policy-pack", str(pack)).text


def test_a_broken_pack_fails_with_its_error(project: Project, pack: Path) -> None:
    (pack / "__main__.py").write_text("raise ValueError('the pack is broken')\n")
    done = project.run("preview", "--policy-pack", str(pack))
    assert done.code != 0
    assert "the pack is broken" in done.text


def test_an_interrupt_ends_the_pack_too(project: Project, pack: Path) -> None:
    project.write("import time\nopen('started', 'w').close()\ntime.sleep(300)\n")
    engine = project.start("preview", "--policy-pack", str(pack))
    wait_until((project.folder / "started").exists, 30)
    engine.send_signal(signal.SIGINT)
    engine.communicate(timeout=30)
    assert engine.returncode != 0
    wait_until(lambda: processes_of(pack) == [] and processes_of(project.folder) == [])
