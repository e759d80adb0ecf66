"""Processes that serve nobody directly, and how a new one takes over."""

from typing import Annotated

import msgspec
from msgspec import Meta


class SchedulerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The process that finds lost jobs and removes what is past its time."""

    host: Annotated[str, Meta(description="Address of the health and metrics endpoint")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="Port of the health and metrics endpoint")] = 8200
    lease_seconds: Annotated[
        float, Meta(gt=0, description="A leader that has not renewed its lease for so long is replaced (R2.3)")
    ] = 6.0
    heartbeat_seconds: Annotated[float, Meta(gt=0, description="How often the leader renews its lease")] = 2.0


class RolloutSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a new release stands: a canary of a worker or scheduler takes no live work."""

    standing_file: Annotated[
        str | None,
        Meta(description="File that says `live` once work may be taken; looked at each second; unset: at once"),
    ] = None
