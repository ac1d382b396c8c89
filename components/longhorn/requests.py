"""What the commands of `python -m kube.longhorn` read on stdin, out of the settings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from components.settings.longhorn import Longhorn
from kube.kubeconfig import Kubeconfig

SCHEMA = 1


@dataclass(frozen=True)
class Requests:
    """Requests to one installation. Every text is a secret: it holds the kubeconfig."""

    kubeconfig: Kubeconfig
    cluster_uid: str
    longhorn: Longhorn

    def _text(self, seconds: int, more: Mapping[str, object]) -> str:
        request = {
            "schema": SCHEMA,
            "kubeconfig": self.kubeconfig.text,
            "context": self.kubeconfig.context,
            "uid": self.cluster_uid,
            "namespace": self.longhorn.namespace,
            "seconds": seconds,
            **more,
        }
        return json.dumps(request, sort_keys=True)

    def target(self, name: str, specification: Mapping[str, str]) -> str:
        """`target`: it is the declared one, and Longhorn has read it as it is now."""
        declared = {
            "name": name,
            "url": specification["backupTargetURL"],
            "credentialSecret": specification["credentialSecret"],
        }
        return self._text(self.longhorn.available_seconds, {"targets": [declared]})

    def first_backup(self) -> str:
        """`first-backup`: of every volume that one of the declared jobs backs up."""
        names = [name for name, job in self.longhorn.plain_jobs.items() if job.backs_up]
        most = max(self.longhorn.plain_jobs[name].concurrency for name in names)
        more = {"jobs": names, "atOnce": most}
        return self._text(self.longhorn.first_backup_seconds, more)
