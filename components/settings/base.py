"""What every part of the settings shares: the model, the types of names, the fault's sentence."""

import ipaddress
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

NAMESPACE = "backstop"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]
# Namespaces and other objects of the cluster whose names are DNS labels.
KubeName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
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


def network(text: str) -> str:
    """The network as CIDR; an address is one by itself.

    Raises:
        ValueError: one sentence.
    """
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError(
            f"{text} is no address and no network; write 10.0.0.7 or 10.0.0.0/24"
        ) from None


class SettingsError(Exception):
    """The stack's config is wrong. `faults` has one sentence per fault, each naming its key."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


def sentence(where: str, problem: str) -> str:
    return f"config {NAMESPACE}:{where}: {problem}"
