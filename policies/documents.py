"""Reading S3 policy documents, however badly they are written.

Keys are compared without regard to case, for the server's decoder does the same: a rule that only
knew "Action" would be blind to "action". Patterns are the server's: `*` any text, `?` any one
character, case matters.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from policies.plain import items

ARN = "arn:aws:s3:::"


@dataclass(frozen=True)
class Statement:
    """One statement; texts that are not texts are left out. `conditional`: it has a Condition."""

    effect: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    principal: object
    not_principal: bool
    conditional: bool

    @property
    def allows(self) -> bool:
        return self.effect == "Allow"

    @property
    def denies(self) -> bool:
        return self.effect == "Deny"


def readable_statements(document: object) -> list[Statement]:
    """The statements of a JSON text (or an object); none if it is not one. Never raises."""
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except (ValueError, RecursionError):
            return []  # the server refuses such a text itself
    fields = _lower_keys(document)
    return [_statement(_lower_keys(s)) for s in items(fields.get("statement"))]


def _lower_keys(value: object) -> dict[str, object]:
    if not isinstance(value, Mapping):
        return {}
    return {key.lower(): inner for key, inner in value.items() if isinstance(key, str)}


def _statement(fields: Mapping[str, object]) -> Statement:
    effect = fields.get("effect")
    return Statement(
        effect=effect if isinstance(effect, str) else "",
        actions=_texts(fields.get("action")),
        not_actions=_texts(fields.get("notaction")),
        resources=_texts(fields.get("resource")),
        not_resources=_texts(fields.get("notresource")),
        principal=fields.get("principal"),
        not_principal="notprincipal" in fields,
        conditional=bool(fields.get("condition")),
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(v for v in items(value) if isinstance(v, str))


def wildcard_principal(statement: Statement) -> bool:
    """Whether it is for everyone: "*", {"AWS": "*"}, {"AWS": [..., "*"]}, or everyone but some."""
    if statement.not_principal:
        return True
    principal = statement.principal
    named = list(principal.values()) if isinstance(principal, Mapping) else [principal]
    return any("*" in _texts(who) for who in named)


def has_wildcard(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern


def matches(pattern: str, text: str) -> bool:
    """Whether the server's pattern matches the text, which is taken literally."""
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def matches_any(patterns: tuple[str, ...], text: str) -> bool:
    return any(matches(pattern, text) for pattern in patterns)


def bucket_part(resource: str) -> str:
    """The bucket of a resource name, as a pattern: what stands between the prefix and a slash."""
    return resource.removeprefix(ARN).split("/", 1)[0]
