"""Hosts: whom a connection talks to."""

from collections.abc import Iterator

from policies.plain import UNKNOWN, Resource, ResourceRule, Rule, is_set, mapping

REMOTE_RESOURCES = frozenset(
    {"command:remote:Command", "command:remote:CopyToRemote", "command:remote:CopyFile"}
)


def _host_key_pinned(remote: Resource) -> Iterator[str]:
    value = remote.props.get("connection")
    if value is UNKNOWN:
        return
    connection = mapping(value)
    if not is_set(connection.get("hostKey")):
        yield "does not pin the key of its host, so whoever answers gets the secrets"
    proxy = connection.get("proxy")
    if proxy is not UNKNOWN and is_set(proxy) and not is_set(mapping(proxy).get("hostKey")):
        yield "does not pin the key of its proxy, so whoever answers gets the secrets"


RULES: tuple[Rule, ...] = (
    ResourceRule(
        name="ssh-host-key-pinned",
        title="Every SSH connection pins its host's key",
        why="Without host_key the plugin checks nothing, and a host in between reads along.",
        remedy="set host_key in the connection, and in its proxy if there is one",
        severity="critical",
        types=REMOTE_RESOURCES,
        check=_host_key_pinned,
    ),
)
