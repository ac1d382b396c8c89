"""Sites put back to a known moment: before the first `up`, or right after it.

State, config and the store's own data are copied aside at that moment and copied back later, with
the store stopped meanwhile; the port stays, so the same stack file serves every test of a worker.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.engine.site import EngineSite, site_in
from tests.support.minio_server import MinioServer

CLIENTS = {
    "velero": {"quotaGib": 1},
    "host-files": {"nodes": ["cp1"]},
    "evidence": {"objectLock": {"mode": "GOVERNANCE", "days": 14}},
}


@dataclass
class Prepared:
    """The moments of one site; `_deployed` tells whether the second one has been kept yet."""

    site: EngineSite
    _deployed: bool = False

    @property
    def first_up_log(self) -> Path:
        """The engine's events of the `up` that led to `deployed`."""
        return self.site.folder / "first-up.jsonl"

    def bare(self) -> EngineSite:
        """The site before its first `up`."""
        self._restore("bare")
        return self.site

    def deployed(self) -> EngineSite:
        """The site after its first `up`, which runs when first asked for."""
        if not self._deployed:
            self.bare()
            self.first_up_log.unlink(missing_ok=True)
            self.site.up("--", "--event-log", str(self.first_up_log))
            self.keep("deployed")
            self._deployed = True
        self._restore("deployed")
        return self.site

    def keep(self, moment: str) -> None:
        """Copies everything that an `up` changes to the folder of this moment."""
        kept = self.site.folder / "moments" / moment
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        self.site.server.stop()
        for name, folder in self._changing().items():
            if folder.exists():
                shutil.copytree(folder, kept / name, symlinks=True)
        shutil.copy2(self.site.stack_file, kept)
        self.site.server.start()

    def _restore(self, moment: str) -> None:
        kept = self.site.folder / "moments" / moment
        self.site.server.stop()
        for name, folder in self._changing().items():
            shutil.rmtree(folder, ignore_errors=True)
            if (kept / name).exists():
                shutil.copytree(kept / name, folder, symlinks=True)
        self.site.server.data_dir.mkdir(exist_ok=True)
        shutil.copy2(kept / self.site.stack_file.name, self.site.stack_file)
        self.site.server.start()

    def _changing(self) -> dict[str, Path]:
        return {
            "data": self.site.server.data_dir,
            "state": self.site.backend,
            "trust": self.site.checkout / ".backstop",
            "receipts": self.site.folder / "receipts",
        }


def prepare(folder: Path, server: MinioServer) -> Prepared:
    """A site with one client of every kind, kept before its first `up`."""
    made = Prepared(site_in(folder, server, clients=CLIENTS))
    made.keep("bare")
    return made
