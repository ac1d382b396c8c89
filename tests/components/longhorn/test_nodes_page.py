"""docs/longhorn-nodes.md says what the rules say."""

import re
from pathlib import Path

from components.host_facts import MAXIMUM_CLOCK_SKEW_SECONDS
from components.longhorn import conditions, multipath, nodes
from components.longhorn.node_facts import KUBELET_PATH

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "longhorn-nodes.md").read_text()


def test_the_limits_are_those_of_the_rules() -> None:
    for text in (
        f"less than {nodes.LEAST_FREE_KIB // 1024 // 1024} GiB free",
        f"less than {nodes.LEAST_FREE_PERCENT} % free",
        f"older than {nodes.ADVISED_KERNEL[0]}.{nodes.ADVISED_KERNEL[1]}",
        f"more than {MAXIMUM_CLOCK_SKEW_SECONDS} s",
        *nodes.BAD_KERNELS,
        nodes.DATA_PATH,
        KUBELET_PATH,
        " nor ".join(nodes.FILE_SYSTEMS),
    ):
        assert text in PAGE


def test_each_blacklist_of_the_page_leaves_longhorn_alone() -> None:
    found = re.findall(r"^    (blacklist .*)$", PAGE, re.MULTILINE)
    assert len(found) == 2
    assert multipath.WANTED in found
    assert all(multipath.leaves_alone([one]) for one in found)


def test_every_condition_with_a_cure_is_named() -> None:
    for name in (*conditions.CURES, *conditions.DISK_CURES):
        assert f"`{name}`" in PAGE
