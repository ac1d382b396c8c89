"""The firewall of the store's ports: only the named addresses pass, and nothing else is touched."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.on_lab.site import Lab, Site

pytestmark = pytest.mark.lab

OURS = "nft list table inet backstop_store"
# Somebody else's table on the same hook.
OTHERS = """nft -f - <<'END'
add table inet others
delete table inet others
table inet others {
  chain theirs {
    type filter hook input priority filter; policy accept;
    tcp dport 4711 drop
  }
}
END"""
FOLLOWING_SECONDS = 15.0
SHOW_OTHERS = "nft list table inet others"


def inventory(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(site.environment["BACKSTOP_INVENTORY"]).read_text())
    return found


def reach(lab: Lab, site: Site) -> str:
    """What cp1, which no list allows, gets from the store: an HTTP status, or "nothing"."""
    url = f"https://{inventory(site)['hosts']['store1']['address']}:9091/minio/health/live"
    ask = (
        f"curl --silent --insecure --max-time 5 --output /dev/null --write-out %{{http_code}} {url}"
    )
    return lab.on("cp1", f"status=$({ask}) && echo $status || echo nothing").strip()


def tables(lab: Lab) -> list[str]:
    return lab.on("store1", "nft list tables").splitlines()


@pytest.fixture(scope="module")
def guarded(lab: Lab, deployed: Site) -> Iterator[Site]:
    """The deployed site with its firewall on: only the lab's gateway, which is us, may pass."""
    lab.up("cp1")
    lab.on("store1", OTHERS)
    assert reach(lab, deployed) == "200"
    gateway = inventory(deployed)["network"]["gateway"]
    deployed.configure(objectStore={"firewall": {"enabled": True, "allowFrom": [gateway]}})
    deployed.up()
    yield deployed
    if deployed.reset():
        deployed.up()
    lab.on("store1", "nft delete table inet others")


def test_the_store_stays_proven_from_here_and_is_closed_to_another_host(
    lab: Lab, guarded: Site
) -> None:
    assert guarded.outputs()["drills"]["store"]["verdict"] == "proven"
    guarded.quiet()
    assert reach(lab, guarded) == "nothing"


def test_a_restart_of_the_hosts_own_firewall_keeps_ours(lab: Lab, guarded: Site) -> None:
    # Debian's service begins with "flush ruleset", on start and on reload.
    try:
        for verb in ("restart", "reload"):
            lab.on("store1", f"systemctl {verb} nftables")
            # systemctl waits for that service only; ours follows it as a job of its own.
            deadline = time.monotonic() + FOLLOWING_SECONDS
            while "table inet backstop_store" not in tables(lab):
                assert time.monotonic() < deadline, f"ours did not follow a {verb}"
                time.sleep(0.2)
            assert reach(lab, guarded) == "nothing"
    finally:
        lab.on("store1", f"systemctl stop nftables; systemctl start backstop-firewall; {OTHERS}")


def test_a_change_by_hand_is_seen_in_the_next_preview_and_healed(lab: Lab, guarded: Site) -> None:
    written = lab.on("store1", OURS)
    lab.on("store1", "nft insert rule inet backstop_store input tcp dport 9091 accept")
    assert "the table of the firewall was changed" in guarded.pulumi("preview", "--diff").text
    lab.on("store1", "nft delete table inet backstop_store")
    assert reach(lab, guarded) == "200"
    assert "the table of the firewall is gone" in guarded.pulumi("preview", "--diff").text
    guarded.up()
    assert lab.on("store1", OURS) == written
    assert reach(lab, guarded) == "nothing"


def test_switched_off_it_leaves_no_trace_and_rules_of_others_were_never_touched(
    lab: Lab, guarded: Site
) -> None:
    theirs = lab.on("store1", SHOW_OTHERS)
    guarded.reset()
    guarded.up()
    assert tables(lab) == ["table inet others"]
    assert lab.on("store1", SHOW_OTHERS) == theirs
    assert "tcp dport 4711 drop" in theirs
    assert lab.on("store1", "ls /etc/systemd/system /etc | grep -c backstop-firewall || :") == "0\n"
    assert reach(lab, guarded) == "200"
    guarded.quiet()
