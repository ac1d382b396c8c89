"""The payload of the drill of layer `volumes`."""

from typing import Annotated, Literal

from pydantic import Field

from drills.backup.payload import BackupLimits, BackupPayload
from drills.coverage.live import Allowed
from drills.payload import Strict
from drills.sandbox.hold import Idle
from drills.usable.settings import Checks

Text = Annotated[str, Field(min_length=1)]


class VolumeLimits(BackupLimits):
    """`read_seconds`: how long all of one volume may take to be read."""

    read_seconds: Annotated[int, Field(gt=0, alias="readSeconds")] = 900


class ReaderPod(Strict):
    """What the drill's own pods run: an image with sh and python3 of 3.9 or later."""

    image: Text
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = Field(
        alias="pullPolicy", default="IfNotPresent"
    )
    pull_secrets: tuple[str, ...] = Field(alias="pullSecrets", default=())

    def idle(self) -> Idle:
        return Idle(self.image, pull_secrets=self.pull_secrets, pull_policy=self.pull_policy)


class CanaryVolume(Strict):
    """A volume of the canary, and the claim it is on."""

    name: Text
    claim: Text


class CanaryTruth(Strict):
    """The site's canary, and where the truth about its data is kept; see drills/canary/truth.py."""

    namespace: Text
    bucket: Text
    prefix: str
    volumes: Annotated[tuple[CanaryVolume, ...], Field(min_length=1)]


class Excuse(Strict):
    """What may stay unprotected, and why; namespace and claim may be globs."""

    namespace: Text
    claim: str = ""
    why: Annotated[str, Field(pattern=r"\S")]

    def allowed(self) -> Allowed:
        return Allowed(self.namespace, self.why, self.claim)


class VolumesPayload(BackupPayload):
    """What the drill is told of a site.

    `classes`: storage classes to use in the sandbox instead of others. `dns_networks`: CIDRs of
    name servers that are no pods. With `checks_need_closed_network` nothing is started where a
    sandbox's network is not seen to be closed.
    """

    layer: Literal["volumes"]
    limits: VolumeLimits
    reader: ReaderPod
    classes: dict[str, str] = Field(default_factory=dict)
    canary: CanaryTruth | None = None
    exceptions: tuple[Excuse, ...] = ()
    checks: Checks = ()
    checks_need_closed_network: bool = Field(alias="checksNeedClosedNetwork", default=True)
    dns_networks: tuple[str, ...] = Field(alias="dnsNetworks", default=())
