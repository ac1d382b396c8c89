"""The payload key `checks`: what the user wants to see of restored workloads, as forms."""

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from drills.payload import Strict

DEPLOYMENTS = "deployments.apps"
STATEFUL_SETS = "statefulsets.apps"
STARTED_KINDS = (DEPLOYMENTS, STATEFUL_SETS)
"""Nothing else is ever started: a DaemonSet runs on every node, and a CronJob whenever it likes."""

_NAME = r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
_WORKLOAD = re.compile(rf"({'|'.join(map(re.escape, STARTED_KINDS))})/{_NAME}")

Label = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Text = Annotated[str, Field(min_length=1, max_length=1000)]
Command = Annotated[tuple[str, ...], Field(min_length=1)]


def _is_a_workload(given: str) -> str:
    if not _WORKLOAD.fullmatch(given):
        kinds = " or ".join(f"{kind}/<name>" for kind in STARTED_KINDS)
        raise ValueError(f"checks: start and workload take {kinds}; correct it")
    return given


Workload = Annotated[str, AfterValidator(_is_a_workload)]
"""`deployments.apps/<name>` or `statefulsets.apps/<name>`, of the check's namespace."""


class _Check(Strict):
    """What every check says.

    `namespace`: as the source is called. `start`: the workloads it needs, None for those that it
    names. `replicas`: how many pods of each at most, and never more than there were. `seconds`: for
    the workloads to become ready, and again for the check itself.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$")]
    namespace: Label
    start: tuple[Workload, ...] | None = None
    replicas: Annotated[int, Field(ge=1, le=100)] = 1
    seconds: Annotated[int, Field(ge=1, le=7200)] = 120

    @property
    def code(self) -> int:
        """What the check must end with: a status, an exit code, or 0 where it has none."""
        return 0

    @property
    def named(self) -> tuple[str, ...]:
        """The workloads that the check itself is about."""
        return ()


class HttpCheck(_Check):
    """A GET of a Service from inside the sandbox; redirects are not followed.

    Of `https` no certificate is verified: it names the live service, and only the answer counts.
    `host`: the Host header where the workload asks for its public name, "" for the Service's.
    """

    kind: Literal["http"]
    service: Label
    port: Annotated[int, Field(ge=1, le=65535)]
    path: Annotated[str, Field(pattern=r"^/[!-~]{0,2000}$")] = "/"
    status: Annotated[int, Field(ge=100, le=599)] = 200
    contains: Text | None = None
    scheme: Literal["http", "https"] = "http"
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:\[\]-]{0,253}$")] = ""

    @property
    def code(self) -> int:
        return self.status


class CommandCheck(_Check):
    """A command in a pod of the workload. `container` "": the pod's default one."""

    kind: Literal["command"]
    workload: Workload
    container: str = ""
    command: Command
    exit_code: Annotated[int, Field(ge=0, le=255, alias="exitCode")] = 0
    contains: Text | None = None

    @property
    def code(self) -> int:
        return self.exit_code

    @property
    def named(self) -> tuple[str, ...]:
        return (self.workload,)


class JobCheck(_Check):
    """A Job in the sandbox, of an image of the user's; it must complete at its first attempt.

    `pullSecrets`: names of Secrets of the sandbox, which are those of the source namespace.
    """

    kind: Literal["job"]
    image: Annotated[str, Field(min_length=1)]
    command: Command
    pull_secrets: tuple[str, ...] = Field(alias="pullSecrets", default=())


class ReadyCheck(_Check):
    """That a workload becomes ready, and no more."""

    kind: Literal["ready"]
    workload: Workload

    @property
    def named(self) -> tuple[str, ...]:
        return (self.workload,)


UserCheck = HttpCheck | CommandCheck | JobCheck | ReadyCheck


def _told_apart(checks: Sequence[UserCheck]) -> Sequence[UserCheck]:
    names = [one.name for one in checks]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"checks: the name {doubled[0]} is given twice; rename one")
    return checks


Checks = Annotated[
    tuple[Annotated[UserCheck, Field(discriminator="kind")], ...], AfterValidator(_told_apart)
]
"""The type of the payload key; absent is `()`."""
