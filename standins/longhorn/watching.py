"""Keeps what is known of the cluster up to date: one thread for each kind, list and then watch."""

import http.client
import logging
import threading
import time
from collections.abc import Sequence

from standins.longhorn.api import Api, ApiError
from standins.longhorn.cluster import Cluster
from standins.longhorn.kinds import Kind

# New definitions are served a moment after they were made, and a server that restarts takes longer.
RETRY_SECONDS = (0.3, 0.3, 0.5, 1.0, 2.0, 5.0)

log = logging.getLogger("longhorn-stand-in")


class Watching:
    """The threads. They end with the process."""

    def __init__(self, api: Api, cluster: Cluster, kinds: Sequence[Kind]) -> None:
        self._api = api
        self._cluster = cluster
        self._listed = {kind: threading.Event() for kind in kinds}

    def start(self) -> None:
        for kind in self._listed:
            threading.Thread(target=self._follow, args=(kind,), daemon=True).start()

    def wait(self, kinds: Sequence[Kind], seconds: float) -> list[Kind]:
        """Waits until these were listed once; those that were not."""
        deadline = time.monotonic() + seconds
        return [
            kind
            for kind in kinds
            if not self._listed[kind].wait(max(deadline - time.monotonic(), 0.0))
        ]

    def _follow(self, kind: Kind) -> None:
        namespace = self._cluster.namespace if kind.own else ""
        said, failed = "", 0
        while True:
            try:
                version = self._list(kind, namespace)
                said, failed = "", 0
                while True:
                    version = self._watch(kind, namespace, version)
            except (ApiError, OSError, http.client.HTTPException, ValueError) as error:
                if str(error) != said:
                    log.warning("%s cannot be watched: %s", kind.plural, error)
                    said = str(error)
                time.sleep(RETRY_SECONDS[min(failed, len(RETRY_SECONDS) - 1)])
                failed += 1

    def _list(self, kind: Kind, namespace: str) -> str:
        """All there is of a kind; the version to watch from."""
        listing = self._api.listing(kind, namespace)
        self._cluster.replace(kind, listing.items)
        self._listed[kind].set()
        return listing.version

    def _watch(self, kind: Kind, namespace: str, version: str) -> str:
        """Until the server ends the watch; the version to go on from."""
        for event in self._api.watch(kind, namespace, version):
            version = str(event.object["metadata"]["resourceVersion"])
            if event.type == "DELETED":
                self._cluster.forget(kind, event.object)
            elif event.type != "BOOKMARK":
                self._cluster.note(kind, event.object)
        return version
