"""The view that an address selects, the agenda, and the next entry."""

import datetime as dt

from tests.support.builders.calendars import assembly
from tests.support.builders.timetable import lecture, semester_test
from upschedule.timetable.event import Event
from upschedule.web.pages.days import Plan, planned_days
from upschedule.web.pages.views import Wanted, agenda, present, wanted

_TEST = semester_test(date=dt.date(2026, 3, 14), start="10:00", end="11:30")


def _plan(*events: Event) -> Plan:
    plan = planned_days(assembly(*events), frozenset())
    assert plan is not None
    return plan


def test_an_address_without_a_meaning_asks_for_nothing() -> None:
    """Addresses are typed by hand, truncated, and stored for years."""
    assert wanted({"view": "year", "week": "2026-13-01", "from": "tomorrow"}) == Wanted()


def test_a_date_alone_says_which_view_is_meant() -> None:
    """A redirect keeps the query of the request."""
    assert wanted({"week": "2026-08-10"}).view == "week"
    assert wanted({"from": "2026-08-10"}).view == "agenda"
    assert wanted({"view": "date", "week": "2026-08-10"}).query == "view=date&week=2026-08-10"
    assert wanted({}).query == ""


def test_the_agenda_goes_on_where_a_page_ends() -> None:
    """Every day with an entry is on one of the agenda's pages."""
    plan = _plan(lecture(), lecture(activity="L2", day="Thursday"), _TEST)
    found: list[dt.date] = []
    since: dt.date | None = None
    while True:
        page = agenda(plan, since, plan.first)
        assert page.earlier == bool(found)
        found += [day.date for day in page.days]
        since = page.later
        if since is None:
            break
    assert found == sorted(set(found))
    assert found[0] == plan.first
    assert found[-1] == plan.last
    assert dt.date(2026, 3, 14) in found


def test_what_runs_now_or_begins_first_comes_next() -> None:
    """It is shown until it ends. Then the next day's entry follows."""
    plan = _plan(lecture(day="Friday", start="14:30", end="15:20"), _TEST)
    friday = dt.datetime(2026, 3, 13, 15, 19, tzinfo=dt.UTC)
    moments = (friday, friday.replace(minute=20), friday.replace(year=2027))
    running, over, last = (present(plan, moment) for moment in moments)
    assert running is not None
    assert (running.next_item.title, running.next_day) == ("L1", "today")
    assert over is not None
    assert (over.next_item.title, over.next_day) == ("Test1", "tomorrow")
    assert last is None
