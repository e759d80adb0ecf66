"""Shows the dates between which classes repeat for confirmation, and parses the form. Pure functions."""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import get_args

import msgspec

from upschedule.calendars.assembly import CalendarAssembly, source_of_dates
from upschedule.calendars.model import Calendar, YearChoice
from upschedule.calendars.previews import YearAdvice
from upschedule.errors import FieldError
from upschedule.timetable.academic_year import TERM_TITLES, AcademicYear, Period, Term, YearDates
from upschedule.web.http.errors import InvalidRequest

#: The row of the form in which another recess can be given.
_NEW_RECESS = "recess0"
_RECESS, _PROPOSED = "recess", "proposed"


class TermDates(msgspec.Struct, frozen=True, kw_only=True):
    """First and last day in ISO 8601, empty if unknown. `error` says what is wrong with the submitted dates."""

    code: Term
    title: str
    start: str = ""
    end: str = ""
    error: str = ""


class RecessDates(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the form; `key` is the prefix of the names of its fields.

    A `proposed` recess counts only if it is `used`.
    """

    key: str
    name: str = ""
    start: str = ""
    end: str = ""
    proposed: bool = False
    used: bool = False
    error: str = ""


class Dates(msgspec.Struct, frozen=True, kw_only=True):
    """`source` says where the dates come from; it is empty if the visitor entered them.

    `as_of` is the day on which an operator last changed the known dates; it is empty for other dates.
    """

    year: int
    terms: tuple[TermDates, ...]
    recesses: tuple[RecessDates, ...] = ()
    recesses_known: bool = False
    confirmed: bool = False
    estimated_from: int | None = None
    source: str = ""
    as_of: str = ""
    #: Names the year and the owner's dates that the form was made from.
    basis: str = ""

    @property
    def missing(self) -> bool:
        """Whether a term has no dates, not even estimated ones."""
        return any(not term.start for term in self.terms)


def dates_of(assembly: CalendarAssembly, advice: YearAdvice) -> Dates:
    """The dates that the calendar or its draft uses, with the recesses that are proposed."""
    own = set(assembly.needed_terms) <= set(assembly.calendar.dates.terms)
    known = assembly.year.dates.recesses
    rows = [_row(f"{_RECESS}{number}", period) for number, period in enumerate(known or (), 1)]
    rows += [_row(f"{_PROPOSED}{number}", period) for number, period in enumerate(advice.recesses, 1)]
    sourced = assembly.known or assembly.estimated_terms
    return Dates(
        year=assembly.year.year,
        terms=tuple(_term(term, assembly.year) for term in assembly.needed_terms),
        recesses=(*rows, RecessDates(key=_NEW_RECESS)),
        recesses_known=known is not None,
        confirmed=assembly.dates_confirmed,
        estimated_from=assembly.estimate.from_year if assembly.estimated_terms and assembly.estimate else None,
        source=source_of_dates(assembly) if sourced and not own else "",
        as_of=_day(assembly.known.updated_at) if assembly.known and not own and not assembly.estimated_terms else "",
        basis=basis_of_dates(assembly.calendar),
    )


def _day(moment: dt.datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


def basis_of_dates(calendar: Calendar) -> str:
    """A hash of the year and the owner's dates, with which a form notices that they have changed since."""
    content = msgspec.json.encode((calendar.academic_year, calendar.dates), order="deterministic")
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def refused_dates(shown: Dates, form: Sequence[tuple[str, str]], errors: Sequence[FieldError]) -> Dates:
    """The form as it was submitted, with the errors beside the fields."""
    typed = dict(form)
    keys = _recess_keys(typed)
    return msgspec.structs.replace(
        shown,
        terms=tuple(
            msgspec.structs.replace(
                term,
                start=typed.get(f"{term.code}_start", term.start),
                end=typed.get(f"{term.code}_end", term.end),
                error=_error_of(errors, term.code, f"terms.{term.code}"),
            )
            for term in shown.terms
        ),
        recesses=tuple(
            msgspec.structs.replace(
                row,
                start=typed.get(f"{row.key}_start", row.start),
                end=typed.get(f"{row.key}_end", row.end),
                used=f"{row.key}_use" in typed,
                error=_error_of(errors, row.key, _recess_path(row.key, keys)),
            )
            for row in shown.recesses
        ),
    )


def complaint(shown: Dates, fallback: str) -> str:
    """One sentence for each field with an error, with the name of the field."""
    named = [(term.title, term.error) for term in shown.terms]
    named += [(row.name or "Recess", row.error) for row in shown.recesses]
    found = [f"{title[:1].upper()}{title[1:]}: {error}" for title, error in named if error]
    return " ".join(found) or fallback


def year_choice(form: Sequence[tuple[str, str]], before: YearDates) -> YearChoice:
    """The choice that the form contains. What the form does not ask for stays as in `before`. Raises InvalidRequest."""
    typed = dict(form)
    terms: dict[Term, Period] = {term: _period(typed, term) for term in get_args(Term) if _is_given(typed, term)}
    recesses = tuple(_period(typed, key) for key in _recess_keys(typed))
    recesses = tuple(sorted(recesses, key=lambda period: period.start))
    year = min((period.start.year for period in terms.values()), default=None)
    return YearChoice(year=year, dates=msgspec.structs.replace(before, terms=terms, recesses=recesses))


def _row(key: str, period: Period) -> RecessDates:
    return RecessDates(
        key=key,
        name=period.name,
        start=period.start.isoformat(),
        end=period.end.isoformat(),
        proposed=key.startswith(_PROPOSED),
    )


def _term(term: Term, year: AcademicYear) -> TermDates:
    found = year.periods(term)
    if not found:
        return TermDates(code=term, title=TERM_TITLES[term])
    start, end = found[0].start.isoformat(), found[-1].end.isoformat()
    return TermDates(code=term, title=TERM_TITLES[term], start=start, end=end)


def _recess_keys(typed: Mapping[str, str]) -> list[str]:
    """The keys of the form's recesses, in the order of their first days, in which a calendar stores them."""
    keys = dict.fromkeys(name.rpartition("_")[0] for name in typed if name.startswith((_RECESS, _PROPOSED)))
    given = [key for key in keys if _is_given(typed, key) and (key.startswith(_RECESS) or f"{key}_use" in typed)]
    return sorted(given, key=lambda key: typed.get(f"{key}_start", ""))


def _is_given(typed: Mapping[str, str], key: str) -> bool:
    return bool(typed.get(f"{key}_start") or typed.get(f"{key}_end"))


def _period(typed: Mapping[str, str], key: str) -> Period:
    try:
        return Period(
            start=dt.date.fromisoformat(typed.get(f"{key}_start", "")),
            end=dt.date.fromisoformat(typed.get(f"{key}_end", "")),
            name=typed.get(f"{key}_name", ""),
        )
    except ValueError as error:
        detail = "Give both its first and its last day."
        raise InvalidRequest(detail, (FieldError(field=key, detail=detail),)) from error


def _recess_path(key: str, keys: Sequence[str]) -> str:
    """The name that the service uses for a recess in its errors: its number in the list.

    Empty for a row without a recess.
    """
    return f"recesses.{keys.index(key)}" if key in keys else ""


def _error_of(errors: Sequence[FieldError], key: str, path: str) -> str:
    """The errors of the row and of its first and last day, as the service names them."""
    prefix = f"academic_year.{path}."
    found = [error.detail for error in errors if error.field == key or (path and f"{error.field}.".startswith(prefix))]
    return " ".join(dict.fromkeys(found))
