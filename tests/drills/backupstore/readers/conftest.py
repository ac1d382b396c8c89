"""What a reader process is told, of a store that is not there."""

from pathlib import Path

import pytest

from drills.backupstore.s3_objects import Recipe
from tests.drills.backupstore.readers.watched import somewhere
from tests.support.authority import make_authority


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    folder: Path = tmp_path_factory.mktemp("authority")
    return somewhere(make_authority(folder).certificate_file.read_text())
