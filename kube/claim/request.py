"""The JSON that `python -m kube.claim` reads on stdin."""

import json
from typing import Annotated

from pydantic import Field, ValidationError

from kube.claim.binding import Wanted
from kube.payload import PayloadError, Request

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


def read(text: str) -> ClaimRequest:
    """The request in `text`. Raises PayloadError; offending values are never repeated."""
    try:
        return ClaimRequest.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "input"
        raise PayloadError(f"{key}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None
    except ValueError:
        raise PayloadError("stdin is no JSON: give one JSON object") from None
