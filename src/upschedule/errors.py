"""The base of every error that is shown to a person, and the form in which it travels (RFC 9457).

A subclass's docstring is its sentence: what is wrong and what to do. Facts of the occasion go into `detail`. What a
cause means in HTTP is decided once, in `web/http/problems.py`; here is only what it means to a person.
"""

from typing import ClassVar

import msgspec

PROBLEM_TYPE = "application/problem+json"


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a request, as a path such as `academic_year.terms.S1.end`, and what is wrong with it."""

    field: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error as people and programs get it. `type` is stable and explains itself; `instance` is the request's id."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: tuple[FieldError, ...] | None = None


def reference(code: str) -> str:
    """The address that explains a code."""
    return f"/problems/{code}"


class Refusal(Exception):
    """The request was refused. Check it and try again."""

    code: ClassVar[str] = "refused"
    title: ClassVar[str] = "Refused"
    #: Whether the API explains the code at its `type`. It does not know what only another process answers with.
    explained: ClassVar[bool] = True

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or " ".join((type(self).__doc__ or "").split())
        super().__init__(self.detail)
