"""The base of every error that a person is told about.

A subclass's docstring is its sentence: what is wrong and what to do. Facts of the occasion go into `detail`. What a
cause means in HTTP is decided once, in `web/http/problems.py`; here is only what it means to a person.
"""

from typing import ClassVar

import msgspec


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a request, as a path such as `academic_year.terms.S1.end`, and what is wrong with it."""

    field: str
    detail: str


class Refusal(Exception):
    """The request was refused. Check it and try again."""

    code: ClassVar[str] = "refused"
    title: ClassVar[str] = "Refused"

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or " ".join((type(self).__doc__ or "").split())
        super().__init__(self.detail)
