"""Commands are taken from the pages as they stand there, and the pages can be read."""

import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from components.settings import load
from tests.on_lab.documents import PageError, Step, config, flows, run, steps
from tests.support.recorder import RAW

ROOT = Path(__file__).resolve().parents[2]
HOW_TO = ROOT / "docs" / "how-to"
PAGE = """# A page
<!-- run: one -->
```sh
echo a
echo b
```
<!-- shows: a -->
<!-- shows: b -->

<!-- run: two -->
```sh
echo other
```
<!-- shows: other -->

```sh
echo for people only
```
<!-- run: one -->
```sh
echo c
```
<!-- config: one -->
```yaml
config:
  backstop:velero: {address: "${ADDRESS}"}
```
"""
FLOWS = {
    "velero-demo": "demo",
    "velero-operator": "operator",
    "velero-crownlabs": "crownlabs",
    "velero-pi-cluster": "pi-cluster",
}
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: lab
clusters: [{name: lab, cluster: {server: "https://10.77.3.20:6443"}}]
contexts: [{name: lab, context: {cluster: lab, user: lab}}]
users: [{name: lab, user: {token: sentinel}}]
"""
ADDRESSES = {"NODE_ADDRESS": "10.77.3.20", "NETWORK": "10.77.3.0/24"}


def _page(name: str) -> str:
    return (HOW_TO / f"{name}.md").read_text()


def test_a_flow_is_its_marked_blocks_in_order() -> None:
    assert steps(PAGE, "one") == [Step(4, "echo a\necho b\n", ("a", "b")), Step(21, "echo c\n")]
    assert steps(PAGE, "two") == [Step(12, "echo other\n", ("other",))]
    assert flows(PAGE) == {"one", "two"}


def test_config_is_filled_in() -> None:
    found = config(PAGE, "one", {"ADDRESS": "10.0.0.7"})
    assert found == {"backstop:velero": {"address": "10.0.0.7"}}


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("<!-- run: one -->\n\n```sh\necho\n```\n", "line 1: no block of sh"),
        ("<!-- run: one -->", "line 1: no block of sh"),
        ("<!-- run: one -->\n```yaml\na: 1\n```\n", "line 1: no block of sh"),
        ("<!-- run: one -->\n```sh\necho\n", "line 1: the block below does not end"),
        ("\n<!-- shows: a -->\n", "line 2: nothing above"),
        ("<!-- runs: one -->\n```sh\necho\n```\n", "line 1: this comment is no"),
        (PAGE, "no commands of three"),
    ],
)
def test_a_page_that_cannot_be_read_is_refused(page: str, sentence: str) -> None:
    with pytest.raises(PageError, match=sentence):
        steps(page, "three" if page is PAGE else "one")


def test_a_config_without_its_value_or_its_flow_is_refused() -> None:
    with pytest.raises(PageError, match="'ADDRESS' has no value"):
        config(PAGE, "one", {})
    with pytest.raises(PageError, match="no config for two"):
        config(PAGE, "two", {})


def test_a_flow_runs_until_a_step_goes_wrong(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "WORD": "there"}
    good = Step(1, 'echo "$WORD" > file\necho "$WORD"\n', ("there",))
    run([good], directory=tmp_path, environment=environment)
    assert (tmp_path / "file").read_text() == "there\n"
    for wrong, sentence in (
        (Step(7, "false\ntrue\n"), "line 7: exit 1"),
        (Step(8, 'echo "$UNSET"\n'), "line 8: exit"),
        (Step(9, "echo this\n", ("that",)), "line 9 does not show 'that'"),
    ):
        with pytest.raises(AssertionError, match=sentence):
            run([good, wrong], directory=tmp_path, environment=environment)


@pytest.mark.parametrize("name", FLOWS)
def test_every_page_can_be_read(name: str) -> None:
    assert flows(_page(name)) == {FLOWS[name]}
    for step in steps(_page(name), FLOWS[name]):
        checked = subprocess.run(
            ["sh", "-n", "-c", step.script], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, f"{name}.md line {step.line}: {checked.stderr}"


@pytest.mark.parametrize("name", ["velero-demo", "velero-crownlabs", "velero-pi-cluster"])
def test_a_pages_config_names_its_profile(name: str) -> None:
    found = config(_page(name), FLOWS[name], ADDRESSES)
    assert found["backstop:velero"] == {"profile": FLOWS[name]}
    raw = {
        **RAW,
        "kubeconfig": KUBECONFIG,
        **{k.removeprefix("backstop:"): v for k, v in found.items()},
    }
    settings = load(raw, secret_keys=frozenset({"kubeconfig", "sshPrivateKey", "escrowPassphrase"}))
    assert settings.velero is not None
    namespace = settings.velero.namespace
    assert namespace == "velero" or f"--namespace {namespace}" in _page(name)
    for schedule in settings.velero.schedules:
        assert f"--from-schedule {schedule}" in _page(name) + _page("velero-operator")


def test_examples_are_objects_whose_image_the_page_fills_in() -> None:
    for path in (HOW_TO / "examples").glob("*.yaml"):
        kinds = [one["kind"] for one in yaml.safe_load_all(path.read_text())]
        assert kinds[0] == "Namespace"
        assert "Pod" in kinds
        assert path.read_text().count("image: DEMO_IMAGE") == 1


def _velero_commands() -> list[str]:
    scripts = [s.script for name, flow in FLOWS.items() for s in steps(_page(name), flow)]
    lines = "".join(scripts).replace("\\\n", " ").splitlines()
    return sorted({line for line in lines if line.startswith("velero ")})


@pytest.mark.tools
@pytest.mark.parametrize("command", _velero_commands())
def test_the_pinned_client_knows_every_command_of_the_pages(command: str, tmp_path: Path) -> None:
    from lab.tools import find  # noqa: PLC0415  (the lab is needed by this test only)

    client = find("velero")
    if client is None:
        pytest.skip("the pinned client is not built: run `python -m lab tools velero`")
    done = subprocess.run(
        [str(client), *shlex.split(command)[1:]],
        env={"KUBECONFIG": str(tmp_path / "none"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    # There is no cluster here: a command that is understood gets as far as looking for one.
    assert done.returncode != 0
    assert "unknown" not in done.stderr
    assert "Usage:" not in done.stderr + done.stdout
    assert "kubeconfig" in done.stderr or "configuration" in done.stderr, done.stderr
