"""versions.toml is the one place: wrappers, requirements and stacks agree with it."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PINS = tomllib.loads((ROOT / "versions.toml").read_text())
REQUIREMENTS = (ROOT / "requirements.txt").read_text()


@pytest.mark.parametrize("tool", sorted(PINS["tools"]))
def test_a_wrapper_requires_the_pinned_module_and_its_sum_pins_it(tool: str) -> None:
    pin = PINS["tools"][tool]
    wrapper = ROOT / pin.get("wrapper", f"lab/wrappers/{tool}")
    if not wrapper.is_relative_to(ROOT / "lab" / "wrappers"):
        # Our own code: the module is the wrapper itself.
        assert f"module {pin['module']}\n" in (wrapper / "go.mod").read_text()
        return
    wanted = f"{pin['module']} {pin['module_version']}"
    assert wanted in (wrapper / "go.mod").read_text()
    assert f"{wanted} h1:" in (wrapper / "go.sum").read_text()


@pytest.mark.parametrize("tool", sorted(PINS["tools"]))
def test_every_wrapper_builds_with_the_oldest_toolchain_allowed(tool: str) -> None:
    wrapper = PINS["tools"][tool].get("wrapper", f"lab/wrappers/{tool}")
    text = (ROOT / wrapper / "go.mod").read_text()
    found = re.search(r"^go (\S+)$", text, re.MULTILINE)
    assert found is not None
    assert found.group(1) == PINS["go"]["minimum"]


def test_the_sdk_has_the_engines_version() -> None:
    assert f"pulumi=={PINS['tools']['pulumi']['version']}\n" in REQUIREMENTS


@pytest.mark.parametrize("plugin", sorted(PINS["plugins"]))
def test_the_plugins_sdk_has_its_version(plugin: str) -> None:
    assert f"pulumi_{plugin}=={PINS['plugins'][plugin]}\n" in REQUIREMENTS


def test_every_requirement_is_an_exact_pin_and_every_direct_one_is_explained() -> None:
    lines = [line for line in REQUIREMENTS.splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9A-Za-z.]+", line) for line in lines)
    direct = REQUIREMENTS.split("# transitive")[0]
    explained = (ROOT / "docs" / "dependencies.md").read_text()
    for name in re.findall(r"^([A-Za-z0-9_-]+)==", direct, re.MULTILINE):
        assert name in explained, f"docs/dependencies.md does not say why {name} is there"


@pytest.mark.parametrize("stack", sorted(path.name for path in ROOT.glob("Pulumi.*.yaml")))
def test_the_stacks_of_the_lab_run_the_pinned_server(stack: str) -> None:
    store = yaml.safe_load((ROOT / stack).read_text())["config"]["backstop:objectStore"]
    assert store["binary"]["version"] == PINS["tools"]["minio"]["version"]


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))])
def test_every_link_between_documents_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_snapshot_controller_is_of_one_release_wherever_it_is_named() -> None:
    release = f"v{PINS['tools']['snapshot-controller']['version']}"
    assert PINS["images"]["snapshot-controller"].endswith(f":{release}")
    assert f"?ref={release}" in (ROOT / "docs" / "cluster.md").read_text()
