"""Velero as resources: namespace, Secrets, chart, locations, schedules, and proof that it works.

What is born first leaves last. The password of the repositories is there before the server, so that
the server never makes one of its own; locations come after the definitions that the chart installs;
schedules come when a location was found available. On the way out the records of restores go first,
while a server is there to let them go, and nothing that is stored is deleted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi_kubernetes.helm.v3 import Release

from components import command
from components.cluster import Cluster
from components.drills import first_backup
from components.drills.first_backup import FirstBackup
from components.kube_object import KubeObject
from components.object_store.access import ClientAccess
from components.object_store.endpoint import StoreEndpoint
from components.settings.velero import Velero as VeleroSettings
from components.velero import (
    config_maps,
    credentials,
    objects,
    repository_password,
    schedules,
    values,
)
from components.velero import location as locations
from components.velero.digest import digest
from components.velero.requests import Requests
from kube.kubeconfig import Kubeconfig

HISTORY = 10


@dataclass
class VeleroArgs:
    """`client`: the store's client velero; `credential`: its newest key pair.

    `evidence_bucket`: where the password of the repositories is kept in escrow. `csi`: volumes are
    taken by CSI snapshots. `first`: how the first backup is made, with its truth. `after`: the
    clients' buckets and rights, and the snapshot classes.
    """

    site: str
    settings: VeleroSettings
    cluster: Cluster
    kubeconfig: Kubeconfig
    endpoint: StoreEndpoint
    client: ClientAccess
    credential: pulumi.Output[dict[str, str]]
    evidence_bucket: str
    escrow_passphrase: str
    csi: bool
    first: FirstBackup
    after: Sequence[pulumi.Resource] = field(default_factory=list)


class Velero(pulumi.ComponentResource):
    """Outputs: `namespace`, `location` (of new backups), `first_backup` (summary, or None)."""

    namespace: str
    location: str
    first_backup: pulumi.Output[str] | None

    def __init__(
        self, name: str, args: VeleroArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("backstop:index:Velero", name, None, opts)
        self._args = args
        self._settings = args.settings
        self._requests = Requests(args.kubeconfig, args.settings)
        self.namespace = args.settings.namespace
        self.location = args.settings.location.name
        home = self._home()
        credential = self._credential(home)
        authority = self._authority(home)
        release = self._release([home, self._repository_password(home), *self._config(home)])
        gate, left = self._locations(release, credential, authority)
        self.first_backup = self._schedules([gate, *left])
        self.register_outputs(
            {
                "namespace": self.namespace,
                "location": self.location,
                "firstBackup": self.first_backup,
            }
        )

    def _object(
        self,
        name: str,
        manifest: Mapping[str, Any],
        after: Sequence[pulumi.Resource],
        **options: Any,  # noqa: ANN401  (whatever ResourceOptions takes)
    ) -> KubeObject:
        held = self._args.cluster.options(
            parent=self, taken_over=(name, manifest), depends_on=list(after), **options
        )
        return KubeObject(name, manifest, held)

    def _core(self, kind: str, name: str, data: object) -> dict[str, Any]:
        return objects.core(self._args.site, kind, self.namespace, name, data)

    def _velero(self, kind: str, name: str, specification: object) -> dict[str, Any]:
        return objects.velero(self._args.site, kind, self.namespace, name, specification)

    def _home(self) -> KubeObject:
        """The namespace. It stays when the rest goes, for the password of the repositories does."""
        manifest = objects.namespace(self._args.site, self.namespace)
        return self._object("velero-namespace", manifest, [], protect=True, retain_on_delete=True)

    def _credential(self, home: KubeObject) -> KubeObject:
        """The Secret of the newest credential, under a name that no other one had.

        A state that begins anew makes a new credential. A fixed name would be taken then, by a
        Secret that holds the former one.
        """
        generation = self._args.client.generation
        manifest = objects.unnamed_secret(
            self._args.site,
            self.namespace,
            {credentials.GENERATION_LABEL: str(generation)},
            self._args.credential.apply(credentials.secret_data),
        )
        return self._object(credentials.secret_name(generation), manifest, [home])

    def _authority(self, home: KubeObject) -> KubeObject:
        data = self._args.endpoint.ca_pem.apply(
            lambda pem: credentials.encoded({locations.CA_KEY: pem})
        )
        manifest = self._core("Secret", locations.CA_SECRET, data)
        return self._object(locations.CA_SECRET, manifest, [home])

    def _repository_password(self, home: KubeObject) -> KubeObject:
        kept = command.on_operator(
            "velero-repository-password",
            "sh ./run.sh escrow keep",
            stdin=self._escrow_request(),
            secret_output=True,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=list(self._args.after), protect=True
            ),
        )
        password: pulumi.Output[str] = pulumi.Output.secret(kept.stdout)
        manifest = self._core(
            "Secret",
            repository_password.SECRET,
            password.apply(repository_password.secret_data),
        )
        return self._object(
            repository_password.SECRET, manifest, [home], protect=True, retain_on_delete=True
        )

    def _escrow_request(self) -> pulumi.Output[str]:
        args = self._args
        escrow = repository_password.Escrow(
            endpoint=args.endpoint.url,
            region=args.endpoint.region,
            bucket=args.evidence_bucket,
            site=args.site,
            guarded_bucket=args.client.bucket,
            guarded_prefix=repository_password.kopia_prefix(self._settings.location.prefix),
        )
        endpoint = args.endpoint
        return pulumi.Output.all(endpoint.ca_pem, endpoint.root_user, endpoint.root_password).apply(
            lambda known: repository_password.payload(
                escrow,
                ca_pem=known[0],
                root_user=known[1],
                root_password=known[2],
                passphrase=args.escrow_passphrase,
            )
        )

    def _config(self, home: KubeObject) -> list[KubeObject]:
        return [
            self._object(name, self._core("ConfigMap", name, data), [home])
            for name, data in config_maps.data(self._settings).items()
        ]

    def _release(self, needed: Sequence[pulumi.Resource]) -> Release:
        chart = self._settings.chart
        source: dict[str, Any] = {"chart": chart.path}
        if chart.path is None:
            source = {"chart": values.RELEASE, "version": chart.version}
            if chart.repository is not None and chart.repository.startswith("oci://"):
                source["chart"] = f"{chart.repository.rstrip('/')}/{values.RELEASE}"
            else:
                source["repository_opts"] = {"repo": chart.repository}
        return Release(
            values.RELEASE,
            name=values.RELEASE,
            namespace=self.namespace,
            create_namespace=False,
            values=values.chart_values(self._settings, csi=self._args.csi),
            timeout=self._settings.install_seconds,
            max_history=HISTORY,
            skip_await=False,
            # What a failed installation left stays to be looked at; the next `up` upgrades it.
            atomic=False,
            cleanup_on_fail=False,
            opts=self._args.cluster.options(
                parent=self, depends_on=list(needed), delete_before_replace=True
            ),
            **source,
        )

    def _locations(
        self, release: Release, credential: KubeObject, authority: KubeObject
    ) -> tuple[pulumi.Resource, list[pulumi.Resource]]:
        """The gate that found every location available, and what each leaves by."""
        args, settings = self._args, self._settings.location
        secret = credential.metadata.apply(lambda held: held["name"])
        target = locations.Target(
            args.endpoint.url_for_pods, args.endpoint.region, args.client.bucket, secret
        )
        places = locations.places(settings)
        declared = [locations.specification(settings, place, target) for place in places]
        made = [
            self._object(
                f"velero-location-{place.name}",
                self._velero(locations.KIND, place.name, specification),
                [release, credential, authority, *args.after],
            )
            for place, specification in zip(places, declared, strict=True)
        ]
        left = [self._leaving(place, one) for place, one in zip(places, made, strict=True)]
        names = [place.name for place in places]
        gate = command.on_operator(
            "velero-available",
            "sh ./run.sh kube.velero available",
            stdin=secret.apply(
                lambda name: self._requests.available(
                    names, [name, locations.CA_SECRET], csi=args.csi
                )
            ),
            triggers=[
                pulumi.Output.all(args.endpoint.ca_pem, *declared).apply(digest),
                digest([values.chart_values(self._settings, csi=args.csi), self._chart()]),
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[release, *made]),
        )
        return gate, left

    def _chart(self) -> Mapping[str, Any]:
        found: dict[str, Any] = self._settings.chart.model_dump(mode="json")
        return found

    def _leaving(self, place: locations.Place, one: KubeObject) -> pulumi.Resource:
        return command.on_operator(
            f"velero-leave-{place.name}",
            "true",
            delete="sh ./run.sh kube.velero leave",
            stdin=self._requests.leave(place.name, restores=place.default),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[one]),
        )

    def _schedules(self, after: Sequence[pulumi.Resource]) -> pulumi.Output[str] | None:
        """Every schedule, the proof that Velero takes them, and one backup at once."""
        declared = schedules.specifications(self._settings, self._args.site)
        if not declared:
            return None
        made = [
            self._object(
                f"velero-schedule-{name}",
                self._velero(schedules.KIND, name, specification),
                after,
                # Velero writes it when it has looked at the schedule.
                ignore_changes=["spec.skipImmediately"],
            )
            for name, specification in declared.items()
        ]
        enabled = command.on_operator(
            "velero-enabled",
            "sh ./run.sh kube.velero enabled",
            stdin=self._requests.enabled(),
            triggers=[digest(declared)],
            opts=pulumi.ResourceOptions(parent=self, depends_on=made),
        )
        first = self._settings.first_backup_schedule()
        if first is None:
            return None
        template = declared[first]["template"]["metadata"]["labels"][schedules.TEMPLATE_LABEL]
        digests, claims = self._args.first.digests, self._args.first.claims
        backup = command.on_operator(
            "velero-first-backup",
            first_backup.COMMAND,
            stdin=self._args.first.order(first),
            triggers=[first, template, *(digest(one) for one in (digests, claims) if one)],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[enabled]),
        )
        output: pulumi.Output[str] = backup.stdout
        return output
