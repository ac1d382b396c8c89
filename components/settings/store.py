"""Settings of the object store: on hosts, or one that exists already."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from components.settings.base import HIGHEST_PORT, AbsolutePath, Model, Name, Port, Sha256, network

MINIMUM_ERASURE_DRIVES = 4


class Binary(Model):
    """The server's executable: `path` on the operator's machine, or `url` fetched by the host."""

    path: str | None = None
    url: Annotated[str, StringConstraints(pattern=r"^https://")] | None = None
    sha256: Sha256
    version: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$")]

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.url is None):
            raise ValueError("give either path or url, and only one of them")
        return self


class Certificate(Model):
    """The store's certificates. Times are days.

    `ca_home`: where the CA's private key lives: `host` (the first store host makes and keeps it)
    or `file` (`ca_key_file` on the operator's machine; no host ever holds it).
    """

    ca_home: Literal["host", "file"] = "host"
    ca_key_file: str | None = None
    ca_certificate_file: str | None = None
    names: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]+$")], ...] = ()
    ca_days: Annotated[int, Field(ge=365)] = 3650
    issuer_days: Annotated[int, Field(ge=90)] = 1095
    # Browsers and Go accept longer ones; 398 days is the limit that public authorities keep.
    leaf_days: Annotated[int, Field(ge=7, le=398)] = 90
    renew_before_days: Annotated[int, Field(ge=1)] = 30

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        files = (self.ca_key_file, self.ca_certificate_file)
        if self.ca_home == "file" and None in files:
            raise ValueError("caHome file needs caKeyFile and caCertificateFile")
        if self.ca_home == "host" and files != (None, None):
            raise ValueError("caKeyFile and caCertificateFile belong to caHome file")
        if self.renew_before_days >= self.leaf_days:
            raise ValueError("renewBeforeDays must be less than leafDays")
        return self


class Firewall(Model):
    """An nftables table of our own for the two server ports; rules of others are not touched."""

    enabled: bool = False
    allow_from: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9a-f.:/]+$")], ...] = ()

    @field_validator("allow_from")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            network(text)
        return value

    @model_validator(mode="after")
    def _allows_someone(self) -> Self:
        if self.enabled and not self.allow_from:
            raise ValueError("an enabled firewall needs allowFrom, or nobody reaches the store")
        return self


class HostsStore(Model):
    """MinIO on bare-metal hosts: `hosts` x `drives`. One drive on one host has no parity."""

    kind: Literal["hosts"] = "hosts"
    hosts: tuple[str, ...]
    drives: tuple[AbsolutePath, ...] = ("/storage/minio",)
    require_mount_point: bool = True
    binary: Binary
    region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")] = "eu-west-1"
    api_port: Port = 9091
    console_port: Port = 9092
    console: bool = False
    system_user: Name = "minio"
    certificate: Certificate = Certificate()
    firewall: Firewall = Firewall()
    stale_uploads_hours: Annotated[int, Field(ge=1)] = 24
    root_credential_generation: Annotated[int, Field(ge=1)] = 1
    health_seconds: Annotated[int, Field(ge=5)] = 60

    @field_validator("hosts", "drives")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("is empty; name at least one")
        if len(set(value)) != len(value):
            raise ValueError("an entry stands there twice")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.api_port == self.console_port:
            raise ValueError(f"apiPort and consolePort are both {self.api_port}; give two ports")
        bare = [drive for drive in self.drives if drive.strip("/").count("/") == 0]
        if self.require_mount_point and bare:
            # The folder above it is the root directory, which is always a mount point.
            raise ValueError(
                f"drives: {bare[0]} is no folder below a mount point; name one, such as "
                f"{bare[0]}/minio with the drive mounted at {bare[0]}"
            )
        count = len(self.hosts) * len(self.drives)
        if len(self.hosts) > 1 and count < MINIMUM_ERASURE_DRIVES:
            raise ValueError(
                f"{len(self.hosts)} hosts with {len(self.drives)} drives each are {count} drives; "
                f"several hosts need at least {MINIMUM_ERASURE_DRIVES}"
            )
        return self


class ExistingStore(Model):
    """A store that is there already. `endpoint`: https://host:port, nothing behind the port."""

    kind: Literal["existing"]
    endpoint: Annotated[str, StringConstraints(pattern=r"^https://[A-Za-z0-9.-]+:[0-9]{1,5}$")]
    region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")] = "eu-west-1"
    ca_certificate_file: str

    @field_validator("endpoint")
    @classmethod
    def _port(cls, value: str) -> str:
        port = int(value.rpartition(":")[2])
        if not 1 <= port <= HIGHEST_PORT:
            raise ValueError(f"port {port} does not exist; give one from 1 to {HIGHEST_PORT}")
        return value
