"""The JSON that `python -m kube.claim` reads on stdin."""

from typing import Annotated

from pydantic import Field

from kube.claim.binding import Wanted
from kube.payload import Request

Text = Annotated[str, Field(min_length=1)]


class ClaimRequest(Request):
    """Which claim of which site. `volume` "": its storage class makes the volume."""

    site: Text
    namespace: Text
    claim: Text
    volume: str = ""
    seconds: Annotated[int, Field(ge=1)] = 60

    def wanted(self) -> Wanted:
        return Wanted(self.site, self.namespace, self.claim, self.volume)
