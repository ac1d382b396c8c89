"""The words of the command line: what they mean, and what is refused before anything is read."""

from pathlib import Path

import pytest

from drills.backupstore.by_hand.arguments import parse
from drills.backupstore.environment import SettingError
from tests.drills.backupstore.by_hand.command_line import GENUINE, command

URL = "s3://longhorn@eu-west-1/site/?backup=backup-1&volume=pvc-data"


def test_a_backups_url_names_target_volume_and_backup() -> None:
    request = parse(["restore", URL, "-o", "image"])
    assert (request.target, request.volume, request.backup) == (
        "s3://longhorn@eu-west-1/site/", "pvc-data", "backup-1",
    )  # fmt: skip
    assert request.output == Path("image")
    assert parse(["ls", URL, "--volume", "pvc-data"]).volume == "pvc-data"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["ls", URL, "--volume", "pvc-b"], "--volume pvc-b is not what the URL says, pvc-data"),
        (["ls", URL, "--backup", "b"], "--backup b is not what the URL says, backup-1"),
        (["verify", GENUINE, "--backup", "b"], "--backup needs --volume"),
        (["ls", GENUINE, "etc"], "a path needs --volume and --backup"),
        (["ls", f"file://{GENUINE}?volume=a"], "names no backup"),
    ],
)
def test_words_that_contradict_each_other(words: list[str], says: str) -> None:
    with pytest.raises(SettingError, match=says):
        parse(words)
    ended = command(*words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("python -m drills longhorn: ")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["restore", GENUINE],
        ["cat", GENUINE],
        ["verify", GENUINE, "--quick", "0"],
        ["verify", GENUINE, "--quick", "x"],
        ["verify", GENUINE, "--quick", "3", "--full"],
        ["remove", GENUINE],
        ["ls", GENUINE, "--vol", "x"],
    ],
)
def test_words_that_are_none_exit_with_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*words).code == 2
    assert "usage: python -m drills longhorn" in capsys.readouterr().err


def test_help_exits_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--help").code == 0
    told = capsys.readouterr().out
    assert "exit codes: 0 done and sound; 20" in told
    assert "AWS_SECRET_ACCESS_KEY" in told


@pytest.mark.parametrize(
    "target",
    ["s3://longhorn", "s3://longhorn@eu-west-1", "nfs://host/share", "https://store/", "/none"],
)
def test_targets_that_are_none(target: str) -> None:
    ended = command("ls", target)
    assert (ended.code, ended.out) in {(2, ""), (21, "")}
    assert ended.err.count("\n") == 1


def test_a_secret_is_in_no_message() -> None:
    environ = {"AWS_ACCESS_KEY_ID": "an-access-key", "AWS_SECRET_ACCESS_KEY": "a-secret"}
    ended = command(
        "ls", "s3://longhorn@eu-west-1/", environ=environ | {"AWS_ENDPOINTS": "http://store"}
    )
    assert ended.code == 2
    assert "AWS_ENDPOINTS" in ended.err
    assert "secret" not in ended.err.lower().replace("aws_secret", "")
    assert "an-access-key" not in ended.err
