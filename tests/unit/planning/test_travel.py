"""The table of travel times between campuses."""

from upschedule.planning.wishes import TravelTimes
from upschedule.settings import CalendarSettings


def test_a_way_is_as_long_in_both_directions_and_by_any_name_of_the_campus() -> None:
    table = TravelTimes.parse(["HATF - Groenkloof: 20"], otherwise=60)

    assert table.between("Hatfield", "Groenkloof") == table.between("Groenkloof", "Hatfield") == 20


def test_ways_that_are_not_named_take_the_time_set_for_them() -> None:
    table = TravelTimes.parse([], otherwise=45)

    assert table.between("Hatfield", "Mamelodi") == 45
    assert table.between("Hatfield", "Hatfield") == table.between("Hatfield", "") == 0


def test_the_table_that_is_shipped_can_be_read() -> None:
    settings = CalendarSettings()

    table = TravelTimes.parse(settings.travel_minutes, otherwise=settings.travel_minutes_otherwise)

    assert table.between("Hatfield", "Onderstepoort") > table.between("Hatfield", "Groenkloof") > 0
