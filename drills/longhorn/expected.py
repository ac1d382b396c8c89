"""What the live cluster says must be in the store: its volumes, jobs and backup targets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from kube.client import Client
from kube.errors import Cause, ClusterError
from kube.longhorn.jobs import Job, read_jobs
from kube.longhorn.targets import BackupTarget, read_targets
from kube.longhorn.volumes import Expected, PersistentVolume, Volume, read_expected

Claim = tuple[str, str]
"""Namespace and name of a claim."""


@dataclass(frozen=True)
class Subject:
    """A volume of the cluster by the claim it is bound to, "" where it is bound to none."""

    volume: Volume
    namespace: str = ""
    claim: str = ""

    @property
    def name(self) -> str:
        return self.volume.name

    @property
    def told(self) -> str:
        return f"{self.name} ({self.namespace}/{self.claim})" if self.claim else self.name


@dataclass(frozen=True)
class Live:
    """The cluster. `installed`: it has Longhorn's kinds at all."""

    installed: bool = True
    expected: Expected = field(default_factory=Expected)
    jobs: tuple[Job, ...] = ()
    targets: tuple[BackupTarget, ...] = ()

    @cached_property
    def subjects(self) -> tuple[Subject, ...]:
        """Every volume that Longhorn has, by name."""
        return tuple(sorted(self._subjects(), key=lambda one: one.name))

    @cached_property
    def by_claim(self) -> Mapping[Claim, Subject]:
        return {(one.namespace, one.claim): one for one in self.subjects if one.claim}

    @property
    def gone(self) -> Iterator[PersistentVolume]:
        """What is bound to a claim and has no volume behind it any more."""
        for one in self.expected.claimed:
            if one.volume is None and one.phase == "Bound":
                yield one

    @property
    def is_empty(self) -> bool:
        """Whether Longhorn is there, and has no volume that could be lost."""
        return self.installed and not self.subjects and not any(self.gone)

    def _subjects(self) -> Iterator[Subject]:
        for one in self.expected.claimed:
            if one.volume is not None:
                yield Subject(one.volume, one.namespace, one.claim)
        for volume in self.expected.unclaimed:
            # What Longhorn notes of a claim may be the source's; no PersistentVolume says so.
            yield Subject(volume)


def look(client: Client, namespace: str) -> Live:
    """The cluster as it is now. Raises ClusterError."""
    found = _look(client, namespace)
    # Claims are read before volumes: one that was just removed would look like one that is lost.
    return _look(client, namespace) if any(found.gone) else found


def _look(client: Client, namespace: str) -> Live:
    try:
        expected = read_expected(client, namespace)
        return Live(True, expected, read_jobs(client, namespace), read_targets(client, namespace))
    except ClusterError as error:
        if error.cause is Cause.MISSING:
            return Live(installed=False)
        raise
