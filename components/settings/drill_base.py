"""What the settings of all drills share."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

# A backup takes its time, and the next one is late by that much.
RPO_MARGIN_SECONDS = 3600

Seconds = Annotated[int, Field(ge=1)]
OnRed = Literal["fail", "warn"]
Period = Literal["none", "daily", "weekly"]
ClaimPattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9*?\[\]!.-]*$")]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$")]
Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
