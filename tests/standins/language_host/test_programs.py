"""Programs under the real engine: settings, outputs, errors as one sentence, interpreter, end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.standins.command.engine import wait_until
from tests.standins.project import Project, new_project, processes_of

pytestmark = [pytest.mark.tools]

_SETTINGS = """
import os, sys, pulumi
config = pulumi.Config()
pulumi.export("plain", config.require("plain"))
pulumi.export("secret", config.require_secret("hidden"))
pulumi.export("names", [pulumi.get_project(), pulumi.get_stack(), pulumi.get_organization()])
pulumi.export("dry", pulumi.runtime.is_dry_run())
pulumi.export("folder", os.getcwd())
pulumi.export("stdin", sys.stdin.read())
pulumi.export("leaks", [k for k, v in os.environ.items() if "swordfish" in v])
pulumi.export("arguments", sys.argv)
print("to stdout")
print("to stderr", file=sys.stderr)
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return new_project(tmp_path, "import pulumi\npulumi.export('x', 1)\n")


def test_a_program_gets_its_settings_and_its_output_is_shown(project: Project) -> None:
    project.write(_SETTINGS)
    project.must("config", "set", "plain", "value")
    project.must("config", "set", "--secret", "hidden", "swordfish")
    done = project.up()
    assert "to stdout" in done.text
    assert "to stderr" in done.text
    assert "swordfish" not in done.text
    assert project.outputs() == {
        "plain": "value",
        "secret": "swordfish",
        "names": ["throwaway", "dev", "organization"],
        "dry": False,
        "folder": str(project.folder),
        "stdin": "",
        "leaks": [],
        "arguments": ["."],
    }
    assert "swordfish" not in project.must("stack", "export").text


def test_a_program_imports_packages_that_share_a_name_with_a_stand_in(project: Project) -> None:
    project.write("import minio, pulumi\npulumi.export('found', minio.__file__)\n")
    project.up()
    assert Path(str(project.outputs()["found"])).parts[-3:-1] == ("site-packages", "minio")


def test_a_second_preview_is_quiet_and_refresh_and_destroy_work(project: Project) -> None:
    project.write(
        "import pulumi_command as c\n"
        "c.local.Command('one', create='echo 1', delete='echo gone', triggers=['a'])\n"
    )
    project.up()
    project.must("preview", "--expect-no-changes")
    project.must("refresh", "--yes")
    project.must("up", "--yes", "--expect-no-changes")
    assert "gone" in project.must("destroy", "--yes").text


def test_a_program_imports_libraries_and_not_the_stand_ins_of_the_same_name(
    project: Project,
) -> None:
    project.write("import minio, pulumi\npulumi.export('client', minio.Minio.__name__)\n")
    project.up()
    assert project.outputs() == {"client": "Minio"}


def test_the_host_says_that_it_is_a_stand_in(project: Project) -> None:
    line = "pulumi-language-python 3.259.0 (stand-in from this repository"
    assert line in project.must("preview").text


def test_a_run_error_is_its_sentence_and_nothing_else(project: Project) -> None:
    project.write(
        "import pulumi\nraise pulumi.RunError('backstop:store.port must be 1 to 65535')\n"
    )
    done = project.run("preview")
    assert done.code != 0
    assert done.errors == ["error: backstop:store.port must be 1 to 65535"]
    assert "Traceback" not in done.text
    assert "exit" not in done.text


def test_an_exception_shows_the_programs_own_frames(project: Project) -> None:
    (project.folder / "part.py").write_text("def work():\n    return 1 / 0\n")
    project.write("import part\n\npart.work()\n")
    done = project.run("preview")
    assert done.code != 0
    assert done.errors == ["error: Program failed with an unhandled exception:"]
    assert "ZeroDivisionError: division by zero" in done.text
    assert "part.py" in done.text
    assert "runpy" not in done.text
    assert "run_program.py" not in done.text


def test_a_failing_apply_fails_the_update(project: Project) -> None:
    project.write(
        "import pulumi\npulumi.export('x', pulumi.Output.from_input(1).apply(lambda n: [][n]))\n"
    )
    done = project.run("up", "--yes", "--skip-preview")
    assert done.code != 0
    assert "IndexError" in done.text


def test_a_syntax_error_names_file_and_line(project: Project) -> None:
    project.write("import pulumi\n\npulumi.export('x'\n")
    done = project.run("preview")
    assert done.code != 0
    assert "__main__.py" in done.text
    assert "line 3" in done.text


def test_a_missing_module_is_named(project: Project) -> None:
    project.write("import no_such_module\n")
    done = project.run("preview")
    assert done.code != 0
    assert "No module named 'no_such_module'" in done.text


def test_a_project_without_a_program_is_one_sentence(project: Project) -> None:
    (project.folder / "__main__.py").unlink()
    done = project.run("preview")
    assert done.code != 0
    assert done.errors == [
        f"error: the project has no program: {project.folder}/__main__.py does not exist"
    ]


@pytest.mark.parametrize("ending", ["raise SystemExit(3)", "import os; os._exit(3)"])
def test_a_program_that_exits_is_an_error_with_its_code(project: Project, ending: str) -> None:
    project.write(ending + "\n")
    done = project.run("preview")
    assert done.code != 0
    assert "the program exited with code 3" in done.text


def test_a_program_that_is_killed_is_an_error(project: Project) -> None:
    project.write("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    done = project.run("preview")
    assert done.code != 0
    assert "the program was ended by signal 9" in done.text


def test_the_virtualenv_of_the_project_is_used_where_it_exists(tmp_path: Path) -> None:
    settings = "runtime:\n  name: python\n  options:\n    virtualenv: venv\n"
    program = "import os, pulumi\npulumi.export('mark', os.environ.get('FROM_VENV', ''))\n"
    project = new_project(tmp_path, program, settings)
    project.up()
    assert project.outputs() == {"mark": ""}
    python = project.folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nFROM_VENV=yes exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    project.up()
    assert project.outputs() == {"mark": "yes"}


def test_a_python_without_the_sdk_is_one_sentence(tmp_path: Path) -> None:
    settings = "runtime:\n  name: python\n  options:\n    virtualenv: venv\n"
    project = new_project(tmp_path, "import pulumi\n", settings)
    python = project.folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    python.chmod(0o755)
    done = project.run("preview")
    assert done.code != 0
    assert "this Python cannot import the Pulumi SDK" in done.text
    assert "Traceback" not in done.text


def test_a_program_in_another_folder_is_found_by_main(tmp_path: Path) -> None:
    project = new_project(tmp_path, "", "runtime: python\nmain: app\n")
    (project.folder / "app").mkdir()
    (project.folder / "app" / "side.py").write_text("ANSWER = 42\n")
    (project.folder / "app" / "__main__.py").write_text(
        "import os, pulumi, side\n"
        "pulumi.export('x', [side.ANSWER, os.path.basename(os.getcwd())])\n"
    )
    project.up()
    assert project.outputs() == {"x": [42, "app"]}


def test_the_programs_packages_are_listed(project: Project) -> None:
    done = project.must("about", "--json", "--transitive")
    assert '"name": "pulumi_command"' in done.stdout.lower().replace("-", "_")


_WAITING = """
import pulumi, pulumi_command as c
slow = c.local.Command("slow", create="touch started; sleep 300")
pulumi.export("x", slow.stdout)
"""


def test_an_interrupt_ends_program_command_and_engine(project: Project) -> None:
    project.write(_WAITING)
    engine = project.start("up", "--yes", "--skip-preview")
    wait_until((project.folder / "started").exists, 30)
    began = time.monotonic()
    engine.send_signal(signal.SIGINT)
    text, _ = engine.communicate(timeout=30)
    assert engine.returncode != 0
    assert time.monotonic() - began < 20
    assert "create command was ended because the update was cancelled" in text
    assert "Traceback" not in text
    wait_until(lambda: processes_of(project.folder) == [])


def test_an_interrupt_ends_a_program_that_computes(project: Project) -> None:
    project.write(
        "import time\n"
        "open('started', 'w').close()\n"
        "try:\n    time.sleep(300)\n"
        "finally:\n    open('cleaned', 'w').close()\n"
    )
    engine = project.start("preview")
    wait_until((project.folder / "started").exists, 30)
    engine.send_signal(signal.SIGINT)
    wait_until((project.folder / "cleaned").exists, 30)
    text, _ = engine.communicate(timeout=30)
    assert engine.returncode != 0
    assert "Traceback" not in text
    wait_until(lambda: processes_of(project.folder) == [])


def test_a_killed_engine_leaves_no_process(project: Project) -> None:
    project.write(_WAITING)
    engine = project.start("up", "--yes", "--skip-preview")
    wait_until((project.folder / "started").exists, 30)
    engine.kill()
    engine.wait()
    wait_until(lambda: processes_of(project.folder) == [], 20)


def test_two_engines_at_once_do_not_meet(tmp_path: Path) -> None:
    projects = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        program = f"import pulumi\npulumi.export('who', '{name}')\n"
        projects.append(new_project(tmp_path / name, program))
    running = [project.start("up", "--yes", "--skip-preview") for project in projects]
    for engine in running:
        text, _ = engine.communicate(timeout=60)
        assert engine.returncode == 0, text
    assert [project.outputs()["who"] for project in projects] == ["a", "b"]


def test_nothing_is_written_beside_the_stand_ins(project: Project) -> None:
    root = Path(__file__).resolve().parents[3] / "standins"
    before = {path for path in root.rglob("*") if "__pycache__" not in path.parts}
    project.up()
    assert {path for path in root.rglob("*") if "__pycache__" not in path.parts} == before


def test_version_says_stand_in() -> None:
    root = Path(__file__).resolve().parents[3]
    name = "pulumi-language-python"
    printed = subprocess.run(
        [root / "standins" / "pulumi" / "bin" / name / name, "--version"],
        env={**os.environ, "BACKSTOP_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.startswith("pulumi-language-python 3.259.0 (stand-in")
