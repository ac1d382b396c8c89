"""The command line: bad input is one sentence, secrets stay hidden, the identity is guarded."""

import json
from typing import Any

import pytest

from kube.longhorn import __main__ as commands
from kube.longhorn.__main__ import main
from kube.longhorn.api import LonghornError
from kube.longhorn.first_backup import FirstBackupsError
from tests.kube import kubeconfigs

BASE = {"schema": 1, "kubeconfig": kubeconfigs.text(), "seconds": 1}
TARGET = {"name": "default", "url": "s3://b@r/", "credentialSecret": "s"}


@pytest.mark.parametrize(
    ("command", "stdin", "said"),
    [
        ("target", "no json", "no JSON"),
        ("target", "{}", "schema: field required"),
        ("target", {"targets": []}, "targets: tuple should have at least 1"),
        ("target", {"targets": [{**TARGET, "url": "nothing"}]}, "targets.0.url"),
        ("target", {"targets": [{**TARGET, "secret": "SENTINEL"}]}, "targets.0.secret"),
        ("target", {"targets": [TARGET], "kubeconfig": "SENTINEL"}, "the kubeconfig cannot be"),
        ("target", {"targets": [TARGET], "seconds": 0}, "seconds"),
        ("first-backup", {"jobs": ["Not A Name"]}, "jobs.0"),
        ("first-backup", {"atOnce": 0}, "atOnce"),
        ("first-backup", {"namespace": "../x"}, "namespace"),
        ("burn", "{}", "usage:"),
    ],
)
def test_bad_input_is_one_sentence(
    command: str, stdin: Any, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = stdin if isinstance(stdin, str) else json.dumps({**BASE, **stdin})
    assert main([command], text) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
    assert "SENTINEL" not in error


def test_no_command_at_all_shows_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "lines"),
    [(LonghornError("one"), 1), (FirstBackupsError(["volume a: x", "volume b: y"]), 2)],
)
def test_what_longhorn_does_not_do_is_a_line_each(
    raised: Exception,
    lines: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_text: str) -> dict[str, Any]:
        raise raised

    monkeypatch.setitem(commands.COMMANDS, "target", fail)
    assert main(["target"], "{}") == 1
    captured = capsys.readouterr()
    assert len(captured.err.splitlines()) == lines
    assert all(line.startswith("longhorn: ") for line in captured.err.splitlines())
    assert captured.out == ""
