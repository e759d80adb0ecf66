"""Invented names in the shapes that real schedules print."""

import datetime as dt
from random import Random

from upschedule.timetable.event import DAYS, Day

SHORT_VENUES = ("Maple 3-7", "Oak 2-26", "XYZ II - 5", "Elm 4-4", "Ash Annex", "HB 9-1", "Fir 12", "Great Hall")
LONG_VENUES = (
    "Great Western Auditorium Building North Lecture Hall 4",
    "Foo Building CBT Labs 4,5,6 and Annex - 2",
    "Chancellor's Old Arts & Letters Building Room 3-17",
)
LABS = tuple(f"Computatorium {colour} Lab" for colour in ("Red", "Blue 1", "Blue 2", "Grey", "Mauve", "Ochre", "Teal"))
PROGRAMMES = ("12133404", "BSc Botany", "BCom Law", "BEng")
CAMPUSES = ("HATFIELD", "GROENKLOOF", "PRINSHOF", "ONDERSTEPOORT", "MAMELODI", "HILLCREST")


def module(rng: Random) -> str:
    return f"{''.join(rng.choices('ABCDEFGHKLMNPRSTVWXZ', k=3))} {rng.randint(100, 799)}"


def period(rng: Random) -> tuple[str, str]:
    hour = rng.randint(7, 17)
    end = dt.datetime(2025, 1, 1, hour, 30) + dt.timedelta(minutes=rng.choice((50, 80, 110, 170)))  # noqa: DTZ001 - wall-clock arithmetic
    return f"{hour:02}:30", f"{end:%H:%M}"


def day(rng: Random) -> Day:
    return rng.choice(DAYS[:6])


def date(rng: Random) -> dt.date:
    return dt.date(2025, 2, 1) + dt.timedelta(days=rng.randint(0, 300))
