"""Every rule for a node has a case that breaks it, and a ready node breaks none."""

import dataclasses
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.command import as_root
from components.host_facts import HostUnreachableError
from components.longhorn import multipath
from components.longhorn.node_facts import NodeFacts, Unit, facts_script, gather, parse
from components.longhorn.nodes import Finding, Needs, judge, unchecked
from components.settings import Host
from tests.support.recorder import HOST_KEY

NOW = 1795219200.0
ANSWER = """\
clock 1795219200
user 0
kernel 6.8.0-45-generic
os ubuntu debian
unit iscsid.service inactive loaded
unit iscsid.socket active loaded
unit multipathd.service active loaded
unit multipathd.socket inactive not-found
process multipathd
initiator
module iscsi_tcp loaded
module nfs builtin
module nfsv4 loadable
module dm_crypt loaded
kernel-config NFS_V4_1 y
kernel-config NFS_V4_2 m
kernel-config read y
nfs-default 4
multipath blacklist {
multipath     devnode "^sd[a-z0-9]+"
multipath }
propagation /var/lib/longhorn shared
exists /var/lib/kubelet
propagation /var/lib/kubelet shared,slave
data FSTYPE ext4
data OPTIONS rw,relatime
data TARGET /var/lib/longhorn
data SPACE 104857600 83886080
synchronised yes
selinux 0
end
"""
READY = parse(ANSWER)
NEEDS = Needs(hosts=("n1",))
HOST = Host(address="10.0.0.7", host_key=HOST_KEY)
ALONE = 'multipath     devnode "^sd[a-z0-9]+"\n'


def found(needs: Needs = NEEDS, now: float = NOW, **changes: Any) -> list[Finding]:
    return judge({"n1": dataclasses.replace(READY, **changes)}, needs, now)


def refused(text: str, needs: Needs = NEEDS, **changes: Any) -> None:
    (one,) = found(needs, **changes)
    assert text in one.text
    assert one.refuses
    assert one.text.startswith("host n1: ")
    assert "\n" not in one.text


def warned(text: str, needs: Needs = NEEDS, now: float = NOW, **changes: Any) -> None:
    (one,) = found(needs, now, **changes)
    assert text in one.text
    assert not one.refuses


def modules(**changes: str) -> Mapping[str, str]:
    return {**READY.modules, **changes}


def test_an_answer_becomes_facts() -> None:
    assert READY.units["iscsid.socket"] == Unit("active", "loaded")
    assert READY.modules["nfsv4"] == "loadable"
    assert READY.kernel_config == frozenset({"NFS_V4_1", "NFS_V4_2"})
    assert READY.data_space == (104857600, 83886080)
    assert READY.exists == {"/var/lib/kubelet"}
    assert READY.os == ("ubuntu", "debian")


def test_a_ready_node_breaks_no_rule() -> None:
    assert found() == []


@pytest.mark.parametrize(
    "answer",
    ["", "clock 1\n", ANSWER.replace("end\n", "surprise 1\nend\n"), "user 0\nend\n",
     "clock soon\nuser 0\nend\n"],
    ids=["empty", "cut", "unknown", "no clock", "odd clock"],
)  # fmt: skip
def test_a_cut_or_odd_answer_is_refused(answer: str) -> None:
    with pytest.raises(ValueError, match="the host's answer"):
        parse(answer)


@given(st.text())
def test_no_answer_becomes_anything_but_facts_or_a_refusal(text: str) -> None:
    for answer in (text, f"clock 1\nuser 0\n{text}\nend"):
        try:
            facts = parse(answer)
        except ValueError:
            continue
        assert isinstance(facts, NodeFacts)
        judge({"n1": facts}, NEEDS, NOW)


def test_a_user_without_rights_is_refused() -> None:
    refused("no passwordless sudo", uid=1000)


def test_missing_tools_are_named_with_the_distributions_package() -> None:
    refused("lacks curl, blkid, which Longhorn calls", missing=frozenset({"blkid", "curl"}))
    refused("install dmsetup", missing=frozenset({"dmsetup"}))
    for system, package in (
        (("ubuntu", "debian"), "install open-iscsi and"),
        (("rocky", "rhel", "centos", "fedora"), "install iscsi-initiator-utils and"),
        (("opensuse-leap", "suse"), "install open-iscsi and"),
        (("nixos",), "install open-iscsi (or iscsi-initiator-utils) and"),
    ):
        refused(package, missing=frozenset({"iscsiadm"}), os=system)


def test_a_node_whose_iscsid_does_not_run_is_refused() -> None:
    off = {"iscsid.service": Unit("inactive", "loaded"), "iscsid.socket": Unit("failed", "loaded")}
    refused("`systemctl enable --now iscsid`", units=off)
    masked = {**off, "iscsid.service": Unit("inactive", "masked")}
    refused("systemctl unmask iscsid.service", units=masked)
    assert found(units=off, processes=frozenset({"iscsid"})) == []


def test_an_initiator_without_a_name_is_refused() -> None:
    refused("initiatorname.iscsi names no initiator", initiator=False)


def test_the_module_of_iscsi_is_judged_by_its_state() -> None:
    refused("has no module iscsi_tcp", modules=modules(iscsi_tcp="absent"))
    refused("is forbidden in /etc/modprobe.d", modules=modules(iscsi_tcp="forbidden"))
    warned("is not loaded", modules=modules(iscsi_tcp="loadable"))
    warned("is not loaded", modules={})
    assert found(modules=modules(iscsi_tcp="builtin")) == []


def test_encryption_counts_where_volumes_are_encrypted() -> None:
    encrypted = Needs(hosts=("n1",), encrypted=True)
    refused("encrypted volumes cannot be opened", encrypted, missing=frozenset({"cryptsetup"}))
    warned("encrypted volumes could not be opened", missing=frozenset({"cryptsetup"}))
    refused("module dm_crypt is absent", encrypted, modules=modules(dm_crypt="absent"))
    assert found(modules=modules(dm_crypt="absent")) == []
    assert found(encrypted, modules=modules(dm_crypt="unknown")) == []


def test_the_nfs_client_counts_where_volumes_are_shared() -> None:
    shared = Needs(hosts=("n1",), shared=True)
    cases: list[tuple[str, dict[str, Any]]] = [
        ("install nfs-common", {"missing": frozenset({"mount.nfs"})}),
        ("built without NFS 4.1 and 4.2", {"kernel_config": frozenset()}),
        ("module nfsv4 is forbidden", {"modules": modules(nfsv4="forbidden")}),
        ("makes NFS 3 the default", {"nfs_default": "3"}),
    ]
    for text, changes in cases:
        refused(text, shared, **changes)
        warned(text, **changes)
    assert found(shared, kernel_config=None) == []
    assert found(shared, nfs_default="4.2") == []


def test_a_multipathd_that_takes_longhorns_devices_is_refused() -> None:
    refused("multipathd runs and takes the devices", multipath=())
    started = {**READY.units, "multipathd.service": Unit("inactive", "loaded"),
               "multipathd.socket": Unit("active", "loaded")}  # fmt: skip
    refused("multipathd runs", units=started, processes=frozenset({"iscsid"}), multipath=())
    off = {**READY.units, "multipathd.service": Unit("inactive", "loaded")}
    assert found(units=off, processes=frozenset(), multipath=()) == []


def test_a_mount_that_is_not_shared_is_refused() -> None:
    for path in ("/var/lib/kubelet", "/var/lib/longhorn"):
        refused(f"the mount below {path} has the propagation private",
                propagation={**READY.propagation, path: "private"})  # fmt: skip
    assert found(propagation={}) == []


def test_the_data_path_is_judged_by_its_file_system_and_room() -> None:
    refused("lies on btrfs, and Longhorn needs extents of ext4 or xfs", data_fs="btrfs")
    refused("is mounted read-only", data_options=frozenset({"ro", "relatime"}))
    warned("lies on the root file system", data_target="/")
    refused("has 4096 MiB free", data_space=(104857600, 4 * 1024 * 1024))
    warned("has 20 % free", data_space=(104857600, 20971520))
    assert found(data_fs="xfs", data_space=None) == []
    assert found(data_space=(0, 0)) == []


def test_the_kernel_is_judged_by_its_number() -> None:
    warned("older than Longhorn's advised 5.8", kernel="5.4.0-200-generic")
    warned("is known to fail", kernel="6.5.6-custom")
    refused("is known to fail", Needs(hosts=("n1",), shared=True), kernel="6.5.6")
    assert found(kernel="6.5.60") == []
    assert found(kernel="odd") == []


def test_clocks_are_compared_with_this_machines() -> None:
    refused("its clock is +61 s from this machine's", clock=int(NOW) + 61)
    warned("its clock is not synchronised", synchronised="no")
    assert found(clock=int(NOW) + 59, synchronised="unknown") == []


def test_an_enforcing_selinux_is_said() -> None:
    warned("SELinux enforces", selinux=True)


def test_where_longhorn_runs_already_nothing_stops_the_program() -> None:
    running = Needs(hosts=("n1",), runs=True)
    warned("multipathd runs", running, multipath=())
    warned("its clock is +100 s", running, now=NOW - 100)


def test_every_node_is_judged_by_itself() -> None:
    bad = dataclasses.replace(READY, initiator=False)
    texts = [one.text for one in judge({"a": bad, "b": READY, "c": bad}, NEEDS, NOW)]
    assert [text[:7] for text in texts] == ["host a:", "host c:"]


def test_that_nobody_looks_is_said() -> None:
    assert unchecked(NEEDS) is None
    assert "config backstop:longhorn.nodes names no host" in str(unchecked(Needs()))


def lines(text: str) -> list[str]:
    return text.splitlines()


@pytest.mark.parametrize(
    "text",
    [
        'blacklist {\n    devnode "^sd[a-z0-9]+"\n}',
        'blacklist { devnode "^sd[a-z0-9]+" }',
        'blacklist\n{\n\tdevnode ^sd\n}',
        'blacklist {\n devnode "^(ram|raw|loop|fd|md|dm-)[0-9]*"\n devnode "^sd.*"\n}',
        'blacklist { devnode ".*" }',
        'blacklist { devnode "^sd[[:alpha:]]+" }',
        'blacklist { device { vendor "IET" product "VIRTUAL-DISK" } }',
        'blacklist {\n device {\n  vendor "IET"\n }\n}',
        'blacklist { wwid ".*" }\nblacklist_exceptions { wwid "3600508b400105e21" }',
        'blacklist { devnode "!^(dasd[a-z]|nvme[0-9])" }',
    ],
)  # fmt: skip
def test_a_blacklist_that_covers_longhorns_devices_is_seen(text: str) -> None:
    assert multipath.leaves_alone(lines(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "blacklist {\n}",
        'blacklist { devnode "!^(sd[a-z]|dasd[a-z]|nvme[0-9])" }',
        'blacklist { devnode "^sda$" }',
        'blacklist { devnode "^sd[a-c]" }',
        'blacklist { devnode "^sd" }\nblacklist_exceptions { devnode "^sd" }',
        'blacklist { device { vendor "IBM" product ".*" } }',
        'blacklist { device { vendor "IET" product "OTHER" } }',
        'blacklist { device { vendor "IET" } }\nblacklist_exceptions { device { vendor ".*" } }',
        'blacklist_exceptions { devnode "^sd" }',
        'blacklist { devnode "[" }',
    ],
)
def test_a_blacklist_that_does_not_is_seen_too(text: str) -> None:
    assert not multipath.leaves_alone(lines(text))


@given(st.lists(st.text(alphabet='blacksten_xcpiod {}"^$[]()!.*\n#', max_size=60), max_size=8))
def test_odd_configuration_is_no_error(text: list[str]) -> None:
    assert multipath.leaves_alone(text) in (True, False)


def test_each_node_is_asked_and_the_silent_ones_are_named() -> None:
    def run(name: str, _host: Host, text: str) -> str:
        assert "DATA_PATH=/data" in text
        if name == "away":
            raise HostUnreachableError("host away cannot be reached: x; check it")
        return ANSWER if name == "n1" else "cut"

    hosts = {"n1": HOST, "away": HOST, "odd": HOST}
    facts, silent = gather(hosts, run, "/data")
    assert set(facts) == {"n1"}
    assert silent[0] == "host away cannot be reached: x; check it"
    assert silent[1].startswith("host odd: the host's answer is cut short; ")


def answer_of(shell: str, data_path: str, environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        [shell, "-c", facts_script(data_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_script_runs_on_this_machine_and_its_answer_is_understood(tmp_path: Any) -> None:
    facts = parse(answer_of("sh", f"{tmp_path}/not/there/yet"))
    assert facts.kernel
    assert facts.clock > NOW - 3600 * 24 * 365
    assert facts.data_space is not None
    assert facts.data_space[0] >= facts.data_space[1] > 0
    assert set(facts.modules) == {"iscsi_tcp", "nfs", "nfsv4", "dm_crypt"}
    assert all(state in ("loaded", "builtin", "loadable", "forbidden", "absent", "unknown")
               for state in facts.modules.values())  # fmt: skip
    assert f"{tmp_path}/not/there/yet" in facts.propagation
    assert f"{tmp_path}/not/there/yet" not in facts.exists
    for one in judge({"here": facts}, NEEDS, facts.clock):
        assert one.text.startswith("host here: ")


def test_the_script_is_run_as_root_by_one_command_line() -> None:
    text = as_root(HOST, facts_script("/var/lib/longhorn"))
    done = subprocess.run(["sh", "-n", "-c", text], capture_output=True, check=False)
    assert done.returncode == 0
    assert text.startswith("/bin/sh -c ")


def test_a_multipath_configuration_is_taken_from_its_sections() -> None:
    """The script's own filter, fed with a whole configuration as multipathd prints it."""
    script = facts_script("/")
    filter_ = script[script.index("} | awk '") + 4 : script.index("}' 2>/dev/null") + 2]
    whole = (
        "defaults {\n\tfind_multipaths \"strict\"\n}\n"
        "# blacklist { devnode \"^vd\" }\n"
        "blacklist {\n\tdevnode \"^sd[a-z0-9]+\"\n\tdevice {\n\t\tvendor \"SGI\"\n\t}\n}\n"
        "blacklist_exceptions {\n\tproperty \"SCSI_IDENT_\"\n}\n"
        "devices {\n\tdevice {\n\t\tvendor \"NVME\"\n\t}\n}\n"
    )  # fmt: skip
    done = subprocess.run(
        ["sh", "-c", filter_], input=whole, capture_output=True, text=True, check=True
    )
    found_lines = done.stdout.splitlines()
    assert all(line.startswith("multipath ") for line in found_lines)
    text = [line.removeprefix("multipath ") for line in found_lines]
    assert text[0] == "blacklist {"
    assert not any("NVME" in line or "strict" in line or "^vd" in line for line in text)
    assert multipath.leaves_alone(text)
