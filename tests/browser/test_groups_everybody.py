"""The pages for groups on each width, in both themes and with a keyboard only."""

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import NewUser
from tests.browser.test_groups import ALWAYS_CLASHING, ROWS, with_calendar
from tests.support.browser import schedules
from tests.support.browser.screens import check_screen
from tests.support.browser.user import User
from tests.support.processes.application import ApiProcess

#: Each class has one group, so there is nothing to choose.
_ONE_GROUP = (
    ("ABC 123", "P01", ("P1", 1, "14:30 - 17:20", "Computatorium Red Lab")),
    ("XYZ 214", "G01", ("L1", 1, "15:30 - 16:20", "Great Hall")),
)


def test_every_state_of_the_groups_is_accessible(new_user: NewUser, application: ApiProcess, tmp_path: Path) -> None:
    """All rules of axe pass at 390 and 1440 px: open, taken, clashing, dismissed, nothing to choose, and one class."""

    def arrive(*files: Path) -> User:
        user = new_user(application.url)
        with_calendar(user, *files)
        user.page.goto("/groups")
        return user

    tests = schedules.semester_tests(tmp_path)
    user = arrive(schedules.lectures(tmp_path, ROWS), tests)
    page = user.page
    page.locator("#settled summary").click()
    check_screen(user, tmp_path, "open")
    page.get_by_role("button", name="Take combination 1").click()
    expect(page.locator("#current")).to_be_visible()
    check_screen(user, tmp_path, "taken")
    page.get_by_role("link", name="ABC 123 Practicals").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("ABC 123: practicals")
    check_screen(user, tmp_path, "class")

    user = arrive(schedules.lectures(tmp_path, ALWAYS_CLASHING), tests)
    page = user.page
    check_screen(user, tmp_path, "clashing")
    page.get_by_role("button", name="Take combination 1").click()
    page.locator("#clashes").get_by_role("button", name="Dismiss").click()
    expect(page.locator("#clashes .clash-item")).to_contain_text("dismissed")
    check_screen(user, tmp_path, "dismissed")

    user = arrive(schedules.lectures(tmp_path, _ONE_GROUP), tests)
    expect(user.page.get_by_text("there is nothing to choose")).to_be_visible()
    check_screen(user, tmp_path, "nothing-to-choose")


def test_groups_are_chosen_with_the_keyboard(user: User, tmp_path: Path) -> None:
    """The user sets a wish, takes a combination and changes one class, in the order of the page (WCAG 2.1.1)."""
    page = user.page
    with_calendar(user, schedules.lectures(tmp_path, ROWS), schedules.semester_tests(tmp_path))
    page.goto("/groups")
    user.tab_to("#wish-not-before")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".proposal").first).to_contain_text("T02")
    # The part was rendered again, and the focus is on the same field.
    expect(page.locator("#wish-not-before")).to_be_focused()
    user.tab_to("#settled summary")
    page.keyboard.press("Enter")
    expect(page.locator("#settled select").first).to_be_visible()
    page.locator("#main").focus()
    user.tab_to("[aria-label^='Take combination 1']")
    page.keyboard.press("Enter")
    expect(page.locator("#current-title")).to_be_focused()
    user.tab_to(".decisions a")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("ABC 123")
    user.tab_to(".proposal button")
    page.keyboard.press("Enter")
    expect(page.locator("#current-title")).to_contain_text("Your groups now")
