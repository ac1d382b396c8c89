"""Settings of one site: every concern together, and what must hold between them."""

from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from components.settings.base import Model, Name, is_address
from components.settings.canary import Canary
from components.settings.canary import site_fault as canary_fault
from components.settings.clients import Clients
from components.settings.cluster import ClusterSettings
from components.settings.drills import Drills
from components.settings.drills import site_fault as drills_fault
from components.settings.hosts import Host
from components.settings.in_cluster import InClusterStore
from components.settings.longhorn import Longhorn
from components.settings.longhorn import site_fault as longhorn_fault
from components.settings.longhorn_drill import site_fault as longhorn_drill_fault
from components.settings.snapshots import Snapshots, coupling_faults
from components.settings.store import ExistingStore, HostsStore
from components.settings.velero import Velero, site_fault


class Settings(Model):
    """One site. Secrets are SecretStr, so no text form of this object holds one."""

    site: Name
    hosts: dict[Name, Host] = Field(default_factory=dict)
    ssh_private_key: SecretStr = SecretStr("")
    object_store: Annotated[
        HostsStore | ExistingStore | InClusterStore, Field(discriminator="kind")
    ]
    store_root_user: SecretStr = SecretStr("")
    store_root_password: SecretStr = SecretStr("")
    escrow_passphrase: SecretStr = SecretStr("")
    clients: Clients = Clients()
    drills: Drills = Drills()
    kubeconfig: SecretStr = SecretStr("")
    cluster: ClusterSettings | None = None
    snapshots: Snapshots | None = None
    velero: Velero | None = None
    longhorn: Longhorn | None = None
    longhorn_credentials: SecretStr = SecretStr("")
    canary: Canary | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        store = self.object_store
        if isinstance(store, HostsStore):
            for name in store.hosts:
                if name not in self.hosts:
                    known = ", ".join(sorted(self.hosts)) or "none"
                    raise ValueError(
                        f"objectStore.hosts: {name} is not under hosts (there: {known})"
                    )
                if store.firewall.enabled and not is_address(self.hosts[name].address):
                    raise ValueError(
                        f"hosts.{name}.address: {self.hosts[name].address} is a name; a store with "
                        "a firewall needs an IP address here"
                    )
            if not self.ssh_private_key.get_secret_value():
                raise ValueError(
                    "sshPrivateKey: the hosts need a key; set it with --secret, or the file"
                )
        elif isinstance(store, ExistingStore) and not (
            self.store_root_user.get_secret_value() and self.store_root_password.get_secret_value()
        ):
            raise ValueError(
                "storeRootUser, storeRootPassword: an existing store needs both, --secret"
            )
        return self

    @model_validator(mode="after")
    def _cluster_is_reachable(self) -> Self:
        given = bool(self.kubeconfig.get_secret_value().strip())
        if self.cluster is None and given:
            raise ValueError("kubeconfig: belongs to a site with a cluster; add cluster, or {}")
        if self.cluster is not None and not given:
            raise ValueError(
                "cluster: the cluster needs a kubeconfig; set kubeconfig with --secret, or give "
                "cluster.kubeconfigFile, or an inventory that names one"
            )
        if self.cluster is None and isinstance(self.object_store, InClusterStore):
            raise ValueError("objectStore: kind inCluster needs the cluster; add cluster, or {}")
        if self.cluster is None and self.snapshots is not None:
            raise ValueError("snapshots: a site without cluster has no snapshots; add cluster")
        return self

    @model_validator(mode="after")
    def _snapshots_fit_the_data_mover(self) -> Self:
        moves = self.velero is not None and self.velero.moves_data
        faults = coupling_faults(self.snapshots, move_data=moves) if self.snapshots else []
        if faults:
            raise ValueError(faults[0])
        return self

    @model_validator(mode="after")
    def _velero_has_what_it_needs(self) -> Self:
        if self.velero is None:
            return self
        fault = site_fault(
            self.velero,
            cluster=self.cluster is not None,
            client=self.clients.velero.enabled,
            passphrase=bool(self.escrow_passphrase.get_secret_value()),
            classes=self.snapshots is not None,
        )
        if fault:
            raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _longhorn_has_what_it_needs(self) -> Self:
        given = self.longhorn_credentials
        if self.longhorn is None:
            if given.get_secret_value():
                raise ValueError("longhornCredentials: belongs to longhorn; add it, or unset this")
            return self
        fault = longhorn_fault(
            self.longhorn,
            site=self.site,
            cluster=self.cluster is not None,
            client=self.clients.longhorn,
            region=self.object_store.region,
            given=given,
        )
        if fault:
            raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _canary_has_what_it_needs(self) -> Self:
        if self.canary is None:
            return self
        fault = canary_fault(
            self.canary,
            self.velero,
            cluster=self.cluster is not None,
            classes=self.snapshots is not None,
            truth=self.clients.truth,
            store=self.object_store,
        )
        if fault:
            raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _drills_have_what_they_prove(self) -> Self:
        fault = drills_fault(
            self.drills, self.velero, canary=self.canary is not None
        ) or longhorn_drill_fault(self.drills.longhorn, self.longhorn)
        if fault:
            raise ValueError(fault)
        return self
