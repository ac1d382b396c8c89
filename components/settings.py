"""Pulumi config -> frozen, validated settings. Every error names its key and the cure.

`load` is pure: it takes the raw values of the stack's config and returns `Settings` or raises
`SettingsError`, whose text is one sentence per fault. Values that decide something are plain
Python here; values that only pass through (secrets) stay out of these classes' text forms.
"""

import ipaddress
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

NAMESPACE = "backstop"
SECRET_KEYS = frozenset({"sshPrivateKey", "storeRootUser", "storeRootPassword", "escrowPassphrase"})
# MinIO's own rule for bucket names, which is the S3 rule without dots: a dot breaks TLS names.
BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
MINIMUM_ERASURE_DRIVES = 4

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]
HIGHEST_PORT = 65535
Port = Annotated[int, Field(ge=1, le=HIGHEST_PORT)]
AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._/-]+$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def is_address(text: str) -> bool:
    """Whether this is an IP address, and not a name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class SettingsError(Exception):
    """The stack's config is wrong. `faults` has one sentence per fault, each naming its key."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


class Host(_Model):
    """One machine reached over SSH. `host_key`: "ssh-ed25519 AAAA…"; it is always pinned."""

    address: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]+$")]
    user: str = "root"
    port: Port = 22
    host_key: Annotated[str, StringConstraints(pattern=r"^[a-z0-9@.-]+ [A-Za-z0-9+/=]+$")]


class Binary(_Model):
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


class Certificate(_Model):
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


class Firewall(_Model):
    """An nftables table of our own for the two server ports; rules of others are not touched."""

    enabled: bool = False
    allow_from: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9a-f.:/]+$")], ...] = ()

    @field_validator("allow_from")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                ipaddress.ip_network(text)
            except ValueError:
                raise ValueError(
                    f"{text} is no address and no network; write 10.0.0.7 or 10.0.0.0/24"
                ) from None
        return value

    @model_validator(mode="after")
    def _allows_someone(self) -> Self:
        if self.enabled and not self.allow_from:
            raise ValueError("an enabled firewall needs allowFrom, or nobody reaches the store")
        return self


class HostsStore(_Model):
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


class ExistingStore(_Model):
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


class ObjectLock(_Model):
    """Default retention of a bucket. It can be switched on only when the bucket is made."""

    mode: Literal["GOVERNANCE", "COMPLIANCE"] = "GOVERNANCE"
    days: Annotated[int, Field(ge=1)]


class Client(_Model):
    """A consumer of the store. `quota_gib` None means no quota.

    `credential_generation` is raised to rotate; while `keep_previous_credential` is true the user
    of the generation before stays valid, so that nothing breaks while its consumer is changed.
    """

    enabled: bool = True
    bucket: str | None = None
    nodes: tuple[Name, ...] = ()
    # Fewer days than a week would not outlive a long weekend after a bad deletion.
    noncurrent_days: Annotated[int, Field(ge=7)] = 30
    quota_gib: Annotated[int, Field(ge=1)] | None = None
    object_lock: ObjectLock | None = None
    credential_generation: Annotated[int, Field(ge=1)] = 1
    keep_previous_credential: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.keep_previous_credential and self.credential_generation == 1:
            raise ValueError("keepPreviousCredential needs a credentialGeneration above 1")
        if self.object_lock and self.noncurrent_days < self.object_lock.days:
            raise ValueError("noncurrentDays must not be less than objectLock.days")
        return self

    @field_validator("bucket")
    @classmethod
    def _bucket_name(cls, value: str | None) -> str | None:
        if value is not None and not BUCKET_NAME.fullmatch(value):
            raise ValueError("a bucket name has 3 to 63 lower-case letters, digits and hyphens")
        return value


class Clients(_Model):
    """Every client that a store has; a client left out of the config gets the defaults here."""

    velero: Client = Client()
    longhorn: Client = Client()
    host_files: Annotated[Client, Field(alias="host-files")] = Client()
    cluster_state: Annotated[Client, Field(alias="cluster-state")] = Client()
    drill: Client = Client()
    evidence: Client = Client()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key in ("velero", "longhorn", "cluster_state", "drill", "evidence"):
            if getattr(self, key).nodes:
                raise ValueError(f"{key.replace('_', '-')}.nodes: only host-files has nodes")
        if not (self.drill.enabled and self.evidence.enabled):
            raise ValueError("drill and evidence cannot be switched off: nothing would be proven")
        return self


class Drills(_Model):
    """`period` none runs a drill only when what it proves changed; else also once a period."""

    on_red: Literal["fail", "warn"] = "fail"
    period: Literal["none", "daily", "weekly"] = "none"
    certificate_min_days: Annotated[int, Field(ge=1)] = 14
    clock_skew_seconds: Annotated[int, Field(ge=1)] = 60
    store_rto_seconds: Annotated[int, Field(ge=1)] = 300


class Settings(_Model):
    """One site. Secrets are SecretStr, so no text form of this object holds one."""

    site: Name
    hosts: dict[Name, Host] = {}
    ssh_private_key: SecretStr = SecretStr("")
    object_store: Annotated[HostsStore | ExistingStore, Field(discriminator="kind")]
    store_root_user: SecretStr = SecretStr("")
    store_root_password: SecretStr = SecretStr("")
    escrow_passphrase: SecretStr = SecretStr("")
    clients: Clients = Clients()
    drills: Drills = Drills()

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
        elif not (
            self.store_root_user.get_secret_value() and self.store_root_password.get_secret_value()
        ):
            raise ValueError(
                "storeRootUser, storeRootPassword: an existing store needs both, --secret"
            )
        return self


def _sentence(where: str, problem: str) -> str:
    return f"config {NAMESPACE}:{where}: {problem}"


def _explain(error: ValidationError) -> list[str]:
    """One sentence per fault; pydantic's own text never shows the value (it may be a secret)."""
    faults = []
    for fault in error.errors(include_input=False, include_url=False):
        # The discriminator's tag (hosts, existing) stands in the location; it is no key.
        path = [str(part) for part in fault["loc"]]
        if path[:1] == ["objectStore"] and path[1:2] in (["hosts"], ["existing"]):
            del path[1]
        where = ".".join(path)
        if fault["type"] == "extra_forbidden":
            faults.append(_sentence(where, "is no key of this program; correct its spelling"))
        elif fault["type"] == "missing":
            faults.append(_sentence(where, "is missing; set it in the stack's config file"))
        else:
            text = fault["msg"].removeprefix("Value error, ")
            if not where and ": " in text:
                where, text = text.split(": ", 1)
            faults.append(_sentence(where, text))
    return faults


def _read(path: str, key: str, read: Callable[[Path], str]) -> str:
    try:
        return read(Path(path).expanduser())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingsError([_sentence(key, f"{path} cannot be read ({reason})")]) from error


def _inventory(path: str, read: Callable[[Path], str]) -> dict[str, Any]:
    """The inventory file as config values; the lab's file and a hand-written one look alike."""
    expanded = os.path.expandvars(path)
    if "$" in expanded:
        fault = f"{path} names an environment variable that is not set; for the lab: "
        raise SettingsError([_sentence("hostInventory", fault + 'eval "$(python3 -m lab env)"')])
    text = _read(expanded, "hostInventory", read)
    try:
        content = json.loads(text)
    except ValueError as error:
        raise SettingsError(
            [_sentence("hostInventory", f"{expanded} is no JSON: {error}")]
        ) from None
    if not isinstance(content, dict) or content.get("schema") != 1:
        fault = f"{expanded} is no inventory of schema 1; write it anew (lab: python3 -m lab up)"
        raise SettingsError([_sentence("hostInventory", fault)])
    return content


def _merge_inventory(values: dict[str, Any], read: Callable[[Path], str]) -> None:
    path = values.pop("hostInventory", "")
    if not path:
        return
    inventory = _inventory(path, read)
    values["hosts"] = {**inventory.get("hosts", {}), **values.get("hosts", {})}
    if not values.get("sshPrivateKey") and not values.get("sshPrivateKeyFile"):
        values["sshPrivateKeyFile"] = inventory.get("sshPrivateKeyFile", "")
    store = values.get("objectStore")
    artefact = inventory.get("artefacts", {}).get("minio")
    if isinstance(store, dict) and store.get("kind", "hosts") == "hosts" and artefact:
        binary = store.get("binary", {})
        if "sha256" not in binary and isinstance(binary, dict):
            binary = {**binary, "path": artefact["path"], "sha256": artefact["sha256"]}
            values["objectStore"] = {**store, "binary": binary}


def load(
    raw: Mapping[str, Any],
    *,
    secret_keys: frozenset[str] = SECRET_KEYS,
    read: Callable[[Path], str] = Path.read_text,
) -> Settings:
    """Settings of one site.

    Args:
        raw: config values by key without namespace; objects are already decoded.
        secret_keys: the keys that the stack stores encrypted.
        read: reads a text file; the edge that tests replace.

    Raises:
        SettingsError: with every fault found, one sentence each.
    """
    values = dict(raw)
    clear = [key for key in sorted(SECRET_KEYS) if values.get(key) and key not in secret_keys]
    if clear:
        raise SettingsError(
            [
                _sentence(
                    key, f"stands in clear text; set it with `pulumi config set --secret {key}`"
                )
                for key in clear
            ]
        )
    _merge_inventory(values, read)
    key_file = values.pop("sshPrivateKeyFile", "")
    if key_file and not values.get("sshPrivateKey"):
        values["sshPrivateKey"] = _read(key_file, "sshPrivateKeyFile", read)
    store = values.get("objectStore")
    if isinstance(store, dict):
        values["objectStore"] = {"kind": "hosts", **store}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None
