"""A run with nothing to do, as a ratio to what the engine itself costs on this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.clock import Row, best, report
from tests.bench.test_program import SIZES, nodes
from tests.engine.site import STACK, EngineSite, shown, site_in
from tests.support.minio_server import running_minio

pytestmark = [pytest.mark.bench, pytest.mark.tools]

EMPTY_PROGRAM = "import pulumi\npulumi.export('nothing', 0)\n"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[EngineSite]:
    with running_minio(tmp_path / "store") as server:
        made = site_in(tmp_path, server, clients=nodes(1))
        yield made
        made.end()


def empty_up_seconds(site: EngineSite) -> float:
    """An `up` of a program that declares nothing, with nothing to do."""
    folder = site.folder / "empty"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: empty\nruntime: python\n")
    (folder / "__main__.py").write_text(EMPTY_PROGRAM)
    at = ("-C", str(folder))
    made = site.pulumi("stack", "init", STACK, *at)
    assert made.returncode == 0, shown(made)

    def up() -> None:
        done = site.pulumi("up", "--yes", "--skip-preview", "-s", STACK, *at)
        assert done.returncode == 0, shown(done)

    up()
    return best(up)


def test_runs_with_nothing_to_do(site: EngineSite, capsys: pytest.CaptureFixture[str]) -> None:
    site.up()
    seconds = {
        "pulumi version": best(lambda: site.pulumi("version")),
        "up of an empty program": empty_up_seconds(site),
        "preview": best(site.expect_quiet),
        "second up": best(lambda: site.up("--expect-no-changes")),
        "preview with the policy pack": best(
            lambda: site.stack("preview", "--expect-no-changes", "--policy-pack", "policies")
        ),
    }
    unit = seconds["up of an empty program"]
    rows = [Row(what, each, each / unit) for what, each in seconds.items()]
    with capsys.disabled():
        text = report("nothing to do, existing store", "up of an empty program", rows)
        print(text)  # noqa: T201  (a benchmark's result is what it prints)
    site.expect_quiet()


def test_first_preview_by_number_of_clients(
    site: EngineSite, capsys: pytest.CaptureFixture[str]
) -> None:
    def preview() -> None:
        done = site.stack("preview")
        assert done.returncode == 0, shown(done)

    seconds = {}
    preview()
    for size in SIZES:
        site.configure(clients=nodes(size))
        seconds[size] = best(preview, repeats=2)
    rows = [Row(f"{size} nodes", seconds[size], seconds[size] / seconds[1]) for size in SIZES]
    with capsys.disabled():
        text = report("first preview on the real engine", "1 node", rows)
        print(text)  # noqa: T201  (a benchmark's result is what it prints)
