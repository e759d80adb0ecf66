"""Schedules of a year whose dates are not entered, and lectures for which no document names the year."""

import datetime as dt
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewUser
from tests.support.browser import schedules
from tests.support.browser.user import User
from tests.support.calendar_parsers import by_icalendar, by_vobject
from tests.support.processes.application import ApiProcess
from upschedule.timetable.academic_year import Period, YearDates
from upschedule.timetable.estimate import estimate_terms

_WIDTHS = pytest.mark.parametrize("width", [390, 1440])
#: The shipped dates. No later year is known.
_SHIPPED = {2026: YearDates(terms={"S2": Period(start=dt.date(2026, 7, 13), end=dt.date(2026, 10, 16))})}


def _mondays(document: bytes) -> list[dt.date]:
    starts = by_icalendar(document)
    assert starts == by_vobject(document)
    moments = [start for found in starts.values() for start in found]
    return sorted({start.date() for start in moments if start.weekday() == 0 and start.time() == dt.time(8, 30)})


@_WIDTHS
def test_a_year_that_is_not_entered_is_estimated_and_confirmed(
    new_user: NewUser, application: ApiProcess, tmp_path: Path, width: int
) -> None:
    """The dates are marked on the page and in the file until the owner confirms them.

    A recess counts only once it is ticked.
    """
    user = new_user(application.url, width=width)
    user.page.goto("/")
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path, years_later=1))
    user.await_calendar()
    expect(user.page.locator("#message")).to_be_hidden()
    dates = user.page.locator("#dates")
    expect(dates).to_contain_text("These dates are an estimate.")
    expect(dates).to_contain_text("Second semester (S2) 2027")
    expect(dates.locator("[name=S2_start]")).to_have_value("2027-07-12")
    assert not user.overflows()
    user.keep_screenshot(tmp_path / "estimate.png")
    estimated = user.download()
    assert _mondays(estimated)[0] == dt.date(2027, 7, 12)
    assert dt.date(2027, 9, 27) in _mondays(estimated)
    unfolded = estimated.replace(b"\r\n ", b"").decode()
    assert "The term dates of 2027 are an estimate from those of 2026: check them." in unfolded
    recess = dates.get_by_label("No classes in this recess")
    expect(recess).not_to_be_checked()
    recess.check()
    dates.locator("[name=S2_start]").fill("2027-07-19")
    dates.get_by_role("button", name="Confirm these dates").click()
    expect(dates).to_contain_text("Confirmed")
    expect(dates).not_to_contain_text("estimate")
    confirmed = user.download()
    assert _mondays(confirmed)[0] == dt.date(2027, 7, 19)
    assert dt.date(2027, 9, 27) not in _mondays(confirmed)
    assert "estimate" not in confirmed.decode()


@_WIDTHS
def test_the_year_of_lectures_alone_is_asked(
    new_user: NewUser, application: ApiProcess, tmp_path: Path, width: int
) -> None:
    """This year and the next are offered with their dates. No calendar is created before the answer."""
    user = new_user(application.url, width=width)
    user.page.goto("/")
    user.choose(schedules.lectures(tmp_path))
    question = user.page.locator("#year")
    expect(question).to_contain_text("Which year are these classes in?")
    this_year = dt.datetime.now(dt.timezone(dt.timedelta(hours=2))).year
    expect(question.get_by_role("button")).to_have_count(2)
    expect(question.get_by_role("button").first).to_contain_text(str(this_year))
    expect(user.page.locator("#download")).to_have_count(0)
    expect(user.page.locator(".modules")).to_have_count(0)
    expect(user.page.locator("form[data-make]")).to_have_count(0)
    assert not user.overflows()
    user.keep_screenshot(tmp_path / "question.png")
    question.get_by_role("button", name=str(this_year + 1)).click()
    user.await_calendar()
    expect(question).to_have_count(0)
    estimate = estimate_terms(_SHIPPED, this_year + 1)
    assert estimate is not None
    # The first Monday may be a public holiday, but the first week has a class in any case.
    assert _mondays(user.download())[0] - estimate.terms["S2"].start < dt.timedelta(weeks=1)
    expect(user.classes).to_have_count(5)


def test_the_year_is_asked_without_javascript(new_user: NewUser, application: ApiProcess, tmp_path: Path) -> None:
    """Impossible dates are shown in their form again, each with the reason beside it."""
    user = new_user(application.url, width=390, java_script_enabled=False)
    page = user.page
    page.goto("/")
    user.choose(schedules.lectures(tmp_path))
    page.get_by_role("button", name="Upload this file").click()
    expect(user.state("lectures.pdf")).to_contain_text("Read:")
    options = page.locator("#year").get_by_role("button")
    expect(options).to_have_count(2)
    options.last.click()
    expect(page.locator("#download")).to_be_visible()
    end = page.locator("[name=S2_end]").input_value()
    page.locator("[name=S2_end]").fill("2020-01-01")
    page.get_by_role("button", name="Confirm these dates").click()
    expect(page.locator("#S2_error")).to_contain_text("The end is before the start.")
    expect(page.locator("[name=S2_end]")).to_have_value("2020-01-01")
    expect(page.get_by_role("alert")).to_contain_text("Second semester (S2): The end is before the start.")
    user.keep_screenshot(tmp_path / "refused.png")
    page.locator("[name=S2_end]").fill(end)
    page.get_by_role("button", name="Confirm these dates").click()
    expect(page.locator("#dates")).to_contain_text("Confirmed")


def test_a_refused_date_is_shown_in_the_form_that_corrects_it(user: User, tmp_path: Path) -> None:
    """The focus is on the field, and all fields keep what was typed."""
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    user.page.locator("[name=recess0_start]").fill("2026-09-26")
    user.page.get_by_role("button", name="Confirm these dates").click()
    expect(user.page.locator("#recess0_error")).to_contain_text("Give both its first and its last day.")
    expect(user.page.locator("[name=recess0_start]")).to_be_focused()
    expect(user.page.locator("[name=recess0_start]")).to_have_value("2026-09-26")
    user.page.locator("[name=recess0_end]").fill("2026-10-04")
    user.page.get_by_role("button", name="Confirm these dates").click()
    expect(user.page.locator("#dates")).to_contain_text("Confirmed")
    expect(user.page.locator("#message")).to_be_hidden()


def test_a_calendar_whose_dates_are_all_past_is_doubted(user: User, tmp_path: Path) -> None:
    """The page offers the other years that are possible."""
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path, years_later=-1))
    user.await_calendar()
    question = user.page.locator("#year")
    expect(question).to_contain_text("Every date in this calendar is over: the last one was on")
    next_year = dt.datetime.now(dt.timezone(dt.timedelta(hours=2))).year + 1
    question.get_by_role("button", name=str(next_year)).click()
    expect(question).to_contain_text(
        f"Your tests and exams are in 2025, but your classes follow the dates of {next_year}."
    )
