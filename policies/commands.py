"""Commands: what they read and print must not become a way out for secrets."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote

from policies.objects import SECRET, secret_texts
from policies.plain import (
    UNKNOWN,
    Resource,
    ResourceRule,
    Rule,
    StackRule,
    is_set,
    items,
    mapping,
)

LOCAL = "command:local:Command"
REMOTE = "command:remote:Command"
COMMANDS = frozenset({LOCAL, REMOTE})

# Where secrets of a stack are held, by type: these values are searched for, and never printed.
SECRET_PROPERTIES: Mapping[str, tuple[str, ...]] = {
    "minio:index/iamUser:IamUser": ("secret",),
    "minio:index/iamServiceAccount:IamServiceAccount": ("secretKey",),
    "pulumi:providers:minio": ("minioPassword", "minioSecretKey", "minioSessionToken"),
}
CLUSTER_PROVIDER = "pulumi:providers:kubernetes"
CONNECTION_SECRETS = ("privateKey", "privateKeyPassword", "password")
VISIBLE_PROPERTIES = ("create", "update", "delete", "interpreter", "environment", "triggers", "dir")

# Shorter values are words that turn up by chance; the server takes no secret of under 8 characters.
SECRET_LENGTH_MIN = 8


def may_drill(resources: Iterable[Resource], layer: str) -> bool:
    """Whether a command drills the layer, alone or among others, or may turn out to do so."""
    wanted = re.compile(rf"\bdrills run\b[^;&|]*(?<![\w-]){re.escape(layer)}(?![\w-])")
    texts = [one.props.get("create") for one in resources if one.type == LOCAL]
    return any(
        text is UNKNOWN or (isinstance(text, str) and wanted.search(text) is not None)
        for text in texts
    )


def _quiet(command: Resource) -> Iterator[str]:
    if not is_set(command.props.get("stdin")):
        return
    if command.props.get("logging") not in ("none", UNKNOWN):
        yield "reads stdin and logs its output, which the engine prints into terminals and reviews"
    previous = command.props.get("addPreviousOutputInEnv")
    if previous is not UNKNOWN and previous is not False and previous != "false":
        yield "reads stdin and passes its earlier output on in the environment"


def _assigned(text: object) -> list[str]:
    """What a kubeconfig or a credentials file assigns to the names that mean a secret."""
    names = r"(?<![\w.-])[\w.-]{0,60}(?:secret|password|token|key-data)[\w.-]{0,60}"
    pattern = rf"""(?im){names}["']?\s*[:=]\s*["']?([^\s"',}}]+)"""
    return re.findall(pattern, text) if isinstance(text, str) else []


def _held_by_object(secret: Resource) -> list[str]:
    """The values of a Secret; of a text with several lines only what it assigns to a secret."""
    found: list[str] = []
    for _, text in secret_texts(secret):
        if isinstance(text, str) and "\n" in text.strip():
            found += _assigned(text)
        elif isinstance(text, str):
            found.append(text)
    return found


def _secrets(resources: Sequence[Resource]) -> set[str]:
    found: set[str] = set()
    for resource in resources:
        held = [resource.props.get(p) for p in SECRET_PROPERTIES.get(resource.type, ())]
        connection = mapping(resource.props.get("connection"))
        for hop in (connection, mapping(connection.get("proxy"))):
            held += [hop.get(p) for p in CONNECTION_SECRETS]
        if resource.type == SECRET:
            held += _held_by_object(resource)
        if resource.type == CLUSTER_PROVIDER:
            held += _assigned(resource.props.get("kubeconfig"))
        found.update(value for value in held if isinstance(value, str))
    return {v.strip() for v in found if len(v.strip()) >= SECRET_LENGTH_MIN}


def _forms(secret: str) -> set[str]:
    """The secret as it may stand in a text: raw, in base64, in a URL, in JSON."""
    encoded = base64.b64encode(secret.encode("utf-8", "surrogatepass")).decode().rstrip("=")
    in_url = quote(secret, safe="", errors="replace")
    return {secret, encoded, in_url, json.dumps(secret)[1:-1]}


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in items(value):
            yield from _texts(inner)


def _no_secret_in_command(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    needles = [form for secret in _secrets(resources) for form in _forms(secret)]
    for command in (r for r in resources if r.type in COMMANDS):
        for name in VISIBLE_PROPERTIES:
            texts = list(_texts(command.props.get(name)))
            if any(needle in text for text in texts for needle in needles):
                yield command, f"holds a secret of this stack in its {name}"


RULES: tuple[Rule, ...] = (
    ResourceRule(
        name="command-quiet",
        title="A command that reads stdin prints nothing",
        why="stdin is where secrets go in; what such a command prints is not secret to the engine "
        "and ends in terminals, logs and pull requests.",
        remedy="set logging to none and add_previous_output_in_env to False",
        severity="high",
        types=COMMANDS,
        check=_quiet,
    ),
    StackRule(
        name="secret-not-in-command",
        title="No secret in a command line, environment or trigger",
        why="Command lines are in the process list and in error messages, triggers in every diff.",
        remedy="pass it through stdin",
        severity="critical",
        types=COMMANDS
        | frozenset(SECRET_PROPERTIES)
        | {SECRET, CLUSTER_PROVIDER}
        | {"command:remote:CopyToRemote", "command:remote:CopyFile"},
        check=_no_secret_in_command,
    ),
)
