"""The mirror, proxy and certificates come from the machine's own apt configuration."""

from pathlib import Path

from lab import apt

ONE_LINE = """\
# deb http://commented.example/debian bookworm main
deb-src http://source.example/debian bookworm main
deb [signed-by=/k arch=amd64] http://security.example/debian-security bookworm-security main
deb http://mirror.example/debian bookworm main contrib
"""
DEB822 = """\
Types: deb deb-src
# http://old.example/debian
URIs: http://mirror.example/debian http://second.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no
"""


def test_the_one_line_format() -> None:
    assert apt.mirror([("a.list", ONE_LINE)], "bookworm") == "http://mirror.example/debian"


def test_the_stanza_format() -> None:
    assert apt.mirror([("a.sources", DEB822)], "bookworm") == "http://mirror.example/debian"


def test_a_disabled_stanza_is_not_used() -> None:
    disabled = DEB822.replace("Types: deb deb-src", "Enabled: no\nTypes: deb")
    assert apt.mirror([("a.sources", disabled)], "bookworm") is None


def test_sources_without_main_or_of_another_suite_are_not_used() -> None:
    lists = [("a.list", "deb http://x.example/d bookworm contrib\ndeb http://y.example/d sid main")]
    assert apt.mirror(lists, "bookworm") is None


def test_another_debian_release_lends_its_mirror() -> None:
    lists = [("a.list", "deb http://x.example/debian trixie main")]
    assert apt.mirror(lists, "bookworm", "trixie") == "http://x.example/debian"
    assert apt.mirror(lists, "bookworm") is None


def test_the_wanted_suite_is_preferred_to_the_machines_own() -> None:
    lists = [
        ("a.list", "deb http://own.example/debian trixie main"),
        ("b.sources", DEB822),
    ]
    assert apt.mirror(lists, "bookworm", "trixie") == "http://mirror.example/debian"


def test_a_list_of_mirrors_gives_its_first(tmp_path: Path) -> None:
    listing = tmp_path / "mirrors"
    listing.write_text("http://first.example/debian\tpriority:1\nhttp://b.example\n", "utf-8")
    lists = [("a.list", f"deb mirror+file:{listing} bookworm main")]
    assert apt.mirror(lists, "bookworm") == "http://first.example/debian"


def test_only_files_that_apt_reads_count(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    for name in ("b.list", "a.sources", "c.list.disabled", "d.save"):
        (parts / name).write_text(name, encoding="utf-8")
    assert [name for name, _ in apt.sources(tmp_path)] == ["a.sources", "b.list"]


def test_proxies_and_certificates_are_handed_on() -> None:
    dump = (
        'Acquire::http::Proxy "http://proxy.example:3128/";\n'
        'Acquire::HTTPS::Proxy "DIRECT";\n'
        'Acquire::https::CaInfo "/etc/ssl/own.pem";\n'
        'Acquire::http::Proxy::mirror.example "DIRECT";\n'
        'Dir::Etc "etc/apt";\n'
    )
    found = apt.download_settings(dump, {})
    assert found == {
        "http_proxy": "http://proxy.example:3128/",
        "ca_certificate": "/etc/ssl/own.pem",
    }


def test_the_environments_own_proxy_is_left_alone() -> None:
    dump = 'Acquire::http::Proxy "http://proxy.example:3128/";\n'
    assert apt.download_settings(dump, {"http_proxy": "http://other.example"}) == {}
