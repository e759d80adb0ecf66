"""Describes in words what a newer version of a schedule changes. Pure functions."""

import collections
import datetime as dt
from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from upschedule.calendars.replacing import Plan, Question, Replacement
from upschedule.processing.job import JobStatus
from upschedule.timetable.changes import Change, ChangeKind
from upschedule.timetable.event import Event, Exam, Lecture
from upschedule.timetable.text import summary
from upschedule.web.pages.years import written

_SAST = dt.timezone(dt.timedelta(hours=2))
#: The label of one change.
_LABELS: Mapping[ChangeKind, str] = {
    "added": "Added", "removed": "Removed", "moved": "Moved", "time": "New time", "venue": "New venue",
    "details": "Changed",
}  # fmt: skip
#: Words after a number of changes, such as "3 moved".
_NOUNS: Mapping[ChangeKind, str] = {
    "added": "added", "removed": "removed", "moved": "moved", "time": "new time", "venue": "new venue",
    "details": "other changes",
}  # fmt: skip
_DETAILS: Mapping[str, str] = {
    "status": "status", "comments": "comments", "language": "language", "campus": "campus",
    "exam_campus": "campus", "module_campus": "module campus", "study_programmes": "study programmes",
}  # fmt: skip
#: At most this many venues are named; of the others, only the number is shown.
_VENUES_SHOWN = 3


class ChangeLine(msgspec.Struct, frozen=True, kw_only=True):
    """One changed entry. `before` and `after` have only what differs; one is empty if the entry is new or removed."""

    labels: tuple[str, ...]
    what: str
    before: str
    after: str


class Printing(msgspec.Struct, frozen=True, kw_only=True):
    """A document by its name, and when it was added: two versions of a schedule often have the same name."""

    name: str
    added: str


class ReplacementView(msgspec.Struct, frozen=True, kw_only=True):
    """One replacement. If `asked`, the student has to decide about it; otherwise it was made and can be undone.

    `document` is the id that the form sends.
    """

    document: UUID
    asked: bool
    newer: Printing
    older: tuple[Printing, ...]
    summary: str
    lines: tuple[ChangeLine, ...]


def replacement_views(plan: Plan, jobs: Sequence[JobStatus]) -> tuple[ReplacementView, ...]:
    """One view for each replacement: open questions first, then those that were made, newest first."""
    by_id = {job.id: job for job in jobs}
    found: list[Replacement] = [*plan.questions, *reversed(plan.done)]
    return tuple(_view(replacement, by_id) for replacement in found)


def change_line(change: Change) -> ChangeLine:
    """Describes one change in words."""
    return ChangeLine(
        labels=tuple(_LABELS[kind] for kind in change.kinds),
        what=summary(change.event),
        before=_described(change.before, change),
        after=_described(change.after, change),
    )


def _view(replacement: Replacement, jobs: Mapping[UUID, JobStatus]) -> ReplacementView:
    asked = isinstance(replacement, Question)
    return ReplacementView(
        document=replacement.document if isinstance(replacement, Question) else replacement.newer,
        asked=asked,
        newer=_printing(jobs[replacement.newer]),
        older=tuple(_printing(jobs[job_id]) for job_id in replacement.older),
        summary=_counted(replacement.changes),
        lines=tuple(map(change_line, replacement.changes)),
    )


def _printing(job: JobStatus) -> Printing:
    added = job.created_at.astimezone(_SAST)
    return Printing(name=job.file_name, added=f"added {written(added.date())}, {added:%H:%M}")


def _counted(changes: Sequence[Change]) -> str:
    counts = collections.Counter(kind for change in changes for kind in change.kinds)
    return ", ".join(f"{counts[kind]} {noun}" for kind, noun in _NOUNS.items() if counts[kind])


def _described(event: Event | None, change: Change) -> str:
    if event is None:
        return ""
    parts: list[str] = []
    is_one_sided = change.before is None or change.after is None
    if is_one_sided or {"moved", "time"} & set(change.kinds):
        parts.append(_when(event))
    if is_one_sided or "venue" in change.kinds:
        parts.append(_where(event))
    if "details" in change.kinds:
        parts += _details(event, change)
    return ", ".join(parts)


def _when(event: Event) -> str:
    day = event.day if isinstance(event, Lecture) else f"{event.date:%a} {written(event.date)}"
    end = "" if isinstance(event, Exam) else f"\N{EN DASH}{event.end}"
    return f"{day} {event.start}{end}"


def _where(event: Event) -> str:
    shown, more = event.venues[:_VENUES_SHOWN], len(event.venues) - _VENUES_SHOWN
    return ("; ".join(shown) + (f" and {more} more" if more > 0 else "")) or "no venue"


def _details(event: Event, change: Change) -> list[str]:
    found: list[str] = []
    for name, title in _DETAILS.items():
        if len({_text(side, name) for side in (change.before, change.after)}) > 1:
            found.append(f"{title}: {_text(event, name) or 'none'}")
    return found


def _text(event: Event | None, name: str) -> str:
    value: str | tuple[str, ...] = getattr(event, name, "")
    return value if isinstance(value, str) else ", ".join(value)
