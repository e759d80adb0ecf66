"""Finds documents that are newer versions of others, and the events of the older ones that remain. Pure functions.

A newer document replaces an older one only if both have the same kind of schedule of the same semester and a module in
common. Otherwise the calendar uses both.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

import msgspec

from upschedule.calendars.model import Document, Replaced
from upschedule.timetable.changes import Change, changes
from upschedule.timetable.event import Event, Lecture, Test

#: What a document covers: ("lectures", semester), or ("tests" or "exams", year, semester).
_Scope = tuple[str, ...]

_SEMESTERS = {"S1": "S1", "Q1": "S1", "Q2": "S1", "S2": "S2", "Q3": "S2", "Q4": "S2"}
_WHOLE_YEAR = "Y"
_LAST_MONTH_OF_S1_TESTS = 6
#: Exams from March to August are those of the first semester, with its supplementary exams in July. The supplementary
#: exams of the second semester are in January and February of the next year.
_FIRST_EXAM_MONTH, _LAST_EXAM_MONTH = 3, 8


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    """A newer document, the older ones that it replaces, and the differences."""

    newer: UUID
    older: tuple[UUID, ...]
    changes: tuple[Change, ...]


class Question(Replacement, frozen=True, kw_only=True):
    """A replacement about which the student has to decide.

    `document` is the one that is not in the calendar yet: the newer one, or an older one that was added later.
    """

    document: UUID


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The documents of a calendar after all replacements.

    `joined` are the documents of which events remain, `questions` the open decisions, `done` the replacements that were
    made.
    """

    joined: tuple[UUID, ...] = ()
    questions: tuple[Question, ...] = ()
    done: tuple[Replacement, ...] = ()


def plan(documents: Sequence[Document], in_calendar: Collection[UUID], replaced: Collection[Replaced]) -> Plan:
    """Decides which documents belong to the calendar, and about which the student has to decide.

    `documents` are all that were read, oldest first; `replaced` are the replacements that were accepted.
    """
    by_id = {document.job_id: document for document in documents}
    pairs = [(old, new) for old, new in replaced if old in by_id and new in by_id]
    decided = {*in_calendar, *(old for old, _ in pairs)}
    joined = [document for document in documents if document.job_id in decided]
    questions: list[Question] = []
    for document in documents:
        if document.job_id in decided:
            continue
        remaining = without_replaced(joined, pairs)
        conflicts = [other for other in remaining if _differ(*_in_order(documents, document, other))]
        if conflicts:
            questions.append(_question(documents, document, conflicts))
        else:
            joined.append(document)
    remaining_ids = {document.job_id for document in without_replaced(joined, pairs) if document.events}
    # A document that never had events is empty, and not replaced.
    remaining_ids |= {document.job_id for document in joined if not document.events}
    return Plan(
        joined=tuple(document.job_id for document in documents if document.job_id in remaining_ids),
        questions=tuple(questions),
        done=tuple(_done(by_id, pairs)),
    )


def accepted(documents: Sequence[Document], question: Question, replaced: Collection[Replaced]) -> tuple[Replaced, ...]:
    """All replacements once `question` is accepted.

    The newer document also replaces documents that were replaced earlier, so that these stay replaced if the document
    that first replaced them is deleted.
    """
    newer = next(document for document in documents if document.job_id == question.newer)
    earlier = {old for old, _ in replaced}
    more = {
        (document.job_id, newer.job_id)
        for document in documents
        if document.job_id in question.older
        or (document.job_id in earlier and _differ(document, newer) and _is_older(documents, document, newer))
    }
    return tuple(sorted({*replaced, *more}))


def without_replaced(documents: Sequence[Document], replaced: Collection[Replaced]) -> tuple[Document, ...]:
    """The documents without the events that newer ones replace.

    A replacement is ignored if its newer document is not in `documents`.
    """
    by_id = {document.job_id: document for document in documents}
    newer: defaultdict[UUID, list[Document]] = defaultdict(list)
    for old, new in replaced:
        if new in by_id:
            newer[old].append(by_id[new])
    return tuple(_remaining(document, newer[document.job_id]) for document in documents)


def _remaining(document: Document, newer: Iterable[Document]) -> Document:
    events = list(document.events)
    for other in newer:
        replaced_events, _ = _common_part(document.events, other.events)
        events = [event for event in events if event not in replaced_events]
    return msgspec.structs.replace(document, events=tuple(events))


def _question(documents: Sequence[Document], document: Document, conflicts: Sequence[Document]) -> Question:
    newest = next((other for other in conflicts if _is_older(documents, document, other)), None)
    older = [document] if newest else conflicts
    newer = newest or document
    return Question(
        document=document.job_id,
        newer=newer.job_id,
        older=tuple(other.job_id for other in older),
        changes=_changes(older, newer),
    )


def _done(by_id: Mapping[UUID, Document], pairs: Iterable[Replaced]) -> Iterable[Replacement]:
    older: defaultdict[UUID, list[Document]] = defaultdict(list)
    for old, new in pairs:
        older[new].append(by_id[old])
    for newer in by_id:
        if newer in older:
            # It is compared with the latest older version only.
            found = sorted(older[newer], key=lambda document: list(by_id).index(document.job_id))
            yield Replacement(
                newer=newer,
                older=tuple(document.job_id for document in found),
                changes=_changes(found[-1:], by_id[newer]),
            )


def _changes(older: Sequence[Document], newer: Document) -> tuple[Change, ...]:
    before: list[Event] = []
    after: list[Event] = []
    for document in older:
        old, new = _common_part(document.events, newer.events)
        before += old
        after += [event for event in new if event not in after]
    return changes(before, after)


def _differ(older: Document, newer: Document) -> bool:
    return bool(_changes([older], newer))


def _in_order(documents: Sequence[Document], first: Document, second: Document) -> tuple[Document, Document]:
    return (first, second) if _is_older(documents, first, second) else (second, first)


def _is_older(documents: Sequence[Document], first: Document, second: Document) -> bool:
    order = [document.job_id for document in documents]
    return order.index(first.job_id) < order.index(second.job_id)


def _common_part(older: Sequence[Event], newer: Sequence[Event]) -> tuple[list[Event], list[Event]]:
    """The events of both that belong to the same kind and semester, or to the same module of the whole year."""
    old_modules, new_modules = _modules(older), _modules(newer)
    common = {scope for scope, modules in new_modules.items() if modules & old_modules.get(scope, set())}
    yearly = _yearly(older) & _yearly(newer)
    return _within(older, common, yearly), _within(newer, common, yearly)


def _within(events: Sequence[Event], common: set[_Scope], yearly: set[str]) -> list[Event]:
    semesters = _semesters(events)
    return [
        event
        for event in events
        if _scopes(event, semesters) <= common or (_is_yearly(event) and event.module in yearly)
    ]


def _modules(events: Sequence[Event]) -> dict[_Scope, set[str]]:
    semesters = _semesters(events)
    found: defaultdict[_Scope, set[str]] = defaultdict(set)
    for event in events:
        for scope in _scopes(event, semesters):
            found[scope].add(event.module)
    return found


def _semesters(events: Iterable[Event]) -> set[str]:
    """The semesters that a schedule of lectures covers: both if it has only modules of the whole year."""
    found = {_SEMESTERS[e.offered] for e in events if isinstance(e, Lecture) and e.offered in _SEMESTERS}
    return found or set(_SEMESTERS.values())


def _scopes(event: Event, semesters: set[str]) -> set[_Scope]:
    if isinstance(event, Lecture):
        offered = semesters if _is_yearly(event) else {_SEMESTERS.get(event.offered, event.offered)}
        return {("lectures", term) for term in offered}
    year, month = event.date.year, event.date.month
    if isinstance(event, Test):
        return {("tests", str(year), "S1" if month <= _LAST_MONTH_OF_S1_TESTS else "S2")}
    if month < _FIRST_EXAM_MONTH:
        return {("exams", str(year - 1), "S2")}
    return {("exams", str(year), "S1" if month <= _LAST_EXAM_MONTH else "S2")}


def _yearly(events: Iterable[Event]) -> set[str]:
    return {event.module for event in events if _is_yearly(event)}


def _is_yearly(event: Event) -> bool:
    return isinstance(event, Lecture) and event.offered == _WHOLE_YEAR
