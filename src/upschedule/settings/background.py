"""Settings of processes that serve no visitor directly, and of their replacement."""

from typing import Annotated

import msgspec
from msgspec import Meta

from upschedule.settings.metadata import DAY_SECONDS, SECRET, below


class SchedulerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The process that finds lost jobs and removes what is past its time."""

    host: Annotated[str, Meta(description="Address of the health and metrics endpoint")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="Port of the health and metrics endpoint")] = 8200
    lease_seconds: Annotated[
        float, Meta(gt=0, description="A leader that has not renewed its lease for this time is replaced (R2.3)")
    ] = 6.0
    heartbeat_seconds: Annotated[
        float,
        Meta(gt=0, description="How often the leader renews its lease; less than the lease"),
        below("lease_seconds"),
    ] = 2.0
    operator_token: Annotated[
        str,
        Meta(
            description="Token for `upschedule ops`, at least 32 characters; empty: this process answers no operator",
            pattern="^(.{32,})?$",
        ),
        SECRET,
    ] = ""
    operator_answer_seconds: Annotated[
        float, Meta(gt=0, le=DAY_SECONDS, description="Longest time in which an operator's request is answered")
    ] = 8.0
    operator_concurrency: Annotated[
        int, Meta(ge=1, le=64, description="Requests of operators that are answered at once; others are refused")
    ] = 4
    operator_rows_max: Annotated[
        int, Meta(ge=1, le=10_000, description="Most rows of one kind in an answer for an operator")
    ] = 200
    deletions_days: Annotated[
        float,
        Meta(
            gt=0,
            description="How long the record of deleted data is kept; longer than backups, which could "
            "otherwise restore the data",
        ),
    ] = 10.0
    operator_actions_days: Annotated[
        float, Meta(gt=0, description="How long the record of operators' changes is kept")
    ] = 90.0


class RolloutSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a new release takes over, and what happens to its readings when it is left."""

    standing_file: Annotated[
        str | None,
        Meta(
            description="File with `live` or a canary's share of the work, read every second; unset: the "
            "process is live"
        ),
    ] = None
    release: Annotated[
        str | None, Meta(description="Version of this release; unset: its readings are final at once")
    ] = None
    renew_seconds: Annotated[
        float,
        Meta(
            gt=0, description="How often a worker records that its release runs, and how often the scheduler checks it"
        ),
        below("silent_seconds"),
    ] = 5.0
    silent_seconds: Annotated[
        float,
        Meta(
            gt=0,
            description="A release that no worker has recorded as running for this time is abandoned: its "
            "readings are repeated",
        ),
    ] = 30.0
    provisional_seconds: Annotated[
        float, Meta(ge=0, description="Time after its promotion for which a release's readings are provisional")
    ] = 1800.0
    read_again_max: Annotated[
        int,
        Meta(ge=1, description="Most documents of an abandoned release that are queued or read again at the same time"),
    ] = 100
    yield_seconds: Annotated[
        float, Meta(ge=0, description="Time for which such a document lets the documents that people wait for go first")
    ] = 60.0
