"""Tests which documents are newer printings of others."""

import datetime as dt
from collections.abc import Collection
from uuid import UUID

import pytest

from tests.support.builders.calendars import document
from tests.support.builders.timetable import exam, lecture, semester_test
from upschedule.calendars.model import Document
from upschedule.calendars.replacing import Replaced, accepted, plan, without_replaced
from upschedule.timetable.event import Event

_OLD = document(1, lecture(), lecture(module="XYZ 210"))
_MOVED = document(2, lecture(day="Tuesday"), lecture(module="XYZ 210"))
_LATEST = document(3, lecture(day="Friday"), lecture(module="XYZ 210"))


def _ids(*numbers: int) -> tuple[UUID, ...]:
    return tuple(UUID(int=number) for number in numbers)


def _pair(older: int, newer: int) -> Replaced:
    return UUID(int=older), UUID(int=newer)


def _plan(*documents: Document, made: Collection[int] = (), replaced: Collection[Replaced] = ()) -> tuple[object, ...]:
    found = plan(documents, _ids(*made), replaced)
    questions = [(question.document, question.newer, question.older) for question in found.questions]
    return found.joined, questions


def _events(documents: Collection[Document]) -> list[Event]:
    return [event for found in documents for event in found.events]


def test_a_newer_printing_waits_for_a_decision() -> None:
    """The calendar does not change until the owner decides."""
    assert _plan(_OLD, _MOVED, made=[1]) == (_ids(1), [(UUID(int=2), UUID(int=2), _ids(1))])
    assert _plan(_OLD, _MOVED) == (_ids(1), [(UUID(int=2), UUID(int=2), _ids(1))])


def test_what_was_decided_is_not_asked_again() -> None:
    """Either both documents count, or the newer one replaces the older one."""
    pair = _pair(1, 2)
    assert _plan(_OLD, _MOVED, made=[1, 2]) == (_ids(1, 2), [])
    assert _plan(_OLD, _MOVED, made=[2], replaced=[pair]) == (_ids(2), [])
    (done,) = plan([_OLD, _MOVED], _ids(2), [pair]).done
    assert (done.newer, done.older, [change.kinds for change in done.changes]) == (UUID(int=2), _ids(1), [("moved",)])


@pytest.mark.parametrize(
    "other",
    [
        document(2, *_OLD.events),
        document(2, lecture(module="NEW 100", day="Tuesday")),
        document(2, lecture(offered="S2", day="Tuesday")),
        document(2, lecture(offered="S2"), lecture(module="ALL 100", offered="Y")),
        document(2, semester_test()),
    ],
    ids=["the same printed again", "other modules", "another semester", "another semester with a year module", "tests"],
)
def test_a_document_of_something_else_joins(other: Document) -> None:
    assert _plan(_OLD, other, made=[1]) == (_ids(1, 2), [])


@pytest.mark.parametrize(
    ("older", "newer", "asked"),
    [
        (semester_test(), semester_test(venues=("Other",)), True),
        (semester_test(), semester_test(date=dt.date(2026, 8, 15)), False),
        (semester_test(), semester_test(date=dt.date(2027, 3, 13)), False),
        (exam(), exam(date=dt.date(2026, 7, 14)), True),
        (exam(), exam(date=dt.date(2026, 11, 3)), False),
        (exam(date=dt.date(2026, 11, 3)), exam(date=dt.date(2027, 1, 19)), True),
    ],
)
def test_tests_and_exams_have_the_semester_of_their_dates(older: Event, newer: Event, *, asked: bool) -> None:
    """Supplementary exams belong to the semester before."""
    _, questions = _plan(document(1, older), document(2, newer), made=[1])
    assert bool(questions) == asked


def test_only_the_semester_that_is_printed_again_is_replaced() -> None:
    """A module of the whole year that both print is replaced, too."""
    first, second = lecture(), lecture(offered="S2")
    year = lecture(module="ALL 100", offered="Y")
    whole = document(1, first, second, year)
    half = document(2, lecture(offered="S2", day="Tuesday"), lecture(module="ALL 100", offered="Y", day="Friday"))
    (question,) = plan([whole, half], _ids(1), ()).questions
    pairs = accepted([whole, half], question, ())

    assert [change.kinds for change in question.changes] == [("moved",), ("moved",)]
    assert _events(without_replaced([whole, half], pairs)) == [first, *half.events]
    assert plan([whole, half], _ids(1, 2), pairs).joined == _ids(1, 2)


def test_a_replaced_document_stays_replaced_when_the_one_between_is_deleted() -> None:
    first = accepted([_OLD, _MOVED], plan([_OLD, _MOVED], _ids(1), ()).questions[0], ())
    documents = [_OLD, _MOVED, _LATEST]
    (question,) = plan(documents, _ids(2), first).questions
    pairs = accepted(documents, question, first)

    assert question.older == _ids(2)
    assert plan(documents, _ids(3), pairs).joined == _ids(3)
    # Deleting a document also deletes its pairs.
    assert plan([_OLD, _LATEST], _ids(3), [pair for pair in pairs if UUID(int=2) not in pair]).joined == _ids(3)
    # Without the newest document, the one before it counts again.
    assert plan([_OLD, _MOVED], _ids(2), [pair for pair in pairs if UUID(int=3) not in pair]).joined == _ids(2)


def test_a_document_that_is_older_than_the_calendar_is_the_older_one() -> None:
    """It was added by hand, or remained when the document that replaced it was deleted."""
    (question,) = plan([_OLD, _LATEST], _ids(3), ()).questions

    assert (question.document, question.newer, question.older) == (UUID(int=1), UUID(int=3), _ids(1))
    assert accepted([_OLD, _LATEST], question, ()) == (_pair(1, 3),)


def test_a_replacement_by_a_document_that_is_gone_does_not_count() -> None:
    assert without_replaced([_OLD], [_pair(1, 2)]) == (_OLD,)


def test_a_document_without_entries_is_joined() -> None:
    assert _plan(document(1)) == (_ids(1), [])
