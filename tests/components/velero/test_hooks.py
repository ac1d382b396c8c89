"""Hooks of common workloads: shells parse them, no password is an argument, both forms agree."""

import json
import subprocess
from typing import Any, get_args

import pytest

from components.velero import hooks

KINDS = list(get_args(hooks.Kind))
PATHS = {kind: "/data/x" if hooks.RECIPES[kind].needs_path else None for kind in KINDS}


def specification(kind: Any) -> dict[str, Any]:
    return hooks.specification(
        "one",
        kind,
        namespaces=["app"],
        selector={"app": "db"},
        container="db",
        path=PATHS[kind],
        timeout="10m0s",
    )


def commands(kind: Any) -> list[list[str]]:
    found = specification(kind)
    return [one["exec"]["command"] for phase in ("pre", "post") for one in found.get(phase, [])]


@pytest.mark.parametrize("kind", KINDS)
def test_every_command_is_one_that_a_shell_can_read(kind: Any) -> None:
    for command in commands(kind):
        assert command[:2] == ["/bin/sh", "-c"]
        subprocess.run(["/bin/sh", "-n", "-c", command[2]], check=True)
        assert "{" not in command[2].replace("${", "")


@pytest.mark.parametrize("kind", KINDS)
def test_annotations_and_specification_say_the_same(kind: Any) -> None:
    found = hooks.annotations(kind, "db", PATHS[kind])
    told = [
        json.loads(found[f"{phase}.hook.backup.velero.io/command"])
        for phase in ("pre", "post")
        if f"{phase}.hook.backup.velero.io/command" in found
    ]
    assert told == commands(kind)
    assert found["pre.hook.backup.velero.io/on-error"] == "Fail"


@pytest.mark.parametrize("kind", ["fsfreeze", "mongodb"])
def test_what_is_held_is_let_go_whatever_happened(kind: Any) -> None:
    (post,) = specification(kind)["post"]
    assert post["exec"]["onError"] == "Continue"


@pytest.mark.parametrize("kind", KINDS)
def test_no_password_is_an_argument(kind: Any) -> None:
    for command in commands(kind):
        for word in command[2].split():
            if "PASSWORD" in word:
                assert word.startswith(("PGPASSWORD=", "MYSQL_PWD=", "REDISCLI_AUTH=")), word


@pytest.mark.parametrize("kind", KINDS)
def test_a_path_too_few_or_too_many_is_refused(kind: Any) -> None:
    wrong = None if hooks.RECIPES[kind].needs_path else "/data"
    with pytest.raises(ValueError, match="path: "):
        hooks.annotations(kind, "db", wrong)


def test_a_dump_that_fails_leaves_the_last_one(tmp_path: Any) -> None:
    # The same text with programs that are there in every system.
    text = hooks._dump("${DUMP:?}").replace("{path}", str(tmp_path / "dump"))
    run = ["/bin/sh", "-c", text]
    subprocess.run(run, check=True, env={"PATH": "/usr/bin:/bin", "DUMP": "echo first"})
    failed = subprocess.run(run, check=False, env={"PATH": "/usr/bin:/bin", "DUMP": "false"})
    assert failed.returncode != 0
    assert (tmp_path / "dump" / "backstop.dump").read_text() == "first\n"
