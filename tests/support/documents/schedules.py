"""Rows of invented schedules, each with the events that it must become."""

from dataclasses import dataclass
from random import Random

from tests.support.documents import names
from upschedule.timetable.event import DAYS, Event, Exam, Lecture, Test

#: A cell: the texts that are printed below each other, before any of them wraps.
Cell = list[str]


@dataclass(frozen=True, slots=True)
class Row:
    """A printed row. `lines` says for each event the index of its first text in its column, which decides its page."""

    cells: list[Cell]
    events: list[Event]
    lines: list[int]
    kind_letter: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the portal's schedules: title, headers, borders of the columns in points, and what a row may do."""

    title: str
    headers: tuple[str, ...]
    borders: tuple[float, ...]
    size: float
    leading: float
    cuts_rows: bool
    blank_last_line: bool


LECTURES = Kind(
    title="Lectures",
    headers=("Module", "Offered", "Group", "Lang", "Activity", "Day", "Time", "Venue", "Campus", "Study Prog"),
    borders=(36, 92.7, 135.25, 177.75, 213.2, 262.8, 326.6, 397.5, 553.4, 638.45, 744.75),
    size=10,
    leading=11.56,
    cuts_rows=True,
    blank_last_line=True,
)
TESTS = Kind(
    title="Semester Tests",
    headers=("Module", "Test", "Day", "Date", "Time", "Campus", "Venue"),
    borders=(36, 92.7, 135.25, 213.25, 291.25, 369.2, 461.35, 652.65),
    size=11,
    leading=12.716,
    cuts_rows=True,
    blank_last_line=False,
)
EXAMS = Kind(
    title="Exams",
    headers=(
        "Status",
        "Module",
        "Paper",
        "Activity",
        "Date",
        "Start Time",
        "Module Campus",
        "Exam Campus",
        "Venue",
        "Exam Comments",
    ),
    borders=(36, 85, 142, 182, 236, 312, 350, 402, 482, 640, 770),
    size=10,
    leading=11.56,
    cuts_rows=False,
    blank_last_line=False,
)


def lecture_row(rng: Random) -> Row:
    kind = rng.choice("LPT")
    module, group, offered = names.module(rng), f"{rng.choice('GPT')}0{rng.randint(1, 9)}", rng.choice(_OFFERED)
    language, campus = rng.choice("EAB"), rng.choice(names.CAMPUSES[:4])
    programmes: Cell = rng.choice(([], [], ["12133404"], list(names.PROGRAMMES[:2]), list(names.PROGRAMMES[1:3])))
    slots: dict[tuple[str, str, str, str], tuple[int, list[str]]] = {}
    cells: list[Cell] = [[module], [offered], [group], [language], [], [], [], [], [campus], programmes]
    long_name = rng.random() < 0.2
    for number in range(rng.choice((1, 1, 2, 3, 4, rng.randint(1, 12)))):
        slot = (f"{kind}{number + 1}", names.day(rng), *names.period(rng))
        rooms = rng.choice((1, 1, 1, 2, 3, rng.randint(1, 14)))
        choice = names.SHORT_VENUES if long_name else names.SHORT_VENUES + names.LABS
        venues = [rng.choice(choice) for _ in range(rooms)]
        if long_name and rooms > 1 and rng.random() < 0.5:
            venues[-1] = rng.choice(names.LONG_VENUES)
        slots[slot] = (len(cells[4]), venues)
        for venue in venues:
            for column, text in enumerate((slot[0], slot[1], f"{slot[2]} - {slot[3]}", venue), 4):
                cells[column].append(text)
    events: list[Event] = [
        Lecture(
            module=module,
            offered=offered,
            group=group,
            language=language,
            activity=activity,
            day=next(each for each in DAYS if each == day),
            start=start,
            end=end,
            venues=tuple(venues),
            campus=campus,
            study_programmes=tuple(programmes),
            page=0,
        )
        for (activity, day, start, end), (_, venues) in slots.items()
    ]
    return Row(cells, events, [first for first, _ in slots.values()], kind)


def test_row(rng: Random) -> Row:
    module, name = names.module(rng), rng.choice(("Test1", "Test2", "PTest 1", "PTest 12", "Sick Test 1"))
    date, (start, end), campus = names.date(rng), names.period(rng), rng.choice(names.CAMPUSES)
    venues = [
        rng.choice(names.SHORT_VENUES + names.LABS) for _ in range(rng.choice((1, 1, 2, 5, 13, rng.randint(1, 60))))
    ]
    day = DAYS[date.weekday()]
    test = Test(
        module=module,
        test=name,
        day=day,
        date=date,
        start=start,
        end=end,
        campus=campus,
        venues=tuple(venues),
        page=0,
    )
    return Row([[module], [name], [day], [f"{date:%d %b %Y}"], [f"{start} - {end}"], [campus], venues], [test], [0])


def exam_row(rng: Random) -> Row:
    date, (start, _) = names.date(rng), names.period(rng)
    venue = rng.choice(("", "Consult Department", *names.SHORT_VENUES, *names.LONG_VENUES))
    campus = rng.choice(names.CAMPUSES)
    exam = Exam(
        status=rng.choice(("FINAL", "PROVISIONAL", "")),
        module=names.module(rng),
        paper=rng.choice(("1", "2", "")),
        activity=rng.choice(("Exam", "Written", "Exam Written")),
        date=date,
        start=start,
        module_campus=rng.choice((campus[:4], "ONDT AND HATF")),
        exam_campus=rng.choice((campus, "Hatfield Campus Sports Grounds")),
        venues=(venue,) if venue else (),
        comments=rng.choice(("", "", "Bring your own calculator and two pens; no phones")),
        page=0,
    )
    cells = [
        exam.status,
        exam.module,
        exam.paper,
        exam.activity,
        f"{date:%d %b %Y}".upper(),
        start,
        exam.module_campus,
        exam.exam_campus,
        venue,
        exam.comments,
    ]
    return Row([[text] if text else [] for text in cells], [exam], [0])


_OFFERED = ("S1", "S2", "S2", "Y", "Q1", "Q2", "Q3", "Q4")
ROWS = {"Lectures": lecture_row, "Semester Tests": test_row, "Exams": exam_row}
KINDS = (LECTURES, TESTS, EXAMS)
