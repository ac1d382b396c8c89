"""One site, wired in the order data flows: store, buckets, access, drills, outputs."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.drills import StoreDrill, StoreDrillArgs
from components.host_facts import HostFacts, drift_findings
from components.object_store import advisories
from components.object_store.access import (
    StoreAccess,
    StoreAccessArgs,
    client_accesses,
    policy_text,
)
from components.object_store.buckets import StoreBuckets, StoreBucketsArgs, declared_buckets
from components.object_store.endpoint import StoreEndpoint, provider
from components.object_store.existing import existing_endpoint
from components.object_store.host import HostedStore, HostedStoreArgs, script_values
from components.settings import HostsStore, Settings


@dataclass
class Observed:
    """What this run saw before it began: hosts, the day, and a value no earlier run used."""

    facts: Mapping[str, HostFacts]
    today: datetime.date
    nonce: str


def _store(settings: Settings, observed: Observed) -> tuple[StoreEndpoint, pulumi.Output[str]]:
    store = settings.object_store
    if not isinstance(store, HostsStore):
        return existing_endpoint(settings, store), pulumi.Output.from_input("")
    for finding in drift_findings(observed.facts):
        pulumi.log.warn(finding)
    for warning in (advisories.warning(store.binary.version), _escrow_warning(settings, store)):
        if warning:
            pulumi.log.warn(warning)
    hosted = HostedStore(
        "object-store", HostedStoreArgs(settings, store, observed.facts, observed.nonce)
    )
    return hosted.endpoint, hosted.escrow


def _escrow_warning(settings: Settings, store: HostsStore) -> str | None:
    if store.certificate.ca_home == "file" or settings.escrow_passphrase.get_secret_value():
        return None
    return (
        "config backstop:escrowPassphrase is empty: the CA's key has no copy outside "
        f"{store.hosts[0]}; set it with `pulumi config set --secret escrowPassphrase`"
    )


def _what_the_store_drill_proves(
    settings: Settings, observed: Observed, policies: dict[str, str]
) -> list[object]:
    """The server as deployed on each host, and every right on it."""
    store = settings.object_store
    server: object = store.model_dump(mode="json")
    if isinstance(store, HostsStore):
        args = HostedStoreArgs(settings, store, observed.facts, observed.nonce)
        server = [script_values(args, name) for name in store.hosts]
    return [server, policies, settings.clients.model_dump(mode="json")]


def build(settings: Settings, observed: Observed) -> None:
    """Registers every resource of the site and the stack's outputs."""
    buckets = declared_buckets(settings)
    names = [bucket.name for bucket in buckets]
    accesses = client_accesses(settings, {bucket.role: bucket.name for bucket in buckets})
    endpoint, escrow = _store(settings, observed)
    on_store = provider(endpoint, pulumi.ResourceOptions())
    kept = StoreBuckets("buckets", StoreBucketsArgs(settings.site, buckets, endpoint, on_store))
    access = StoreAccess("access", StoreAccessArgs(settings.site, accesses, names, on_store))
    policies = {one.name: policy_text(one, names) for one in accesses}
    drill = StoreDrill(
        "store-drill",
        StoreDrillArgs(
            site=settings.site,
            endpoint=endpoint,
            accesses=accesses,
            buckets=buckets,
            credentials=access.credentials,
            settings=settings.drills,
            proves=_what_the_store_drill_proves(settings, observed, policies),
            today=observed.today,
            after=[
                *kept.settled.values(),
                *(resource for attached in access.attached.values() for resource in attached),
            ],
        ),
    )
    pulumi.export("site", settings.site)
    pulumi.export("storeEndpoint", endpoint.url)
    pulumi.export("storeRegion", endpoint.region)
    pulumi.export("storeCaPem", endpoint.ca_pem)
    pulumi.export("storeRootUser", pulumi.Output.secret(endpoint.root_user))
    pulumi.export("storeRootPassword", pulumi.Output.secret(endpoint.root_password))
    pulumi.export("credentials", pulumi.Output.secret(pulumi.Output.all(**access.credentials)))
    pulumi.export("escrow", pulumi.Output.secret(escrow))
    pulumi.export("drills", {"store": drill.verdict})
