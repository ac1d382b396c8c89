"""What goes of a dead run's copy, in which order; and that nothing else ever does."""

import datetime
from typing import Any

import pytest

from drills.damaged.debris import Item, chosen, remove_run, sweep
from drills.sandbox.marks import Run
from kube.velero.api import Velero, VeleroError
from tests.kube.fakes import Server, items, ok, status

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
DEAD = Run("dev", "volumes", "dead", NOW - 3 * HOUR, NOW - HOUR)
ALIVE = Run("dev", "volumes", "alive", NOW - HOUR, NOW + HOUR)
FOREIGN = Run("other", "volumes", "foreign", NOW - 3 * HOUR, NOW - HOUR)
Found = list[tuple[str, dict[str, Any]]]
LOCATIONS, SECRETS, REPOSITORIES = "backupstoragelocations", "secrets", "backuprepositories"


def made_by(run: Run) -> Found:
    """What a copy of this run leaves in the cluster."""
    marked = [
        (SECRETS, run.name("copy")), ("podvolumebackups", run.name("nightly-1-0a1b")),
        ("backups", run.name("nightly-1")), (LOCATIONS, run.name("copy")),
    ]  # fmt: skip
    found: Found = [
        (plural, {"metadata": {"name": name, "labels": run.labels()}}) for plural, name in marked
    ]
    return [*found, (REPOSITORIES, repository(run.name("copy")))]


def repository(location: str) -> dict[str, Any]:
    """As Velero makes it: named after namespace, location and type, with labels of its own."""
    return {
        "metadata": {"name": f"shop-{location}-kopia",
                     "labels": {"velero.io/storage-location": location}},
        "spec": {"volumeNamespace": "shop", "backupStorageLocation": location},
    }  # fmt: skip


SITE: Found = [
    (LOCATIONS, {"metadata": {"name": "default", "labels": {"backstop-site": "dev"}}}),
    (SECRETS, {"metadata": {"name": "velero-store-1", "labels": {"backstop-site": "dev"}}}),
    ("backups", {"metadata": {"name": "nightly-1"}, "spec": {"storageLocation": "default"}}),
    ("podvolumebackups", {"metadata": {"name": "nightly-1-0a1b"}}),
    (REPOSITORIES, repository("default")),
    # A person may call things as they like.
    ("backups", {"metadata": {"name": "backstop-drill-by-hand"}}),
]


def names(found: Found) -> set[Item]:
    return {Item(plural, one["metadata"]["name"]) for plural, one in found}


def test_everything_of_a_dead_run_goes_the_location_first_and_the_secret_last() -> None:
    going, kept = chosen([*SITE, *made_by(DEAD)], "dev", NOW)
    assert set(going) == names(made_by(DEAD))
    assert kept == []
    kinds = [item.plural for item in going]
    # Velero would make the backup anew, as long as its location is there.
    assert kinds == [LOCATIONS, "backups", "podvolumebackups", REPOSITORIES, SECRETS]


@pytest.mark.parametrize("run", [ALIVE, FOREIGN])
def test_nothing_of_a_living_run_or_another_site_goes(run: Run) -> None:
    assert chosen([*SITE, *made_by(run)], "dev", NOW) == ([], [])


def test_a_run_removes_its_own_while_it_lives_and_no_other_one_s() -> None:
    found = [*SITE, *made_by(ALIVE), *made_by(DEAD)]
    going, _ = chosen(found, "dev", NOW, own="alive")
    assert set(going) == names(made_by(ALIVE))


def test_a_repository_goes_although_its_location_is_gone() -> None:
    left: Found = [(REPOSITORIES, repository(DEAD.name("copy")))]
    going, _ = chosen([*SITE, *left, *made_by(ALIVE)], "dev", NOW)
    assert set(going) == names(left)


def test_a_run_leaves_the_orphans_of_others_to_the_sweep() -> None:
    left: Found = [(REPOSITORIES, repository(DEAD.name("copy")))]
    assert chosen(left, "dev", NOW, own="alive") == ([], [])


def test_a_marked_object_of_another_name_stays_and_is_told() -> None:
    odd: Found = [(LOCATIONS, {"metadata": {"name": "default", "labels": DEAD.labels()}})]
    going, kept = chosen(odd, "dev", NOW)
    assert going == []
    assert "another name" in kept[0].why


def test_a_mark_that_cannot_be_read_stays_and_is_told() -> None:
    labels = {**DEAD.labels(), "backstop.io/drill-until": "soon"}
    odd: Found = [(LOCATIONS, {"metadata": {"name": DEAD.name("copy"), "labels": labels}})]
    going, kept = chosen(odd, "dev", NOW)
    assert going == []
    assert "by hand" in kept[0].why


def velero(server: Server) -> Velero:
    return Velero(server.client(), server.writer(), "velero", server.time.clock())


def listings(found: Found) -> list[tuple[int, bytes]]:
    kinds = (LOCATIONS, "backups", "podvolumebackups", REPOSITORIES, SECRETS)
    return [items(*(one for plural, one in found if plural == kind)) for kind in kinds]


def test_a_run_s_things_are_deleted_and_looked_for_again() -> None:
    found = made_by(ALIVE)
    server = Server(answers=[*listings(found), *[ok({})] * len(found), *listings([])])
    remove_run(velero(server), ALIVE)
    deleted = [path.rpartition("/")[2] for method, path, _ in server.asked if method == "DELETE"]
    assert set(deleted) == {item.name for item in names(found)}


def test_what_is_gone_already_is_removed() -> None:
    found = made_by(ALIVE)[:1]
    gone = status(404, "gone", "NotFound")
    server = Server(answers=[*listings(found), gone, *listings([])])
    remove_run(velero(server), ALIVE)
    assert [one for one in server.asked if one[0] == "DELETE"]


def test_what_does_not_go_is_named() -> None:
    found = made_by(ALIVE)[:1]

    server = Server(answers=[*[*listings(found), ok({})] * 100, *listings(found)])
    with pytest.raises(
        VeleroError, match=r"secrets/backstop-drill-alive-copy; look at their final"
    ):
        remove_run(velero(server), ALIVE)


def test_a_sweep_says_what_it_had_to_leave() -> None:
    labels = {**DEAD.labels(), "backstop.io/drill-until": "soon"}
    odd: Found = [("backups", {"metadata": {"name": DEAD.name("x"), "labels": labels}})]
    server = Server(answers=[*listings(odd), *listings(odd)])
    kept = sweep(velero(server), "dev", NOW)
    assert [one.item for one in kept] == [Item("backups", DEAD.name("x"))]
    assert not [one for one in server.asked if one[0] == "DELETE"]
