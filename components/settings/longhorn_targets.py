"""Settings of Longhorn's backup targets: where each lies, and with what it is reached.

The URL of a foreign target is brought to one form, and its credential is a secret of its own.
"""

import json
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator

from components.longhorn import places
from components.settings.base import Model
from components.settings.velero import Duration
from components.velero import durations

DEFAULT_TARGET = "default"
CREDENTIALS = "longhornCredentials"
SHORTEST_POLL, LONGEST_POLL = 60, 3600

TargetName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])$")]
HttpsUrl = Annotated[str, StringConstraints(pattern=r"^https://[^/\s]+$")]


def _poll(value: str) -> str:
    found = durations.canonical(value)
    if not SHORTEST_POLL <= durations.seconds(found) <= LONGEST_POLL:
        raise ValueError(
            f"{value} is not within 1m and 1h; with less the store is only ever listed, with more "
            "a new backup is known late"
        )
    return found


class Target(Model):
    """The target `default`: in the bucket of the store's client longhorn, below `prefix`.

    `prefix` None: the site's name. `take_over`: overwrite a URL that the target has already.
    """

    prefix: str | None = None
    poll_interval: Duration = "5m0s"
    take_over: bool = False

    @field_validator("prefix")
    @classmethod
    def _prefix(cls, value: str | None) -> str | None:
        return None if value is None else places.folder(value)

    @field_validator("poll_interval")
    @classmethod
    def _poll_interval(cls, value: str) -> str:
        return _poll(value)


class FurtherTarget(Model):
    """One more target: a `prefix` of this store's bucket, or the `url` of another store.

    `endpoint` None: Amazon's own, by the region of the URL. `ca_certificate_file`: the CA of that
    endpoint; None: one of the public ones. `credential_generation`: raised with another credential,
    so that the target is looked at again.
    """

    prefix: str | None = None
    url: str | None = None
    endpoint: HttpsUrl | None = None
    ca_certificate_file: str | None = None
    virtual_hosted_style: bool = False
    credential_generation: Annotated[int, Field(ge=1)] = 1
    poll_interval: Duration = "5m0s"

    @field_validator("prefix")
    @classmethod
    def _prefix(cls, value: str | None) -> str | None:
        return None if value is None else places.folder(value)

    @field_validator("url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        return None if value is None else places.parse(value).url

    @field_validator("poll_interval")
    @classmethod
    def _poll_interval(cls, value: str) -> str:
        return _poll(value)

    @property
    def foreign(self) -> bool:
        return self.url is not None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.prefix is None) == (self.url is None):
            raise ValueError("give either prefix, of this store, or url, of another one")
        for key, given in (
            ("endpoint", self.endpoint),
            ("caCertificateFile", self.ca_certificate_file),
            ("virtualHostedStyle", self.virtual_hosted_style or None),
        ):
            if not self.foreign and given is not None:
                raise ValueError(f"{key}: belongs to a target with a url; take it out")
        return self


def credentials(held: SecretStr) -> dict[str, dict[str, str]]:
    """{target: {accessKey, secretKey}} out of the secret config value.

    Raises:
        ValueError: one sentence, without any value.
    """
    text = held.get_secret_value()
    form = f'{CREDENTIALS}: is not of the form {{"<target>": {{"accessKey": …, "secretKey": …}}}}'
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        raise ValueError(f"{form}; set it again with --secret") from None
    pairs = found.items() if isinstance(found, dict) else [("", None)]
    for _, pair in pairs:
        if (
            not isinstance(pair, dict)
            or set(pair) != {"accessKey", "secretKey"}
            or not all(map(_is_key, pair.values()))
        ):
            raise ValueError(f"{form}; set it again with --secret")
    return dict(found)


def _is_key(value: object) -> bool:
    """Whether it can be half of a credential; white space around it is taken off later."""
    return isinstance(value, str) and bool(value.strip()) and value.strip().isprintable()


def authority(name: str, one: FurtherTarget) -> str:
    """The CA of a further target's endpoint, "" for a public one.

    Raises:
        ValueError: one sentence with the key.
    """
    if one.ca_certificate_file is None:
        return ""
    key = f"longhorn.targets.{name}.caCertificateFile"
    try:
        text = Path(one.ca_certificate_file).expanduser().read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{key}: {one.ca_certificate_file} cannot be read ({type(error).__name__})"
        ) from None
    if "BEGIN CERTIFICATE" not in text:
        raise ValueError(f"{key}: {one.ca_certificate_file} holds no certificate in PEM form")
    return text
