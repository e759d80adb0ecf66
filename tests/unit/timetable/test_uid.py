"""UIDs are equal after every upload, and differ between years, accounts and slots."""

import datetime as dt
import random

from tests.support.builders.timetable import exam, lecture, semester_test
from upschedule.timetable.event import Event
from upschedule.timetable.merge import merge
from upschedule.timetable.uid import entry_ids, followed_id

GOLDEN = [
    "c01d8275ea424fc81ab0206881dabfb1",  # the Monday lecture
    "34e51feaf0cddaa38075080a050c91a7",  # the exam
    "1074a374a856e40dd97044186aa711bf",  # the Thursday lecture
    "0c3b07e06339a88cd0a6032b1cb28292",  # the test
]
GOLDEN_FOLLOWED = "78070a571e23fbe5c0860526c1ce43b4"
CALENDAR = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


def _ids(*events: Event, calendar_id: str = CALENDAR, year: int = 2026) -> list[str]:
    return [entry_id for entry_id, _ in entry_ids(events, calendar_id=calendar_id, year=year)]


def test_the_scheme_is_frozen() -> None:
    """A change of the scheme would duplicate every entry in every calendar. Add a new scheme beside it instead."""
    assert _ids(lecture(), lecture(day="Thursday"), semester_test(), exam()) == GOLDEN
    assert followed_id(GOLDEN[0], dt.date(2026, 4, 28)) == GOLDEN_FOLLOWED


def test_a_moved_room_or_time_keeps_its_id() -> None:
    moved = lecture(day="Friday", start="14:30", end="15:20", venues=("Elsewhere",), campus="GROENKLOOF", page=3)

    assert _ids(moved) == _ids(lecture())
    assert _ids(semester_test(date=dt.date(2026, 3, 21), day="Saturday", start="08:00")) == _ids(semester_test())
    assert _ids(exam(date=dt.date(2026, 6, 9), status="PROVISIONAL", venues=())) == _ids(exam())


def test_spacing_and_case_of_names_do_not_matter() -> None:
    assert _ids(lecture(module="abc123")) == _ids(lecture())
    assert _ids(semester_test(test="Test 1")) == _ids(semester_test())


def test_what_is_another_entry_has_another_id() -> None:
    ids = [
        *_ids(lecture()), *_ids(lecture(module="ABC 124")), *_ids(lecture(group="G02")),
        *_ids(lecture(activity="L2")), *_ids(lecture(offered="S2")), *_ids(lecture(), year=2025),
        *_ids(lecture(), calendar_id="another"), *_ids(semester_test()), *_ids(semester_test(test="Test2")),
        *_ids(semester_test(date=dt.date(2026, 9, 12))), *_ids(semester_test(date=dt.date(2025, 3, 15))),
        *_ids(exam()), *_ids(exam(paper="2")), *_ids(exam(activity="Written")),
    ]  # fmt: skip

    assert len(set(ids)) == len(ids)


def test_two_slots_of_one_activity_differ_and_do_not_depend_on_the_order_of_rows() -> None:
    slots = [lecture(day=day, start=start, end="17:20") for day in ("Monday", "Friday") for start in ("07:30", "14:30")]
    shuffled = random.Random(5).sample(slots, len(slots))  # noqa: S311 - an order, not a secret

    assert len(set(_ids(*slots))) == 4
    assert entry_ids(slots, calendar_id="c", year=2026) == entry_ids(shuffled, calendar_id="c", year=2026)


def test_words_that_run_together_do_not_meet() -> None:
    assert _ids(lecture(group="G0", activity="1L1")) != _ids(lecture(group="G01", activity="L1"))


def test_an_id_tells_nothing_of_its_owner() -> None:
    assert all(len(entry_id) == 32 and set(entry_id) <= set("0123456789abcdef") for entry_id in _ids(lecture(), exam()))


def test_a_second_upload_gives_the_same_ids() -> None:
    first = merge([[lecture(), semester_test(), exam()]])
    again = merge([[exam()], [semester_test(), lecture()]])

    assert _ids(*first) == _ids(*again)
