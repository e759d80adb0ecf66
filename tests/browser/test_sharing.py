"""Using a calendar elsewhere: its links, the shared page, and tables."""

import csv
import io
import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewUser
from tests.support.browser import schedules
from tests.support.browser.accessibility import violations
from tests.support.browser.user import User
from tests.support.processes.application import ApiProcess


def _read(user: User, directory: Path) -> None:
    user.page.goto("/")
    user.choose(schedules.lectures(directory), schedules.semester_tests(directory))
    user.await_calendar()


def _status(user: User, url: str) -> int:
    """The status of the advertised address, requested from the address at which the application listens."""
    return user.page.request.get(url[url.index("/", 8) :]).status


@pytest.mark.parametrize(("width", "colour_scheme"), [(390, "dark"), (1440, "light")])
def test_the_owner_renews_and_ends_the_link(
    new_user: NewUser, application: ApiProcess, tmp_path: Path, width: int, colour_scheme: str
) -> None:
    """The focus is on the changed part of the page. An earlier link ends at once."""
    user = new_user(application.url, width=width, color_scheme=colour_scheme)
    page = user.page
    _read(user, tmp_path)
    link = page.get_by_label("Link for any calendar")
    first = link.input_value()
    for details in page.locator("#take details").all():
        details.locator("summary").click()
    # The tests use a desktop browser at each width.
    code = page.get_by_role("img", name="QR code of the link above")
    code.scroll_into_view_if_needed()
    expect(code).to_have_js_property("complete", value=True)
    assert code.evaluate("image => image.naturalWidth") > 100
    feeds = page.locator("#take-modules input").all()
    assert [_status(user, feed.input_value()) for feed in feeds] == [200, 200]
    assert violations(page) == []
    user.keep_screenshot(tmp_path / "take.png")
    page.locator("#take-end").get_by_role("button", name="Make a new link").click()
    expect(link).not_to_have_value(first)
    expect(page.locator("#take-title")).to_be_focused()
    second = link.input_value()
    assert (_status(user, first), _status(user, second)) == (404, 200)
    page.get_by_role("button", name="End the link").click()
    expect(page.locator("#take")).to_contain_text("The link of this calendar is ended")
    assert _status(user, second) == 404
    assert violations(page) == []
    page.get_by_role("button", name="Make a new link").click()
    expect(link).to_be_visible()
    assert _status(user, link.input_value()) == 200


@pytest.mark.parametrize(("width", "colour_scheme"), [(390, "light"), (1440, "dark")])
def test_others_see_what_the_owner_shares(
    new_user: NewUser, application: ApiProcess, tmp_path: Path, width: int, colour_scheme: str
) -> None:
    """The shared page shows the timetable, or only the busy times, without a cookie, until the owner ends it."""
    user = new_user(application.url)
    other = new_user(application.url, width=width, color_scheme=colour_scheme)
    _read(user, tmp_path)
    user.page.locator("#take-share summary").click()
    user.page.get_by_role("button", name="Share the timetable").click()
    shared = user.page.get_by_label("Page for others").input_value()
    other.page.goto(f"{shared[shared.index('/', 8) :]}?week=2026-08-17")
    expect(other.page.locator(".view--week .slot")).to_have_count(6)
    expect(other.page.locator("body")).not_to_contain_text("lectures.pdf")
    assert other.page.context.cookies() == []
    assert violations(other.page) == []
    assert not other.overflows()
    other.keep_screenshot(tmp_path / "shared.png")
    user.page.get_by_role("button", name="Share busy times only").click()
    expect(user.page.get_by_label("Page for others (busy times only)")).not_to_have_value(shared)
    busy = user.page.get_by_label("Page for others").input_value()
    assert _status(user, shared) == 404
    other.page.goto(f"{busy[busy.index('/', 8) :]}?week=2026-08-17")
    # The two classes on Monday overlap, so they are one busy time.
    expect(other.page.locator(".view--week .slot")).to_have_count(5)
    for secret in ("ABC 123", "XYZ 214", "Maple", "Great Hall"):
        expect(other.page.locator("main")).not_to_contain_text(secret)
    assert violations(other.page) == []
    other.keep_screenshot(tmp_path / "busy.png")
    other.page.get_by_role("link", name="The week after").click()
    expect(other.page.locator("#week-title")).to_have_text("24 to 29 August 2026")
    user.page.get_by_role("button", name="End sharing").click()
    expect(user.page.get_by_label("Page for others")).to_have_count(0)
    assert _status(user, busy) == 404


def test_all_dates_are_taken_as_a_table(user: User, tmp_path: Path) -> None:
    """Spreadsheets and programs get the same rows."""
    _read(user, tmp_path)
    tables: dict[str, bytes] = {}
    for name, link in (("csv", "CSV for a spreadsheet"), ("json", "JSON")):
        with user.page.expect_download() as started:
            user.page.get_by_role("link", name=link).click()
        assert started.value.suggested_filename == f"up-timetable.{name}"
        tables[name] = started.value.path().read_bytes()
    rows = list(csv.DictReader(io.StringIO(tables["csv"].decode("utf-8-sig"))))
    dates = json.loads(tables["json"])["dates"]
    assert len(rows) == len(dates) > 60
    assert [(row["date"], row["start"], row["module"]) for row in rows] == [
        (date["date"], date["start"], date["module"]) for date in dates
    ]
    (test,) = (row for row in rows if row["kind"] == "test" and row["module"] == "ABC 123")
    assert (test["date"], test["weekday"], test["venues"]) == ("2026-08-22", "Saturday", "Maple 3-7; Oak 2-26")


def test_links_are_managed_without_javascript(new_user: NewUser, application: ApiProcess, tmp_path: Path) -> None:
    """The forms are the same."""
    user = new_user(application.url, java_script_enabled=False)
    page = user.page
    page.goto("/")
    user.choose(schedules.semester_tests(tmp_path))
    page.get_by_role("button", name="Upload this file").click()
    expect(user.state("tests.pdf")).to_contain_text("Read:")
    page.get_by_role("button", name="Make my calendar").click()
    first = page.get_by_label("Link for any calendar").input_value()
    page.locator("#take-end summary").click()
    page.get_by_role("button", name="End the link").click()
    assert _status(user, first) == 404
    page.locator("#take-share summary").click()
    page.get_by_role("button", name="Share the timetable").click()
    shared = page.get_by_label("Page for others").input_value()
    page.goto(shared[shared.index("/", 8) :])
    expect(page.get_by_role("heading", level=1)).to_have_text("A shared timetable")
