"""URLs of backup targets and backups: Longhorn's own, and all that are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.backupstore.errors import BackupStoreError, Fault
from drills.backupstore.url import Target, parse_backup_url, parse_target
from tests.drills.backupstore.samples import TRUTH, fault_of


@pytest.mark.parametrize("backup", sorted(TRUTH))
def test_the_engines_own_urls_are_read(backup: str) -> None:
    truth = TRUTH[backup]
    target, volume, name = parse_backup_url(truth["url"])
    assert (target, volume, name) == (Target("longhorn", "eu-west-1", ""), truth["volume"], backup)
    assert target.backup_url(volume, name) == truth["url"]


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("s3://b-1@eu-west-1/", ""),
        ("s3://b-1@eu-west-1/cluster-a/", "cluster-a/"),
        ("s3://b-1@eu-west-1/cluster-a", "cluster-a/"),
        ("s3://b-1@eu-west-1//a//b/", "a/b/"),
        ("s3://b-1@eu-west-1/a%20b/%C3%BC/", "a b/ü/"),
    ],
)
def test_a_target_has_one_prefix_however_it_is_spelled(text: str, prefix: str) -> None:
    target = parse_target(text)
    assert target == Target("b-1", "eu-west-1", prefix)
    assert parse_target(target.url) == target


def test_a_url_out_of_gos_json_is_read() -> None:
    _, volume, backup = parse_backup_url("s3://b-1@r/?backup=b1\\u0026volume=v1")
    assert (volume, backup) == ("v1", "b1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s3:",
        "b-1@r/",
        "https://b-1@r/",
        "s3://b-1@r",
        "s3://b-1/",
        "s3://@r/",
        "s3://b-1@/",
        "s3://B@r/",
        "s3://b-1@r:9000/",
        "s3://user:secret@b-1@r/",
        "s3://b-1@r/../other/",
        "s3://b-1@r/%2e%2e/other/",
        "s3://b-1@r/./",
        "s3://b-1@r/a,b/",
        "s3://b-1@r/a$b/",
        "s3://b-1@r/%00/",
        "s3://b-1@r/%0a/",
        "s3://b-1@r/%ff/",
        "s3://b-1@r/#x",
        "s3://b-1@r/?volume=v1",
        "s3://[b-1@r/",
        "s3://b-1@r/\n",
        "s3://b-1@r/ü/",
        "s3://b-1@r/" + "a" * 3000,
    ],
)
def test_what_is_no_target_is_refused(text: str) -> None:
    assert fault_of(lambda: parse_target(text), text) is Fault.URL


@pytest.mark.parametrize("scheme", ["nfs", "cifs", "azblob"])
def test_longhorns_other_targets_are_named_as_unsupported(scheme: str) -> None:
    assert fault_of(lambda: parse_target(f"{scheme}://server/share")) is Fault.UNSUPPORTED


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("", Fault.URL),
        ("?volume=v1", Fault.URL),
        ("?backup=b1", Fault.URL),
        ("?backup=b1&volume=v1&volume=v2", Fault.URL),
        ("?backup=b1&volume=v1&more=1", Fault.URL),
        ("?backup=b1&volume", Fault.URL),
        ("?backup=b1&volume=%ff", Fault.URL),
        ("?backup=b1&volume=..", Fault.NAME),
        ("?backup=b1&volume=a%2Fb", Fault.NAME),
        ("?backup=&volume=v1", Fault.NAME),
        ("?backup=b1%0A&volume=v1", Fault.NAME),
        ("?backup=b&volume=v1", Fault.NAME),
    ],
)
def test_what_names_no_backup_is_refused(query: str, fault: Fault) -> None:
    assert fault_of(lambda: parse_backup_url("s3://b-1@r/" + query)) is fault


@given(st.text() | st.from_regex(r"s3://[ -~]{0,20}@[ -~]{0,10}/[ -~]{0,40}"))
def test_any_other_text_is_refused_or_names_a_target_again(text: str) -> None:
    for parse in (parse_target, parse_backup_url):
        try:
            found = parse(text)
        except BackupStoreError:
            continue
        target = found if isinstance(found, Target) else found[0]
        assert parse_target(target.url) == target
        assert not target.prefix.startswith("/")
