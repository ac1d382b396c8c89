"""`python3 -m standins.longhorn`: runs in a pod, with the account's token and the node's folders.

Environment: POD_NAMESPACE and NODE_NAME (both by the downward API), STORAGE (the folder of the CSI
stand-in's volumes), RESTORED (where what was restored is handed over to it), SNAPSHOTS (where
snapshots are kept), and what the kubelet sets for the API server. Answers on port 9500: 200 at
/healthz while the loop turns.
"""

import http.server
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from standins.longhorn import defaults
from standins.longhorn.api import HttpApi
from standins.longhorn.cluster import Cluster
from standins.longhorn.kinds import SYSTEM_BACKUP, WATCHED
from standins.longhorn.moments import now
from standins.longhorn.site import Site
from standins.longhorn.snapshot_folder import SnapshotFolder
from standins.longhorn.storage import Storage
from standins.longhorn.target import open_bucket
from standins.longhorn.tasks import Tasks
from standins.longhorn.turns import LONGEST_SECONDS, Turns
from standins.longhorn.watching import Watching

PORT = 9500
WORKERS = 4
# Without these nothing is decided: what was not listed would look as if it were gone.
NEEDED = tuple(kind for kind in WATCHED if kind is not SYSTEM_BACKUP)
LISTING_SECONDS = 10.0

log = logging.getLogger("longhorn-stand-in")


def main() -> None:
    logging.basicConfig(
        stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.Formatter.converter = time.gmtime
    log.info("stand-in for the manager and engine of Longhorn %s, not Longhorn", defaults.VERSION)
    ended = threading.Event()
    # As the first process of a container it has no default action for the signal.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    api = HttpApi.of_pod()
    cluster = Cluster(api, os.environ["POD_NAMESPACE"], os.environ["NODE_NAME"], now)
    volumes = Path(os.environ["STORAGE"]) / "volumes"
    snapshots = SnapshotFolder(Path(os.environ["SNAPSHOTS"]), volumes, now, time.sleep)
    snapshots.prepare()
    storage = Storage(volumes, Path(os.environ["RESTORED"]))
    storage.prepare()
    tasks = Tasks(WORKERS, cluster.changed)
    turns = Turns(Site(cluster, snapshots, storage, tasks, open_bucket, time.sleep), time.monotonic)
    watching = Watching(api, cluster, WATCHED)
    watching.start()
    while left := watching.wait(NEEDED, LISTING_SECONDS):
        log.warning("not listed yet: %s", ", ".join(kind.plural for kind in left))
    threading.Thread(target=_answer, args=(turns,), daemon=True).start()
    turns.for_ever(ended)


def _answer(turns: Turns) -> None:
    class Health(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            well = time.monotonic() - turns.turned < 2 * LONGEST_SECONDS
            self.send_response(200 if well and self.path == "/healthz" else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Probes are no news."""

    http.server.ThreadingHTTPServer(("", PORT), Health).serve_forever()


if __name__ == "__main__":
    main()
