"""The list of rules, and the policies made of them."""

from pulumi_policy import Policy

from policies import (
    access,
    buckets,
    cluster,
    commands,
    hosts,
    locations,
    longhorn_jobs,
    longhorn_targets,
    providers,
    releases,
    schedules,
    snapshots,
)
from policies.adapter import to_policy
from policies.plain import Rule

NAME = "backstop"

RULES: tuple[Rule, ...] = (
    *buckets.RULES,
    *access.RULES,
    *commands.RULES,
    *hosts.RULES,
    *providers.RULES,
    *cluster.RULES,
    *releases.RULES,
    *locations.RULES,
    *schedules.RULES,
    *snapshots.RULES,
    *longhorn_targets.RULES,
    *longhorn_jobs.RULES,
)


def policies() -> list[Policy]:
    """The rules as policies, all mandatory, in the order of the documentation."""
    return [to_policy(rule) for rule in RULES]
