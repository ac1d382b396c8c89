"""Looks at the nodes that Longhorn runs on, or is to run on, before anything is changed.

Over SSH at those that the config names, and through the cluster at what Longhorn itself says of all
of them where it runs. Only reads.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from components.longhorn import conditions, node_facts, nodes
from components.longhorn.nodes import DATA_PATH, KEY, Needs
from components.settings import Host, Settings
from components.settings.longhorn import Longhorn
from kube.client import Client
from kube.errors import ClusterError
from kube.longhorn.nodes import read_nodes
from kube.longhorn.options import read_option
from kube.longhorn.seen import SeenLonghorn

# Where Longhorn keeps the replicas of a node whose disks nobody named.
DATA_PATH_OPTION = "default-data-path"
_CHART_KEY = "defaultDataPath"
_SHARED = "rwx"

Run = Callable[[str, Host, str], str]


@dataclass(frozen=True)
class Readiness:
    """`refusals`: reasons not to begin. `notes`: what is said without judging."""

    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def look(
    settings: Settings,
    longhorn: Longhorn,
    seen: SeenLonghorn | None,
    *,
    client: Client,
    run: Run,
    now: float,
) -> Readiness:
    """What is wrong with the nodes. `seen`: the Longhorn that runs, None if none does.

    `run`: as components.host_facts.ssh_runner makes it. `now`: Unix seconds.
    """
    faults = host_findings(longhorn.nodes, settings.hosts, key=_has_key(settings))
    if faults:
        return Readiness(tuple(faults))
    said, unread = _said_by_longhorn(client, longhorn.namespace) if seen else ((), ())
    wanted = needs(longhorn, seen, _running_path(client, longhorn) if seen else None)
    note = nodes.unchecked(wanted)
    if note:
        return Readiness(warnings=said, notes=(note, *unread))
    asked = {name: settings.hosts[name] for name in wanted.hosts}
    facts, silent = node_facts.gather(asked, run, wanted.data_path)
    found = nodes.judge(facts, wanted, now)
    refusals = [one.text for one in found if one.refuses]
    warnings = [one.text for one in found if not one.refuses]
    # A node that nobody can look at may lack anything; where Longhorn runs, it lacks nothing yet.
    (warnings if wanted.runs else refusals).extend(silent)
    return Readiness(tuple(refusals), (*warnings, *said), unread)


def host_findings(names: Collection[str], hosts: Mapping[str, Host], *, key: bool) -> list[str]:
    """What is wrong with the names alone. `key`: whether the config has an SSH key."""
    unknown = [name for name in names if name not in hosts]
    there = ", ".join(sorted(hosts)) or "none"
    found = [
        f"{KEY}: {name} is not under backstop:hosts (there: {there}); correct it, or add the host"
        for name in unknown
    ]
    if names and not key:
        found.append(f"{KEY}: the hosts need a key; set backstop:sshPrivateKey with --secret")
    return found


def needs(longhorn: Longhorn, seen: SeenLonghorn | None, running_path: str | None) -> Needs:
    """What the config, and the volumes that are there, ask of the nodes."""
    volumes = seen.volumes if seen else ()
    parameters = [one.parameters for one in longhorn.storage_classes.values()]
    targets = [one.url for one in seen.targets] if seen else []
    return Needs(
        hosts=tuple(dict.fromkeys(longhorn.nodes)),
        data_path=running_path or _chart_path(longhorn) or DATA_PATH,
        encrypted=any(one.encrypted for one in volumes)
        or any(one.get("encrypted") == "true" for one in parameters),
        shared=any(one.access_mode == _SHARED for one in volumes)
        or any(url.startswith("nfs:") for url in targets),
        runs=seen is not None,
    )


def _has_key(settings: Settings) -> bool:
    return bool(settings.ssh_private_key.get_secret_value())


def _chart_path(longhorn: Longhorn) -> str | None:
    given = longhorn.install.values.get("defaultSettings", {}) if longhorn.install else {}
    found = given.get(_CHART_KEY)
    return found.rstrip("/") if isinstance(found, str) and found.startswith("/") else None


def _running_path(client: Client, longhorn: Longhorn) -> str | None:
    try:
        found = read_option(client, longhorn.namespace, DATA_PATH_OPTION) or ""
    except ClusterError:
        return None
    return found.rstrip("/") if found.startswith("/") else None


def _said_by_longhorn(client: Client, namespace: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Longhorn's own findings, and what is said if they cannot be read."""
    try:
        return tuple(conditions.warnings(read_nodes(client, namespace), namespace)), ()
    except ClusterError as error:
        return (), (f"what Longhorn says of its nodes cannot be read: {error}",)
