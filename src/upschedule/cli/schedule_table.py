"""An extraction as text that a person can compare with the printed schedule."""

from upschedule.timetable.event import Event, Exam, Extraction, Lecture, Test

_GAP = "  "


def render(extraction: Extraction) -> str:
    """A line an event, kinds apart, then a line a warning."""
    blocks: list[str] = []
    for kind in (Lecture, Test, Exam):
        rows = [_row(event) for event in extraction.events if type(event) is kind]
        if rows:
            blocks.append(_aligned(rows))
    blocks.extend(
        f"Check page {warning.page}{f', row {warning.row}' if warning.row else ''}: {warning.message}"
        for warning in extraction.warnings
    )
    blocks.append(f"{len(extraction.events)} events on {extraction.pages} pages, {len(extraction.warnings)} warnings.")
    return "\n\n".join(blocks)


def _row(event: Event) -> tuple[str, ...]:
    rooms = "; ".join(event.venues)
    match event:
        case Lecture():
            group = (event.module, event.offered, event.group, event.language, event.activity)
            return (*group, event.day, f"{event.start} - {event.end}", rooms, event.campus, *event.study_programmes)
        case Test():
            date = f"{event.date:%d %b %Y}"
            return (event.module, event.test, event.day, date, f"{event.start} - {event.end}", event.campus, rooms)
        case Exam():
            paper = (event.status, event.module, event.paper, event.activity, f"{event.date:%d %b %Y}", event.start)
            return (*paper, event.module_campus, event.exam_campus, rooms, event.comments)


def _aligned(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows if column < len(row)) for column in range(max(map(len, rows)))]
    return "\n".join(_GAP.join(map(str.ljust, row, widths)).rstrip() for row in rows)
