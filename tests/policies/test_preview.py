"""Broken stacks under the real engine: `preview --policy-pack` refuses each by exactly its rule."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.engine import engine_environment, write_authority

pytestmark = pytest.mark.tools

ROOT = Path(__file__).resolve().parents[2]
STACKS = Path(__file__).resolve().parent / "stacks"
# The pinned engine reserves 5 for policies and still answers 1, its code for any failure.
REFUSED_EXIT_CODE = 1

REFUSED_BY = {
    "unprotected-bucket": "bucket-protected",
    "unversioned-bucket": "bucket-versioned",
    "wildcard-policy": "policy-no-wildcard-action",
    "unpinned-host": "ssh-host-key-pinned",
    "plain-http": "provider-tls",
    "secret-in-command": "secret-not-in-command",
    "ambient-cluster": "cluster-explicit",
    "moving-image": "image-pinned",
    "velero-known-password": "velero-repository-password",
}


@dataclass(frozen=True)
class Preview:
    """`refusals`: (rule, level) of each policy event; `text`: all that an operator would see."""

    exit_code: int
    refusals: list[tuple[str, str]]
    text: str


def _refusals(events: Path) -> list[tuple[str, str]]:
    logged = [json.loads(line) for line in events.read_text().splitlines()]
    found = [event["policyEvent"] for event in logged if "policyEvent" in event]
    return [(event["policyName"], event["enforcementLevel"]) for event in found]


def _preview(name: str, folder: Path) -> Preview:
    """Previews a copy of the stack with the policy pack, from a backend of its own."""
    work = folder / name
    shutil.copytree(STACKS / name, work)
    write_authority(work / "ca.crt")
    environment = engine_environment(folder)

    def pulumi(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["pulumi", "--non-interactive", "--color", "never", *arguments],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )

    made = pulumi("stack", "init", "test")
    assert made.returncode == 0, made.stderr
    events = folder / "events.jsonl"
    done = pulumi("preview", "--policy-pack", str(ROOT / "policies"), "--event-log", str(events))
    return Preview(done.returncode, _refusals(events), done.stdout + done.stderr)


def test_every_broken_stack_is_listed() -> None:
    folders = {path.name for path in STACKS.iterdir() if (path / "Pulumi.yaml").exists()}
    assert folders == {"sound", *REFUSED_BY}


def test_the_sound_stack_passes(tmp_path: Path) -> None:
    preview = _preview("sound", tmp_path)
    assert preview.exit_code == 0, preview.text
    assert preview.refusals == []


@pytest.mark.parametrize(("name", "rule"), REFUSED_BY.items(), ids=REFUSED_BY)
def test_a_broken_stack_is_refused_by_exactly_its_rule(
    name: str, rule: str, tmp_path: Path
) -> None:
    preview = _preview(name, tmp_path)
    assert preview.refusals == [(rule, "mandatory")], preview.text
    assert preview.exit_code == REFUSED_EXIT_CODE
    assert rule in preview.text


def test_a_refusal_does_not_repeat_the_secret_it_found(tmp_path: Path) -> None:
    preview = _preview("secret-in-command", tmp_path)
    policies = preview.text.split("Policies:", 1)[1].split("Diagnostics:", 1)[0]
    assert "secret-not-in-command" in policies
    assert "sentinel-root-password" not in policies
