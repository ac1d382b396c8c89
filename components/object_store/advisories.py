"""What is known against a MinIO server version, as data and one pure function.

The facts come from the advisories named in each entry and from the project's own history: it was
source-only from October 2025 and has not been maintained since February 2026.
"""

import datetime
import re
from dataclasses import dataclass

_TAG = re.compile(r"RELEASE\.(\d{4})-(\d{2})-(\d{2})T")
LAST_COMMUNITY_COMMIT = datetime.date(2026, 2, 12)


@dataclass(frozen=True)
class Advisory:
    """`fixed`: date of the first release without the fault; None: no community release has it."""

    identity: str
    effect: str
    fixed: datetime.date | None


ADVISORIES = (
    Advisory("CVE-2024-55949", "an IAM import raises privileges", datetime.date(2024, 12, 13)),
    Advisory(
        "CVE-2025-31489", "unsigned-trailer uploads are not verified", datetime.date(2025, 4, 3)
    ),
    Advisory(
        "CVE-2025-62506",
        "a restricted account makes an unrestricted one",
        datetime.date(2025, 10, 15),
    ),
    Advisory(
        "CVE-2026-40344", "who knows an access key ID writes without its secret (tar upload)", None
    ),
    Advisory(
        "CVE-2026-41145",
        "who knows an access key ID writes without its secret (query string)",
        None,
    ),
    Advisory("CVE-2026-34204", "a client's replication headers make objects unreadable", None),
    Advisory("CVE-2026-39414", "S3 Select exhausts memory", None),
    Advisory("CVE-2026-42600", "paths escape between nodes with the root token", None),
)


def known(version: str) -> list[Advisory]:
    """Advisories that hold for the server `version` ("RELEASE.2025-10-15T…"), oldest first.

    A version in no known form is judged by the unfixed ones only, for its date is not known.
    """
    match = _TAG.search(version)
    if match is None:
        return [advisory for advisory in ADVISORIES if advisory.fixed is None]
    released = datetime.date(*(int(part) for part in match.groups()))
    if released > LAST_COMMUNITY_COMMIT:
        return []  # a maintained fork: its own advisories are its makers' to publish
    return [
        advisory for advisory in ADVISORIES if advisory.fixed is None or released < advisory.fixed
    ]


def warning(
    version: str, fence: str = "objectStore.firewall", server: str = "objectStore.binary"
) -> str | None:
    """The sentence that every run prints for the server `version`, or None.

    `fence`, `server`: the config keys that close the store's port and that name the server.
    """
    advisories = known(version)
    if not advisories:
        return None
    names = ", ".join(advisory.identity for advisory in advisories)
    return (
        f"the object store runs MinIO {version}: the community server is no longer maintained "
        f"(last change {LAST_COMMUNITY_COMMIT}), and {names} stay open in it; keep the API port to "
        f"the cluster's nodes ({fence}), keep access key IDs secret, or install a "
        f"maintained fork ({server}). Details: docs/object-store.md"
    )
