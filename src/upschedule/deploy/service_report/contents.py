"""The part of the report that a scheduler provides."""

from collections.abc import Sequence

import msgspec


class FailedDocuments(msgspec.Struct, frozen=True, kw_only=True):
    """How many failed for one cause, and when the last did."""

    code: str
    count: int
    last: str


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of the page except the panels. `status`: lines for the terminal; `failures` is None if unknown."""

    status: str
    failures: Sequence[FailedDocuments] | None
    failures_left_out: int = 0
