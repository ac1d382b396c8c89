"""Settings of the drills: when they run, what they hold the site to."""

from typing import Annotated, Literal

from pydantic import Field

from components.settings.base import Model


class Drills(Model):
    """`period` none runs a drill only when what it proves changed; else also once a period."""

    on_red: Literal["fail", "warn"] = "fail"
    period: Literal["none", "daily", "weekly"] = "none"
    certificate_min_days: Annotated[int, Field(ge=1)] = 14
    clock_skew_seconds: Annotated[int, Field(ge=1)] = 60
    store_rto_seconds: Annotated[int, Field(ge=1)] = 300
