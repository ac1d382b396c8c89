"""What the canary of a site is made of: settings -> plain data, and what stands in its way."""

from collections.abc import Iterator
from typing import Any

from canary.pod import claim_name
from canary.settings import Canary, CanaryVolume, StoreAccess
from components.canary.reach import Reach
from components.object_store.access import ClientAccess
from components.settings.canary import Canary as CanarySettings
from kube.facts import ClusterFacts

_KEY = "config backstop:canary"


def planned(
    site: str, settings: CanarySettings, *, url: str, region: str, client: ClientAccess, way: Reach
) -> Canary:
    """The canary, but for what only a run knows: the CA and the name of the Secret."""
    store = StoreAccess(
        endpoint=url,
        region=region,
        bucket=client.bucket,
        prefix=client.prefix,
        ca_pem="",
        port=way.port,
        networks=way.networks,
        namespace=way.namespace,
        dns_networks=settings.dns_networks,
    )
    return Canary(
        site=site,
        image=settings.image.reference,
        volumes=volumes(settings),
        store=store,
        namespace=settings.namespace,
        period_seconds=settings.period_seconds,
        keep=settings.keep,
        pull_policy=settings.image.pull_policy,
    )


def volumes(settings: CanarySettings) -> tuple[CanaryVolume, ...]:
    """One a claim, in the order of the config."""
    return tuple(
        CanaryVolume(one.name, one.method, one.storage_class, one.size) for one in settings.volumes
    )


def wire(settings: CanarySettings, client: ClientAccess) -> dict[str, Any]:
    """The canary as the drill of volumes is told of it (drills/volumes/payload.py)."""
    return {
        "namespace": settings.namespace,
        "bucket": client.bucket,
        "prefix": client.prefix,
        "volumes": [{"name": one.name, "claim": claim_name(one)} for one in volumes(settings)],
    }


def findings(settings: CanarySettings, facts: ClusterFacts) -> Iterator[str]:
    """Reasons not to begin in this cluster, each with key and cure."""
    name = settings.namespace
    if name in facts.namespaces and ("Namespace", "", name) not in facts.ours:
        yield (
            f"{_KEY}.namespace: {name} is there and is not this site's; give the canary a "
            "namespace of its own"
        )
    classes = {one.name for one in facts.storage_classes}
    for index, volume in enumerate(settings.volumes):
        if volume.storage_class not in classes:
            there = ", ".join(sorted(classes)) or "none"
            yield (
                f"{_KEY}.volumes.{index}.storageClass: the cluster has no class "
                f"{volume.storage_class} (there: {there}); correct the name"
            )
