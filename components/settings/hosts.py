"""Settings of the machines that are reached over SSH."""

from typing import Annotated

from pydantic import StringConstraints

from components.settings.base import Model, Port


class Host(Model):
    """One machine reached over SSH. `host_key`: "ssh-ed25519 AAAA…"; it is always pinned."""

    address: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]+$")]
    user: str = "root"
    port: Port = 22
    host_key: Annotated[str, StringConstraints(pattern=r"^[a-z0-9@.-]+ [A-Za-z0-9+/=]+$")]
