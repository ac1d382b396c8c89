"""The pack as a whole: its rules' descriptions, its page in the documentation, its server."""

import re
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
import yaml
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from policies.pack import NAME, RULES
from policies.plain import Rule

ROOT = Path(__file__).resolve().parents[2]
PACK = ROOT / "policies"


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_a_rule_says_what_why_and_what_to_do(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", rule.name)
    assert rule.types
    assert rule.title[0].isupper()
    assert not rule.title.endswith(".")
    assert rule.why.endswith(".")
    assert not rule.remedy.endswith(".")


def test_names_are_unique() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


def _served_by(process: "subprocess.Popen[bytes]") -> analyzer_pb2.AnalyzerInfo:
    assert process.stdout is not None
    port = int(process.stdout.readline())
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = analyzer_pb2_grpc.AnalyzerStub(channel)
        return stub.GetAnalyzerInfo(empty_pb2.Empty(), timeout=30)


def test_the_entry_point_serves_every_rule_as_mandatory() -> None:
    command = [sys.executable, "-u", str(PACK / "__main__.py")]
    with subprocess.Popen(command, cwd=PACK, stdout=subprocess.PIPE) as process:
        try:
            info = _served_by(process)
        finally:
            process.terminate()
    assert info.name == NAME
    assert [p.name for p in info.policies] == [rule.name for rule in RULES]
    assert {p.enforcementLevel for p in info.policies} == {analyzer_pb2.MANDATORY}
    assert all(p.remediation_steps and p.displayName and p.severity for p in info.policies)


def test_the_pack_runs_with_the_language_hosts_own_python() -> None:
    manifest = yaml.safe_load((PACK / "PulumiPolicy.yaml").read_text())
    assert manifest["runtime"] == "python"
    assert not (PACK / "requirements.txt").exists()


def test_the_documents_table_is_the_packs() -> None:
    text = (ROOT / "docs" / "policies.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{r.name}` | {r.title}. | {r.why} | {r.remedy[0].upper()}{r.remedy[1:]}. |"
        for r in RULES
    ]
