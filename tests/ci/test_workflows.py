"""The workflows: every stack has its preview, actions are pinned, permissions are small."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
STACKS = sorted(p.name.split(".")[1] for p in ROOT.glob("Pulumi.*.yaml"))


def _load(name: str) -> dict[Any, Any]:
    loaded = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text())
    assert isinstance(loaded, dict)
    return loaded


def _steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def _commands(workflow: dict[Any, Any]) -> str:
    return "\n".join(step.get("run", "") for step in _steps(workflow))


def test_there_are_stacks_and_workflows_to_look_at() -> None:
    assert {"dev", "edge"} <= set(STACKS)
    assert [p.name for p in WORKFLOWS] == ["preview.yml", "test.yml"]


def test_preview_has_one_job_for_every_stack_file() -> None:
    job = _load("preview.yml")["jobs"]["stack"]
    assert sorted(job["strategy"]["matrix"]["stack"]) == STACKS
    assert job["strategy"]["fail-fast"] is False
    assert "matrix.stack" in job["concurrency"]["group"]


def test_preview_runs_the_script_and_keeps_its_exit_code() -> None:
    commands = _commands(_load("preview.yml"))
    assert 'sh ci/preview.sh "$STACK"' in commands
    assert 'exit "$code"' in commands


def test_forks_get_no_preview() -> None:
    condition = _load("preview.yml")["jobs"]["stack"]["if"]
    assert condition == "github.event.pull_request.head.repo.full_name == github.repository"


def test_the_offline_tests_run_for_every_pull_request() -> None:
    workflow = _load("test.yml")
    triggers = workflow[True]  # YAML reads the key `on` as a truth value
    assert "pull_request" in triggers
    assert "pull_request_target" not in triggers
    assert "sh ci/offline.sh" in _commands(workflow)
    assert "if" not in workflow["jobs"]["offline"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_actions_are_pinned_to_a_full_commit_with_its_version_beside_it(path: Path) -> None:
    uses = [line for line in path.read_text().splitlines() if "uses:" in line]
    assert uses
    for line in uses:
        assert re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_permissions_are_small_and_credentials_do_not_stay(path: Path) -> None:
    workflow = _load(path.name)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        granted = job.get("permissions", {})
        assert {k: v for k, v in granted.items() if v == "write"}.keys() <= {"pull-requests"}
        assert job["timeout-minutes"] <= 60
    for step in _steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_no_expression_is_pasted_into_a_script(path: Path) -> None:
    assert "${{" not in _commands(_load(path.name))


def test_the_engine_is_the_pinned_one() -> None:
    pins = tomllib.loads((ROOT / "versions.toml").read_text())
    [step] = [
        s for s in _steps(_load("preview.yml")) if s.get("uses", "").startswith("pulumi/actions@")
    ]
    assert step["with"]["pulumi-version"] == pins["tools"]["pulumi"]["version"]
