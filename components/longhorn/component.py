"""Longhorn's backups as resources: credentials, targets, settings, jobs, and proof that it works.

Where this program installs Longhorn, its chart says the default target and the settings, and the
credential is there before it. Where Longhorn is there already, the program owns single fields of
objects that Longhorn made. Either way nothing is scheduled before the target was seen available.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi_kubernetes.helm.v3 import Release

from components import command
from components.cluster import Cluster
from components.kube_object import KubeObject, KubePatch
from components.longhorn import credentials, objects, places, tuning
from components.longhorn.bindings import Bindings, resource_name
from components.longhorn.requests import Requests
from components.longhorn.values import RELEASE, chart_values
from components.object_store.access import ClientAccess
from components.object_store.endpoint import StoreEndpoint
from components.settings.longhorn import Longhorn as LonghornSettings
from components.settings.longhorn import all_places
from components.settings.longhorn_targets import DEFAULT_TARGET, FurtherTarget, authority
from components.velero.credentials import encoded
from components.velero.digest import digest
from kube.kubeconfig import Kubeconfig

HISTORY = 10


@dataclass
class LonghornArgs:
    """`client`: the store's client longhorn; `credential`: its newest key pair.

    `bindings`: what to do with each claim of the config. `foreign`: {accessKey, secretKey} by the
    name of a target in another store. `after`: the client's bucket and rights.
    """

    site: str
    settings: LonghornSettings
    cluster: Cluster
    kubeconfig: Kubeconfig
    cluster_uid: str
    endpoint: StoreEndpoint
    client: ClientAccess
    credential: pulumi.Output[dict[str, str]]
    bindings: Bindings
    foreign: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    after: Sequence[pulumi.Resource] = field(default_factory=list)


class Longhorn(pulumi.ComponentResource):
    """Outputs: `url` (of the target `default`). `available`: what makes backups through Longhorn
    has to wait for; `ready`: everything but the first backups.
    """

    url: str
    available: list[pulumi.Resource]
    ready: list[pulumi.Resource]

    def __init__(
        self, name: str, args: LonghornArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("backstop:index:Longhorn", name, None, opts)
        self._args = args
        self._settings = args.settings
        self._requests = Requests(args.kubeconfig, args.cluster_uid, args.settings)
        self._places = all_places(
            args.settings, args.site, args.client.bucket, args.endpoint.region
        )
        self.url = self._places[DEFAULT_TARGET].url
        home = self._home()
        secrets = {one: self._secret(one, home) for one in self._places}
        release = self._release([*home, secrets[DEFAULT_TARGET]])
        gates = {
            one: self._target(one, place, secrets[one], release)
            for one, place in self._places.items()
        }
        tuned = self._tuned(gates[DEFAULT_TARGET])
        self.available = [*gates.values()]
        jobs = self._jobs([gates[DEFAULT_TARGET], *tuned])
        self._classes([*self.available, *jobs])
        self.ready = [*self.available, *tuned, *jobs, *self._bound(jobs)]
        self.register_outputs({"url": self.url})

    def first_backups(
        self, after: Sequence[pulumi.Resource], claims: Sequence[str] = ()
    ) -> pulumi.Output[str] | None:
        """A backup now of every volume that has none, so that a site that is up has some to drill.

        `after`: what those backups are to hold. `claims`: the canary's, for one that is new has a
        volume without a backup. The output is what the command prints; None if the config wants
        none.
        """
        if not self._settings.first_backup:
            return None
        bound = [
            [one.namespace, one.claim, list(one.jobs), list(one.groups)]
            for one in self._args.bindings.bound
        ]
        served = {
            name: sorted(job.groups)
            for name, job in self._settings.plain_jobs.items()
            if job.backs_up
        }
        made = command.on_operator(
            "longhorn-first-backup",
            "sh ./run.sh kube.longhorn first-backup",
            stdin=self._requests.first_backup(),
            triggers=[self.url, digest([served, bound, list(claims)])],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*self.ready, *after]),
        )
        output: pulumi.Output[str] = made.stdout
        return output

    def _object(
        self,
        name: str,
        manifest: Mapping[str, Any],
        after: Sequence[pulumi.Resource],
        *,
        import_: bool = True,
        **options: Any,  # noqa: ANN401  (whatever ResourceOptions takes)
    ) -> KubeObject:
        taken_over = (name, manifest) if import_ else None
        held = self._args.cluster.options(self, taken_over, depends_on=list(after), **options)
        return KubeObject(name, manifest, held)

    def _fields(
        self,
        name: str,
        manifest: Mapping[str, Any],
        after: Sequence[pulumi.Resource],
        *,
        kept: bool,
        **options: Any,  # noqa: ANN401  (whatever ResourceOptions takes)
    ) -> KubePatch:
        """Fields of somebody else's object. `kept`: they stay when the resource goes."""
        held = self._args.cluster.options(
            self, depends_on=list(after), retain_on_delete=kept, **options
        )
        return KubePatch(name, manifest, held)

    def _home(self) -> list[pulumi.Resource]:
        """The namespace, if Longhorn is installed here. It stays: with it every volume would go."""
        if self._settings.install is None:
            return []
        manifest = objects.namespace(self._args.site, self._settings.namespace)
        return [
            self._object("longhorn-namespace", manifest, [], protect=True, retain_on_delete=True)
        ]

    def _secret(self, target: str, home: Sequence[pulumi.Resource]) -> KubeObject:
        """The Secret of a target. It holds a credential that a new state has another one of, so
        that it cannot be imported (docs/decisions/0007-adoption.md).
        """
        manifest = objects.secret(
            self._args.site, self._settings.namespace, target, self._data(target)
        )
        after = [*home, *self._args.after]
        return self._object(f"longhorn-secret-{target}", manifest, after, import_=False)

    def _data(self, target: str) -> pulumi.Output[dict[str, str]]:
        args, further = self._args, self._settings.targets.get(target)
        if further is not None and further.foreign:
            text = encoded(
                credentials.data(
                    args.foreign[target],
                    endpoint=further.endpoint or "",
                    ca_pem=authority(target, further),
                    host_style=further.virtual_hosted_style,
                )
            )
            return pulumi.Output.secret(text)
        known = pulumi.Output.all(args.credential, args.endpoint.ca_pem)
        return pulumi.Output.secret(
            known.apply(
                lambda values: encoded(
                    credentials.data(
                        values[0], endpoint=args.endpoint.url_for_pods, ca_pem=values[1]
                    )
                )
            )
        )

    def _release(self, needed: Sequence[pulumi.Resource]) -> Release | None:
        install = self._settings.install
        if install is None:
            return None
        chart = install.chart
        source: dict[str, Any] = {"chart": chart.path}
        if chart.path is None:
            source = {"chart": RELEASE, "version": chart.version}
            if chart.repository is not None and chart.repository.startswith("oci://"):
                source["chart"] = f"{chart.repository.rstrip('/')}/{RELEASE}"
            else:
                source["repository_opts"] = {"repo": chart.repository}
        return Release(
            RELEASE,
            name=RELEASE,
            namespace=self._settings.namespace,
            create_namespace=False,
            values=chart_values(self._settings, self.url),
            timeout=install.seconds,
            max_history=HISTORY,
            skip_await=False,
            # What a failed installation left stays to be looked at; the next `up` upgrades it.
            atomic=False,
            cleanup_on_fail=False,
            opts=self._args.cluster.options(
                parent=self,
                depends_on=list(needed),
                delete_before_replace=True,
                # With Longhorn its volumes would go.
                protect=True,
                retain_on_delete=True,
            ),
            **source,
        )

    def _target(
        self, name: str, place: places.Place, secret: KubeObject, release: Release | None
    ) -> pulumi.Resource:
        """The target, and the gate that Longhorn has read it as it is now."""
        site, home = self._args.site, self._settings.namespace
        further = self._settings.targets.get(name)
        interval = (further or self._settings.target).poll_interval
        wanted = objects.target_specification(place.url, name, interval)
        after = [one for one in (release, secret, *self._args.after) if one is not None]
        resource = f"longhorn-target-{name}"
        if name != DEFAULT_TARGET:
            after = [self._object(resource, objects.target(site, home, name, wanted), after)]
        elif release is None:
            # Given up, the fields would leave the target without a URL, and the cluster would lose
            # every backup from sight.
            manifest = objects.target_fields(site, home, name, wanted)
            after = [self._fields(resource, manifest, after, kept=True)]
        return command.on_operator(
            f"longhorn-available-{name}",
            "sh ./run.sh kube.longhorn target",
            stdin=self._requests.target(name, wanted),
            triggers=self._proven_by(further, wanted),
            opts=pulumi.ResourceOptions(parent=self, depends_on=after),
        )

    def _proven_by(
        self, further: FurtherTarget | None, wanted: Mapping[str, str]
    ) -> list[pulumi.Input[str]]:
        """What makes a target be looked at again: its own fields, its credential, its store."""
        if further is not None and further.foreign:
            return [digest([wanted, further.model_dump(mode="json")])]
        args, install = self._args, self._settings.install
        values = chart_values(self._settings, self.url) if install else None
        chart = install.chart.model_dump(mode="json") if install else None
        inside = args.endpoint.url_for_pods
        return [
            args.endpoint.ca_pem.apply(
                lambda pem: digest([dict(wanted), args.client.generation, inside, pem])
            ),
            digest([values, chart]),
        ]

    def _tuned(self, gate: pulumi.Resource) -> list[pulumi.Resource]:
        """Longhorn's own settings, unless its chart says them. A setting cannot be deleted, and
        what it is set to stays.
        """
        if self._settings.install is not None:
            return []
        return [
            self._fields(
                f"longhorn-setting-{name}",
                objects.setting_fields(self._args.site, self._settings.namespace, name, value),
                [gate],
                kept=True,
            )
            for name, value in tuning.by_object(self._settings.settings.given).items()
        ]

    def _jobs(self, after: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        site, home = self._args.site, self._settings.namespace
        return [
            self._object(f"longhorn-job-{name}", objects.job(site, home, name, one), after)
            for name, one in self._settings.plain_jobs.items()
        ]

    def _classes(self, after: Sequence[pulumi.Resource]) -> None:
        for name, one in self._settings.storage_classes.items():
            self._object(
                f"longhorn-class-{name}",
                objects.storage_class(self._args.site, name, one),
                after,
                # Its parameters are fixed once it is made.
                delete_before_replace=True,
            )

    def _bound(self, jobs: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        """The labels of claims. Of a claim that is gone nothing is asked: the provider can neither
        change its labels nor take them away, and an update of either kind would fail.
        """
        found, frozen = self._args.bindings, {"ignore_changes": ["metadata"]}
        return [
            self._fields(
                resource_name(one),
                objects.claim_fields(self._args.site, one),
                jobs,
                kept=False,
                **(frozen if one in found.kept else {}),
            )
            for one in (*found.bound, *found.kept)
        ]
