"""The page on each screen width, with a keyboard only, and without JavaScript.

It is small and loads nothing from other sites.
"""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewUser
from tests.support.browser import schedules
from tests.support.browser.user import User
from tests.support.calendar_parsers import by_icalendar
from tests.support.processes.application import ApiProcess

_LONG_NAME = "a" * 90 + "_2026-08-12T10.33.21_(1)(copy).pdf"


def _long_named(directory: Path) -> Path:
    """A schedule with warnings that repeat the long name."""
    return schedules.semester_tests(directory, weekday="Monday").rename(directory / _LONG_NAME)


@pytest.mark.parametrize(
    ("width", "colour_scheme"), [(320, "light"), (390, "light"), (390, "dark"), (768, "light"), (1440, "dark")]
)
def test_nothing_is_wider_than_the_screen(
    new_user: NewUser, application: ApiProcess, tmp_path: Path, width: int, colour_scheme: str
) -> None:
    """The page is empty, has a failed document with a long name, and has all three kinds of schedule."""
    user = new_user(application.url, width=width, color_scheme=colour_scheme)
    user.page.goto("/")
    assert not user.overflows()
    notes = tmp_path / "notes.pdf"
    notes.write_text("These are my notes.")
    user.choose(notes, schedules.lectures(tmp_path), _long_named(tmp_path), schedules.exams(tmp_path))
    expect(user.page.locator('#cards [data-status="completed"]')).to_have_count(3)
    user.await_calendar()
    assert not user.overflows()
    user.view_by_date()
    assert not user.overflows()


def test_the_keyboard_is_enough(user: User, tmp_path: Path) -> None:
    """The user chooses files, reads the dates, chooses a group, changes the dates and downloads (WCAG 2.1.1, 2.4.3)."""
    page = user.page
    # The test listens from the beginning, since the browser could otherwise open a real dialogue first.
    with page.expect_file_chooser() as opened:
        user.tab_to("#file")
        page.keyboard.press("Enter")
    opened.value.set_files([schedules.lectures(tmp_path), schedules.semester_tests(tmp_path)])
    user.await_calendar()
    user.tab_to("#view-week")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".appointment").first).to_be_visible()
    page.locator("#main").focus()
    user.tab_to("select[name=group]")
    page.keyboard.press("ArrowDown")
    expect(user.classes).to_have_count(4)
    # The part was rendered again, and the focus is on the same field.
    assert page.evaluate("document.activeElement.name") == "group"
    user.tab_to("[name=S2_start]")
    # The first part of a date depends on the country. Increasing it by one gives another date in each.
    page.keyboard.press("ArrowUp")
    start = page.locator("[name=S2_start]").input_value()
    assert start != "2026-07-13"
    user.tab_to("#dates button")
    page.keyboard.press("Enter")
    expect(page.locator("#dates")).to_contain_text("Confirmed")
    expect(page.locator("[name=S2_start]")).to_have_value(start)
    user.tab_to("#download")
    with page.expect_download() as started:
        page.keyboard.press("Enter")
    assert by_icalendar(started.value.path().read_bytes())


def test_everything_works_without_javascript(new_user: NewUser, application: ApiProcess, tmp_path: Path) -> None:
    """Upload, status with automatic reloads, calendar, dates, groups, download and removal work with plain forms."""
    user = new_user(application.url, java_script_enabled=False)
    page = user.page
    page.goto("/")
    for document in (schedules.lectures(tmp_path), schedules.semester_tests(tmp_path)):
        user.choose(document)
        page.get_by_role("button", name="Upload this file").click()
        expect(user.state(document.name)).to_contain_text("Read:")
    page.get_by_role("button", name="Make my calendar").click()
    page.get_by_label("Practicals of ABC 123").select_option("P02")
    page.get_by_role("button", name="Apply").click()
    expect(user.classes).to_have_count(4)
    page.locator("[name=S2_start]").fill("2026-07-27")
    page.get_by_role("button", name="Confirm these dates").click()
    expect(page.locator("#dates")).to_contain_text("Confirmed")
    starts = by_icalendar(user.download())
    assert min(start for found in starts.values() for start in found).isoformat() == "2026-07-27T08:30:00"
    page.get_by_role("button", name="Remove lectures.pdf").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Remove lectures.pdf?")
    page.get_by_role("button", name="Remove it").click()
    expect(user.cards).to_have_count(1)


def test_a_wrong_file_is_shown_without_javascript(new_user: NewUser, application: ApiProcess, tmp_path: Path) -> None:
    """A page shows the service's sentence and a link to the first page."""
    user = new_user(application.url, java_script_enabled=False)
    user.page.goto("/")
    notes = tmp_path / "notes.pdf"
    notes.write_text("These are my notes.")
    user.choose(notes)
    user.page.get_by_role("button", name="Upload this file").click()
    expect(user.page.get_by_role("alert")).to_contain_text("This is not a PDF.")
    user.page.get_by_role("link", name="Back to your schedule").click()
    expect(user.page.get_by_role("heading", level=1)).to_contain_text("Your schedule")


def test_the_page_is_small_and_loads_from_one_site_only(new_user: NewUser, application: ApiProcess) -> None:
    """The page has less than 100 kB before compression, is cached without a limit, and comes from one site only."""
    user = new_user(application.url)
    sizes: dict[str, int] = {}
    user.page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}))
    page_answer = user.page.goto("/", wait_until="networkidle")
    assert page_answer is not None
    assert sum(sizes.values()) < 100_000
    assert {urlsplit(url).netloc for url in user.requested} == {urlsplit(application.url).netloc}
    assert "'unsafe" not in page_answer.headers["content-security-policy"]
    assert page_answer.headers["cache-control"] == "no-store"
    script = next(url for url in user.requested if url.endswith("/main.js"))
    answer = user.page.request.get(script)
    assert "immutable" in answer.headers["cache-control"]
    # The digest of another release is answered, but must not be cached.
    other = user.page.request.get(re.sub(r"/static/\w+/", "/static/000000000000/", script))
    assert (other.status, other.headers["cache-control"]) == (200, "no-store")
