"""Two checkouts never meet: names, links and address ranges of instances."""

import json
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import instance, network
from lab.errors import LabError
from lab.hosts import HOSTS
from lab.instance import SPACE, Instance, candidates, choose_network
from lab.paths import INSTANCE_NAME, cache_dir, instance_name, lab_home

NAMES = st.from_regex(INSTANCE_NAME, fullmatch=True)


@pytest.fixture(autouse=True)
def own_locks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(instance, "LOCKS", tmp_path / "locks")


def test_the_name_comes_from_the_checkouts_path() -> None:
    one, other = (instance_name({}, Path(path)) for path in ("/src/one", "/src/other"))
    assert one != other
    assert one == instance_name({}, Path("/src/one"))
    assert INSTANCE_NAME.fullmatch(one)


def test_a_chosen_name_wins() -> None:
    assert instance_name({"BACKSTOP_LAB": "nightly"}, Path("/src/one")) == "nightly"


@pytest.mark.parametrize("name", ["Upper", "../x", "a b", "-x", "9lab", "x" * 25, "a\n"])
def test_a_name_that_could_not_be_a_hosts_name_is_refused(name: str) -> None:
    with pytest.raises(LabError, match=r"BACKSTOP_LAB is .* lower-case letters"):
        instance_name({"BACKSTOP_LAB": name})


def test_the_folders_follow_the_environment() -> None:
    assert cache_dir({"BACKSTOP_CACHE": "/a", "XDG_CACHE_HOME": "/b"}) == Path("/a")
    assert cache_dir({"XDG_CACHE_HOME": "/b"}) == Path("/b/backstop")
    assert cache_dir({}) == Path.home() / ".cache/backstop"
    assert lab_home({"BACKSTOP_LAB_HOME": "/c"}) == Path("/c")
    assert lab_home({}) == Path("/var/lib/backstop-lab")


@given(NAMES)
def test_every_link_name_fits_the_kernels_fifteen_characters(name: str) -> None:
    lab = Instance(name, Path("/x"), IPv4Network("10.77.3.0/24"))
    assert len(lab.link) <= 15
    # nspawn's machine name is a host name of at most 64 characters.
    assert all(len(lab.namespace(host)) <= 63 for host in HOSTS.values())


def test_every_hosts_name_can_name_a_link_and_no_two_share_a_number() -> None:
    assert all(len(name) <= 15 for name in HOSTS)
    numbers = [host.number for host in HOSTS.values()]
    assert len(set(numbers)) == len(numbers)
    assert all(1 < number < 255 for number in numbers)
    assert not {network.BRIDGE, network.SWITCH_PORT} & set(HOSTS)


@given(NAMES)
def test_the_candidates_are_all_ranges_once_and_always_in_the_same_order(name: str) -> None:
    ranges = list(candidates(name))
    assert sorted(ranges) == list(SPACE.subnets(new_prefix=24))
    assert ranges == list(candidates(name))


@given(NAMES, st.lists(st.integers(0, 255), max_size=60))
def test_the_chosen_range_is_the_first_free_candidate(name: str, used: list[int]) -> None:
    taken = [IPv4Network(f"10.77.{part}.0/24") for part in used]
    chosen = choose_network(name, taken)
    ranges = list(candidates(name))
    assert chosen not in taken
    assert all(earlier in taken for earlier in ranges[: ranges.index(chosen)])


def test_a_wider_and_a_narrower_route_both_count_as_taken() -> None:
    first, second, third = list(candidates("lab"))[:3]
    narrow = IPv4Network(f"{first[7]}/32")
    assert choose_network("lab", [narrow, second]) == third


def test_a_full_space_is_one_sentence_with_the_cure() -> None:
    with pytest.raises(LabError, match=r"no /24 of 10\.77\.0\.0/16 is free .* down --all"):
        choose_network("lab", [SPACE])


def test_routes_are_read_without_the_default_and_without_the_labs_own_link() -> None:
    listing = json.dumps(
        [
            {"dst": "default", "dev": "eth0"},
            {"dst": "10.77.9.0/24", "dev": "bs-1"},
            {"dst": "10.77.8.0/24", "dev": "bs-2"},
            {"dst": "10.1.2.3", "dev": "eth0"},
        ]
    )
    found = network.routes(listing, without="bs-1")
    assert found == [IPv4Network("10.77.8.0/24"), IPv4Network("10.1.2.3/32")]


def test_a_second_lab_takes_another_range_and_the_first_keeps_its_own(tmp_path: Path) -> None:
    home = tmp_path / "home"
    wanted = next(candidates("one"))
    one = instance.load_or_create(home, "one", Path("/src"), [])
    # The second one's favourite range is taken by the first one's.
    clash = Instance("two", home / "two", one.network)
    two = instance.load_or_create(home, "two", Path("/src2"), [next(candidates("two"))])
    assert one.network == wanted
    assert two.network not in {one.network, clash.network, next(candidates("two"))}
    again = instance.load_or_create(home, "one", Path("/src"), [wanted])
    assert again == one
    assert instance.names(home) == ["one", "two"]


def test_a_record_that_cannot_be_read_is_a_sentence_naming_the_file(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "instance.json").write_text("{", encoding="utf-8")
    with pytest.raises(LabError, match=r"one/instance\.json cannot be read .* lab down"):
        instance.load(tmp_path, "one")


def test_forgetting_removes_the_folder_and_what_a_killed_removal_left(tmp_path: Path) -> None:
    home = tmp_path / "home"
    instance.load_or_create(home, "one", Path("/src"), [])
    (home / ".removing-old" / "hosts").mkdir(parents=True)
    instance.forget(home, "one", ["/", "/proc"])
    assert not home.exists()


def test_nothing_is_removed_while_a_mount_lies_inside(tmp_path: Path) -> None:
    home = tmp_path / "home"
    lab = instance.load_or_create(home, "one", Path("/src"), [])
    inside = f"{lab.folder}/hosts/store1/root/mnt"
    with pytest.raises(LabError, match="unmount it first"):
        instance.forget(home, "one", [inside])
    assert lab.folder.exists()
