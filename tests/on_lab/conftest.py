"""Labs for the tests here, with names of their own; BACKSTOP_TEST_LAB keeps them between runs.

One has a store alone, which most tests need; the other one has a cluster as well, and a stack with
Velero on it.
"""

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


@pytest.fixture(scope="session")
def cluster_lab() -> Iterator[Lab]:
    kept = os.environ.get("BACKSTOP_TEST_LAB")
    instance = Lab(f"{kept}-cluster" if kept else f"cluster-{os.getpid()}")
    try:
        instance.up("store1", "cp1")
        yield instance
    finally:
        if not kept:
            instance.down()


@pytest.fixture(scope="session")
def _saved(cluster_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(cluster_lab, copy_of_checkout(tmp_path_factory.mktemp("saved")), cluster=True)


@pytest.fixture(scope="module")
def saved(_saved: Site) -> Site:
    """The stack `dev` as it is committed: store, cluster, snapshots and Velero.

    Brought there anew for each file: the pages walked through deploy another config on the same
    cluster, and in which order the files come is the workers' affair.
    """
    _saved.reset()
    _saved.up()
    return _saved
