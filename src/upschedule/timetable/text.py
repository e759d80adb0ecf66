"""Texts of calendar entries, cleaned of characters that iCalendar forbids: schedules are untrusted files."""

import unicodedata
from typing import Literal

from upschedule.timetable.event import Event, Exam, Lecture, Test

EntryKind = Literal["lecture", "practical", "tutorial", "test", "exam"]
_ACTIVITIES: dict[str, EntryKind] = {"L": "lecture", "P": "practical", "T": "tutorial"}
#: Campus codes as printed, with the short form of exams. Other codes pass through unchanged.
_CAMPUSES = {"HATF": "Hatfield"} | {
    name.upper(): name
    for name in ("Hatfield", "Groenkloof", "Prinshof", "Onderstepoort", "Mamelodi", "Hillcrest", "GIBS")
}
_LANGUAGES = {"E": "English", "A": "Afrikaans"}
#: Texts that are printed in place of a room.
_NO_ROOM = {"", "consult department"}
_FINAL = "FINAL"


def clean(text: str) -> str:
    """The text on one line, without the characters that iCalendar forbids."""
    visible = (" " if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} else char for char in text)
    return " ".join("".join(visible).split())


def kind_of(event: Event) -> EntryKind:
    """The kind of entry; for a lecture, by the letter of its activity."""
    match event:
        case Lecture():
            return _ACTIVITIES.get(event.activity[:1].upper(), "lecture")
        case Test():
            return "test"
        case Exam():
            return "exam"


def summary(event: Event) -> str:
    match event:
        case Lecture():
            words = (event.module, event.activity, event.group)
        case Test():
            words = (event.module, event.test)
        case Exam():
            paper = f"paper {event.paper}" if event.paper.strip() else ""
            words = (event.module, "exam", paper)
    return clean(" ".join(words))


def location(event: Event) -> str:
    """All rooms, then the campus."""
    return "; ".join(place for place in map(clean, (*event.venues, campus_of(event))) if place)


def campus_of(event: Event) -> str:
    """The full name of the campus on which the event takes place, or the code as printed if it is unknown."""
    return campus_name((event.exam_campus or event.module_campus) if isinstance(event, Exam) else event.campus)


def campus_name(code: str) -> str:
    """The full name of a campus by what schedules print."""
    return _CAMPUSES.get(code.strip().upper(), code)


def times(event: Event) -> str:
    """Day and hours as printed: `Monday 08:30 to 09:20`."""
    match event:
        case Lecture():
            return f"{event.day} {event.start} to {event.end}"
        case Test():
            return f"{event.date:%A} {event.date.day} {event.date:%B %Y}, {event.start} to {event.end}"
        case Exam():
            return f"{event.date:%A} {event.date.day} {event.date:%B %Y}, {event.start}"


def tentative_reasons(event: Event) -> list[str]:
    """The reasons why an entry is tentative: its exam is not final, or has no room yet."""
    if not isinstance(event, Exam):
        return []
    found: list[str] = []
    if event.status.strip().upper() != _FINAL:
        found.append(f"Not final: the schedule says {clean(event.status) or 'nothing'} under Status.")
    if all(clean(venue).lower() in _NO_ROOM for venue in event.venues):
        found.append("No venue yet.")
    return found


def description(event: Event, *, assumed_minutes: int | None, link: str) -> str:
    """The printed data that has no property of its own, line by line. `link` leads to the place in the document.

    `assumed_minutes` is the assumed length of an exam, None where its owner gave one.
    """
    lines = [f"Module: {event.module}"]
    match event:
        case Lecture():
            language = _LANGUAGES.get(event.language, event.language)
            lines += [f"Group: {event.group}", f"Activity: {event.activity} ({kind_of(event)})"]
            lines += [f"Language: {language}", f"Offered: {event.offered}"]
            lines += [f"Study programmes: {', '.join(event.study_programmes)}"] if event.study_programmes else []
        case Test():
            lines += [f"Test: {event.test}"]
        case Exam():
            lines += [f"Paper: {event.paper}", f"Activity: {event.activity}", f"Status: {event.status}"]
            lines += [f"Comments: {event.comments}"] if event.comments.strip() else []
            if assumed_minutes is not None:
                lines += [f"The end is assumed: no end is printed, so {assumed_minutes} minutes are taken."]
    return "\n".join([*map(clean, lines), *tentative_reasons(event), f"As printed: {link}"])
