"""Where one run has Longhorn bring volumes back: made, looked at, and taken away again.

What goes is decided in debris.py. The namespace is the first to come and the last to go: as long as
it is there, nobody took anything of the run away.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drills.aside import is_own
from drills.frame import Clock
from drills.longhorn.live import objects
from drills.longhorn.live.debris import Debris, Seen, debris
from drills.longhorn.live.objects import CLASSES, Order
from drills.sandbox import fence, leases, safety
from drills.sandbox.marks import LAYER_LABEL, Run
from drills.sandbox.safety import Cause as Why
from drills.sandbox.safety import Refusal, RefusedError
from drills.sandbox.sweep import Left
from drills.sandbox.wish import SYSTEM_NAMESPACES
from kube import places
from kube.errors import RETRIED, ClusterError
from kube.longhorn.api import Longhorn
from kube.longhorn.volumes import join, read_volumes
from kube.velero.api import name
from kube.waiting import TimeoutPassedError, until
from kube.writer import ExistsError

REMOVAL_SECONDS = 180.0
"""For each kind of object; Longhorn removes a volume within seconds once nobody uses it."""
_NAMESPACES = "/api/v1/namespaces"
_VOLUMES = "/api/v1/persistentvolumes"
# A pod without any grace would be gone before its node let go of the volume.
_POD_GRACE_SECONDS = 1
_MAKE_SECONDS = 30.0


@dataclass
class Place:
    """One run's, in the cluster that `longhorn` runs in."""

    longhorn: Longhorn
    run: Run
    clock: Clock
    say: Callable[[str], None]

    @property
    def namespace(self) -> str:
        return objects.sandbox(self.run)

    @property
    def mark(self) -> str:
        """Path of what is there for as long as anything of the run is."""
        return f"{_NAMESPACES}/{self.namespace}"

    def others(self) -> Refusal | None:
        """Whether another run may be alive, by the marks of what it made. Raises ClusterError."""
        seen = self.seen()
        made = [*seen.namespaces, *seen.classes]
        return safety.running(made, self.run, self.clock.now())

    def make(self, pods: int, sources: Sequence[str]) -> None:
        """The namespace, closed and fenced. `sources`: the namespaces of the live volumes.

        Raises:
            RefusedError: there is one of that name, and it is somebody's.
            ClusterError: the cluster is not reached, or refuses.
        """
        called = self.namespace
        refusal = safety.target(
            called, self._found(self.mark) or None, self.run, sources=sources,
            system=(*SYSTEM_NAMESPACES, self.longhorn.namespace),
        )  # fmt: skip
        if refusal is not None:
            raise RefusedError(refusal)
        self._create(_NAMESPACES, fence.namespace(self.run, called))
        policies = f"/apis/networking.k8s.io/v1/namespaces/{called}/networkpolicies"
        self._create(policies, fence.deny_all(self.run, called))
        quota = fence.quota(self.run, called, pods=pods)
        self._create(f"{_NAMESPACES}/{called}/resourcequotas", quota)

    def order(self, one: Order, further: Mapping[str, str]) -> str:
        """The class and the claim of a volume. The UID of the claim.

        Raises RefusedError, ClusterError.
        """
        self._create(CLASSES, objects.storage_class(self.run, one, further))
        claims = f"{_NAMESPACES}/{self.namespace}/persistentvolumeclaims"
        made = self._create(claims, objects.claim(self.run, one))
        return str((made.get("metadata") or {}).get("uid") or "")

    def _create(self, collection: str, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """Never over anything that is there, but for what a lost answer hid. A quota that does not
        count yet, or an API server that restarts, is waited for."""

        def create() -> Mapping[str, Any]:
            try:
                return self.longhorn.writer.create(collection, content)
            except ExistsError:
                found = self._found(f"{collection}/{name(content)}")
                if is_own(found, self.run):
                    return found
                raise RefusedError(_taken(content)) from None

        try:
            return until(create, self.longhorn.clock, _MAKE_SECONDS, passing=RETRIED)
        except TimeoutPassedError as error:
            if error.last is None:
                raise
            raise error.last from None

    def seen(self) -> Seen:
        """What the cluster holds that may be a drill's. Raises ClusterError."""
        client, marked = self.longhorn.client, {LAYER_LABEL: self.run.layer}
        volumes = read_volumes(client, self.longhorn.namespace)
        persistent = join(client.list(_VOLUMES), volumes).claimed
        classes = client.list(CLASSES, labels=marked)
        namespaces = client.list(_NAMESPACES, labels=marked)
        held = client.list(leases.collection(self.longhorn.namespace))
        return Seen(held, namespaces, classes, persistent, volumes)

    def debris(self) -> Debris:
        """What this run made, and what dead ones left. Raises ClusterError."""
        return debris(self.seen(), self.run.site, self.clock.now(), self.run.run_id)

    def is_clean(self) -> bool:
        """Whether nothing of any run is there, be it alive or dead. Raises ClusterError."""
        found = self.debris()
        return not (found.any or found.left)

    def take_away(self) -> tuple[int, tuple[Left, ...]]:
        """Removes it: pods and claims first, for Longhorn's volumes go with them; then classes and
        namespaces. How many of these two there were, and what is left.

        Raises ClusterError.
        """
        found = self.debris()
        for called in found.namespaces:
            self._empty(called)
        self._away([self._volume_gone(one) for one in found.persistent], "volumes")
        # What has no PersistentVolume now goes by nobody else.
        for called in self.debris().orphans:
            self._remove_orphan(called)
        self._remove([f"{CLASSES}/{one}" for one in found.classes], "storage classes")
        self._remove([f"{_NAMESPACES}/{one}" for one in found.namespaces], "namespaces")
        left = self.debris()
        return len(found.namespaces) + len(found.classes), (*left.left, *_unmet(left))

    def _empty(self, called: str) -> None:
        for kind, grace in (("pods", _POD_GRACE_SECONDS), ("persistentvolumeclaims", None)):
            collection = f"{_NAMESPACES}/{called}/{kind}"
            paths = [f"{collection}/{name(one)}" for one in self.longhorn.client.list(collection)]
            self._remove(paths, f"{kind} in {called}", grace)

    def _remove(self, paths: Sequence[str], what: str, grace: int | None = None) -> None:
        for path in paths:
            self.longhorn.writer.delete(path, grace_seconds=grace)
        self._away([self._gone(path) for path in paths], what)

    def _remove_orphan(self, called: str) -> None:
        try:
            self._remove([self.longhorn.path("volumes", called)], "volumes of Longhorn")
        except ClusterError as error:
            # It is told as left; what else is to go must not wait for it.
            self.say(f"volume {called} is not removed: {error}")

    def _gone(self, path: str) -> Callable[[], bool]:
        return lambda: not self._found(path)

    def _volume_gone(self, persistent: str) -> Callable[[], bool]:
        """A PersistentVolume goes when its driver has removed the volume behind it."""
        return self._gone(f"{_VOLUMES}/{persistent}")

    def _away(self, gone: Sequence[Callable[[], bool]], what: str) -> None:
        if not gone:
            return

        def look() -> bool | None:
            return True if all(one() for one in gone) else None

        try:
            until(look, self.longhorn.clock, REMOVAL_SECONDS, interval=1.0, passing=RETRIED)
        except TimeoutPassedError:
            self.say(f"{what}: not all are gone after {REMOVAL_SECONDS:.0f} s")

    def _found(self, path: str) -> Mapping[str, Any]:
        return places.at(self.longhorn.client, path) or {}


def _taken(content: Mapping[str, Any]) -> Refusal:
    return Refusal(
        Why.NOT_OURS,
        f"{content['kind']} {name(content)} is there already and is not of this run; run the drill "
        "again, which takes another name",
    )


def _unmet(left: Debris) -> tuple[Left, ...]:
    kinds = {
        "Namespace": left.namespaces,
        "StorageClass": left.classes,
        "PersistentVolume": left.persistent,
        "Volume": left.orphans,
    }
    return tuple(
        Left(kind, "", called, "it does not go", debris=True)
        for kind, names in kinds.items()
        for called in names
    )
