"""Lifecycle rules: between the resource's property form and plain numbers and dates."""

import datetime
import re
from dataclasses import dataclass, field

from standins.pulumi.minio.values import Props, Value, mapping, text, whole

DELETE_MARKER = "DeleteMarker"
_DAYS = re.compile(r"(\d+)d")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Expiration:
    """When current objects expire: exactly one of `days`, `date`, `delete_marker`."""

    days: int | None = None
    date: datetime.date | None = None
    delete_marker: bool = False

    @property
    def as_text(self) -> str:
        if self.delete_marker:
            return DELETE_MARKER
        if self.days is not None:
            return f"{self.days}d"
        return self.date.isoformat() if self.date else ""


@dataclass(frozen=True)
class Rule:
    """One rule of a bucket's lifecycle. `noncurrent_days` 0 means none; `prefix` "" means all."""

    id: str
    expiration: Expiration | None = None
    noncurrent_days: int = 0
    prefix: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    enabled: bool = True


def parse_expiration(value: str) -> Expiration | None:
    """`30d`, `2030-01-31` or `DeleteMarker`; None when it is none of these."""
    if value == DELETE_MARKER:
        return Expiration(delete_marker=True)
    if days := _DAYS.fullmatch(value):
        return Expiration(days=int(days.group(1))) if int(days.group(1)) else None
    if not _DATE.fullmatch(value):
        return None
    try:
        return Expiration(date=datetime.date.fromisoformat(value))
    except ValueError:
        return None


def from_props(props: Props) -> Rule:
    """The rule a checked entry of `rules` describes."""
    expiration = text(props, "expiration")
    return Rule(
        id=text(props, "id"),
        expiration=parse_expiration(expiration) if expiration else None,
        noncurrent_days=whole(props, "noncurrentVersionExpirationDays"),
        prefix=text(props, "filter"),
        tags={
            key: value for key, value in mapping(props, "tags").items() if isinstance(value, str)
        },
    )


def to_props(rule: Rule, *, no_tags: Value) -> Props:
    """The state of a rule; `no_tags` is what stands for an empty map (null when just created)."""
    return {
        "expiration": rule.expiration.as_text if rule.expiration else "",
        "filter": rule.prefix,
        "id": rule.id,
        "noncurrentVersionExpirationDays": float(rule.noncurrent_days),
        "status": "Enabled" if rule.enabled else "Disabled",
        "tags": dict[str, Value](rule.tags) if rule.tags else no_tags,
    }
