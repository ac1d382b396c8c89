"""The provider's configuration: read from Pulumi's wire form, checked, turned into `Settings`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from standins.pulumi.minio.check import Failure
from standins.pulumi.minio.values import Unknown, Value

DEFAULT_REGION = "us-east-1"  # the official plugin's
_KEYS = (
    "minioServer",
    "minioUser",
    "minioPassword",
    "minioAccessKey",
    "minioSecretKey",
    "minioSessionToken",
    "minioRegion",
    "minioApiVersion",
    "minioSsl",
    "minioInsecure",
    "minioCacertFile",
    "minioCertFile",
    "minioKeyFile",
)
_FLAGS = ("minioSsl", "minioInsecure")
# Keys the engine adds to a provider's inputs for itself.
_ENGINE_KEYS = ("version", "pluginDownloadURL", "parameterization")
_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


@dataclass(frozen=True)
class Settings:
    """Where the object store is and how to sign in. `ca_pem` was read when this was made."""

    server: str
    user: str
    password: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    region: str = DEFAULT_REGION
    ssl: bool = False
    insecure: bool = False
    ca_pem: str = ""
    cert_file: str = ""
    key_file: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        return f"{'https' if self.ssl else 'http'}://{self.server}"


def check(config: Mapping[str, Value]) -> list[Failure]:
    """What is wrong with a provider's inputs, as far as they are known."""
    failures = [
        Failure(key, f"minio provider: {key} is not one of its settings: {', '.join(_KEYS)}")
        for key in config
        if key not in _KEYS and key not in _ENGINE_KEYS and not key.startswith("__")
    ]
    server = config.get("minioServer")
    if not server:
        failures.append(Failure("minioServer", "minio provider: minioServer is not set"))
    elif isinstance(server, str) and not _SERVER.fullmatch(server):
        reason = f"minio provider: minioServer is {server!r}; write host:port without a scheme"
        failures.append(Failure("minioServer", reason))
    for new, old in (("minioUser", "minioAccessKey"), ("minioPassword", "minioSecretKey")):
        if config.get(new) and config.get(old):
            reason = f"minio provider: {new} and its old name {old} exclude each other; set {new}"
            failures.append(Failure(new, reason))
    for key in _FLAGS:
        if not isinstance(config.get(key), Unknown) and _flag(config.get(key)) is None:
            failures.append(Failure(key, f"minio provider: {key} must be true or false"))
    api = config.get("minioApiVersion")
    if api not in (None, "", "v4") and not isinstance(api, Unknown):
        reason = f"minio provider: minioApiVersion is {api!r}; the stand-in signs with v4 only"
        failures.append(Failure("minioApiVersion", reason))
    return failures


def load(config: Mapping[str, Value]) -> Settings:
    """The settings of a provider whose inputs are known and were checked.

    Reads the certificate authority file now (only with TLS, as the official plugin does). Raises
    ValueError, one sentence naming the setting, where a file is missing or holds no certificate.
    """
    ssl = _flag(config.get("minioSsl")) or False
    return Settings(
        server=_text(config, "minioServer"),
        user=_text(config, "minioUser") or _text(config, "minioAccessKey"),
        password=_text(config, "minioPassword") or _text(config, "minioSecretKey"),
        session_token=_text(config, "minioSessionToken"),
        region=_text(config, "minioRegion") or DEFAULT_REGION,
        ssl=ssl,
        insecure=_flag(config.get("minioInsecure")) or False,
        ca_pem=_read_ca(_text(config, "minioCacertFile")) if ssl else "",
        cert_file=_existing(config, "minioCertFile") if ssl else "",
        key_file=_existing(config, "minioKeyFile") if ssl else "",
    )


def _text(config: Mapping[str, Value], key: str) -> str:
    value = config.get(key)
    return value if isinstance(value, str) else ""


def _flag(value: Value) -> bool | None:
    """True or false also as the text Pulumi sends for it; None when it is neither."""
    if value is None or value == "":
        return False
    return {"true": True, "false": False}.get(str(value).lower())


def _read_ca(path: str) -> str:
    if not path:
        return ""
    try:
        pem = Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a PEM text"
        raise ValueError(
            f"minio provider: minioCacertFile {path!r} cannot be read ({reason}); "
            "give the path of the certificate authority's PEM file on this machine"
        ) from error
    if "-----BEGIN CERTIFICATE-----" not in pem:
        raise ValueError(f"minio provider: minioCacertFile {path!r} holds no PEM certificate")
    return pem


def _existing(config: Mapping[str, Value], key: str) -> str:
    path = _text(config, key)
    if path and not Path(path).is_file():
        raise ValueError(f"minio provider: {key} {path!r} is not a file on this machine")
    return path
