"""One store is written for all tests here; each damages a copy of its own."""

import shutil
from pathlib import Path

import pytest

from tests.drills.longhorn.live.live_site import LiveSite, placed, with_archive_too
from tests.drills.longhorn.site import Site, copied, written
from tests.support.longhorn_store import into_folder


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("template") / "store"
    written(into_folder(root))
    return root


@pytest.fixture
def site(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    found = copied(template, tmp_path)
    found.images.place(monkeypatch)
    return found


@pytest.fixture
def live(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LiveSite:
    """A site whose Longhorn can bring volumes back."""
    shutil.copytree(template, tmp_path / "store" / "site")
    found = LiveSite(tmp_path)
    placed(found, monkeypatch)
    return found


@pytest.fixture
def two_targets(live: LiveSite) -> LiveSite:
    """The same with a second target."""
    with_archive_too(live)
    return live
