"""What the commands of `python -m kube.velero` read on stdin, out of the settings."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.settings.velero import Velero
from components.velero.credentials import GENERATION_LABEL
from kube.kubeconfig import Kubeconfig

SCHEMA = 1
STORE_PLUGIN = "velero.io/aws"
CSI_PLUGIN = "velero.io/csi-pvc-backupper"
# Accepting a schedule takes the server seconds; it looks at them once a minute anyway.
SCHEDULE_SECONDS = 150
LEAVE_SECONDS = 120


@dataclass(frozen=True)
class Requests:
    """Requests to one installation. Every text is a secret: it holds the kubeconfig."""

    kubeconfig: Kubeconfig
    velero: Velero

    def _text(self, seconds: int, more: Mapping[str, object]) -> str:
        request = {
            "schema": SCHEMA,
            "kubeconfig": self.kubeconfig.text,
            "context": self.kubeconfig.context,
            "namespace": self.velero.namespace,
            "seconds": seconds,
            **more,
        }
        return json.dumps(request, sort_keys=True)

    def available(self, locations: Sequence[str], secrets: Sequence[str], *, csi: bool) -> str:
        """`available`: the locations, the Secrets they use, the plugins that must be there."""
        more = {
            "locations": list(locations),
            "secrets": list(secrets),
            "credentialLabel": GENERATION_LABEL,
            "plugins": [STORE_PLUGIN, *([CSI_PLUGIN] if csi else [])],
        }
        return self._text(self.velero.available_seconds, more)

    def enabled(self) -> str:
        """`enabled`: every schedule of the settings."""
        return self._text(SCHEDULE_SECONDS, {"schedules": list(self.velero.schedules)})

    def leave(self, location: str, *, restores: bool) -> str:
        """`leave`: what goes before this location goes."""
        return self._text(LEAVE_SECONDS, {"locations": [location], "restores": restores})
