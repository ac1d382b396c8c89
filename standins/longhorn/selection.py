"""Which jobs work on which volume: labels of the Volume, and those that a claim hands on.

Source: longhorn-manager datastore/longhorn.go (labelRecurringJobDefault), controller/
recurring_job_controller.go (syncRecurringJobLabelsToTargetResource), app/recurring_job.go.
"""

import json
from collections.abc import Collection, Mapping

JOB_PREFIX = "recurring-job.longhorn.io"
GROUP_PREFIX = "recurring-job-group.longhorn.io"
SOURCE = f"{JOB_PREFIX}/source"
ENABLED = "enabled"
DEFAULT_GROUP = f"{GROUP_PREFIX}/default"

Labels = Mapping[str, str]


def is_job_label(key: str) -> bool:
    return key != SOURCE and key.startswith((JOB_PREFIX, GROUP_PREFIX))


def job_labels(labels: Labels) -> dict[str, str]:
    return {key: value for key, value in labels.items() if is_job_label(key)}


def wanted_labels(held: Labels, claim: Labels) -> dict[str, str]:
    """The job labels that a Volume should have, from its own and its claim's labels.

    A claim counts only if it says so itself, and then alone. Without any, the default group.
    """
    chosen = job_labels(claim if claim.get(SOURCE) == ENABLED else held)
    return chosen or {DEFAULT_GROUP: ENABLED}


def class_labels(parameter: str) -> dict[str, str]:
    """The labels that a class's parameter `recurringJobSelector` gives a new Volume."""
    try:
        return {
            f"{GROUP_PREFIX if one.get('isGroup') else JOB_PREFIX}/{one['name']}": ENABLED
            for one in json.loads(parameter or "[]")
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def selects(job: str, groups: Collection[str], labels: Labels) -> bool:
    """Whether a job works on a volume with these labels."""
    wanted = [f"{JOB_PREFIX}/{job}", *(f"{GROUP_PREFIX}/{group}" for group in groups)]
    return any(labels.get(key) == ENABLED for key in wanted)
