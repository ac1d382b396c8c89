"""One lab for all tests here, with a name of its own; BACKSTOP_TEST_LAB keeps one between runs."""

import os
from collections.abc import Iterator

import pytest

from tests.on_lab.site import Lab, Site, copy_of_checkout


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    kept = os.environ.get("BACKSTOP_TEST_LAB")
    instance = Lab(kept or f"test-{os.getpid()}")
    try:
        instance.up("store1")
        yield instance
    finally:
        if not kept:
            instance.down()


@pytest.fixture(scope="session")
def deployed(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The stack `dev`, deployed and quiet; tests that change it put it back."""
    site = Site(lab, copy_of_checkout(tmp_path_factory.mktemp("checkout")))
    site.up()
    return site
