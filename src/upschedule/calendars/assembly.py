"""A calendar assembled from its rows: events with ids, the academic year, and visibility. Pure functions."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from uuid import UUID

import msgspec

from upschedule.calendars.model import Calendar, Choices, Document, KnownYear, Replaced
from upschedule.calendars.replacing import without_replaced
from upschedule.planning.groups import attends
from upschedule.timetable.academic_year import OFFERED, SEMESTERS, AcademicYear, Period, Term, YearDates, merge
from upschedule.timetable.edits import edited, named_own
from upschedule.timetable.estimate import Estimate
from upschedule.timetable.event import Event, Exam, Lecture
from upschedule.timetable.merge import identity
from upschedule.timetable.merge import merge as merge_events
from upschedule.timetable.occurrences import Occurrence, at, occurrences
from upschedule.timetable.public_holidays import public_holidays
from upschedule.timetable.uid import entry_ids


class CalendarAssembly:
    """All data derived from a calendar's rows. `named` holds the entries as the owner edited them.

    Documents are ordered from oldest to newest, and have no entries that a newer one replaces.
    """

    def __init__(
        self,
        calendar: Calendar,
        known: KnownYear | None,
        documents: Sequence[Document],
        *,
        exam_minutes: int,
        estimate: Estimate | None = None,
        replaced: tuple[Replaced, ...] = (),
    ) -> None:
        self.calendar = calendar
        self.known = known
        self.documents = without_replaced(documents, replaced)
        self.replaced = replaced
        self.estimate = estimate
        self._exam_minutes = exam_minutes
        year = calendar.academic_year
        merged = merge_events(document.events for document in self.documents)
        printed = entry_ids(merged, calendar_id=str(calendar.id), year=year)
        #: As printed in the documents, without the owner's changes.
        self.printed = dict(printed)
        edits = calendar.edits
        self.named = [(entry_id, edited(event, edits.entries.get(entry_id))) for entry_id, event in printed]
        #: What the owner added.
        self.own = named_own(edits, calendar_id=str(calendar.id))
        given = merge(known.dates if known else YearDates(), calendar.dates)
        estimated = _estimated_terms(AcademicYear(year, given, {}), self.needed_terms, estimate)
        self.estimated_terms = tuple(estimated)
        dates = msgspec.structs.replace(given, terms=given.terms | estimated)
        self.year = AcademicYear(year, dates, public_holidays(year))

    @cached_property
    def visible(self) -> list[tuple[str, Event]]:
        """Events with their ids, without those that the owner hides."""
        choices = self.calendar.choices
        return [(entry_id, event) for entry_id, event in self.named if is_shown(entry_id, event, choices)]

    @cached_property
    def occurrences(self) -> Mapping[str, tuple[Occurrence, ...]]:
        """The dates of every event by its id, including hidden events and the owner's own."""
        printed = {
            entry_id: occurrences(event, self.year, exam_minutes=self._minutes_of_exam(entry_id))
            for entry_id, event in self.named
        }
        return printed | {entry_id: own.dates for entry_id, own in self.own}

    def _minutes_of_exam(self, entry_id: str) -> int:
        edit = self.calendar.edits.entries.get(entry_id)
        return (edit.minutes if edit else None) or self._exam_minutes

    def printed_end(self, entry_id: str) -> str:
        """The printed end of the entry; that of an exam is assumed."""
        event = self.printed[entry_id]
        if isinstance(event, Exam):
            return f"{at(event.date, event.start) + dt.timedelta(minutes=self._exam_minutes):%H:%M}"
        return event.end

    def source_of(self, printed: Event) -> UUID:
        """The job of the newest document that prints the event, which is given as printed."""
        return self._sources[identity(printed)]

    @cached_property
    def _sources(self) -> Mapping[tuple[str, ...], UUID]:
        return {identity(event): document.job_id for document in self.documents for event in document.events}

    @property
    def needed_terms(self) -> tuple[Term, ...]:
        """The terms whose dates the lectures need."""
        return needed_terms([event for _, event in self.named])

    @property
    def dates_confirmed(self) -> bool:
        """Whether an operator has confirmed the dates, or the owner gave them."""
        if self.estimated_terms:
            return False
        return bool(self.known and self.known.confirmed) or set(self.needed_terms) <= dated_terms(self.calendar.dates)


def source_of_dates(assembly: CalendarAssembly) -> str:
    """A text that says where the dates of the year come from."""
    if assembly.estimated_terms and assembly.estimate:
        return f"An estimate from the dates of {assembly.estimate.from_year}"
    return assembly.known.source if assembly.known else "Your own dates"


def _estimated_terms(given: AcademicYear, needed: Sequence[Term], estimate: Estimate | None) -> dict[Term, Period]:
    """Estimates the needed terms whose dates are not entered, so that no estimate contradicts an entered date."""
    terms = estimate.terms if estimate else {}
    return {term: terms[term] for term in needed if term in terms and given.periods(term) is None}


def is_shown(entry_id: str, event: Event, choices: Choices) -> bool:
    """Whether the choices show this event: by id, by module and, for a module with selected groups, by group."""
    if entry_id in choices.hidden_events or event.module in choices.hidden_modules:
        return False
    attended = choices.groups.get(event.module)
    return attended is None or not isinstance(event, Lecture) or attends(event, attended)


def needed_terms(events: Sequence[Event]) -> tuple[Term, ...]:
    """The terms of these lectures, sorted and unique. An unknown offering needs no term."""
    offered = {event.offered for event in events if isinstance(event, Lecture)}
    return tuple(sorted({term for name in offered for term in OFFERED.get(name, ())}))


def dated_terms(dates: YearDates) -> set[Term]:
    """The terms with dates. A semester also has dates if both of its quarters do."""
    whole: set[Term] = {semester for semester, parts in SEMESTERS.items() if set(parts) <= set(dates.terms)}
    return whole | set(dates.terms)


def likeliest_year(events: Sequence[Event], today: dt.date) -> int:
    """The year of most dated events, since lectures print no year; without dated events, the present year."""
    years = Counter(event.date.year for event in events if not isinstance(event, Lecture))
    return max(years, key=lambda year: (years[year], year)) if years else today.year
