"""The command line as a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.drills.backupstore.by_hand.command_line import GENUINE

ROOT = Path(__file__).resolve().parents[4]
LONGHORN = (sys.executable, "-m", "drills", "longhorn")


def test_the_word_longhorn_leads_here() -> None:
    ended = subprocess.run(
        [*LONGHORN, "ls", GENUINE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "pvc-app" in ended.stdout
    ended = subprocess.run(
        [*LONGHORN, "ls", "/none"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["cat", GENUINE, "--volume", "pvc-app", "db/data2.bin"], 0),
        (["restore", GENUINE, "--volume", "pvc-app", "-o", "-"], 21),
    ],
    ids=["a file", "an image"],
)
def test_who_reads_no_further_is_not_complained_to(words: list[str], code: int) -> None:
    with subprocess.Popen(
        [*LONGHORN, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert len(process.stdout.read(10)) == 10
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        assert process.wait(60) == code
