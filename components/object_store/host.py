"""The object store on bare-metal hosts: MinIO as a hardened service, proven healthy."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components import command
from components.host_facts import SCRIPTS, HostFacts
from components.object_store import server_files, trust
from components.object_store.buckets import Bucket
from components.object_store.endpoint import StoreEndpoint, generated_credential
from components.object_store.sighting import Sighting, folder_of_velero, look
from components.settings import Host, HostsStore, Settings
from s3 import client as s3_client
from s3.errors import Cause, store_error


@dataclass
class HostedStoreArgs:
    """`facts`: what each host was seen to be in this run. `nonce`: a value no earlier run used."""

    settings: Settings
    store: HostsStore
    facts: Mapping[str, HostFacts]
    nonce: str


def script_values(args: HostedStoreArgs, name: str) -> dict[str, dict[str, str]]:
    """The values of each step's script on host `name`: step -> shell variable -> text."""
    store, facts = args.store, args.facts[name]
    hosts = args.settings.hosts
    upload = "" if store.binary.url else f"/var/tmp/backstop-minio-{store.binary.sha256}"  # noqa: S108
    values = {
        "minio-account": {
            "SERVICE_USER": store.system_user,
            "DRIVES": " ".join(store.drives),
            "REQUIRE_MOUNT": "yes" if store.require_mount_point else "no",
        },
        "minio-binary": {
            "SHA256": store.binary.sha256,
            "VERSION": store.binary.version,
            "UPLOAD": upload,
            "URL": store.binary.url or "",
        },
        "minio-firewall": {
            "RULES": server_files.firewall_rules(store, hosts),
            "UNIT": server_files.FIREWALL_UNIT,
        },
        "minio-server": {
            "SHA256": store.binary.sha256,
            "VERSION": store.binary.version,
            "SERVICE_USER": store.system_user,
            "API_PORT": str(store.api_port),
            "HEALTH_SECONDS": str(store.health_seconds),
            "ENVIRONMENT": server_files.environment(store, hosts),
            "SERVICE_UNIT": server_files.service_unit(store),
            "HARDENING": server_files.hardening(store),
        },
    }
    return {
        step: {"HOST": name, **step_values, "TOKEN": facts.token(step, nonce=args.nonce)}
        for step, step_values in values.items()
    }


def sight(
    settings: Settings,
    store: HostsStore,
    facts: Mapping[str, HostFacts],
    buckets: Sequence[Bucket],
    policies: Collection[str],
) -> Sighting:
    """What a server that already runs on the hosts holds of the site; nothing if none runs.

    A new state does not know the administrator, so the host is asked who that is. Raises StoreError
    if the server does not answer.
    """
    for name in store.hosts:
        server = facts[name].server if name in facts else None
        if server is None:
            continue
        url, _ = served_at(store, name, settings.hosts[name])
        try:
            reached = s3_client.StoreEndpoint(url, store.region, server.authority)
        except ValueError as error:
            raise store_error(Cause.OTHER, url, detail=str(error)) from error
        administrator = s3_client.Credential(server.user, server.password)
        return look(
            reached,
            administrator,
            settings.site,
            buckets,
            policies,
            velero_folder=folder_of_velero(settings),
        )
    return Sighting()


def served_at(store: HostsStore, name: str, host: Host) -> tuple[str, list[str]]:
    """URL of the server on host `name`, and the names under which clients reach it."""
    names = [name, host.address, *store.certificate.names]
    return f"https://{host.address}:{store.api_port}", list(dict.fromkeys(names))


class HostedStore(pulumi.ComponentResource):
    """MinIO on `hosts` x `drives` over SSH.

    Inputs: HostedStoreArgs. Outputs: `endpoint` (StoreEndpoint), `escrow` (the CA's encrypted
    key), `applied` (plain data: each host's steps with their values). Fails when a host refuses a
    step or the server is not healthy in time; a server that was healthy before is put back first.
    Deleting the resources changes nothing on the hosts.
    """

    endpoint: StoreEndpoint
    escrow: pulumi.Output[str]
    applied: list[dict[str, dict[str, str]]]

    def __init__(
        self, name: str, args: HostedStoreArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("backstop:index:HostedStore", name, None, opts)
        settings, store = args.settings, args.store
        child = pulumi.ResourceOptions(parent=self)
        root = generated_credential(
            "store-root", generation=store.root_credential_generation, opts=child
        )
        values = {host: script_values(args, host) for host in store.hosts}
        accounts: dict[str, pulumi.Resource] = {
            host: self._step(settings, host, "minio-account", values[host]) for host in store.hosts
        }
        trusted, certified = trust.establish(
            trust.TrustArgs(settings, store, args.facts, args.nonce, self, list(accounts.values()))
        )
        # The servers' gates wait for each other, so none starts before every host is ready for it.
        prepared = list(certified.values())
        for host in store.hosts:
            prepared += [
                self._binary(args, host, values[host], accounts[host]),
                self._step(settings, host, "minio-firewall", values[host], after=[accounts[host]]),
            ]
        servers = [
            self._step(
                settings,
                host,
                "minio-server",
                values[host],
                stdin=root.apply(lambda pair: f"{pair['accessKey']}\n{pair['secretKey']}\n"),
                after=prepared,
            )
            for host in store.hosts
        ]
        (url, names), *others = (
            served_at(store, host, settings.hosts[host]) for host in store.hosts
        )
        self.endpoint = StoreEndpoint(
            url=url,
            region=store.region,
            ca_pem=trusted.ca_pem,
            root_user=root.apply(lambda pair: pair["accessKey"]),
            root_password=root.apply(lambda pair: pair["secretKey"]),
            names=names,
            ready=servers,
            nodes=dict(others),
        )
        self.escrow = trusted.escrow
        self.applied = list(values.values())
        self.register_outputs({"url": self.endpoint.url, "caPem": self.endpoint.ca_pem})

    def _step(
        self,
        settings: Settings,
        host: str,
        step: str,
        values: dict[str, dict[str, str]],
        *,
        stdin: pulumi.Input[str] | None = None,
        after: list[pulumi.Resource] | None = None,
    ) -> pulumi.Resource:
        script_file = step.removeprefix("minio-") + ".sh"
        return command.on_host(
            f"{step}-{host}",
            settings.hosts[host],
            settings.ssh_private_key.get_secret_value(),
            command.script(SCRIPTS, "lib.sh", script_file, **values[step]),
            stdin=stdin,
            opts=pulumi.ResourceOptions(parent=self, depends_on=after),
        )

    def _binary(
        self,
        args: HostedStoreArgs,
        host: str,
        values: dict[str, dict[str, str]],
        account: pulumi.Resource,
    ) -> pulumi.Resource:
        """The upload, where the binary is a local file, then its installation by checksum."""
        after = [account]
        path = args.store.binary.path
        if path is not None:
            # One copy per checksum: the trigger is the digest plus whether the host still has it.
            trigger = json.dumps([args.store.binary.sha256, values["minio-binary"]["TOKEN"]])
            after.append(
                command.copy_to_host(
                    f"minio-upload-{host}",
                    args.settings.hosts[host],
                    args.settings.ssh_private_key.get_secret_value(),
                    Path(path),
                    values["minio-binary"]["UPLOAD"],
                    triggers=[trigger],
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[account]),
                )
            )
        return self._step(args.settings, host, "minio-binary", values, after=after)
