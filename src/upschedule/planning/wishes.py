"""A student's wishes for a timetable, apart from clashes, and the weight of each wish."""

from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from upschedule.timetable.event import ClockTime, Day
from upschedule.timetable.text import campus_name

_Text = Annotated[str, Meta(max_length=100)]
_Many = Meta(max_length=500)


class Wishes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """`fewest_days`: as many days without classes as possible. `travel`: enough time from one campus to another.

    `languages` narrows a module to the groups of a language, and `groups` to groups that are settled already, where
    a kind of class has such groups.
    """

    free_days: Annotated[tuple[Day, ...], Meta(max_length=7)] = ()
    fewest_days: bool = False
    not_before: ClockTime | None = None
    few_gaps: bool = True
    one_campus: bool = False
    travel: bool = True
    languages: Annotated[dict[_Text, _Text], _Many] = {}
    groups: Annotated[dict[_Text, Annotated[tuple[_Text, ...], _Many]], _Many] = {}


#: Penalties, in minutes of waiting between two classes: what a student would wait to avoid it, once.
SHORT_TRAVEL = 240
DAY_WITH_CLASSES = 180
CLASS_ON_FREE_DAY = 120
EARLY_CLASS = 60
OTHER_CAMPUS = 60
#: A week with a clash costs more than all wishes together ever can.
CLASH_WEEK = 10**12


class TravelTimes:
    """Minutes from one campus to another, as an operator gives them."""

    def __init__(self, minutes: Mapping[frozenset[str], int], *, otherwise: int) -> None:
        self._minutes = minutes
        self._otherwise = otherwise

    @classmethod
    def parse(cls, lines: Iterable[str], *, otherwise: int) -> "TravelTimes":
        """Parses lines such as `Hatfield - Groenkloof: 20`, which hold in both directions."""
        minutes: dict[frozenset[str], int] = {}
        for line in lines:
            places, _, number = line.rpartition(":")
            first, _, second = places.partition(" - ")
            minutes[frozenset((campus_name(first), campus_name(second)))] = int(number)
        return cls(minutes, otherwise=otherwise)

    def between(self, first: str, second: str) -> int:
        """0 on one campus, and where no campus is printed."""
        if first == second or not first or not second:
            return 0
        return self._minutes.get(frozenset((first, second)), self._otherwise)
