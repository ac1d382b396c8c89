"""The ConfigMaps that Velero's server and node agent read at their start.

Each value is JSON under the key Velero expects. A changed one restarts the pods, by the digest that
the chart's values carry as an annotation.
"""

import json
from collections.abc import Mapping

from components.settings.velero import Velero
from components.velero import volume_policy
from components.velero.digest import digest
from components.velero.sizes import SIZES

NODE_AGENT = "velero-node-agent"
REPOSITORY = "velero-backup-repository"
# The one repository type there is; the key of its settings.
_KOPIA = "kopia"
_NODE_AGENT_KEY = "node-agent.json"


def _node_agent(velero: Velero) -> dict[str, object]:
    size = SIZES[velero.resources]
    found: dict[str, object] = {
        "loadConcurrency": {"globalConfig": size.concurrency},
        "podResources": size.data_mover.pod_resources(),
    }
    if velero.data_mover_classes:
        found["backupPVC"] = {
            source: {"storageClass": target} for source, target in velero.data_mover_classes.items()
        }
    return found


def data(velero: Velero) -> dict[str, dict[str, str]]:
    """The data of each ConfigMap by its name."""
    size = SIZES[velero.resources]
    repository = {"cacheLimitMB": size.cache_mib, "fullMaintenanceInterval": "normalGC"}
    found = {
        REPOSITORY: {_KOPIA: json.dumps(repository, sort_keys=True)},
        volume_policy.CONFIG_MAP: volume_policy.config_map_data(velero.volume_policy),
    }
    if velero.wants_node_agent:
        found[NODE_AGENT] = {_NODE_AGENT_KEY: json.dumps(_node_agent(velero), sort_keys=True)}
    return found


def start_digest(maps: Mapping[str, Mapping[str, str]]) -> str:
    """Digest of what is read at the start only; the volume policy is read by every backup."""
    return digest({name: dict(maps[name]) for name in (NODE_AGENT, REPOSITORY) if name in maps})
