"""What a scheduler tells for the report."""

from collections.abc import Sequence

import msgspec


class FailedDocuments(msgspec.Struct, frozen=True, kw_only=True):
    """How many failed for one cause, and when the last did."""

    code: str
    count: int
    last: str


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What the page says beside the panels. `status`: lines for the terminal; `failures` is None if it is unknown."""

    status: str
    failures: Sequence[FailedDocuments] | None
    failures_left_out: int = 0
