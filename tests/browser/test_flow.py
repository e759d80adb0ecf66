"""The way of a student from PDFs to a calendar."""

import datetime as dt
import re
from pathlib import Path

import httpx
from playwright.sync_api import expect

from tests.support.browser import schedules
from tests.support.browser.user import User
from tests.support.calendar_parsers import by_icalendar, by_vobject
from tests.support.processes.application import ApiProcess

_TIME = dt.time(8, 30)


def _dates(document: bytes, time: dt.time, *, weekday: int) -> list[dt.date]:
    starts = by_icalendar(document)
    assert starts == by_vobject(document)
    return sorted(
        {
            start.date()
            for found in starts.values()
            for start in found
            if (start.time(), start.weekday()) == (time, weekday)
        }
    )


def test_several_pdfs_become_one_calendar(user: User, tmp_path: Path) -> None:
    """The files are chosen together. Each has a card, and one calendar file contains all (R1.1)."""
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path), schedules.exams(tmp_path))
    expect(user.state("lectures.pdf")).to_have_text("Read: 5 weekly classes")
    expect(user.state("tests.pdf")).to_have_text("Read: 2 tests")
    expect(user.state("exams.pdf")).to_have_text("Read: 2 exams")
    user.await_calendar()
    mondays = _dates(user.download(), _TIME, weekday=0)
    # Term dates are those shipped. 10 August 2026 is the public holiday of the Sunday before.
    assert mondays[:4] == [dt.date(2026, 7, 13), dt.date(2026, 7, 20), dt.date(2026, 7, 27), dt.date(2026, 8, 3)]
    assert dt.date(2026, 8, 10) not in mondays
    assert dt.date(2026, 10, 12) in mondays
    assert dt.date(2026, 11, 9) in mondays  # This is the exam.


def test_files_dropped_on_the_page_are_taken(user: User, tmp_path: Path) -> None:
    """They may be dropped anywhere on it."""
    user.drop([schedules.lectures(tmp_path), schedules.semester_tests(tmp_path)])
    expect(user.state("lectures.pdf")).to_have_text("Read: 5 weekly classes")
    expect(user.state("tests.pdf")).to_have_text("Read: 2 tests")


def test_the_week_and_the_dates_show_what_was_read(user: User, tmp_path: Path) -> None:
    """Classes are listed by day, and tests and exams by date. Doubtful entries are marked."""
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path), schedules.exams(tmp_path))
    user.await_calendar()
    user.view("All classes")
    monday = user.page.locator(".view--typical .day", has_text="Monday")
    expect(monday.locator(".slot")).to_have_count(2)
    expect(monday.locator(".slot").first).to_contain_text("ABC 123")
    user.view_by_date()
    expect(monday).to_be_hidden()
    listed = user.page.locator(".appointment")
    expect(listed.locator("time")).to_have_text(["Sat 22", "Sat 12", "Tue 3", "Mon 9"])
    expect(listed.nth(2)).to_contain_text(re.compile("08:30.11:30"))
    expect(listed.nth(2)).to_contain_text("end assumed")
    expect(listed.nth(3)).to_contain_text("Not final")


def test_what_is_doubtful_is_shown_beside_its_row(user: User, tmp_path: Path) -> None:
    """The warning names the page and the row of the document, so that the student can compare them."""
    user.choose(schedules.semester_tests(tmp_path, weekday="Saturday"), schedules.exams(tmp_path))
    user.await_calendar()
    expect(user.page.locator(".appointment .warning")).to_have_count(0)
    user.remove("tests.pdf")
    expect(user.cards).to_have_count(1)
    user.choose(schedules.semester_tests(tmp_path, weekday="Monday"))
    warnings = user.page.locator(".appointment .warning")
    expect(warnings).to_have_count(2)
    expect(warnings.nth(1)).to_contain_text("Please check:")
    expect(warnings.nth(1)).to_contain_text("tests.pdf, page 1, row 2")


def test_other_dates_change_the_calendar(user: User, tmp_path: Path) -> None:
    """The page asks the student to confirm them and names their source.

    Dates that the student sets count as confirmed.
    """
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    dates = user.page.locator("#dates")
    expect(dates).to_contain_text("Please confirm these dates")
    expect(dates).to_contain_text("not checked against the university's calendar")
    dates.locator("[name=S2_start]").fill("2026-07-27")
    dates.locator("[name=recess0_start]").fill("2026-09-26")
    dates.locator("[name=recess0_end]").fill("2026-10-04")
    dates.get_by_role("button", name="Confirm these dates").click()
    expect(dates).to_contain_text("Confirmed")
    mondays = _dates(user.download(), _TIME, weekday=0)
    assert mondays[0] == dt.date(2026, 7, 27)
    assert dt.date(2026, 9, 28) not in mondays
    assert dt.date(2026, 10, 5) in mondays


def test_dates_that_cannot_be_are_refused_with_the_reason(user: User, tmp_path: Path) -> None:
    """The sentence comes from the service, and the calendar does not change."""
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    user.page.locator("[name=S2_end]").fill("2026-07-01")
    user.page.get_by_role("button", name="Confirm these dates").click()
    expect(user.page.locator("#message")).to_contain_text("The end is before the start.")
    assert _dates(user.download(), _TIME, weekday=0)[0] == dt.date(2026, 7, 13)


def test_groups_and_modules_that_are_not_mine_leave(user: User, tmp_path: Path) -> None:
    """They are removed from the week and from the file."""
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    slots = user.classes
    expect(slots).to_have_count(5)
    user.page.get_by_label("Practicals of ABC 123").select_option("P02")
    expect(slots).to_have_count(4)
    user.page.get_by_role("checkbox", name="XYZ 214").uncheck()
    expect(slots).to_have_count(3)
    document = user.download().decode()
    assert "P02" in document
    assert "P01" not in document
    assert "XYZ 214" not in document


def test_the_subscription_is_open_to_all_who_have_its_link(user: User, application: ApiProcess, tmp_path: Path) -> None:
    """The feed needs no cookie. Apple's link differs only in its scheme."""
    user.choose(schedules.semester_tests(tmp_path))
    user.await_calendar()
    feed_url = user.page.get_by_label("Link for any calendar").input_value()
    apple = user.page.get_by_role("link", name="Apple Calendar").get_attribute("href")
    assert apple == feed_url.replace("http:", "webcal:", 1)
    answer = httpx.get(application.url + feed_url[feed_url.index("/calendars/") :])
    assert answer.status_code == 200
    assert len(by_icalendar(answer.content)) == 2


def test_coming_back_finds_everything(user: User, tmp_path: Path) -> None:
    """These are documents, calendar and choices."""
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    feed_url = user.page.get_by_label("Link for any calendar").input_value()
    user.page.get_by_label("Practicals of ABC 123").select_option("P01")
    expect(user.classes).to_have_count(4)
    # The week changes before the choice is saved, and this sentence afterwards.
    expect(user.page.locator("#shown")).to_have_text("6 of 7 entries are shown.")
    user.page.reload()
    expect(user.cards).to_have_count(2)
    expect(user.classes).to_have_count(4)
    expect(user.page.get_by_label("Link for any calendar")).to_have_value(feed_url)


def test_a_removed_document_takes_its_entries_along(user: User, tmp_path: Path) -> None:
    """The calendar keeps its link."""
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    feed_url = user.page.get_by_label("Link for any calendar").input_value()
    user.remove("lectures.pdf")
    expect(user.cards).to_have_count(1)
    expect(user.classes).to_have_count(0)
    expect(user.page.get_by_label("Link for any calendar")).to_have_value(feed_url)
